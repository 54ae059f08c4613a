//! The files that a locale makes the tools read: locale data and message catalogs.
//!
//! Knows glibc's and gettext's search order for UTF-8 locales; for another character set the real tool must run.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::request::Request;
use crate::verdict::{Input, Reason, ReasonKind};
use crate::world::{FileKind, World};

/// The message domains of gcc and binutils; a version stands behind some on some systems.
const DOMAINS: &[&str] = &["bfd", "binutils", "cpplib", "gas", "gcc", "ld", "libc", "opcodes"];

/// Adds the locale to the environment of the steps, and what it reads to their inputs. `version` is gcc's major version.
pub(crate) fn add(
    req: &Request,
    version: &str,
    world: &dyn World,
    env: &mut BTreeMap<Vec<u8>, Vec<u8>>,
    inputs: &mut Vec<Input>,
) -> Result<(), Reason> {
    let categories = ["LC_CTYPE", "LC_MESSAGES"].map(|category| effective(req, category));
    if categories.iter().all(Option::is_none) {
        return Ok(());
    }
    for name in ["LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES"] {
        if let Some(value) = req.var(name).filter(|value| !value.is_empty()) {
            env.insert(name.as_bytes().to_vec(), value.as_bytes().to_vec());
        }
    }
    let mut catalogs: Vec<String> = Vec::new();
    let mut candidates: Vec<PathBuf> =
        ["/usr/lib/locale/locale-archive", "/usr/share/locale/locale.alias"].map(PathBuf::from).to_vec();
    for name in categories.iter().flatten() {
        let variants = variants(name.to_str().ok_or_else(|| refused(name))?).ok_or_else(|| refused(name))?;
        for variant in &variants {
            let dir = Path::new("/usr/lib/locale").join(variant);
            candidates.push(dir.join("LC_CTYPE"));
            candidates.push(dir.join("LC_MESSAGES"));
            candidates.push(dir.join("LC_MESSAGES/SYS_LC_MESSAGES"));
        }
        catalogs.extend(variants);
    }
    for language in req.var("LANGUAGE").unwrap_or_default().as_bytes().split(|byte| *byte == b':') {
        let language = std::str::from_utf8(language).map_err(|_| refused(OsStr::from_bytes(language)))?;
        // A language without a character set takes that of the locale.
        catalogs.extend(variants(language).unwrap_or_else(|| vec![language.to_owned()]));
    }
    catalogs.sort();
    catalogs.dedup();
    for catalog in catalogs.iter().filter(|catalog| !catalog.is_empty()) {
        for dir in ["/usr/share/locale", "/usr/share/locale-langpack"] {
            let dir = Path::new(dir).join(catalog).join("LC_MESSAGES");
            // Most variants do not exist: one look at the directory answers for all its catalogs.
            if stat(&dir, world)?.is_some() {
                for domain in DOMAINS {
                    candidates.push(dir.join(format!("{domain}.mo")));
                    candidates.push(dir.join(format!("{domain}-{version}.mo")));
                }
            }
        }
    }
    for multiarch in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"] {
        candidates.push(Path::new(multiarch).join("gconv/gconv-modules.cache"));
    }
    world.purpose(&|| "messages and character sets of the locale".to_owned());
    for candidate in candidates {
        match stat(&candidate, world)? {
            Some(FileKind::File) => inputs.push(Input::File(candidate)),
            Some(FileKind::Dir) => inputs.push(Input::Dir(candidate)),
            _ => {}
        }
    }
    Ok(())
}

/// What programs read besides that take over all of the locale.
pub(crate) fn whole(req: &Request, world: &dyn World) -> Result<Vec<Input>, Reason> {
    const CATEGORIES: [&str; 10] = [
        "LC_ADDRESS",
        "LC_COLLATE",
        "LC_IDENTIFICATION",
        "LC_MEASUREMENT",
        "LC_MONETARY",
        "LC_NAME",
        "LC_NUMERIC",
        "LC_PAPER",
        "LC_TELEPHONE",
        "LC_TIME",
    ];
    let Some(name) = effective(req, "LC_ALL") else { return Ok(Vec::new()) };
    let variants = name.to_str().and_then(variants).ok_or_else(|| refused(name))?;
    let mut inputs = Vec::new();
    for variant in variants {
        let dir = Path::new("/usr/lib/locale").join(variant);
        if stat(&dir, world)?.is_some() {
            for category in CATEGORIES.map(|category| dir.join(category)) {
                if stat(&category, world)? == Some(FileKind::File) {
                    inputs.push(Input::File(category));
                }
            }
        }
    }
    Ok(inputs)
}

fn stat(path: &Path, world: &dyn World) -> Result<Option<FileKind>, Reason> {
    let stat = world.stat(path).map_err(|error| Reason::io(path, &error))?;
    Ok(stat.map(|stat| stat.kind))
}

fn refused(name: &OsStr) -> Reason {
    Reason::new(ReasonKind::Locale, name.to_string_lossy())
}

/// The name of a category's locale, unless it is the plain one.
fn effective<'a>(req: &'a Request, category: &str) -> Option<&'a OsStr> {
    let name = ["LC_ALL", category, "LANG"].iter().find_map(|name| req.var(name).filter(|value| !value.is_empty()))?;
    (name != "C" && name != "POSIX").then_some(name)
}

/// The directories that glibc and gettext try for `language[_TERRITORY][.codeset][@modifier]`; `None` for a path, or a
/// character set other than UTF-8.
fn variants(name: &str) -> Option<Vec<String>> {
    if name.contains('/') {
        return None;
    }
    let (rest, modifier) = name.split_once('@').map_or((name, None), |(rest, modifier)| (rest, Some(modifier)));
    let (rest, codeset) = rest.split_once('.').map_or((rest, None), |(rest, codeset)| (rest, Some(codeset)));
    let (language, territory) =
        rest.split_once('_').map_or((rest, None), |(language, territory)| (language, Some(territory)));
    if codeset.is_none_or(|codeset| !codeset.to_ascii_lowercase().replace('-', "").eq("utf8")) {
        return None;
    }
    let mut variants = Vec::new();
    for codeset in [codeset, Some("utf8"), None] {
        for territory in [territory, None] {
            for modifier in [modifier, None] {
                let part =
                    |mark: &str, value: Option<&str>| value.map(|value| format!("{mark}{value}")).unwrap_or_default();
                variants.push(format!(
                    "{language}{}{}{}",
                    part("_", territory),
                    part(".", codeset),
                    part("@", modifier)
                ));
            }
        }
    }
    variants.sort();
    variants.dedup();
    Some(variants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_a_locale() {
        assert_eq!(variants("C.UTF-8").unwrap(), ["C", "C.UTF-8", "C.utf8"]);
        assert_eq!(variants("de_DE.utf8").unwrap(), ["de", "de.utf8", "de_DE", "de_DE.utf8"]);
        assert!(variants("de_DE.ISO-8859-1").is_none());
        assert!(variants("de_DE").is_none());
        assert!(variants("../x.UTF-8").is_none());
    }
}
