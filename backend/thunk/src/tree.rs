//! Trees: directories of files, symbolic links and further trees, named by content.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Bytes;
use crate::error::{Error, shown};
use crate::json::{Reader, Writer};
use crate::name::{ObjectName, TreeName, ValueName};

/// The longest encoding of one tree that is read, in bytes (one directory, not what is below it).
pub const MAX_TREE_BYTES: usize = 64 << 20;
/// Linux's limit on the length of a file's name, in bytes.
const NAME_MAX: usize = 255;
/// Linux's limit on the length of a symbolic link's target, in bytes.
const TARGET_MAX: usize = 4095;

/// A point in time, in seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds; negative before 1970.
    pub sec: i64,
    /// Nanoseconds, less than 1,000,000,000.
    pub nsec: u32,
}

/// A regular file in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNode {
    /// Its content.
    pub object: ObjectName,
    /// Its permission bits, at most 0o7777.
    pub mode: u32,
    /// Its modification time, where a tool's result depends on it.
    pub mtime: Option<Timestamp>,
}

/// What a name in a directory stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory, by the name of its tree.
    Dir(TreeName),
    /// A regular file.
    File(FileNode),
    /// A symbolic link, with its target as it is written.
    Symlink(Bytes),
}

/// One directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<Bytes, Node>,
}

impl Tree {
    /// An empty directory.
    pub fn new() -> Tree {
        Tree::default()
    }

    /// Puts a node under a name, over what was there.
    ///
    /// Refused: a name that no file can have or that leads out of the directory (empty, `.`, `..`,
    /// with `/` or NUL, over 255 bytes), a mode over 0o7777, a link target that no link can have, a
    /// time with 10^9 nanoseconds or more.
    pub fn insert(&mut self, name: impl Into<Bytes>, node: Node) -> Result<(), Error> {
        let name = name.into();
        check_name(&name)?;
        let wrong = |why: &str| Err(Error::malformed("tree", format!("{:?}: {why}", shown(&name))));
        match &node {
            Node::File(file) if file.mode > 0o7777 => return wrong("its mode is over 0o7777"),
            Node::File(FileNode { mtime: Some(time), .. }) if time.nsec >= 1_000_000_000 => {
                return wrong("its time has 10^9 nanoseconds or more");
            }
            Node::Symlink(to) if to.is_empty() || to.len() > TARGET_MAX || to.contains(&0) => {
                return wrong("its link target is empty, too long or holds a NUL");
            }
            _ => {}
        }
        self.entries.insert(name, node);
        Ok(())
    }

    /// What stands under a name.
    pub fn get(&self, name: &[u8]) -> Option<&Node> {
        self.entries.get(name)
    }

    /// All entries, by the bytes of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Node)> {
        self.entries.iter()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.raw("{\"entries\":").list(&self.entries, |to, (name, node)| {
            to.raw("[").bytes(name).raw(",");
            write_node(to, node);
            to.raw("]");
        });
        to.raw(",\"gg\":\"tree/1\"}").finish()
    }

    /// The name of the encoding.
    pub fn name(&self) -> TreeName {
        TreeName::new(ValueName::of(&self.encode()))
    }

    /// Reads a canonical encoding back.
    pub fn decode(text: &[u8]) -> Result<Tree, Error> {
        let reader = Reader { what: "tree" };
        let value = reader.parse(text, MAX_TREE_BYTES)?;
        let map = reader.object(&value, "the whole", &["entries", "gg"])?;
        if reader.field(map, "gg")? != "tree/1" {
            return Err(reader.wrong("its field \"gg\" is not \"tree/1\""));
        }
        let mut tree = Tree::new();
        for entry in reader.list(map, "entries")? {
            let (name, node) = reader.pair(entry, "an entry")?;
            tree.insert(reader.bytes(name, "an entry's name")?, read_node(reader, node)?)?;
        }
        if tree.encode() != text {
            return Err(Error::NotCanonical { what: "tree" });
        }
        Ok(tree)
    }
}

fn check_name(name: &[u8]) -> Result<(), Error> {
    let why = match name {
        b"" => "it is empty",
        b"." | b".." => "it leads out of its directory",
        _ if name.contains(&b'/') => "it holds a '/'",
        _ if name.contains(&0) => "it holds a NUL",
        _ if name.len() > NAME_MAX => "it is over 255 bytes long",
        _ => return Ok(()),
    };
    Err(Error::EntryName { name: shown(name), why })
}

