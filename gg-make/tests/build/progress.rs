//! The progress line on a terminal, and that there is none elsewhere. What holds a build up is a fifo.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use gg_testkit::Tree;

use crate::bench::{Bench, GG_MAKE};
use crate::pty::Pty;
use crate::signals::{CONFUSED, FOR_EVER, kill, project};
use crate::vt::Vt;

const ROWS: u16 = 10;
const COLUMNS: u16 = 60;
/// How the line begins.
const DRAWN: &str = "\x1b[10;1H\x1b[mgg 0:";
/// The region is whole again, the row clear.
const GIVEN_BACK: &str = "\x1b7\x1b[r\x1b[10;1H\x1b[m\x1b[2K\x1b8";
/// The region is whole again, and nothing else happens.
const LENT: &str = "\x1b7\x1b[r\x1b8";

/// Compiles, writes more than a screen has rows, and goes on when the fifo was opened and closed.
fn held() -> Tree {
    let makefile = "\
NAME = fifo
all: $(NAME).o
\t@seq 100 130
\t@printf 'checking for something... '
\t@cat $(NAME)
\t@echo yes
\t@seq 200 230
$(NAME).o: a.c
\t$(CC) -c -o $@ $<
";
    Tree::new().file("Makefile", makefile).file("a.c", "int a;\n")
}

fn bench(project: Tree, fifos: &[&str]) -> Bench {
    let bench = Bench::new(project);
    let made = bench.command("mkfifo").args(fifos).status().unwrap();
    assert!(made.success());
    bench
}

/// gg-make, for a terminal.
fn gg_make(bench: &Bench) -> Command {
    let mut command = bench.gg_make();
    command.env("TERM", "xterm");
    command
}

/// Waits until a recipe reads the fifo; the end of this lets it go on.
fn at(bench: &Bench, fifo: &str) -> File {
    File::options().write(true).open(bench.file(fifo)).unwrap()
}

fn screen(seen: &[u8]) -> Vt {
    Vt::shown(ROWS.into(), COLUMNS.into(), seen)
}

#[test]
fn the_line_has_a_row_of_its_own() {
    let bench = bench(held(), &["fifo"]);
    let mut plain = Pty::new(ROWS, COLUMNS);
    let mut make = plain.run(&mut bench.command("make"));
    drop(at(&bench, "fifo"));
    plain.end();
    assert!(make.wait().unwrap().success());
    fs::remove_file(bench.file("fifo.o")).unwrap();

    let mut pty = Pty::new(ROWS, COLUMNS);
    let mut gg = pty.run(&mut gg_make(&bench));
    // On a slow machine it may be drawn before that, too.
    let line = " 0 running, 1 done: 0 from memo, 1 run, 0 native";
    let printed = pty.wait_for("checking for something... ", 0);
    let told = pty.wait_for(line, printed);
    let drawn = pty.wait_for("\x1b8", told);
    assert!(pty.text().contains(DRAWN), "{:?}", pty.text());
    let held = screen(&pty.seen[..drawn]);
    assert!(held.above_foot(0).starts_with("gg 0:0") && held.above_foot(0).ends_with(line), "{:?}", held.above_foot(0));
    let above = [held.above_foot(1), held.above_foot(2), held.above_foot(3)];
    assert_eq!(above, ["checking for something...", "130", "129"], "all output is above the line");
    drop(at(&bench, "fifo"));
    pty.end();
    assert!(gg.wait().unwrap().success());
    let ended = screen(&pty.seen);
    assert!(ended.is_whole() && pty.text().contains(GIVEN_BACK), "{:?}", pty.text());
    assert_eq!(ended.all(), screen(&plain.seen).all(), "{:?}", pty.text());
    // each drawing stands by itself, and is in one piece
    for drawing in pty.text().split("\x1b7\x1b[1;9r").skip(1) {
        let (drawing, _) = drawing.split_once("\x1b8").unwrap();
        assert!(drawing.starts_with("\x1b[10;1H\x1b[mgg 0:") && drawing.ends_with(" native\x1b[K"), "{drawing:?}");
    }
}

/// Nothing is drawn. What would have been drawn by then, is drawn by a build that began after them.
#[test]
fn no_line_where_it_is_not_wanted_or_not_seen() {
    let names = ["option", "variable", "dumb", "no-term", "below", "small", "background", "out", "err", "drawn"];
    let bench = bench(held(), &names);
    let start = |name: &str| {
        let mut pty = Pty::new(if name == "small" { 7 } else { ROWS }, COLUMNS);
        let mut command = gg_make(&bench);
        command.arg(format!("NAME={name}"));
        match name {
            "option" => command.arg("--gg-progress=no"),
            "variable" => command.env("GG_PROGRESS", "no"),
            "dumb" => command.env("TERM", "dumb"),
            "no-term" => command.env_remove("TERM"),
            "below" => command.arg("--no-print-directory").env("MAKELEVEL", "1"),
            "background" => {
                command = gg_make(&bench);
                let script = format!("set -m; {GG_MAKE} NAME=background <&- & wait");
                command = with_program(command, "sh", &["-c", &script]);
                &mut command
            }
            _ => &mut command,
        };
        let file = bench.at(name);
        let to_file = || Stdio::from(File::create(&file).unwrap());
        command.stdout(if name == "out" { to_file() } else { pty.stream() });
        command.stderr(if name == "err" { to_file() } else { pty.stream() });
        let child = pty.start(&mut command);
        let held = at(&bench, name);
        (name.to_owned(), pty, child, held)
    };
    let mut builds: Vec<_> = names.iter().map(|name| start(name)).collect();
    let (_, mut drawn, mut child, held) = builds.pop().unwrap();
    drawn.wait_for(DRAWN, 0);
    drop(held);
    drawn.end();
    assert!(child.wait().unwrap().success());
    for (name, mut pty, mut child, held) in builds {
        drop(held);
        let mut said = pty.end();
        assert!(child.wait().unwrap().success(), "{name}: {said:?}");
        if let Ok(text) = fs::read_to_string(bench.at(&name)) {
            said = if name == "err" { format!("{text}{said}") } else { format!("{said}{text}").replace('\n', "\r\n") };
        }
        let numbers = |from: u32| (from..=from + 30).map(|number| format!("{number}\r\n")).collect::<String>();
        let (before, after) = (numbers(100), numbers(200));
        let expected = format!("cc -c -o {name}.o a.c\r\n{before}checking for something... yes\r\n{after}");
        assert_eq!(said, expected, "{name}");
    }
}

