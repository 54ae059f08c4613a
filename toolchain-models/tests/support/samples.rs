//! How each option of the driver's table is spelled when it is tried, and the options that go with a phase.

#![allow(dead_code, reason = "each user takes a part")]

/// Options whose name needs more to make a sample, with samples: words as in the shell. An option that is not here is tried as
/// it is.
const SPELLED: &[(&str, &[&str])] = &[
    ("--param", &["--param max-inline-insns-single=50"]),
    ("--param=", &["--param=max-inline-insns-single=50"]),
    ("--std=", &["--std=gnu11"]),
    ("--sysroot", &["--sysroot /"]),
    ("--sysroot=", &["--sysroot=/"]),
    ("--coverage", &["--coverage -frandom-seed=s"]),
    ("-coverage", &["-coverage -frandom-seed=s"]),
    ("--output=", &["--output=x"]),
    ("--print-", &["--print-multiarch"]),
    ("--", &["--no-such-option"]),
    ("-A", &["-Aq=x", "-A q=x"]),
    ("-B", &["-Binc", "-B inc/"]),
    ("-D", &["-DX=1", "-D X"]),
    ("-I", &["-Iinc", "-I nowhere"]),
    ("-I-", &["-Iinc -I- -I."]),
    ("-L", &["-Linc", "-L ."]),
    ("-MD", &["-MD", "-MD -MP"]),
    ("-MF", &["-MD -MFx.d", "-MMD -MF obj/x.d"]),
    ("-MG", &["-M -MG"]),
    ("-MM", &["-MM", "-MM -MG"]),
    ("-MP", &["-MMD -MP"]),
    ("-MQ", &["-MD -MQ 'a$b'", "-MD -MQx"]),
    ("-MT", &["-MD -MT 'a$b'", "-MD -MTx"]),
    ("-O", &["-O", "-O0", "-O1", "-O2", "-O3", "-Os", "-Ofast", "-Og", "-O9"]),
    ("-R", &["-Rinc", "-R inc"]),
    ("-T", &["-Tempty.ld", "-T empty.ld"]),
    ("-Tbss", &["-Tbss 0x600000", "-Tbss=0x600000"]),
    ("-Tdata", &["-Tdata 0x500000", "-Tdata=0x500000"]),
    ("-Ttext", &["-Ttext 0x400000", "-Ttext=0x400000"]),
    ("-U", &["-UX", "-U X"]),
    ("-W", &["-W", "-Wall -Wextra", "-Werror", "-Werror=format"]),
    ("-Wa,", &["-Wa,--noexecstack", "-Wa,-L"]),
    ("-Wl,", &["-Wl,-z,now", "-Wl,--as-needed,-O1"]),
    ("-Wno-", &["-Wno-unused", "-Wno-no-such-warning"]),
    ("-Wp,", &["-Wp,-MMD,x.d", "-Wp,-DX"]),
    ("-Xassembler", &["-Xassembler --noexecstack"]),
    ("-Xlinker", &["-Xlinker --as-needed"]),
    ("-Xpreprocessor", &["-Xpreprocessor -DX"]),
    ("-aux-info", &["-aux-info x.X"]),
    ("-d", &["-da", "-dx"]),
    ("-dumpbase", &["-dumpbase x.c", "-dumpbase '' -fstack-usage", "-dumpbase obj/y.c -fstack-usage"]),
    ("-dumpbase-ext", &["-dumpbase x.c -dumpbase-ext .c -fstack-usage", "-dumpbase-ext .c"]),
    ("-dumpdir", &["-dumpdir obj/", "-dumpdir obj/x- -fstack-usage -fcallgraph-info"]),
    ("-e", &["-emain", "-e main"]),
    ("-f", &["-fPIC", "-fno-common", "-fopenmp", "-fsyntax-only", "-fpreprocessed", "-fdirectives-only", "-fanalyzer"]),
    ("-fada-", &["-fada-spec-parent=x"]),
    ("-fauto-profile=", &["-fauto-profile=nowhere", "-fauto-profile=inc/a.h"]),
    ("-fbranch-probabilities", &["-fbranch-probabilities", "-fbranch-probabilities -fprofile-dir=inc"]),
    ("-fcallgraph-info=", &["-fcallgraph-info=su,da", "-fcallgraph-info=su -fstack-usage"]),
    ("-fdisable-", &["-fdisable-tree-vrp1"]),
    ("-fdump", &["-fdump-tree-all", "-fdump-rtl-expand"]),
    ("-fenable-", &["-fenable-tree-vrp1"]),
    ("-fexec-charset=", &["-fexec-charset=ISO-8859-1"]),
    ("-finput-charset=", &["-finput-charset=ISO-8859-1"]),
    ("-fwide-exec-charset=", &["-fwide-exec-charset=UTF-16LE"]),
    ("-flinker-output=", &["-flinker-output=rel"]),
    ("-flto", &["-flto -frandom-seed=s", "-flto -ffat-lto-objects -frandom-seed=s"]),
    ("-flto=", &["-flto=auto -frandom-seed=s", "-flto=2 -O2 -frandom-seed=s"]),
    ("-fltrans", &["-fltrans"]),
    ("-fmodule", &["-fmodules-ts"]),
    ("-foffload", &["-foffload=disable"]),
    ("-fopenacc", &["-fopenacc"]),
    (
        "-fopt-info",
        &[
            "-O3 -fopt-info",
            "-O3 -fopt-info-vec-all=report",
            "-fopt-info=report",
            "-O2 -fopt-info-inline=obj/r -fopt-info-loop=obj/r",
        ],
    ),
    ("-fpch-", &["-fpch-deps"]),
    ("-fplugin", &["-fplugin=nowhere.so"]),
    ("-fprofile-", &["-fprofile-no-such"]),
    (
        "-fprofile-arcs",
        &["-fprofile-arcs -frandom-seed=s", "-fprofile-arcs -ftest-coverage -frandom-seed=s -fprofile-abs-path"],
    ),
    ("-fprofile-dir=", &["-fprofile-dir=inc -fprofile-arcs -ftest-coverage -frandom-seed=s"]),
    ("-fprofile-exclude-files=", &["-fprofile-arcs -frandom-seed=s -fprofile-exclude-files=a.*"]),
    ("-fprofile-filter-files=", &["-fprofile-arcs -frandom-seed=s -fprofile-filter-files=main.*"]),
    (
        "-fprofile-generate",
        &["-fprofile-generate -frandom-seed=s", "-O2 -fprofile-generate -frandom-seed=s -fprofile-update=atomic"],
    ),
    ("-fprofile-generate=", &["-fprofile-generate=inc -frandom-seed=s"]),
    ("-fprofile-info-section=", &["-fprofile-info-section=x"]),
    ("-fprofile-note=", &["-fprofile-note=obj/n.gcno --coverage -frandom-seed=s"]),
    ("-fprofile-reproducible=", &["-fprofile-reproducible=serial"]),
    ("-fprofile-update=", &["-fprofile-update=single"]),
    ("-fprofile-use", &["-fprofile-use", "-O2 -fprofile-use -Wmissing-profile", "-O2 -fprofile-use -fprofile-dir=inc"]),
    ("-fprofile-use=", &["-O2 -fprofile-use=inc -Wmissing-profile", "-fprofile-use=data/main.gcda -Wmissing-profile"]),
    ("-fresolution", &["-fresolution=x"]),
    ("-fself-test", &["-fself-test=inc"]),
    ("-ftest-coverage", &["-ftest-coverage -frandom-seed=s"]),
    ("-fuse-ld=", &["-fuse-ld=mold"]),
    ("-g", &["-g", "-g3", "-ggdb3", "-gdwarf-4", "-g1 -gz", "-gno-strict-dwarf"]),
    ("-gsplit-dwarf", &["-gsplit-dwarf", "-g -O2 -gsplit-dwarf"]),
    ("-idirafter", &["-idirafterinc", "-idirafter inc"]),
    ("-imacros", &["-imacrosa.h", "-imacros inc/a.h"]),
    ("-imultilib", &["-imultilib 32"]),
    ("-include", &["-includea.h", "-include inc/a.h"]),
    ("-iplugindir=", &["-iplugindir=inc"]),
    ("-iprefix", &["-iprefix inc/"]),
    ("-iquote", &["-iquoteinc", "-iquote inc"]),
    ("-isysroot", &["-isysroot /"]),
    ("-isystem", &["-isysteminc", "-isystem inc"]),
    ("-iwithprefix", &["-iprefix ./ -iwithprefix inc"]),
    ("-iwithprefixbefore", &["-iprefix ./ -iwithprefixbefore inc"]),
    ("-l", &["-lm", "-l m"]),
    ("-m", &["-m64", "-march=native", "-mavx2", "-mno-sse4", "-mtune=haswell", "-mcmodel=medium"]),
    ("-nostdlib", &["-nostdlib -lc"]),
    ("-o", &["-o x"]),
    ("-print-", &["-print-multiarch"]),
    ("-r", &["-r", "-r -nostdlib"]),
    ("-save-temps", &["-save-temps", "-save-temps -g -MD"]),
    ("-save-temps=", &["-save-temps=obj", "-save-temps=cwd", "-save-temps=obj -gsplit-dwarf"]),
    ("-shared", &["-shared -fPIC"]),
    ("-specs", &["-specs x.specs"]),
    ("-specs=", &["-specs=x.specs"]),
    ("-static-pie", &["-static-pie -fPIE"]),
    ("-std=", &["-std=c99", "-std=gnu17", "-std=c++20"]),
    ("-u", &["-umain", "-u main"]),
    ("-wrapper", &["-wrapper env"]),
    ("-x", &["-xc", "-x c"]),
    ("-z", &["-z now"]),
];

