//! The files that the compiler reads and writes beside its source and its object, as options ask for them: each command's
//! outputs, made in a root of the declared inputs alone, are the native ones.

#[path = "support/live.rs"]
mod live;
#[path = "support/samples.rs"]
mod samples;

use std::path::PathBuf;
use std::process::Command;

use gg_models::Input;
use live::Bench;

fn bench() -> Bench {
    Bench::new(samples::FILES)
}

#[test]
fn temporary_files_that_are_kept() {
    let bench = bench();
    for command in [
        "gcc -save-temps -c main.c",
        "gcc -save-temps -c main.c -o obj/main.o",
        "gcc -save-temps=cwd -c main.c -o obj/main.o",
        "gcc -save-temps=obj -g -MD -c main.c -o obj/main.o",
        "gcc -save-temps -c main.c second.c",
        "gcc -save-temps main.c second.c -o prog",
        "gcc -save-temps=obj main.c second.c -o obj/prog",
        "gcc -save-temps main.c second.c",
        "g++ -save-temps -c plus.cc",
        "gcc -save-temps -c cpp.S",
        "gcc -save-temps -S main.c",
        "gcc -save-temps -dumpdir obj/x- -c main.c",
        "gcc -no-integrated-cpp -c main.c",
    ] {
        bench.agrees(command);
    }
    // the driver says that it ignores -pipe
    assert_eq!(bench.reason("gcc -pipe -save-temps -c main.c"), "plan");
}

#[test]
fn debugging_information_of_its_own() {
    let bench = bench();
    for command in [
        "gcc -g -gsplit-dwarf -c main.c",
        "gcc -gsplit-dwarf -O2 -c main.c -o obj/main.o",
        "gcc -gsplit-dwarf -c main.c second.c",
        "gcc -gsplit-dwarf main.c second.c -o prog",
        "g++ -gsplit-dwarf -gdwarf-4 -c plus.cc -o obj/plus.o",
        "gcc -gsplit-dwarf -save-temps=obj -c main.c -o obj/main.o",
        "gcc -gsplit-dwarf -dumpbase other.c -c main.c",
        "gcc -gsplit-dwarf -S main.c",
        "gcc -gsplit-dwarf -fstack-usage -c main.c -o obj/main.c.o",
        "g++ -gsplit-dwarf -fstack-usage --coverage -frandom-seed=s -c plus.cc -o obj/a.cc.b.o",
        "gcc -gsplit-dwarf -fstack-usage -c main.c -o obj/main",
        "gcc -gsplit-dwarf -fstack-usage -c ./main.c -o ./obj/../x.d.o",
    ] {
        bench.agrees(command);
    }
}

#[test]
fn notes_for_coverage() {
    let bench = bench();
    for command in [
        "gcc --coverage -frandom-seed=s -c main.c",
        "gcc -fprofile-arcs -ftest-coverage -frandom-seed=s -c main.c -o obj/main.o",
        "gcc --coverage -frandom-seed=s -c main.c second.c",
        "gcc -coverage -frandom-seed=s main.c second.c -o prog",
        "gcc -ftest-coverage -frandom-seed=s -O2 -c main.c -o obj/a.b.o",
        "gcc --coverage -frandom-seed=s -fprofile-note=obj/n.gcno -c main.c",
        "gcc --coverage -frandom-seed=s -fprofile-dir=inc -fprofile-abs-path -c main.c",
        "gcc --coverage -frandom-seed=s -dumpdir obj/y- -dumpbase x.c -dumpbase-ext .c -c main.c",
        "gcc --coverage -fno-test-coverage -frandom-seed=s -c main.c",
        "g++ --coverage -frandom-seed=s -c plus.cc -o obj/plus.cc.o",
        "gcc --coverage -frandom-seed=s -E main.c -o main.i",
        "gcc -fprofile-generate -frandom-seed=s main.c second.c -o prog",
        "gcc -fprofile-generate=inc -fprofile-update=atomic -frandom-seed=s -c main.c",
    ] {
        bench.agrees(command);
    }
    // without a stamp of its own the new object would not go with counts of the old one: the compiler deletes them
    bench.write("main.gcda", "");
    assert_eq!(bench.reason("gcc --coverage -frandom-seed=s -c main.c"), "output-kind");
    assert_eq!(bench.reason("gcc --coverage -c main.c"), "a thunk");
}

