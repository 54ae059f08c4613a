//! The driver's options that do more than choose how code is made: a table, and the rule that finds an option in it.
//!
//! Knows nothing of files or of what the driver makes of an option; the plan that it prints tells that.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::verdict::{Reason, ReasonKind};

/// How the driver finds an option's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The argument is the name.
    Flag,
    /// The value follows the name in the same argument, and may be empty.
    Joined,
    /// The value is the next argument.
    Separate,
    /// Either.
    JoinedOrSeparate,
}

/// What the option means to the model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// It shows in the plan, and the models of its commands know it.
    Planned,
    /// It asks for something that is not modelled.
    Unmodelled(ReasonKind),
    /// Without an input it asks the driver about itself, as configure scripts do; beside one it is this.
    Asks(ReasonKind),
}

use Effect::{Asks, Planned, Unmodelled};
use Kind::{Flag, Joined, JoinedOrSeparate, Separate};

/// One row.
pub(crate) struct Opt {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) effect: Effect,
}

macro_rules! table {
    ($($name:literal $kind:ident $effect:expr;)*) => { &[$(Opt { name: $name, kind: $kind, effect: $effect },)*] };
}

const VERSION: Effect = Unmodelled(ReasonKind::ProbeVersion);
const PRINT: Effect = Unmodelled(ReasonKind::ProbePrint);
const NO: Effect = Unmodelled(ReasonKind::UnmodelledOption);
const VERBOSE: Effect = Asks(ReasonKind::UnmodelledOption);
/// Options by which other compilers tell their version. gcc knows none of them.
const FOREIGN: Effect = Asks(ReasonKind::UnknownOption);
const LTO: Effect = Unmodelled(ReasonKind::Lto);

