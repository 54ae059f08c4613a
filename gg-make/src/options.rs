//! Which arguments are gg's, and what they say. Knows none of make's.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use gg_session::AuditPolicy;

/// What gg is told about a build.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Options {
    /// The `GG_DIR`, if one is named.
    pub(crate) dir: Option<PathBuf>,
    /// How many thunks run at once.
    pub(crate) jobs: Option<usize>,
    /// What shims are to be told of audits.
    pub(crate) audit: Option<OsString>,
    /// Calls may be answered before their work is done.
    pub(crate) lazy: bool,
    /// Nothing is drawn on a terminal meanwhile.
    pub(crate) no_progress: bool,
    /// Nothing is said at the end.
    pub(crate) no_summary: bool,
}

/// What a call is for.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    Help,
    /// The manual page, in roff.
    Man,
    Version,
    /// A build, with make's arguments.
    Build(Options, Vec<OsString>),
}

/// An option `--gg-NAME`.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The variable that says the same, where there is one.
    pub(crate) variable: Option<&'static str>,
    /// What its value may be; in brackets where it can be left out.
    pub(crate) value: &'static str,
    pub(crate) help: &'static str,
}

impl Row {
    /// What stands between the option's name and its value.
    pub(crate) fn joint(&self) -> &'static str {
        if self.value.is_empty() || self.value.starts_with('[') { "" } else { "=" }
    }
}

const fn row(name: &'static str, variable: Option<&'static str>, value: &'static str, help: &'static str) -> Row {
    Row { name, variable, value, help }
}

pub(crate) static ROWS: [Row; 10] = [
    row("audit", Some("GG_AUDIT"), "first|all|off|FRACTION", "which thunks are also run natively and compared"),
    row("dir", Some("GG_DIR"), "DIR", "where store, memo and log are"),
    row("engine", Some("GG_ENGINE"), "local", "where thunks run"),
    row("help", None, "", "these lines"),
    row("jobs", Some("GG_JOBS"), "N", "thunks that run at once; commands at once are make's -j"),
    row("lazy", Some("GG_LAZY"), "[=yes|no]", "what nobody but make looks at is answered at once, and done at the end"),
    row("materialize", Some("GG_MATERIALIZE"), "all", "which outputs become files"),
    row("progress", Some("GG_PROGRESS"), "auto|no", "a line at the foot of the terminal, while a build goes on"),
    row("summary", Some("GG_SUMMARY"), "yes|no", "two lines on standard error at the end"),
    row("version", None, "", "gg-make's version"),
];

/// Variables that have no option.
pub(crate) static VARIABLES: [(&str, &str); 2] =
    [("GG_DISABLE", "1: plain make runs, and nothing is said"), ("MAKE", "the make to run, if it is not `make`")];

pub(crate) const ABOUT: &str =
    "Runs make with the toolchain's commands as thunks. Every argument is make's, but for these:";

/// Splits the arguments into gg's and make's; a variable counts where its option is not given. The error is a message.
pub(crate) fn read(args: Vec<OsString>, env: impl Fn(&str) -> Option<OsString>) -> Result<Asked, String> {
    let mut given: [Option<OsString>; ROWS.len()] = Default::default();
    let mut make = Vec::new();
    let mut args = args.into_iter();
    for arg in args.by_ref() {
        let Some(option) = arg.as_bytes().strip_prefix(b"--gg-") else {
            let last = arg == "--";
            make.push(arg);
            if last {
                break;
            }
            continue;
        };
        let (name, value) = match option.iter().position(|byte| *byte == b'=') {
            Some(at) => (&option[..at], &option[at + 1..]),
            None => (option, &b""[..]),
        };
        let Some(at) = ROWS.iter().position(|row| row.name.as_bytes() == name) else {
            if option == b"man" {
                return Ok(Asked::Man);
            }
            let known: Vec<String> = ROWS.iter().map(|row| format!("--gg-{}", row.name)).collect();
            return Err(format!("unknown option {}; known are {}", arg.to_string_lossy(), known.join(" ")));
        };
        match ROWS[at].name {
            "help" if value.is_empty() => return Ok(Asked::Help),
            "version" if value.is_empty() => return Ok(Asked::Version),
            _ => given[at] = Some(OsStr::from_bytes(value).to_owned()),
        }
    }
    make.extend(args);
    let mut options = Options::default();
    for (row, given) in ROWS.iter().zip(given) {
        if row.name == "dir" && given.is_none() && env("GG_DIR").is_some() {
            // A typed path counts from where it is typed; a variable goes from directory to directory.
            options.dir = Some(gg_session::gg_dir(Path::new("/"), &env).map_err(|e| e.to_string())?);
            continue;
        }
        let variable = || {
            let name = row.variable?;
            Some((env(name).filter(|value| !value.is_empty())?, name.to_owned()))
        };
        let Some((value, said)) = given.map(|value| (value, format!("--gg-{}", row.name))).or_else(variable) else {
            continue;
        };
        let wrong = |why: &str| Err(format!("{said}={}: {why}", value.to_string_lossy()));
        let text = value.to_str();
        match row.name {
            "audit" if AuditPolicy::parse(value.as_bytes()).is_some() => options.audit = Some(value),
            "dir" if !value.is_empty() => options.dir = Some(PathBuf::from(value)),
            "jobs" => match text.and_then(|text| text.parse().ok()) {
                Some(jobs @ 1..=10_000) => options.jobs = Some(jobs),
                _ => return wrong("a number from 1 to 10000 is expected"),
            },
            "progress" if matches!(text, Some("auto" | "no")) => options.no_progress = text == Some("no"),
            "summary" if matches!(text, Some("yes" | "no")) => options.no_summary = text == Some("no"),
            "engine" if text == Some("local") => {}
            "materialize" if text == Some("all") => {}
            "lazy" if matches!(text, Some("" | "yes" | "no")) => options.lazy = text != Some("no"),
            "engine" | "materialize" => return wrong(&format!("there is only `{}` yet", row.value)),
            _ if row.value.is_empty() => return wrong("this option takes no value"),
            _ => return wrong(&format!("{} is expected", row.value.trim_matches(['[', '=', ']']))),
        }
    }
    Ok(Asked::Build(options, make))
}

