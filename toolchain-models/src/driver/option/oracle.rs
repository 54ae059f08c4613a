//! Each modelled row of the table against the driver itself, by `-###`: that it has an option of this name, and that its value
//! stands where the row says.

use std::process::Command;

use super::*;

/// Two sources; the driver plans without looking for them.
const FIRST: &str = "gg-first.c";
const SECOND: &str = "gg-second.c";

fn says(args: &[&str]) -> String {
    let output = Command::new("gcc").arg("-###").args(args).env("LC_ALL", "C").output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How many commands the driver plans.
fn commands(args: &[&str]) -> usize {
    says(args).lines().filter(|line| line.starts_with(' ') && line.contains("/cc1 ")).count()
}

/// How many sources the driver finds if two words follow these.
fn sources_behind(args: &[&str]) -> usize {
    let both = [&["-E"], args, &[FIRST, SECOND]].concat();
    if says(&both).contains("with multiple files") {
        return 2;
    }
    commands(&both) / commands(&[&["-E"], args, &[SECOND]].concat()).max(1)
}

/// A value that the driver does not refuse.
fn value(name: &str) -> &'static str {
    match name {
        "--param" | "--param=" => "max-inline-insns-single=50",
        "-fcallgraph-info=" => "su",
        "-flinker-output=" => "rel",
        "-fopt-info" => "-vec",
        "-fprofile-reproducible=" => "serial",
        "-fprofile-update=" => "single",
        "-save-temps=" => "obj",
        "-specs" | "-specs=" => "/dev/null",
        "-std=" | "--std=" => "gnu17",
        "-x" => "c",
        _ => "1",
    }
}

#[test]
fn values_stand_where_the_driver_looks_for_them() {
    let mut wrong = Vec::new();
    for opt in DRIVER.iter().filter(|opt| matches!(opt.effect, Planned | Beside)) {
        let (name, value) = (opt.name, value(opt.name));
        let joined = format!("{name}{value}");
        let (ways, separate): (Vec<Vec<&str>>, bool) = match opt.kind {
            Flag => (vec![vec![name]], false),
            Joined => (vec![vec![&joined]], false),
            Separate => (vec![vec![name, value]], true),
            JoinedOrSeparate => (vec![vec![&joined], vec![name, value]], true),
        };
        for way in &ways {
            match sources_behind(way) {
                2 => {}
                1 => wrong.push(format!("{way:?}: the driver takes one word more")),
                _ => wrong.push(format!("{way:?}: the driver has no such option")),
            }
        }
        if separate && sources_behind(&[name]) == 2 {
            wrong.push(format!("{name}: the driver does not take the next word"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// An option of the driver's that has no row must not be taken for one that has, with its rest as the value.
#[test]
fn no_row_hides_a_longer_name() {
    let listed = Command::new("gcc").arg("--completion=-").env("LC_ALL", "C").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let hidden = |name: &&str| {
        find(name.as_bytes()).is_some_and(|opt| {
            let joined = matches!(opt.kind, Joined | JoinedOrSeparate) && matches!(opt.effect, Planned | Beside);
            let rest = &name[opt.name.len()..];
            let value = rest.starts_with(['=', '-']) || opt.name.ends_with(['=', ',', '-']) || opt.name == "-O";
            joined && !rest.is_empty() && !value
        })
    };
    let hidden: Vec<&str> = listed.lines().filter(hidden).collect();
    assert_eq!(hidden, Vec::<&str>::new());
}