/// The samples of an option of the table.
pub fn of(name: &str) -> Vec<String> {
    match SPELLED.iter().find(|(option, _)| *option == name) {
        Some((_, samples)) => samples.iter().map(|sample| (*sample).to_owned()).collect(),
        None => vec![name.to_owned()],
    }
}

/// Names of samples that the table has no longer.
pub fn superfluous<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'static str> {
    let names: Vec<&str> = names.collect();
    SPELLED.iter().map(|(name, _)| *name).filter(|name| !names.contains(name)).collect()
}

/// Commands, one for each phase, with a place for options.
pub const COMMANDS: &[(&str, &str)] = &[
    ("compile", "gcc {} -c main.c -o obj/main.o"),
    ("preprocess", "gcc {} -E main.c -o obj/main.i"),
    ("c++", "g++ {} -S plus.cc"),
    ("assemble", "gcc {} -c cpp.S"),
    ("link", "gcc {} main.c second.c -o prog"),
];

/// Files for these commands.
pub const FILES: &[(&str, &str)] = &[
    (
        "main.c",
        "#include \"a.h\"\nint second(int);\nint main(int argc, char **argv)\n{\n\tint i, sum = A;\n\tfor (i = 0; i < argc; i++)\n\t\tsum += argv[i][0] ? second(i) : 1;\n\treturn sum;\n}\n",
    ),
    (
        "second.c",
        "int second(int n)\n{\n\tint a[8], i, sum = 0;\n\tfor (i = 0; i < 8; i++)\n\t\ta[i] = n * i;\n\tfor (i = 0; i < 8; i++)\n\t\tsum += a[i];\n\treturn sum;\n}\n",
    ),
    (
        "plus.cc",
        "#include \"a.h\"\nstruct S { virtual ~S(); int f(int n) { return n > 1 ? n * f(n - 1) : A; } };\nS::~S() {}\nint g(S &s) { return s.f(5); }\n",
    ),
    ("cpp.S", "#include \"a.h\"\n\t.data\n\t.globl cpp\ncpp:\t.long A\n\t.section .note.GNU-stack,\"\",@progbits\n"),
    ("a.h", "#define A 1\n"),
    ("inc/a.h", "#define A 3\n"),
    ("empty.ld", "/* nothing */\n"),
    ("x.specs", "*cpp_unique_options:\n+ -DSPECS\n\n"),
    ("obj/keep", ""),
];

