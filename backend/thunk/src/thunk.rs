//! Thunks: commands, all they need, and what they make.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Bytes;
use crate::error::{Error, shown};
use crate::json::{Reader, Writer};
use crate::name::{Tag, ThunkName, TreeName};

/// The longest encoding of a thunk that is read, in bytes: Linux's limit on a command line is 2 MiB a
/// step, and links of large programs have response files expanded.
pub const MAX_THUNK_BYTES: usize = 64 << 20;
/// The umask that is not written down.
const USUAL_UMASK: u32 = 0o022;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The executable's absolute path in the root.
    pub exe: Bytes,
    /// Its arguments, the first being the name it is called by.
    pub argv: Vec<Bytes>,
}

/// How a tool writes an output when something stands at its path already. Models refuse what appends to it: it would be made
/// without the bytes that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// What stood there is removed; a new file takes its place (`as`, `ld`).
    Replace,
    /// The bytes go into the file that is there, through a link too (`cc1 -S`, `ar`).
    Through,
}

/// A file that the steps make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name among the thunk's outputs.
    pub tag: Tag,
    /// Its absolute path, without `.`, `..` and empty parts.
    pub path: Bytes,
    /// Whether the steps may succeed without making it.
    pub optional: bool,
    /// What becomes of a file that stands at the path already.
    pub writes: Writes,
}

/// Commands to run in order until one fails, in a root that holds what `root` says and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thunk {
    /// The commands; at least one.
    pub steps: Vec<Step>,
    /// The whole environment of the steps.
    pub env: BTreeMap<Bytes, Bytes>,
    /// The directory the steps start in.
    pub cwd: Bytes,
    /// The steps' file mode creation mask.
    pub umask: u32,
    /// The root directory.
    pub root: TreeName,
    /// What is collected when all steps have exited with 0.
    pub outputs: Vec<Output>,
}

impl Thunk {
    /// Holds the thunk against the rules that need no look at the tree: paths absolute and plain,
    /// no NUL in arguments and environment, no tag and no path twice, at least one step.
    pub fn validate(&self) -> Result<(), Error> {
        let wrong = |why: String| Err(Error::malformed("thunk", why));
        if self.steps.is_empty() {
            return wrong("it has no step".to_owned());
        }
        check_path("thunk's cwd", &self.cwd, true)?;
        for step in &self.steps {
            check_path("step's exe", &step.exe, false)?;
            if step.argv.is_empty() {
                return wrong(format!("the step {:?} has no argv[0]", shown(&step.exe)));
            }
            if let Some(arg) = step.argv.iter().find(|arg| arg.contains(&0)) {
                return wrong(format!("the argument {:?} holds a NUL", shown(arg)));
            }
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(&b'=') || name.contains(&0) || value.contains(&0) {
                return wrong(format!("{:?} cannot be a variable of the environment", shown(name)));
            }
        }
        if self.umask > 0o777 {
            return wrong(format!("its umask {:o} is over 777", self.umask));
        }
        let (mut tags, mut paths) = (BTreeSet::new(), BTreeSet::new());
        for output in &self.outputs {
            check_path("output's path", &output.path, false)?;
            if !tags.insert(&output.tag) {
                return wrong(format!("the tag {} stands twice", output.tag));
            }
            if !paths.insert(&output.path) {
                return wrong(format!("the output {:?} stands twice", shown(&output.path)));
            }
        }
        Ok(())
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.raw("{\"cwd\":").bytes(&self.cwd);
        to.raw(",\"env\":").list(&self.env, |to, (name, value)| {
            to.raw("[").bytes(name).raw(",").bytes(value).raw("]");
        });
        to.raw(",\"gg\":\"thunk/1\",\"outputs\":").list(&self.outputs, write_output);
        to.raw(",\"root\":\"").plain(self.root).raw("\",\"steps\":").list(&self.steps, |to, step| {
            to.raw("{\"argv\":").list(&step.argv, |to, arg| {
                to.bytes(arg);
            });
            to.raw(",\"exe\":").bytes(&step.exe).raw("}");
        });
        if self.umask != USUAL_UMASK {
            to.raw(",\"umask\":").plain(self.umask);
        }
        to.raw("}").finish()
    }

