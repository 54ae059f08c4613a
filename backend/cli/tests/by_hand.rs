//! Thunks written, named, forced and described by hand, as `gg` and `gg-force-and-run` do it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gg_testkit::{TempDir, temp_dir};
use gg_thunk::{FileNode, Node, ObjectName, Tree};
use serde_json::Value;

/// A program for roots that hold nothing else: `copy FROM TO TEXT` puts TEXT behind what FROM holds.
const COPY: &str = r#"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
int main(int argc, char **argv) {
    if (argc != 4) return 2;
    FILE *from = fopen(argv[1], "r");
    if (!from) { perror(argv[1]); return 1; }
    FILE *to = fopen(argv[2], "w");
    if (!to) { perror(argv[2]); return 1; }
    for (int c; (c = getc(from)) != EOF;) putc(c, to);
    fputs(argv[3], to);
    if (fclose(to)) { perror(argv[2]); return 1; }
    if (strstr(argv[2], "run")) chmod(argv[2], 0755);
    puts("copied");
    return 0;
}
"#;

struct Desk {
    dir: TempDir,
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn of(output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    fn well(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    #[track_caller]
    fn refused(self, words: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (Some(1), ""), "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {:?}", self.err);
        }
    }
}

impl Desk {
    fn new() -> Desk {
        let desk = Desk { dir: temp_dir() };
        fs::create_dir(desk.at("bin")).unwrap();
        symlink(env!("CARGO_BIN_EXE_gg"), desk.at("bin/gg")).unwrap();
        symlink(env!("CARGO_BIN_EXE_gg-force-and-run"), desk.at("bin/gg-force-and-run")).unwrap();
        desk
    }

    /// With the program `copy` and a file `text`.
    fn with_copy() -> Desk {
        let desk = Desk::new();
        fs::write(desk.at("copy.c"), COPY).unwrap();
        desk.compile(&desk.at("copy.c"), "copy");
        fs::write(desk.at("text"), "a text\n").unwrap();
        desk
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn compile(&self, source: &Path, name: &str) {
        let status =
            Command::new("gcc").args(["-static", "-O1", "-o"]).arg(self.at(name)).arg(source).status().unwrap();
        assert!(status.success());
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.at("bin").display()))
            .env("GG_DIR", self.at("gg"))
            .env("GG_SUMMARY", "no")
            .stdin(Stdio::null());
        command
    }

    fn gg(&self, args: &[&str]) -> Said {
        Said::of(self.command(self.at("bin/gg")).args(args).output().unwrap())
    }

    /// The thunk that copies `/in`, with more options for `gg create-thunk`; its name.
    fn create(&self, options: &[&str], to: &str, text: &str) -> String {
        let output = format!("out={to}");
        let mut args = vec!["create-thunk", "-x", "/bin/copy=copy", "-o", &output];
        args.extend(options);
        args.extend(["--", "/bin/copy", "/in", to, text]);
        self.gg(&args).well().trim_end().to_owned()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn hash(&self, path: &str) -> String {
        self.gg(&["hash", path]).well().split(' ').next().unwrap().to_owned()
    }
}

#[test]
fn a_thunk_is_forced_by_its_name() {
    let desk = Desk::with_copy();
    let thunk = desk.create(&["-i", "/in=text"], "/out", "and more\n");
    assert_eq!(thunk, desk.create(&["-i", "/in=text"], "/out", "and more\n"), "the same thunk");
    assert_ne!(thunk, desk.create(&["-i", "/in=text"], "/out", "and less\n"));
    fs::write(desk.at("expected"), "a text\nand more\n").unwrap();
    let made = desk.hash("expected");
    assert_eq!(desk.gg(&["force", &thunk]).well(), format!("copied\nout {made}\n"));
    // from the memo, in the same words
    assert_eq!(desk.gg(&["force", &thunk]).well(), format!("copied\nout {made}\n"));
    assert_eq!(desk.gg(&["force", &format!("{thunk}#out")]).well(), format!("copied\n{made}\n"));
}

