//! Where a compiler looks for what is included: its own answer, asked once for each shape of its arguments. Knows nothing of
//! sources.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::Arguments;
use crate::derive::{derive, key_of};
use crate::driver::builder::Builder;
use crate::driver::look;
use crate::scan::Chain;
use crate::verdict::{Input, Reason, ReasonKind};
use crate::world::FileKind;

/// The environment that the search path depends on.
const SEARCH_ENV: &[&str] = &["CPATH", "CPLUS_INCLUDE_PATH", "C_INCLUDE_PATH", "GCC_EXEC_PREFIX"];

/// The search path that the compiler itself prints for these arguments; directories that exist become inputs.
pub(super) fn path(builder: &mut Builder<'_>, exe: &Path, args: &Arguments) -> Result<Chain, Reason> {
    let mut argv = vec![exe.as_os_str().to_owned()];
    argv.extend(["-E", "-quiet", "-v"].map(OsString::from));
    argv.extend(args.search.iter().cloned());
    argv.extend(["/dev/null", "-o", "/dev/null"].map(OsString::from));
    let variables: Vec<_> = SEARCH_ENV.iter().map(|name| builder.env.get(name.as_bytes())).collect();
    let key = format!("search 4\0{argv:?}\0{variables:?}\0{}", key_of(&builder.req.cwd));
    type Found = (Vec<PathBuf>, Vec<PathBuf>, Vec<PathBuf>, Vec<PathBuf>);
    let (quote, bracket, doubles, hidden): Found = derive(builder.world, &key, |world| {
        look(world, exe)?;
        let output =
            world.run(exe, &argv, &builder.asking_env(), &builder.req.cwd).map_err(|error| Reason::io(exe, &error))?;
        let silent = || Reason::new(ReasonKind::Plan, "the compiler does not print its search path");
        let listed = parse(&output.stderr)?.filter(|_| output.status == Some(0)).ok_or_else(silent)?;
        for dir in listed.quote.iter().chain(&listed.bracket) {
            look(world, &builder.req.cwd.join(dir))?;
        }
        let mut doubles = Vec::new();
        for dir in listed.ignored {
            if look(world, &builder.req.cwd.join(&dir))? == Some(FileKind::Dir) {
                doubles.push(dir);
            }
        }
        Ok((listed.quote, listed.bracket, doubles, listed.hidden))
    })?;
    // One that is ignored leads to one that is not: the links on its way count.
    let dirs = quote.iter().chain(&bracket).chain(&doubles);
    let dirs: Vec<_> = dirs.map(|dir| Input::Dir(builder.absolute(dir))).collect();
    builder.add(dirs);
    // Those of `-I` and `CPATH` come first, but for one that is among the system's, too.
    let elements = builder.env.get(&b"CPATH"[..]).into_iter().flat_map(|list| list.split(|byte| *byte == b':'));
    let elements = elements.map(|dir| if dir.is_empty() { b"." } else { dir });
    let own: Vec<&[u8]> = args.preprocessing.own_dirs.iter().map(|dir| dir.as_bytes()).chain(elements).collect();
    let of_system = |dir: &PathBuf| !own.contains(&dir.as_os_str().as_bytes()) || hidden.contains(dir);
    let system = quote.len() + bracket.iter().position(of_system).unwrap_or(bracket.len());
    let beside = !args.preprocessing.split;
    Ok(Chain { bracket: quote.len(), dirs: quote.into_iter().chain(bracket).collect(), system, beside })
}

#[derive(Default)]
struct Listed {
    quote: Vec<PathBuf>,
    bracket: Vec<PathBuf>,
    ignored: Vec<PathBuf>,
    /// Those that are left to the system's directories.
    hidden: Vec<PathBuf>,
}

/// What the compiler prints, if that is a search path. It warns of a file where a directory is meant, in every compilation that is
/// given it; that and whatever else it may have to say is left to it.
fn parse(text: &[u8]) -> Result<Option<Listed>, Reason> {
    // Of an option (`-I-`), not of what it found: each run says it.
    const NOTE: &[u8] = b": note: ";
    let mut listed = Listed::default();
    let (mut in_quote, mut in_bracket, mut ended) = (false, false, false);
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let path = |bytes: &[u8]| PathBuf::from(OsString::from_vec(bytes.to_vec()));
        if let Some(rest) = line.strip_prefix(b"ignoring ") {
            let name = rest.iter().position(|byte| *byte == b'"').and_then(|open| rest[open + 1..].strip_suffix(b"\""));
            let Some(name) = name else { return Ok(None) };
            listed.ignored.push(path(name));
        } else if line.starts_with(b"  as it is a non-system directory that duplicates a system directory") {
            listed.hidden.extend(listed.ignored.last().cloned());
        } else if line.starts_with(b"#include \"...\" search starts here:") {
            in_quote = true;
        } else if line.starts_with(b"#include <...> search starts here:") {
            (in_quote, in_bracket) = (false, true);
        } else if line == b"End of search list." {
            (in_bracket, ended) = (false, true);
        } else if let Some(dir) = line.strip_prefix(b" ") {
            match (in_quote, in_bracket) {
                (true, _) => listed.quote.push(path(dir)),
                (_, true) => listed.bracket.push(path(dir)),
                _ => return Ok(None),
            }
        } else if !line.windows(NOTE.len()).any(|window| window == NOTE) {
            return Err(Reason::new(ReasonKind::Input, String::from_utf8_lossy(line)));
        }
    }
    Ok(ended.then_some(listed))
}