/// Sorted bytewise. The longest name that spells the argument wins, so families stand as short `Joined` rows.
pub(crate) static DRIVER: &[Opt] = table! {
    "-###" Flag PRINT;
    "--" Joined Unmodelled(ReasonKind::UnknownOption);
    "--coverage" Flag NO;
    "--help" Joined VERSION;
    "--output=" Joined NO;
    "--param" Separate Planned;
    "--param=" Joined Planned;
    "--print-" Joined PRINT;
    "--std=" Joined Planned;
    "--sysroot" Separate Planned;
    "--sysroot=" Joined Planned;
    "--target-help" Flag VERSION;
    "--verbose" Flag VERBOSE;
    "--version" Flag VERSION;
    "-A" JoinedOrSeparate Planned;
    "-B" JoinedOrSeparate Planned;
    "-C" Flag Planned;
    "-CC" Flag Planned;
    "-D" JoinedOrSeparate Planned;
    "-E" Flag Planned;
    "-H" Flag Planned;
    "-I" JoinedOrSeparate Planned;
    "-I-" Flag NO;
    "-L" JoinedOrSeparate Planned;
    "-M" Flag Planned;
    "-MD" Flag Planned;
    "-MF" JoinedOrSeparate Planned;
    "-MG" Flag NO;
    "-MM" Flag Planned;
    "-MMD" Flag Planned;
    "-MP" Flag Planned;
    "-MQ" JoinedOrSeparate Planned;
    "-MT" JoinedOrSeparate Planned;
    "-Mmodules" Flag NO;
    "-N" Flag Planned;
    "-O" Joined Planned;
    "-P" Flag Planned;
    "-Q" Flag NO;
    "-R" JoinedOrSeparate Planned;
    "-S" Flag Planned;
    "-T" JoinedOrSeparate Planned;
    "-Tbss" JoinedOrSeparate Planned;
    "-Tdata" JoinedOrSeparate Planned;
    "-Ttext" JoinedOrSeparate Planned;
    "-U" JoinedOrSeparate Planned;
    "-V" Flag FOREIGN;
    "-W" Joined Planned;
    "-Wa," Joined Planned;
    "-Wl," Joined Planned;
    "-Wp," Joined Planned;
    "-Xassembler" Separate Planned;
    "-Xlinker" Separate Planned;
    "-Xpreprocessor" Separate Planned;
    "-Z" Flag Planned;
    "-ansi" Flag Planned;
    "-aux-info" JoinedOrSeparate NO;
    "-c" Flag Planned;
    "-coverage" Flag NO;
    "-d" Joined NO;
    "-dD" Flag Planned;
    "-dI" Flag Planned;
    "-dM" Flag Planned;
    "-dN" Flag Planned;
    "-dU" Flag Planned;
    "-dumpbase" Separate NO;
    "-dumpbase-ext" Separate NO;
    "-dumpdir" Separate NO;
    "-dumpfullversion" Flag PRINT;
    "-dumpmachine" Flag PRINT;
    "-dumpspecs" Flag PRINT;
    "-dumpversion" Flag PRINT;
    "-e" JoinedOrSeparate Planned;
    "-f" Joined Planned;
    "-fada-" Joined NO;
    "-fauto-profile" Joined NO;
    "-fbranch-probabilities" Flag NO;
    "-fcallgraph-info" Joined NO;
    "-fcompare-debug" Joined NO;
    "-fdisable-" Joined NO;
    "-fdump" Joined NO;
    "-fenable-" Joined NO;
    "-flinker-output=" Joined LTO;
    "-flto" Joined LTO;
    "-fmem-report" Joined NO;
    "-fmodule" Joined NO;
    "-foffload" Joined NO;
    "-fopenacc" Joined NO;
    "-fopt-info" Joined NO;
    "-fpch-" Joined Unmodelled(ReasonKind::Pch);
    "-fplugin" Joined NO;
    "-fprofile-" Joined NO;
    "-fprofile-abs-path" Flag NO;
    "-fprofile-partial-training" Flag Planned;
    "-fprofile-reorder-functions" Flag Planned;
    "-fresolution" Joined LTO;
    "-fsave-optimization-record" Flag NO;
    "-fself-test" Joined NO;
    "-fstack-usage" Flag NO;
    "-fstats" Flag NO;
    "-ftest-coverage" Flag NO;
    "-ftime-report" Joined NO;
    "-fuse-ld=" Joined NO;
    "-fuse-ld=bfd" Flag Planned;
    "-fwpa" Joined LTO;
    "-g" Joined Planned;
    "-gsplit-dwarf" Flag NO;
    "-idirafter" JoinedOrSeparate Planned;
    "-imacros" JoinedOrSeparate Planned;
    "-imultiarch" Separate Planned;
    "-imultilib" JoinedOrSeparate Planned;
    "-include" JoinedOrSeparate Planned;
    "-iplugindir=" Joined NO;
    "-iprefix" JoinedOrSeparate Planned;
    "-iquote" JoinedOrSeparate Planned;
    "-isysroot" JoinedOrSeparate Planned;
    "-isystem" JoinedOrSeparate Planned;
    "-iwithprefix" JoinedOrSeparate Planned;
    "-iwithprefixbefore" JoinedOrSeparate Planned;
    "-l" JoinedOrSeparate Planned;
    "-m" Joined Planned;
    "-n" Flag Planned;
    "-no-canonical-prefixes" Flag Planned;
    "-no-integrated-cpp" Flag NO;
    "-no-pie" Flag Planned;
    "-nodefaultlibs" Flag Planned;
    "-nolibc" Flag Planned;
    "-nostartfiles" Flag Planned;
    "-nostdinc" Flag Planned;
    "-nostdinc++" Flag Planned;
    "-nostdlib" Flag Planned;
    "-o" JoinedOrSeparate Planned;
    "-p" Flag Planned;
    "-pass-exit-codes" Flag NO;
    "-pedantic" Flag Planned;
    "-pedantic-errors" Flag Planned;
    "-pg" Flag Planned;
    "-pie" Flag Planned;
    "-pipe" Flag Planned;
    "-print-" Joined PRINT;
    "-pthread" Flag Planned;
    "-qversion" Flag FOREIGN;
    "-r" Flag Planned;
    "-rdynamic" Flag Planned;
    "-remap" Flag NO;
    "-s" Flag Planned;
    "-save-temps" Joined NO;
    "-shared" Flag Planned;
    "-shared-libgcc" Flag Planned;
    "-specs" Separate NO;
    "-specs=" Joined NO;
    "-static" Flag Planned;
    "-static-libasan" Flag Planned;
    "-static-libgcc" Flag Planned;
    "-static-liblsan" Flag Planned;
    "-static-libstdc++" Flag Planned;
    "-static-libtsan" Flag Planned;
    "-static-libubsan" Flag Planned;
    "-static-pie" Flag Planned;
    "-std=" Joined Planned;
    "-symbolic" Flag Planned;
    "-t" Flag NO;
    "-time" Joined NO;
    "-traditional" Flag Planned;
    "-traditional-cpp" Flag NO;
    "-trigraphs" Flag Planned;
    "-u" JoinedOrSeparate Planned;
    "-undef" Flag Planned;
    "-v" Flag VERBOSE;
    "-version" Flag FOREIGN;
    "-w" Flag Planned;
    "-wrapper" Separate NO;
    "-x" JoinedOrSeparate Planned;
    "-z" Separate Planned;
};