#[test]
fn a_placeholder_becomes_its_result() {
    let desk = Desk::with_copy();
    let first = desk.create(&["-i", "/in=text"], "/out", "one\n");
    // the output of one thunk is an input of the next
    let input = format!("/in={first}#out");
    let second = desk.create(&["-i", &input, "-p", "result"], "/out", "two\n");
    assert_eq!(desk.read("result"), format!("#!/usr/bin/env gg-force-and-run\n{second}#out\n"));
    fs::hard_link(desk.at("result"), desk.at("other name")).unwrap();
    assert_eq!(desk.gg(&["force", "result"]).well(), "copied\n");
    assert_eq!(desk.read("result"), "a text\none\ntwo\n");
    assert_eq!(desk.read("other name"), "a text\none\ntwo\n");
    assert_eq!(fs::metadata(desk.at("result")).unwrap().permissions().mode() & 0o7777, 0o644);
    // it is none any more
    desk.gg(&["force", "result"]).refused(&["result", "no placeholder"]);
}

#[test]
fn what_was_not_issued_here_is_refused() {
    let desk = Desk::with_copy();
    let thunk = desk.create(&["-i", "/in=text"], "/out", "");
    let forged = format!("#!/usr/bin/env gg-force-and-run\n{thunk}#out\n");
    fs::write(desk.at("forged"), &forged).unwrap();
    desk.gg(&["force", "forged"]).refused(&["forged", "never issued"]);
    desk.gg(&["describe", "forged"]).refused(&["forged", "never issued"]);
    assert_eq!(desk.read("forged"), forged, "untouched");
    fs::set_permissions(desk.at("forged"), fs::Permissions::from_mode(0o755)).unwrap();
    let ran = Said::of(desk.command(desk.at("forged")).output().unwrap());
    assert_eq!((ran.code, ran.out.as_str()), (Some(126), ""));
    assert!(ran.err.contains("never issued"), "{}", ran.err);

    // nor is one from elsewhere
    desk.create(&["-i", "/in=text", "-p", "issued"], "/out", "");
    let output = desk.command(desk.at("bin/gg")).env("GG_DIR", desk.at("elsewhere")).args(["force", "issued"]).output();
    Said::of(output.unwrap()).refused(&["issued", "never issued"]);
}

#[test]
fn a_corrupt_placeholder_is_refused() {
    let desk = Desk::with_copy();
    desk.create(&["-i", "/in=text", "-p", "whole"], "/out", "");
    let whole = desk.read("whole");
    let cases = [
        (whole[..whole.len() - 1].to_owned(), "cut short"),
        (whole.replace("#out", ""), "name"),
        (whole.replacen("gg-force-and-run", "sh", 1), "corrupt is an ordinary file"),
        (whole.clone() + "rm -rf /\n", "goes on"),
        (whole.clone() + &"x".repeat(300), "placeholder"),
        (String::new(), "corrupt is an ordinary file"),
    ];
    for (text, why) in cases {
        fs::write(desk.at("corrupt"), &text).unwrap();
        desk.gg(&["force", "corrupt"]).refused(&["corrupt", "no placeholder", why]);
        assert_eq!(desk.read("corrupt"), text, "untouched");
    }
    desk.gg(&["force", "nowhere"]).refused(&["nowhere", "No such file"]);
}

#[test]
fn what_cannot_be_forced_says_why() {
    let desk = Desk::with_copy();
    // the name of a thunk that is nowhere
    let absent = desk.hash("text").replacen('V', "T", 1);
    desk.gg(&["force", &absent]).refused(&[&absent]);
    desk.gg(&["describe", &absent]).refused(&[&absent, "not in this GG_DIR"]);

    // a command that fails: its words and which thunk
    let failing = desk.create(&["-i", "/else=text"], "/out", "");
    desk.gg(&["force", &failing]).refused(&["/in: No such file", &failing, "failed"]);
    // what needs it
    let input = format!("/in={failing}#out");
    let user = desk.create(&["-i", &input, "-p", "user"], "/out", "");
    let held = desk.read("user");
    desk.gg(&["force", "user"]).refused(&["/in: No such file", &user, &failing]);
    assert_eq!(desk.read("user"), held, "still a placeholder");

    // an output that is not made
    let made = ["create-thunk", "-x", "/bin/copy=copy", "-i", "/in=text", "-o", "out=/other", "--"];
    let missing = desk.gg(&[&made[..], &["/bin/copy", "/in", "/out", ""]].concat()).well();
    let said = desk.gg(&["force", missing.trim_end()]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), "copied\n"));
    assert!(said.err.contains("did not make") && said.err.contains("out"), "{}", said.err);

    // an input that is not there
    let args = ["create-thunk", "-i", "/in=nowhere", "-o", "out=/out", "--", "/bin/copy"];
    desk.gg(&args).refused(&["nowhere", "No such file"]);
}