    /// The name of the encoding.
    pub fn name(&self) -> ThunkName {
        ThunkName::of(&self.encode())
    }

    /// Reads a canonical encoding back, and validates it.
    pub fn decode(text: &[u8]) -> Result<Thunk, Error> {
        let reader = Reader { what: "thunk" };
        let value = reader.parse(text, MAX_THUNK_BYTES)?;
        let fields = ["cwd", "env", "gg", "outputs", "root", "steps", "umask"];
        let map = reader.object(&value, "the whole", &fields)?;
        if reader.field(map, "gg")? != "thunk/1" {
            return Err(reader.wrong("its field \"gg\" is not \"thunk/1\""));
        }
        let mut env = BTreeMap::new();
        for entry in reader.list(map, "env")? {
            let (name, value) = reader.pair(entry, "a variable")?;
            env.insert(reader.bytes(name, "a variable's name")?, reader.bytes(value, "a variable's value")?);
        }
        let thunk = Thunk {
            steps: reader.list(map, "steps")?.iter().map(|v| read_step(reader, v)).collect::<Result<_, _>>()?,
            env,
            cwd: reader.bytes(reader.field(map, "cwd")?, "\"cwd\"")?,
            umask: match map.get("umask") {
                None => USUAL_UMASK,
                Some(mask) => reader.number(mask, "\"umask\"", 0o777)?,
            },
            root: TreeName::new(reader.text(reader.field(map, "root")?, "\"root\"")?.parse()?),
            outputs: reader.list(map, "outputs")?.iter().map(|v| read_output(reader, v)).collect::<Result<_, _>>()?,
        };
        thunk.validate()?;
        if thunk.encode() != text {
            return Err(Error::NotCanonical { what: "thunk" });
        }
        Ok(thunk)
    }
}

fn write_output(to: &mut Writer, output: &Output) {
    to.raw(if output.optional { "{\"optional\":true,\"path\":" } else { "{\"path\":" }).bytes(&output.path);
    to.raw(",\"tag\":\"").raw(output.tag.as_str()).raw("\"");
    to.raw(if output.writes == Writes::Through { ",\"writes\":\"through\"}" } else { "}" });
}

fn read_output(reader: Reader, value: &Value) -> Result<Output, Error> {
    let map = reader.object(value, "an output", &["optional", "path", "tag", "writes"])?;
    Ok(Output {
        tag: Tag::new(reader.text(reader.field(map, "tag")?, "\"tag\"")?)?,
        path: reader.bytes(reader.field(map, "path")?, "\"path\"")?,
        optional: match map.get("optional") {
            None => false,
            Some(value) => value.as_bool().ok_or_else(|| reader.wrong("\"optional\" is neither true nor false"))?,
        },
        writes: match map.get("writes") {
            None => Writes::Replace,
            Some(value) if value == "through" => Writes::Through,
            Some(_) => return Err(reader.wrong("\"writes\" is not \"through\"")),
        },
    })
}

fn read_step(reader: Reader, value: &Value) -> Result<Step, Error> {
    let map = reader.object(value, "a step", &["argv", "exe"])?;
    Ok(Step {
        exe: reader.bytes(reader.field(map, "exe")?, "\"exe\"")?,
        argv: reader.list(map, "argv")?.iter().map(|v| reader.bytes(v, "an argument")).collect::<Result<_, _>>()?,
    })
}