#[test]
fn counts_of_an_earlier_run() {
    let bench = bench();
    for (option, counts, uses) in [
        ("-fprofile-generate", "main.gcda", "-fprofile-use"),
        ("-fprofile-generate=obj", "", "-fprofile-use=obj"),
        ("--coverage", "main.gcda", "-fbranch-probabilities"),
    ] {
        let commands = [
            format!("gcc -O2 {uses} -Wmissing-profile -c main.c"),
            format!("gcc -O2 {uses} -c main.c -o obj/main.o"),
            format!("gcc -O2 {uses} -fprofile-partial-training -fprofile-correction -c second.c"),
        ];
        // absent: looked for, and missed
        for command in &commands {
            let inference = bench.agrees(command);
            assert!(!inference.inputs.iter().any(|input| format!("{input:?}").contains("gcda")), "{command}");
        }
        let native = bench.native(&format!("gcc -O2 {option} -c main.c second.c"));
        assert_eq!(native.status, Some(0));
        let native = bench.native(&format!("gcc {option} main.o second.o -o prog"));
        assert_eq!(native.status, Some(0));
        let ran = Command::new(bench.cwd.join("prog")).current_dir(&bench.cwd).status().expect("run the program");
        assert!(ran.code().is_some());
        let counts = if counts.is_empty() {
            let mangled = bench.cwd.join("main.gcda").to_string_lossy().replace('/', "#");
            bench.cwd.join("obj").join(mangled)
        } else {
            bench.cwd.join(counts)
        };
        assert!(counts.is_file(), "{}", counts.display());
        let inference = bench.agrees(&commands[0]);
        assert!(inference.inputs.contains(&Input::File(counts.clone())), "{}", commands[0]);
        bench.agrees(&commands[1]);
        bench.agrees(&commands[2]);
        for entry in ["main.gcda", "second.gcda"] {
            let _ = std::fs::remove_file(bench.cwd.join(entry));
        }
    }
    assert_eq!(bench.reason("gcc -fauto-profile=nowhere -c main.c"), "input");
    assert_eq!(bench.reason("gcc -fprofile-use -fprofile-prefix-path=/ -c main.c"), "unmodelled-option");
}

#[test]
fn reports() {
    let bench = bench();
    for command in [
        "gcc -fstack-usage -c main.c",
        "gcc -fstack-usage -fcallgraph-info=su,da -c main.c -o obj/main.o",
        "gcc -fstack-usage -c main.c second.c",
        "gcc -fstack-usage main.c second.c -o prog",
        "g++ -fstack-usage -fcallgraph-info -c plus.cc",
        "gcc -fstack-usage -dumpbase obj/other.c -c main.c",
        "gcc -fstack-usage -E main.c -o main.i",
        "gcc -aux-info obj/proto.X -c main.c",
        "gcc -aux-info proto.X -c second.c -save-temps",
        "gcc -O3 -fopt-info-all=report -c main.c",
        "gcc -O3 -fopt-info-vec=obj/report -c second.c",
        "gcc -O3 -fopt-info -c second.c",
        "gcc -M -MG main.c",
        "gcc -MM -MG -MF obj/main.d cpp.S",
        "gcc -Iinc -I- -I. -c main.c",
        // where the exact scan is not sure
        "gcc -Iinc -I- -I. -std=c++20 -c main.c",
        "gcc -std=c++20 -include a.h -Iinc -I- -I. -c main.c",
        "gcc -H -c main.c",
        "gcc -S -dA -dp main.c",
        "gcc -frandom-seed=x -c main.c",
    ] {
        bench.agrees(command);
    }
    for command in [
        "gcc -fdump-tree-all -c main.c",
        "gcc -da -c main.c",
        "gcc -ftime-report -c main.c",
        "gcc -fmem-report -c main.c",
        "gcc -Q -c main.c",
        "gcc -fcompare-debug -c main.c",
        "gcc -finput-charset=ISO-8859-1 -c main.c",
    ] {
        assert_eq!(bench.reason(command), "unmodelled-option", "{command}");
    }
}