#[test]
fn a_placeholder_that_is_run_runs_its_result() {
    let desk = Desk::with_copy();
    fs::write(desk.at("script"), "#!/bin/sh\necho ran \"$0\" \"$@\"\n").unwrap();
    desk.create(&["-i", "/in=script", "-p", "lazy"], "/run", "exit 7\n");
    let ran = Said::of(desk.command(desk.at("lazy")).args(["with", "two words"]).output().unwrap());
    let lazy = desk.at("lazy");
    let lazy = lazy.display();
    assert_eq!(ran.err, "");
    assert_eq!((ran.code, ran.out), (Some(7), format!("copied\nran {lazy} with two words\n")));
    assert_eq!(desk.read("lazy"), "#!/bin/sh\necho ran \"$0\" \"$@\"\nexit 7\n");
    assert_eq!(fs::metadata(desk.at("lazy")).unwrap().permissions().mode() & 0o7777, 0o755);
    // and again, now that it is there
    let ran = Said::of(desk.command(desk.at("lazy")).output().unwrap());
    assert_eq!((ran.code, ran.out), (Some(7), format!("ran {lazy}\n")));
}

#[test]
fn a_thunk_is_described() {
    let desk = Desk::with_copy();
    let options = ["-i", "/in=text", "-e", "NAME=a value", "--cwd", "/some/where", "-p", "lazy"];
    let thunk = desk.create(&options, "/out", "more");
    let of_name = desk.gg(&["describe", "--json", &thunk]).well();
    assert_eq!(desk.gg(&["describe", "--json", "lazy"]).well(), of_name);
    let said: Value = serde_json::from_str(&of_name).unwrap();
    assert_eq!(said["name"], thunk.as_str());
    assert_eq!(said["steps"][0]["argv"], serde_json::json!(["/bin/copy", "/in", "/out", "more"]));
    assert_eq!((&said["env"]["NAME"], &said["cwd"]), (&Value::from("a value"), &Value::from("/some/where")));
    let inputs: Vec<(&str, Option<&str>)> = said["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|input| (input["path"].as_str().unwrap(), input["object"].as_str()))
        .collect();
    let (copy, text) = (desk.hash("copy"), desk.hash("text"));
    assert_eq!(inputs, [("/bin/copy", Some(copy.as_str())), ("/in", Some(text.as_str())), ("/some/where", None)]);
    assert_eq!(said["outputs"][0]["path"], "/out");
    let people = desk.gg(&["describe", "lazy"]).well();
    for words in [thunk.as_str(), "/bin/copy /in /out more", "env NAME=a value", text.as_str(), "output"] {
        assert!(people.contains(words), "no {words:?} in {people}");
    }
}

#[test]
fn files_are_hashed_by_their_bytes() {
    let desk = Desk::new();
    fs::write(desk.at("empty"), "").unwrap();
    fs::write(desk.at("one"), "same").unwrap();
    fs::write(desk.at("two"), "same").unwrap();
    let said = desk.gg(&["hash", "empty", "one", "two"]).well();
    let names: Vec<&str> = said.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names[0], "V47DEQpj8HBSa._TImW.5JCeuQeRkm5NMpJWZG3hSuFU00000000", "SHA-256 of nothing");
    assert_eq!(names[1], names[2]);
    assert!(names[1].ends_with("00000004") && said.lines().nth(2).unwrap().ends_with(" two"));
    desk.gg(&["hash", "nowhere"]).refused(&["nowhere", "No such file"]);
}