/// The same environment and directory for another program.
fn with_program(command: Command, program: &str, args: &[&str]) -> Command {
    let mut other = Command::new(program);
    other.args(args).current_dir(command.get_current_dir().unwrap()).env_clear();
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other
}

/// Ctrl-C, and a signal to gg-make alone.
#[test]
fn a_signal_gives_the_row_back() {
    for typed in [true, false] {
        let bench = Bench::new(project(FOR_EVER));
        let mut pty = Pty::new(ROWS, COLUMNS);
        let mut gg = pty.run(gg_make(&bench).arg("-s"));
        pty.wait_for(" 1 running, 1 done: ", 0);
        if typed {
            pty.type_in(b"\x03");
        } else {
            kill(&gg.id().to_string(), "TERM");
        }
        let said = pty.end();
        let signal = if typed { libc::SIGINT } else { libc::SIGTERM };
        let status = gg.wait().unwrap();
        assert!(status.signal() == Some(signal) || said.contains(CONFUSED), "{status} {said:?}");
        let (_, after) = said.rsplit_once(GIVEN_BACK).expect("the row is given back");
        assert!(!after.contains('\x1b'), "{said:?}");
    }
}

/// Ctrl-Z gives the row back before the shell goes on, and `fg` takes it again.
#[test]
fn a_suspended_build_has_no_row() {
    let bench = bench(held(), &["fifo"]);
    let mut pty = Pty::new(ROWS, COLUMNS);
    let script = format!("set -m; {GG_MAKE}; echo the shell; fg; echo status $?");
    let mut shell = pty.run(&mut with_program(gg_make(&bench), "sh", &["-c", &script]));
    let drawn = pty.wait_for(DRAWN, 0);
    pty.type_in(b"\x1a");
    let given_back = pty.wait_for(GIVEN_BACK, drawn);
    let prompt = pty.wait_for("the shell", given_back);
    assert!(!String::from_utf8_lossy(&pty.seen[given_back..prompt]).contains('\x1b'), "{:?}", pty.text());
    let again = pty.wait_for(DRAWN, prompt);
    drop(at(&bench, "fifo"));
    let given_back = pty.wait_for(GIVEN_BACK, again);
    pty.wait_for("status 0", given_back);
    pty.end();
    assert!(shell.wait().unwrap().success());
}

/// A recipe's program that reads keys has the whole terminal meanwhile.
#[test]
fn a_program_that_reads_keys_has_the_terminal() {
    let makefile = "all: a.o
\t@cat first
\t@stty -F /dev/tty -icanon
\t@cat second
\t@echo that was mine
\t@stty -F /dev/tty icanon
\t@cat third
a.o: a.c
";
    let bench = bench(held().file("Makefile", makefile), &["first", "second", "third"]);
    let mut pty = Pty::new(ROWS, COLUMNS);
    let mut gg = pty.run(&mut gg_make(&bench));
    let drawn = pty.wait_for(DRAWN, 0);
    drop(at(&bench, "first"));
    let lent = pty.wait_for(LENT, drawn);
    drop(at(&bench, "second"));
    let mine = pty.wait_for("that was mine", lent);
    assert!(!String::from_utf8_lossy(&pty.seen[lent..mine]).contains('\x1b'), "{:?}", pty.text());
    let cleared = pty.wait_for("\x1b7\x1b[m\x1b[J\x1b8", mine);
    pty.wait_for(DRAWN, cleared);
    drop(at(&bench, "third"));
    assert!(pty.end().ends_with(GIVEN_BACK));
    assert!(gg.wait().unwrap().success());
}

#[test]
fn another_size_moves_the_row() {
    let bench = bench(held(), &["fifo"]);
    let mut pty = Pty::new(ROWS, COLUMNS);
    let mut gg = pty.run(&mut gg_make(&bench));
    let drawn = pty.wait_for(DRAWN, 0);
    pty.resize(20, 42);
    let moved = pty.wait_for("\x1b[1;19r\x1b[20;1H\x1b[mgg 0:", drawn);
    let line = moved - "gg 0:".len();
    let end = pty.wait_for("\x1b[K", moved) - "\x1b[K".len();
    assert_eq!(end - line, 41, "{:?}", pty.text());
    // and one without a row to spare has none
    pty.resize(5, 42);
    pty.wait_for("\x1b7\x1b[r\x1b8\x1b7\x1b[m\x1b[J\x1b8", end);
    drop(at(&bench, "fifo"));
    assert!(!pty.end()[end..].contains("\x1b[1;4r"));
    assert!(gg.wait().unwrap().success());
}
