//! As what the shim was called.
//!
//! Knows nothing of which tools there are.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use gg_protocol::real_tool::{DEFAULT_PATH, Finder};

use crate::sys;

/// The tool that is meant, and who stands in for it.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Called {
    /// How a message names the shim.
    pub(crate) name: Vec<u8>,
    /// The tool's plain name, or the path that was given to `gg-shim`.
    pub(crate) tool: Vec<u8>,
    /// The arguments as the tool should see them; `argv[0]` is `tool`.
    pub(crate) argv: Vec<Vec<u8>>,
    /// The absolute path of this executable, links resolved.
    pub(crate) shim: Option<PathBuf>,
}

impl Called {
    /// Reads this process's arguments; `None` if they name no tool.
    pub(crate) fn of_this_process() -> Option<Self> {
        let args: Vec<Vec<u8>> = std::env::args_os().map(OsStringExt::into_vec).collect();
        let shim = std::fs::read_link("/proc/self/exe")
            .ok()
            .filter(|path| path.is_absolute())
            .or_else(|| std::fs::canonicalize(OsStr::from_bytes(sys::exec_name()?)).ok());
        let by_path = args.first().is_some_and(|name| name.contains(&b'/'));
        let mut called = Self::new(args, shim)?;
        if by_path && std::env::var_os("PATH").is_none_or(|path| path.is_empty()) {
            called.by_path();
        }
        Some(called)
    }

    /// A driver that is called by its path finds its programs from there; one that is called by its name asks `PATH`, and where that
    /// says nothing it finds none.
    fn by_path(&mut self) {
        let Ok(cwd) = std::env::current_dir() else { return };
        if let Some(tool) = Finder::new(&cwd, self.shim.as_deref()).find(&self.tool, DEFAULT_PATH) {
            self.tool = tool.into_os_string().into_vec();
            self.argv[0].clone_from(&self.tool);
        }
    }

    fn new(mut args: Vec<Vec<u8>>, shim: Option<PathBuf>) -> Option<Self> {
        let mut name = Path::new(OsStr::from_bytes(args.first()?)).file_name()?.as_bytes().to_vec();
        let tool = if name == b"gg-shim" {
            args.remove(0);
            name = b"gg-shim".to_vec();
            args.first()?.clone()
        } else {
            name.strip_prefix(b"gg-").unwrap_or(&name).to_vec()
        };
        if tool.is_empty() {
            return None;
        }
        args[0].clone_from(&tool);
        Some(Self { name, tool, argv: args, shim })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(args: &[&str]) -> Option<(String, Vec<String>)> {
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
        let called = Called::new(args.iter().map(|arg| arg.as_bytes().to_vec()).collect(), None)?;
        Some((text(&called.tool), called.argv.iter().map(text).collect()))
    }

    #[test]
    fn the_name_says_which_tool() {
        let is = |called: &str, expected: &str| {
            assert_eq!(tool(&[called, "-c"]), Some((expected.into(), vec![expected.into(), "-c".into()])), "{called}");
        };
        is("gg-cc", "cc");
        is("gg-c++", "c++");
        is("/opt/gg/bin/gg-x86_64-linux-gnu-gcc-12", "x86_64-linux-gnu-gcc-12");
        is("shims/as", "as");
        is("gg-gg-odd", "gg-odd");
        assert_eq!(tool(&["gg-shim", "ar", "t"]), Some(("ar".into(), vec!["ar".into(), "t".into()])));
        assert_eq!(tool(&["x/gg-shim", "/usr/bin/ar"]), Some(("/usr/bin/ar".into(), vec!["/usr/bin/ar".into()])));
    }

    #[test]
    fn no_tool_is_no_call() {
        for args in [&[][..], &["gg-shim"], &["gg-"], &[""], &["gg-shim", ""], &["/"], &[".."]] {
            assert_eq!(tool(args), None, "{args:?}");
        }
    }
}