/// Options of the driver's that only a link goes by.
const LINK: &[&str] = &[
    "-L",
    "-N",
    "-R",
    "-T",
    "-Tbss",
    "-Tdata",
    "-Ttext",
    "-Wl,",
    "-Xlinker",
    "-Z",
    "-e",
    "-fuse-ld=bfd",
    "-fuse-ld=gold",
    "-fuse-ld=lld",
    "-l",
    "-n",
    "-no-pie",
    "-nodefaultlibs",
    "-nolibc",
    "-nostartfiles",
    "-nostdlib",
    "-pie",
    "-r",
    "-rdynamic",
    "-s",
    "-shared",
    "-shared-libgcc",
    "-static",
    "-static-libasan",
    "-static-libgcc",
    "-static-liblsan",
    "-static-libstdc++",
    "-static-libtsan",
    "-static-libubsan",
    "-static-pie",
    "-symbolic",
    "-u",
    "-z",
];

/// Options that matter to a link and to what comes before.
const BOTH: &[&str] = &[
    "--coverage",
    "-g",
    "-gsplit-dwarf",
    "-pg",
    "-pthread",
    "-save-temps",
    "-fprofile-generate",
    "-MD",
    "-B",
    "-flto",
];

/// Every pair of options that share a phase, as commands. Options that choose the phase or the output are left to `COMMANDS`.
pub fn pairs<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    const CHOOSE: &[&str] = &["-E", "-M", "-MG", "-MM", "-S", "-c", "-o", "-x"];
    let names: Vec<&str> = names.filter(|name| !CHOOSE.contains(name)).collect();
    let before: Vec<String> = names.iter().filter(|name| !LINK.contains(name)).flat_map(|name| of(name)).collect();
    let at_link = names.iter().filter(|name| LINK.contains(name) || BOTH.contains(name));
    let at_link: Vec<String> = at_link.flat_map(|name| of(name)).collect();
    let mut commands = Vec::new();
    for (options, (_, command)) in [(&before, COMMANDS[0]), (&at_link, COMMANDS[COMMANDS.len() - 1])] {
        for (number, one) in options.iter().enumerate() {
            for other in &options[number + 1..] {
                commands.push(command.replace("{}", &format!("{one} {other}")));
            }
        }
    }
    commands
}