/// What stands at a report's path is written over, but for remarks on optimizations: they are appended.
#[test]
fn reports_that_are_there() {
    let bench = bench();
    for (command, path) in [
        ("gcc -fstack-usage -c main.c", "main.su"),
        ("gcc -fcallgraph-info -c main.c", "main.ci"),
        ("gcc -aux-info proto.X -c main.c", "proto.X"),
        ("gcc -ftest-coverage -frandom-seed=s -c second.c", "second.gcno"),
        ("gcc -MD -c main.c", "main.d"),
        ("gcc -Wa,-aln=main.lst -c main.c", "main.lst"),
    ] {
        bench.write(path, "old\n");
        bench.agrees(command);
    }
    let command = "gcc -O3 -fopt-info-all=report -c main.c second.c";
    bench.agrees(command);
    let report = bench.cwd.join("report");
    assert_eq!(bench.world.looked_up.borrow().get(&report), Some(&false));
    for old in ["", "old\n"] {
        bench.write("report", old);
        let native = bench.native(command);
        let remarks = String::from_utf8_lossy(&native.written[&report].0).into_owned();
        assert!(remarks.starts_with(old) && remarks.len() > old.len(), "{remarks}");
        assert_eq!(bench.reason(command), "output-kind");
    }
}

/// Of what is left to the link a compile makes no report; the rest is as without.
#[test]
fn beside_intermediate_code() {
    let bench = bench();
    for command in [
        "gcc -flto --coverage -frandom-seed=s -c main.c",
        "gcc -flto -save-temps -frandom-seed=s -c main.c",
        "gcc -flto -aux-info x.X -frandom-seed=s -c main.c -o obj/main.o",
        "gcc -flto -O2 -fprofile-use -Wmissing-profile -frandom-seed=s -c main.c",
        "gcc -flto -g -gsplit-dwarf -frandom-seed=s -c main.c",
        "gcc -fno-lto -fstack-usage -c main.c",
    ] {
        bench.agrees(command);
    }
    for option in ["-fstack-usage", "-fcallgraph-info=su", "-fopt-info-vec=report", "-fsave-optimization-record"] {
        assert_eq!(bench.reason(&format!("gcc -O2 -flto {option} -c main.c")), "unmodelled-option", "{option}");
    }
    for option in ["-save-temps", "--coverage", "-fstack-usage"] {
        assert_ne!(bench.reason(&format!("gcc -O2 -flto {option} main.c second.c -o prog")), "a thunk", "{option}");
    }
}

#[test]
fn headers_that_are_yet_to_be_made() {
    let bench = bench();
    bench.write("gen.c", "#include \"gen.h\"\n#include <sub/more.h>\n#include \"a.h\"\nint x = A;\n");
    for command in ["gcc -M -MG gen.c", "gcc -MM -MG -MP -Iinc gen.c", "gcc -MM -MG -MF obj/gen.d -MT x gen.c main.c"] {
        bench.agrees(command);
    }
    assert_eq!(bench.world.looked_up.borrow().get(&bench.cwd.join("gen.h")), Some(&false));
    for forced in
        ["-include gen.h", "-imacros gen.h", "-imacros no.h -include no.h -include inc/a.h", "-include /no/no.h"]
    {
        for lists in ["-M -MG", "-MM -MG", "-M -MG -MP -x c++", "-E -M -MG"] {
            for source in ["main.c", "gen.c"] {
                bench.agrees(&format!("gcc {lists} {forced} {source}"));
            }
        }
    }
    bench.write("gen.h", "#include \"inc/a.h\"\n");
    let inference = bench.agrees("gcc -M -MG gen.c");
    assert!(inference.inputs.contains(&Input::File(bench.cwd.join("gen.h"))));
}

#[test]
fn a_record_that_is_another_each_time() {
    let bench = bench();
    let inference = bench.thunk("gcc -O2 -fsave-optimization-record -c main.c -o obj/main.o");
    let native = bench.native("gcc -O2 -fsave-optimization-record -c main.c -o obj/main.o");
    let sealed = live::Sealed::run(&inference);
    for output in &inference.outputs {
        assert!(native.written.contains_key(&output.path) && sealed.made(&output.path).is_some(), "{output:?}");
    }
    assert_eq!(inference.outputs.len(), native.written.len());
}

#[test]
fn what_is_looked_for_and_missed_is_noted() {
    let bench = bench();
    bench.thunk("gcc -O2 -fprofile-use -c main.c");
    let looked_up = bench.world.looked_up.borrow();
    assert_eq!(looked_up.get(&bench.cwd.join("main.gcda")), Some(&false));
    assert_eq!(looked_up.get(&PathBuf::from("/no/such")), None);
}