/// What `--gg-help` says.
pub(crate) fn help() -> String {
    let mut text = format!("usage: gg-make [ARGUMENT OF MAKE | --gg-OPTION]...\n\n{ABOUT}\n\n");
    for row in &ROWS {
        let option = format!("--gg-{}{}{}", row.name, row.joint(), row.value);
        let variable = row.variable.map(|name| format!(" ({name})")).unwrap_or_default();
        let _ = writeln!(text, "  {option:<34} {}{variable}", row.help);
    }
    text.push_str("\nIn parentheses is the variable that says the same. There are two more:\n\n");
    for (name, help) in VARIABLES {
        let _ = writeln!(text, "  {name:<34} {help}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn ask(args: &[&str], env: &[(&str, &str)]) -> Result<Asked, String> {
        let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        read(args.iter().map(OsString::from).collect(), env)
    }

    fn options(args: &[&str], env: &[(&str, &str)]) -> Options {
        match ask(args, env) {
            Ok(Asked::Build(options, _)) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_ggs_is_makes() {
        let odd = OsString::from_vec(b"A=\xff \n".to_vec());
        let args = ["-kj4", "--gg-jobs=2", "all", "--ggx", "-gg-jobs=3", "--", "--gg-jobs=x"].map(OsString::from);
        let args: Vec<OsString> = args.into_iter().chain([odd.clone()]).collect();
        let Ok(Asked::Build(options, make)) = read(args, |_| None) else { panic!() };
        assert_eq!(options.jobs, Some(2));
        assert_eq!(make[..6], ["-kj4", "all", "--ggx", "-gg-jobs=3", "--", "--gg-jobs=x"]);
        assert_eq!(make[6..], [odd]);
    }

    #[test]
    fn an_option_goes_before_its_variable() {
        let env =
            [("GG_JOBS", "3"), ("GG_AUDIT", "all"), ("GG_SUMMARY", "no"), ("GG_PROGRESS", "no"), ("GG_DIR", "/there")];
        let said = options(&["--gg-jobs=2", "--gg-dir=a b"], &env);
        assert_eq!(
            said,
            Options {
                dir: Some("a b".into()),
                jobs: Some(2),
                audit: Some("all".into()),
                lazy: false,
                no_progress: true,
                no_summary: true
            }
        );
        let said = options(&["--gg-summary=yes"], &env);
        assert_eq!((said.no_summary, said.dir), (false, Some("/there".into())));
        assert_eq!(options(&["--gg-dir=here"], &[("GG_DIR", "there")]).dir, Some("here".into()));
        assert_eq!(options(&["--gg-engine=local", "--gg-materialize=all", "--gg-lazy=no"], &[]), Options::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |args: &[&str], env: &[(&str, &str)], parts: &[&str]| {
            let message = ask(args, env).unwrap_err();
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        };
        wrong(&["--gg-nope=1"], &[], &["--gg-nope=1", "--gg-audit", "--gg-version"]);
        wrong(&["--gg-jobs=0"], &[], &["--gg-jobs=0", "number"]);
        wrong(&[], &[("GG_JOBS", "many")], &["GG_JOBS=many"]);
        wrong(&["--gg-engine=lambda"], &[], &["--gg-engine=lambda", "`local`"]);
        wrong(&["--gg-materialize=final"], &[], &["`all`"]);
        wrong(&["--gg-lazy=maybe"], &[], &["--gg-lazy=maybe", "yes|no"]);
        wrong(&[], &[("GG_LAZY", "maybe")], &["GG_LAZY=maybe", "yes|no"]);
        wrong(&["--gg-audit=2"], &[], &["--gg-audit=2", "FRACTION"]);
        wrong(&["--gg-progress=yes"], &[], &["--gg-progress=yes", "auto|no"]);
        wrong(&["--gg-dir"], &[], &["--gg-dir=", "DIR is expected"]);
        wrong(&[], &[("GG_DIR", "here")], &["GG_DIR is \"here\", not an absolute path"]);
        wrong(&[], &[("GG_DIR", "")], &["GG_DIR is set but empty"]);
        wrong(&["--gg-help=x"], &[], &["takes no value"]);
    }

    #[test]
    fn help_has_every_option() {
        assert_eq!(ask(&["--gg-help"], &[]), Ok(Asked::Help));
        assert_eq!(ask(&["all", "--gg-version"], &[]), Ok(Asked::Version));
        assert!(ROWS.iter().all(|row| help().contains(&format!("--gg-{}", row.name))));
        assert!(help().contains("--gg-lazy[=yes|no] ") && help().contains("--gg-progress=auto|no "));
        assert!(ROWS.is_sorted_by_key(|row| row.name));
    }
}