/// Commands with some options each, in some order: as many as wanted, by lot from this seed on. `may` says whether a command can
/// become a thunk: options that never do are left out.
pub fn mixed<'a>(
    names: impl Iterator<Item = &'a str>,
    may: impl Fn(&str) -> bool,
    count: usize,
    seed: u64,
) -> Vec<String> {
    const MORE: &[&str] = &["gcc {} -c main.c second.c", "gcc {} -S main.c", "gcc {} main.c -o prog second.c"];
    let commands: Vec<&str> = COMMANDS.iter().map(|(_, command)| *command).chain(MORE.iter().copied()).collect();
    let samples: Vec<String> = names.flat_map(of).collect();
    let of_command = |command: &&str| -> Vec<&String> {
        samples.iter().filter(|sample| may(&command.replace("{}", sample))).collect()
    };
    let options: Vec<Vec<&String>> = commands.iter().map(of_command).collect();
    // xorshift, as Marsaglia gives it
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap_or(0) % below
    };
    let one = |_| {
        let phase = draw(commands.len());
        let chosen: Vec<&str> = (0..2 + draw(5)).map(|_| options[phase][draw(options[phase].len())].as_str()).collect();
        commands[phase].replace("{}", &chosen.join(" "))
    };
    (0..count).map(one).collect()
}

/// Compilations with a name that the compiler lists; where it takes a value, with the first that the compiler proposes.
pub fn listed(name: &str) -> Vec<String> {
    let option = if name.ends_with('=') {
        let asked = std::process::Command::new("gcc").arg(format!("--completion={name}")).output().expect("ask gcc");
        let proposed = String::from_utf8_lossy(&asked.stdout).into_owned();
        let value = proposed.lines().find(|line| line.len() > name.len() && line.starts_with(name));
        value.map_or_else(|| format!("{name}1"), str::to_owned)
    } else {
        name.to_owned()
    };
    vec![format!("gcc -O1 {option} -c main.c"), format!("g++ {option} -S plus.cc -o obj/plus.s")]
}
