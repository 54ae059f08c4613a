//! What a translation unit may read, where the exact scan is not sure: all that any of its files includes, and the compiler's own
//! list where a name cannot be computed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::{Arguments, Unit};
use crate::driver::builder::Builder;
use crate::scan::{Reached, Walk};
use crate::verdict::{Reason, ReasonKind};

/// What the unit may read.
pub(super) fn reached(builder: &Builder<'_>, unit: &Unit<'_>) -> Result<Reached, Reason> {
    let Unit { headers, exe, args, chain, main } = *unit;
    let flavour = args.flavour(exe);
    let cwd = &builder.req.cwd;
    let forced: Vec<&OsStr> = args.forced.iter().map(OsString::as_os_str).collect();
    let walk = || {
        let mut walk = Walk::new(headers, builder.world, cwd, chain, flavour);
        walk.trigraphs = args.has_trigraphs();
        walk.precompiled = args.takes_precompiled();
        walk.define(&args.defined).map(|()| walk)
    };
    let mut reached = walk()?.run(main, &forced)?;
    if !reached.computed.is_empty() {
        for file in &reached.precompiled {
            // It must be there before the compiler is asked.
            let read = builder.world.read_at(file, 0, 1);
            read.map_err(|error| Reason::io(file, &error))?;
        }
        let how = (!reached.precompiled.is_empty()).then_some("-fpch-preprocess");
        let asked = ask_for_headers(builder, exe, args, how, main)?;
        let more = walk()?.run_all(&asked, &reached.computed, main)?;
        merge(&mut reached, more);
    }
    Ok(reached)
}

fn merge(reached: &mut Reached, more: Reached) {
    reached.files.extend(more.files);
    reached.precompiled.extend(more.precompiled);
    reached.assembler.extend(more.assembler);
    reached.bodies.extend(more.bodies);
    reached.timestamp = reached.timestamp.take().or(more.timestamp);
    reached.dependency = reached.dependency.take().or(more.dependency);
    reached.clock = reached.clock.take().or(more.clock);
}

/// The list that `-M` gives, for what the scanner cannot compute. It is asked for each time: what it rests on is not known
/// before the files on it are, and a file that hides one of them is not on it.
fn ask_for_headers(
    builder: &Builder<'_>,
    exe: &Path,
    args: &Arguments,
    how: Option<&str>,
    main: &Path,
) -> Result<Vec<PathBuf>, Reason> {
    let mut argv = vec![exe.as_os_str().to_owned(), "-E".into()];
    argv.extend(args.asking.iter().cloned());
    // Paths as they are found, so that the directory of the search path can be told from each.
    argv.extend(how.iter().map(OsString::from));
    argv.extend(["-fno-canonical-system-headers".into(), "-M".into(), main.as_os_str().to_owned()]);
    let output = builder
        .world
        .run(exe, &argv, &builder.asking_env(), &builder.req.cwd)
        .map_err(|error| Reason::io(exe, &error))?;
    if output.status != Some(0) {
        let what = format!("{}: the compiler cannot list its headers", main.display());
        return Err(Reason::new(ReasonKind::Footprint, what));
    }
    Ok(prerequisites(&output.stdout))
}

/// The names behind the colon of the one rule that `-M` prints.
fn prerequisites(rule: &[u8]) -> Vec<PathBuf> {
    let Some(colon) = rule.windows(2).position(|pair| pair[0] == b':' && matches!(pair[1], b' ' | b'\n' | b'\\'))
    else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let mut name = Vec::new();
    let mut bytes = rule[colon + 1..].iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'\\', Some(b'\n')) => {
                bytes.next();
                end(&mut name, &mut names);
            }
            (b'\\', Some(&escaped @ (b' ' | b'#'))) | (b'$', Some(&escaped @ b'$')) => {
                bytes.next();
                name.push(escaped);
            }
            (b' ', _) => end(&mut name, &mut names),
            (b'\n', _) => break,
            _ => name.push(byte),
        }
    }
    end(&mut name, &mut names);
    names
}

fn end(name: &mut Vec<u8>, names: &mut Vec<PathBuf>) {
    if !name.is_empty() {
        names.push(PathBuf::from(OsString::from_vec(std::mem::take(name))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule() {
        let names = prerequisites(b"a.o: a.c /usr/x.h \\\n my\\ file.h d$$x.h\nother:\n");
        assert_eq!(names, ["a.c", "/usr/x.h", "my file.h", "d$x.h"].map(PathBuf::from));
    }
}