/// Options whose value changes from file to file and not the way in which a command works.
const PER_FILE: &[&str] =
    &["-D", "-I", "-L", "-MF", "-MQ", "-MT", "-U", "-idirafter", "-imacros", "-include", "-iquote", "-isystem", "-o"];

/// What the arguments hold besides options.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Parsed {
    pub(crate) operands: Vec<OsString>,
    /// The arguments without names of files and without values that only the preprocessor looks at.
    pub(crate) shape: Vec<OsString>,
}

/// The row whose name is the longest that spells the argument.
pub(crate) fn find(arg: &[u8]) -> Option<&'static Opt> {
    let spells = |opt: &&Opt| {
        let name = opt.name.as_bytes();
        match opt.kind {
            Flag | Separate => arg == name,
            Joined | JoinedOrSeparate => arg.starts_with(name),
        }
    };
    DRIVER.iter().filter(spells).max_by_key(|opt| opt.name.len())
}

/// Goes through the arguments (`@file`s expanded). The first option that no model covers is the reason to run the real
/// tool; one that may ask the driver about itself only if there is no other.
pub(crate) fn parse(args: &[OsString]) -> Result<Parsed, Reason> {
    let mut parsed = Parsed::default();
    let mut asks: Option<(ReasonKind, &OsString)> = None;
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let bytes = arg.as_bytes();
        if bytes == b"-" {
            return Err(Reason::new(ReasonKind::Stdin, "-"));
        }
        if !bytes.starts_with(b"-") {
            parsed.operands.push(arg.clone());
            let suffix = bytes.iter().rposition(|byte| matches!(byte, b'.' | b'/')).map_or(&b""[..], |at| &bytes[at..]);
            parsed.shape.push(OsStr::from_bytes(suffix).to_owned());
            continue;
        }
        let unknown = || Reason::new(ReasonKind::UnknownOption, arg.to_string_lossy());
        let opt = find(bytes).ok_or_else(unknown)?;
        match opt.effect {
            Planned => {}
            Unmodelled(kind) => return Err(Reason::new(kind, arg.to_string_lossy())),
            Asks(kind) => asks = asks.or(Some((kind, arg))),
        }
        let joined = &bytes[opt.name.len().min(bytes.len())..];
        let value: &OsStr = match opt.kind {
            Flag => OsStr::new(""),
            Joined => OsStr::from_bytes(joined),
            JoinedOrSeparate if !joined.is_empty() => OsStr::from_bytes(joined),
            JoinedOrSeparate | Separate => {
                rest.next().ok_or_else(|| Reason::new(ReasonKind::Usage, format!("{} lacks its value", opt.name)))?
            }
        };
        let varies = PER_FILE.contains(&opt.name);
        let separate = opt.kind == Separate || (opt.kind == JoinedOrSeparate && joined.is_empty());
        let depfile = b"-Wp,-M".as_slice();
        parsed.shape.push(match bytes.iter().skip(depfile.len()).position(|byte| *byte == b',') {
            _ if varies => opt.name.into(),
            // kbuild's, with a file of its own for each object.
            Some(comma) if bytes.starts_with(depfile) => OsStr::from_bytes(&bytes[..depfile.len() + comma]).to_owned(),
            _ => arg.clone(),
        });
        if separate && !varies {
            parsed.shape.push(value.to_owned());
        }
        if opt.name == "-o" && (value == "-" || value.is_empty()) {
            return Err(Reason::new(ReasonKind::Stdout, "-o -"));
        }
    }
    if let Some((beside_input, arg)) = asks {
        let kind = if parsed.operands.is_empty() { ReasonKind::ProbeVersion } else { beside_input };
        return Err(Reason::new(kind, arg.to_string_lossy()));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted() {
        for pair in DRIVER.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} before {}", pair[0].name, pair[1].name);
        }
    }

    #[test]
    fn the_longest_name_wins() {
        for (arg, name) in [
            ("-MMD", "-MMD"),
            ("-MFa.d", "-MF"),
            ("-Wl,-z", "-Wl,"),
            ("-Wall", "-W"),
            ("-fplugin=x.so", "-fplugin"),
            ("-iquotedir", "-iquote"),
            ("-static-pie", "-static-pie"),
            ("-O2", "-O"),
        ] {
            assert_eq!(find(arg.as_bytes()).map(|opt| opt.name), Some(name), "{arg}");
        }
        assert!(find(b"-staticx").is_none());
        assert!(find(b"-qunknown").is_none());
    }

    #[test]
    fn shapes() {
        let shape = |args: &[&str]| parse(&args.iter().map(OsString::from).collect::<Vec<_>>()).unwrap().shape;
        assert_ne!(shape(&["-x", "c", "q.txt"]), shape(&["-x", "c++", "q.txt"]));
        assert_ne!(shape(&["-T", "a.ld", "q.o"]), shape(&["-T", "b.ld", "q.o"]));
        assert_eq!(shape(&["-Wp,-MMD,.a.d", "a.c"]), shape(&["-Wp,-MMD,.b.d", "b.c"]));
        assert_ne!(shape(&["-Wp,-MMD,.a.d", "a.c"]), shape(&["-Wp,-MD,.a.d", "a.c"]));
        assert_ne!(shape(&["-Wp,-DX", "a.c"]), shape(&["-Wp,-DY", "a.c"]));
    }

    #[test]
    fn reasons() {
        let kind =
            |args: &[&str]| parse(&args.iter().map(OsString::from).collect::<Vec<_>>()).map_err(|reason| reason.kind);
        assert_eq!(kind(&["--version"]), Err(ReasonKind::ProbeVersion));
        for alone in ["-v", "--verbose", "-V", "-qversion", "-version"] {
            assert_eq!(kind(&[alone]), Err(ReasonKind::ProbeVersion), "{alone}");
            assert_eq!(kind(&[alone, "-O2"]), Err(ReasonKind::ProbeVersion), "{alone}");
        }
        // gcc compiles, and says how
        assert_eq!(kind(&["-v", "-c", "a.c"]), Err(ReasonKind::UnmodelledOption));
        assert_eq!(kind(&["-o", "a", "a.o", "--verbose"]), Err(ReasonKind::UnmodelledOption));
        assert_eq!(kind(&["-v", "a.c", "--version"]), Err(ReasonKind::ProbeVersion));
        assert_eq!(kind(&["-v", "-E", "-"]), Err(ReasonKind::Stdin));
        // gcc refuses
        assert_eq!(kind(&["-V", "-c", "a.c"]), Err(ReasonKind::UnknownOption));
        assert_eq!(kind(&["-print-prog-name=ld"]), Err(ReasonKind::ProbePrint));
        assert_eq!(kind(&["-c", "-"]), Err(ReasonKind::Stdin));
        assert_eq!(kind(&["-qunknown"]), Err(ReasonKind::UnknownOption));
        assert_eq!(kind(&["-flto=auto", "-c", "a.c"]), Err(ReasonKind::Lto));
        assert_eq!(kind(&["-o"]), Err(ReasonKind::Usage));
        assert_eq!(kind(&["-o", "-c", "-I", "--version", "a.c"]).unwrap().operands, ["a.c"]);
    }
}