fn check_path(what: &'static str, path: &[u8], root: bool) -> Result<(), Error> {
    let refuse = |why| Err(Error::Path { what, path: shown(path), why });
    if path.len() > 4095 {
        return refuse("is over 4095 bytes long");
    }
    if path.contains(&0) {
        return refuse("holds a NUL");
    }
    let Some(rest) = path.strip_prefix(b"/") else {
        return refuse("is not absolute");
    };
    if rest.is_empty() {
        return if root { Ok(()) } else { refuse("is the root directory") };
    }
    if rest.split(|b| *b == b'/').any(|part| matches!(part, b"" | b"." | b"..")) {
        return refuse("has an empty part, '.' or '..', and could leave the tree it belongs to");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn sample() -> Thunk {
        Thunk {
            steps: vec![Step { exe: b"/usr/bin/as".to_vec(), argv: vec![b"as".to_vec(), b"-o\xff".to_vec()] }],
            env: BTreeMap::from([(b"LC_ALL".to_vec(), b"C".to_vec())]),
            cwd: b"/src".to_vec(),
            umask: 0o022,
            root: Tree::new().name(),
            outputs: vec![Output {
                tag: Tag::new("o").unwrap(),
                path: b"/src/a.o".to_vec(),
                optional: false,
                writes: Writes::Replace,
            }],
        }
    }

    #[test]
    fn the_encoding_is_pinned() {
        let text = String::from_utf8(sample().encode()).unwrap();
        let root = Tree::new().name();
        let expected = format!(
            r#"{{"cwd":"/src","env":[["LC_ALL","C"]],"gg":"thunk/1","outputs":[{{"path":"/src/a.o","tag":"o"}}],"root":"{root}","steps":[{{"argv":["as",{{"bytes":"LW//"}}],"exe":"/usr/bin/as"}}]}}"#
        );
        assert_eq!(text, expected);
        assert_eq!(sample().name().to_string(), "TWXa3BamynOO.4x2xlN.FzVBxqlu3tacEIfqGCqjs3vY000000db");
        let mut other = sample();
        other.umask = 0o077;
        other.outputs[0].optional = true;
        other.outputs[0].writes = Writes::Through;
        assert_ne!(other.name(), sample().name());
        for thunk in [sample(), other] {
            assert_eq!(Thunk::decode(&thunk.encode()), Ok(thunk));
        }
    }

    #[test]
    fn what_is_cut_or_not_canonical_is_refused() {
        let good = sample().encode();
        for end in 0..good.len() {
            assert!(Thunk::decode(&good[..end]).is_err(), "cut at {end}");
        }
        let text = String::from_utf8(good).unwrap();
        for bad in [
            text.replace("\"cwd\"", " \"cwd\""),
            text.replace("\"gg\":\"thunk/1\"", "\"gg\":\"thunk/9\""),
            text.replace("}]}", "}],\"umask\":18}"),
            text.replace("}]}", "}],\"umask\":512}"),
            text.replace("\"tag\":\"o\"", "\"tag\":\"a b\""),
            text.replace("LW//", "LW8="),
        ] {
            assert!(Thunk::decode(bad.as_bytes()).is_err(), "{bad}");
        }
        let huge = vec![b' '; MAX_THUNK_BYTES + 1];
        assert!(matches!(Thunk::decode(&huge), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn paths_that_leave_the_tree_are_refused_by_name() {
        for bad in ["a.o", "/src/../../etc/passwd", "/src//a.o", "/src/./a.o", "/", "", "/src/a.o/", "/a\0b"] {
            let mut thunk = sample();
            thunk.outputs[0].path = bad.as_bytes().to_vec();
            let error = thunk.validate().unwrap_err().to_string();
            assert!(error.starts_with("output's path"), "{error}");
            assert!(Thunk::decode(&thunk.encode()).is_err());
        }
        let mut thunk = sample();
        thunk.cwd = b"src".to_vec();
        assert!(thunk.validate().unwrap_err().to_string().starts_with("thunk's cwd"));
        thunk = sample();
        thunk.steps.clear();
        assert!(thunk.validate().is_err());
        thunk = sample();
        thunk.outputs.push(thunk.outputs[0].clone());
        assert!(thunk.validate().unwrap_err().to_string().contains("twice"));
    }
}