fn write_node(to: &mut Writer, node: &Node) {
    match node {
        Node::Dir(tree) => to.raw("{\"dir\":\"").plain(tree).raw("\"}"),
        Node::Symlink(target) => to.raw("{\"link\":").bytes(target).raw("}"),
        Node::File(FileNode { object, mode, mtime }) => {
            to.raw("{\"file\":\"").plain(object).raw("\",\"mode\":").plain(mode);
            if let Some(Timestamp { sec, nsec }) = mtime {
                to.raw(",\"mtime\":[").plain(sec).raw(",").plain(nsec).raw("]");
            }
            to.raw("}")
        }
    };
}

fn read_node(reader: Reader, value: &Value) -> Result<Node, Error> {
    let map = reader.object(value, "a node", &["dir", "link", "file", "mode", "mtime"])?;
    if let Some(dir) = map.get("dir") {
        return Ok(Node::Dir(TreeName::new(reader.text(dir, "\"dir\"")?.parse()?)));
    }
    if let Some(to) = map.get("link") {
        return Ok(Node::Symlink(reader.bytes(to, "\"link\"")?));
    }
    let mtime = match map.get("mtime") {
        None => None,
        Some(time) => {
            let (sec, nsec) = reader.pair(time, "\"mtime\"")?;
            let sec = sec.as_i64().ok_or_else(|| reader.wrong("\"mtime\" does not hold seconds"))?;
            Some(Timestamp { sec, nsec: reader.number(nsec, "\"mtime\"", 999_999_999)? })
        }
    };
    Ok(Node::File(FileNode {
        object: reader.text(reader.field(map, "file")?, "\"file\"")?.parse()?,
        mode: reader.number(reader.field(map, "mode")?, "\"mode\"", 0o7777)?,
        mtime,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Tree {
        let object = ObjectName::Value(ValueName::of(b"int x;\n"));
        let mut tree = Tree::new();
        tree.insert("a.c", Node::File(FileNode { object: object.clone(), mode: 0o644, mtime: None })).unwrap();
        let mtime = Some(Timestamp { sec: -1, nsec: 5 });
        tree.insert(b"\xff.h".to_vec(), Node::File(FileNode { object, mode: 0o444, mtime })).unwrap();
        tree.insert("lib", Node::Symlink(b"usr/lib".to_vec())).unwrap();
        tree.insert("usr", Node::Dir(Tree::new().name())).unwrap();
        tree
    }

    #[test]
    fn the_encoding_is_pinned() {
        let text = String::from_utf8(sample().encode()).unwrap();
        let object = ValueName::of(b"int x;\n");
        let empty = Tree::new().name();
        let expected = format!(
            r#"{{"entries":[["a.c",{{"file":"{object}","mode":420}}],["lib",{{"link":"usr/lib"}}],["usr",{{"dir":"{empty}"}}],[{{"bytes":"/y5o"}},{{"file":"{object}","mode":292,"mtime":[-1,5]}}]],"gg":"tree/1"}}"#
        );
        assert_eq!(text, expected);
        assert_eq!(Tree::new().encode(), br#"{"entries":[],"gg":"tree/1"}"#);
        assert_eq!(sample().name().to_string(), "VIhM482uSALH_0qgqoDJOatD9INf9iW5w4GLf5UrMUOU0000013d");
        assert_eq!(Tree::decode(&sample().encode()), Ok(sample()));
    }

    #[test]
    fn hostile_names_are_refused_by_name() {
        for (bad, why) in [
            (&b""[..], "empty"),
            (b".", "leads out"),
            (b"..", "leads out"),
            (b"a/b", "'/'"),
            (b"a\0b", "NUL"),
            (&[b'x'; 256], "255"),
        ] {
            let error = Tree::new().insert(bad, Node::Symlink(b"x".to_vec())).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        let text = br#"{"entries":[["..",{"link":"x"}]],"gg":"tree/1"}"#;
        assert!(matches!(Tree::decode(text), Err(Error::EntryName { .. })));
    }

    #[test]
    fn what_is_cut_swapped_or_padded_is_refused() {
        let good = sample().encode();
        for end in 0..good.len() {
            assert!(Tree::decode(&good[..end]).is_err(), "cut at {end}");
        }
        let text = String::from_utf8(good).unwrap();
        for bad in [
            text.replace(":420", ": 420"),
            text.replace(":420", ":99999"),
            text.replace("\"tree/1\"", "\"tree/2\""),
            text.replace("\"lib\"", "\"zib\""),
            text.replace("/y5o", "YQ=="),
            text.replace("\"link\":\"usr/lib\"", "\"link\":\"usr/lib\",\"mode\":1"),
            text.replace("\"mode\":420", "\"mode\":420,\"owner\":0"),
            format!("{text}\n"),
        ] {
            assert!(Tree::decode(bad.as_bytes()).is_err(), "{bad}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Tree::decode(deep.as_bytes()).is_err());
    }
}