/// `gg init` makes the place that commands below it use.
#[test]
fn a_place_of_its_own() {
    let desk = Desk::with_copy();
    fs::create_dir_all(desk.at("tree/deep")).unwrap();
    let run = |dir: &str, args: &[&str]| {
        let mut command = desk.command(desk.at("bin/gg"));
        Said::of(
            command
                .env_remove("GG_DIR")
                .env("HOME", desk.at("home"))
                .current_dir(desk.at(dir))
                .args(args)
                .output()
                .unwrap(),
        )
    };
    let made = run("tree", &["init"]).well();
    assert_eq!(Path::new(made.trim_end()), desk.at("tree/.gg").canonicalize().unwrap());
    assert_eq!(desk.read("tree/.gg/.gitignore"), "*\n");
    let tag = desk.read("tree/.gg/CACHEDIR.TAG");
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"), "{tag}");
    fs::write(desk.at("tree/.gg/.gitignore"), "mine\n").unwrap();
    fs::write(desk.at("tree/.gg/CACHEDIR.TAG"), "mine too\n").unwrap();
    run("tree", &["init"]).well();
    assert_eq!(desk.read("tree/.gg/.gitignore") + &desk.read("tree/.gg/CACHEDIR.TAG"), "mine\nmine too\n");
    // a GG_DIR that is set wins over it, and is named
    let init = |gg_dir: &Path| {
        let mut command = desk.command(desk.at("bin/gg"));
        Said::of(command.env("GG_DIR", gg_dir).current_dir(desk.at("tree")).arg("init").output().unwrap())
    };
    let said = init(&desk.at("gg"));
    assert_eq!((said.code, &said.out), (Some(0), &made));
    assert!(said.err.contains("GG_DIR is set to") && said.err.contains("wins"), "{}", said.err);
    assert_eq!(init(Path::new(made.trim_end())).well(), made);
    let copy = format!("/bin/copy={}", desk.at("copy").display());
    let args = ["create-thunk", "-x", &copy, "-i", "/in=../../text", "-o", "out=/out", "-p", "lazy", "--"];
    run("tree/deep", &[&args[..], &["/bin/copy", "/in", "/out", "!"]].concat()).well();
    assert_eq!(run("tree/deep", &["force", "lazy"]).well(), "copied\n");
    assert_eq!(desk.read("tree/deep/lazy"), "a text\n!");
    assert!(!desk.at("home").exists());
}

