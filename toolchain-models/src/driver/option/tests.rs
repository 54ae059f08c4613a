use super::*;
use crate::driver::inventory;

/// The arguments as parsed, against the kept inventory.
fn parsed(args: &[&str]) -> Result<Parsed, Reason> {
    parse(&args.iter().map(OsString::from).collect::<Vec<_>>(), &|arg| Ok(inventory::keeps(arg)))
}

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
fn the_same_row_as_one_by_one() {
    let spells = |opt: &&Opt, arg: &[u8]| match opt.kind {
        Flag | Separate => arg == opt.name.as_bytes(),
        Joined | JoinedOrSeparate => arg.starts_with(opt.name.as_bytes()),
    };
    let one_by_one = |arg: &[u8]| DRIVER.iter().filter(|opt| spells(opt, arg)).max_by_key(|opt| opt.name.len());
    for opt in DRIVER {
        let name = opt.name;
        let cut = &name[..name.len() - 1];
        for arg in [
            name,
            cut,
            &format!("{name}x"),
            &format!("{name}="),
            &format!("{cut}x"),
            &format!("{cut}~"),
            "",
            "-",
            "a.c",
        ] {
            let names = [find(arg.as_bytes()), one_by_one(arg.as_bytes())].map(|opt| opt.map(|opt| opt.name));
            assert_eq!(names[0], names[1], "{arg}");
        }
    }
}

#[test]
fn shapes() {
    let shape = |args: &[&str]| parsed(args).unwrap().shape;
    assert_ne!(shape(&["-x", "c", "q.txt"]), shape(&["-x", "c++", "q.txt"]));
    assert_ne!(shape(&["-T", "a.ld", "q.o"]), shape(&["-T", "b.ld", "q.o"]));
    assert_eq!(shape(&["-Wp,-MMD,.a.d", "a.c"]), shape(&["-Wp,-MMD,.b.d", "b.c"]));
    assert_ne!(shape(&["-Wp,-MMD,.a.d", "a.c"]), shape(&["-Wp,-MD,.a.d", "a.c"]));
    assert_ne!(shape(&["-Wp,-DX", "a.c"]), shape(&["-Wp,-DY", "a.c"]));
}

#[test]
fn reasons() {
    let kind = |args: &[&str]| parsed(args).map_err(|reason| reason.kind);
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
    assert_eq!(kind(&["-flto-report", "-c", "a.c"]), Err(ReasonKind::Lto));
    assert_eq!(kind(&["-o"]), Err(ReasonKind::Usage));
    assert_eq!(kind(&["-o", "-c", "-I", "--version", "a.c"]).unwrap().operands, ["a.c"]);
}