/// What is described: a file, a name, or a command, with or without `--`.
#[test]
fn a_command_is_described() {
    let desk = Desk::new();
    fs::write(desk.at("x.c"), "int x;\n").unwrap();
    let with = desk.gg(&["describe", "--json", "--", "cc", "-MM", "x.c"]).well();
    let said: Value = serde_json::from_str(&with).unwrap();
    assert!(said["steps"][0]["argv"].to_string().contains("-MM"), "{with}");
    assert_eq!(desk.gg(&["describe", "--json", "cc", "-MM", "x.c"]).well(), with);
    assert_eq!(desk.gg(&["describe", "--json", "gg-cc", "-MM", "x.c"]).well(), with);

    let said = desk.gg(&["describe", "x.c"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    let expected = "gg: x.c is an ordinary file, no placeholder; \
                    the thunk of a command is told by: gg describe -- COMMAND...\n";
    assert_eq!(said.err, expected);
    desk.gg(&["describe", "x.c", "-c"]).refused(&["x.c is described alone", "gg describe -- x.c -c"]);
    desk.gg(&["describe", "nowhere.c"]).refused(&["nowhere.c: no such file", "no such command"]);
    let said = desk.gg(&["describe"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    for form in ["gg describe [--json] FILE|NAME\n", "gg describe [--json] [--] COMMAND..."] {
        assert!(said.err.contains(form), "no {form:?} in {}", said.err);
    }
}

/// A command's files are described with what they were looked up for, and where they were not.
#[test]
fn a_verdict_is_explained() {
    let desk = Desk::new();
    for dir in ["near", "far"] {
        fs::create_dir(desk.at(dir)).unwrap();
    }
    fs::write(desk.at("far/part.h"), "#define PART 1\n").unwrap();
    fs::write(desk.at("x.c"), "\n#include <part.h>\nint x = PART;\n").unwrap();
    let command = ["describe", "--json", "--", "cc", "-Inear", "-Ifar", "-c", "x.c"];
    let said: Value = serde_json::from_str(&desk.gg(&command).well()).unwrap();
    let inputs = said["inputs"].as_array().unwrap();
    let ends = |path: &Value, end: &str| path.as_str().is_some_and(|path| path.ends_with(end));
    let why = |end: &str| &inputs.iter().find(|input| ends(&input["path"], end)).unwrap()["why"];
    assert_eq!(why("/far/part.h")["for"], "#include <part.h> in x.c:2");
    assert!(ends(&why("/far/part.h")["not_at"][0], "/near/part.h"), "{said}");
    assert_eq!(why("/x.c")["for"], "x.c, an operand of the command");
    assert!(ends(&why("/cc1")["for"], "/cc1 and what it loads"), "{said}");
    let missing = inputs.iter().filter(|input| input["object"].is_string() && input["why"].is_null());
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&Value>::new());
    let people = desk.gg(&["describe", "cc", "-Inear", "-Ifar", "-c", "x.c"]).well();
    assert!(people.contains("      for #include <part.h> in x.c:2\n      not at /"), "{people}");
    // what led to the real tool is named
    desk.gg(&["describe", "cc", "-c", "-time", "x.c"]).refused(&["natively: unmodelled-option: -time"]);
}

#[test]
fn a_gg_dir_that_cannot_be_one_is_refused() {
    let desk = Desk::new();
    let gg = |gg_dir: &Path, args: &[&str]| {
        Said::of(desk.command(desk.at("bin/gg")).env("GG_DIR", gg_dir).args(args).output().unwrap())
    };
    for command in [&["stats"][..], &["gc"], &["session", "stop"], &["audit", "--forget"]] {
        gg(Path::new("here"), command).refused(&["GG_DIR is \"here\", not an absolute path", "unset it"]);
        gg(Path::new(""), command).refused(&["GG_DIR is set but empty", "unset it"]);
    }
    fs::write(desk.at("file"), "").unwrap();
    let said = gg(&desk.at("file"), &["gc"]);
    let expected = format!(
        "gg: GG_DIR is {}, which is not a directory: set it to one, or remove that file\n",
        desk.at("file").display()
    );
    assert_eq!((said.code, said.err), (Some(1), expected));
    let doctor = gg(Path::new("here"), &["doctor"]);
    assert_eq!(doctor.code, Some(1));
    assert!(doctor.out.contains("trouble: GG_DIR is \"here\", not an absolute path"), "{}", doctor.out);
    assert!(!desk.at("here").exists());
}

#[test]
fn the_doctor_tells_room_and_errors() {
    let desk = Desk::new();
    let healthy = desk.gg(&["doctor"]).out;
    let free = healthy.lines().find_map(|line| line.strip_prefix("free ")?.trim().strip_suffix(" MiB"));
    assert!(free.and_then(|free| free.parse::<u64>().ok()).is_some_and(|free| free > 0), "{healthy}");
    assert!(!healthy.contains("after an error") && !healthy.contains("GG_LOG"), "{healthy}");
    let output = desk.command(desk.at("bin/gg")).env("GG_LOG", "all").arg("doctor").output().unwrap();
    let odd = String::from_utf8(output.stdout).unwrap();
    assert!(odd.contains("trouble: GG_LOG is \"all\", neither off"), "{odd}");
    fs::create_dir_all(desk.at("gg/log")).unwrap();
    let line = |reason: &str, detail: &str| {
        format!("{{\"session\":\"1\",\"tool\":\"cc\",\"native\":\"{reason}\",\"detail\":\"{detail}\"}}\n")
    };
    let log = [line("session-error", "once"), line("session-error", "often").repeat(2), line("input", "no error")];
    fs::write(desk.at("gg/log/calls.jsonl"), log.concat()).unwrap();
    let said = desk.gg(&["doctor"]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("trouble: calls ran natively after an error (session-error, 2 times): often\n"));
    assert!(!said.out.contains("once") && !said.out.contains("no error"), "{}", said.out);
}

/// The paper's recursive Fibonacci: each thunk answers with the thunk of a sum.
#[test]
fn fibonacci() {
    let desk = Desk::new();
    desk.compile(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../force/tests/force/fib.c"), "fib");
    let object: ObjectName = desk.hash("fib").parse().unwrap();
    let mut bin = Tree::new();
    bin.insert("fib", Node::File(FileNode { object, mode: 0o755, mtime: None })).unwrap();
    let bin = bin.name().to_string();
    let mut args = vec!["create-thunk", "-x", "/bin/fib=fib", "-o", "out=/out", "-p", "result"];
    for output in ["left=/left", "right=/right", "sum=/sum", "sum-root=/sum-root"] {
        args.extend(["--optional-output", output]);
    }
    args.extend(["--", "/bin/fib", "12", &bin]);
    desk.gg(&args).well();
    desk.gg(&["force", "result"]).well();
    assert_eq!(desk.read("result"), "144\n");
}
