//! The options that a compiler has, by its own account: those of a compiler that was looked at are kept, with what each is
//! about; another is asked.
//!
//! Knows names and classes. What an option does to files is the overlay's to say (`option`); here stands only which names of
//! its families the compiler knows, so that one that nobody has looked at is not taken for harmless.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::sync::LazyLock;

use crate::derive::{derive, key_of};
use crate::request::Request;
use crate::verdict::Reason;
use crate::world::World;

/// What `scripts/inventory` wrote: a name a line, and behind a tab `files` if its description speaks of any.
const KEPT: &str = include_str!("inventory/gcc-12.txt");

static NAMES: LazyLock<HashSet<&'static [u8]>> = LazyLock::new(|| rows().map(|(name, _)| name.as_bytes()).collect());

/// The kept names, each with whether its description speaks of files.
pub(crate) fn rows() -> impl Iterator<Item = (&'static str, bool)> {
    let lines = KEPT.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once('\t').map_or((line, false), |(name, _)| (name, true)))
}

/// Whether the kept inventory has this option: as it is, without `no-`, or up to its value.
pub(crate) fn keeps(arg: &[u8]) -> bool {
    is_spelled(arg, |name| NAMES.contains(name))
}

/// Whether this is an option of the compiler's whose name and class tell that it is about code and warnings only.
pub(crate) fn has(req: &Request, world: &dyn World, arg: &[u8]) -> Result<bool, Reason> {
    if keeps(arg) {
        return Ok(true);
    }
    let told = told(req, world)?;
    Ok(is_spelled(arg, |name| std::str::from_utf8(name).is_ok_and(|name| told.contains(name))))
}

/// Whether one of the names under which an argument may be listed is known.
fn is_spelled(arg: &[u8], known: impl Fn(&[u8]) -> bool) -> bool {
    let is = |arg: &[u8]| {
        let up_to = |at: Option<usize>| at.is_some_and(|at| known(&arg[..=at]));
        known(arg)
            || up_to(arg.iter().position(|byte| *byte == b'='))
            || up_to(arg.iter().rposition(|byte| *byte == b'-').filter(|dash| *dash > 1))
            // The level of debugging information.
            || arg.starts_with(b"-g") && up_to(arg.iter().rposition(|byte| !byte.is_ascii_digit()))
    };
    is(arg) || arg.get(2..5) == Some(b"no-") && is(&[&arg[..2], &arg[5..]].concat())
}

/// What the compiler itself lists as warnings, optimizations and properties of its target, as far as the description speaks
/// of no file. Asked once for each compiler.
fn told(req: &Request, world: &dyn World) -> Result<BTreeSet<String>, Reason> {
    let exe = &req.exe;
    derive(world, &format!("options 1\0{}", key_of(exe)), |world| {
        world.stat(exe).map_err(|error| Reason::io(exe, &error))?;
        let mut argv = vec![req.argv.first().unwrap_or(&req.tool).clone()];
        argv.extend(["--help=warnings", "--help=optimizers", "--help=target"].map(OsString::from));
        let own = |key: &OsString| key == "LC_ALL" || key == "LANGUAGE";
        let mut env: Vec<_> = req.env.iter().filter(|(key, _)| !own(key)).cloned().collect();
        env.push(("LC_ALL".into(), "C".into()));
        let output = world.run(exe, &argv, &env, &req.cwd).map_err(|error| Reason::io(exe, &error))?;
        Ok(described(&String::from_utf8_lossy(&output.stdout)))
    })
}

/// Words by which a description tells of files.
const FILE_WORDS: &[&str] = &["file", "director", "path", "dump", "profile", "output", "read", "write", "print", "std"];

/// The names in what `--help` lists whose descriptions speak of no file; of the options that take a value, those of the target
/// and of warnings.
fn described(text: &str) -> BTreeSet<String> {
    let mut entries: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("  ") else { continue };
        if rest.starts_with('-') {
            let (name, description) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            entries.push((name, description.to_ascii_lowercase()));
        } else if let Some((_, description)) = entries.last_mut() {
            description.push_str(&rest.to_ascii_lowercase());
        }
    }
    let cut = |name: &str| name.find('=').map_or(name.len(), |equals| equals + 1);
    let plain = |name: &str| {
        !name.contains(['<', ',', '[']) && (!name.ends_with('=') || name.starts_with("-m") || name.starts_with("-W"))
    };
    let harmless = |about: &str| {
        !about.trim().is_empty()
            && !about.contains("lacks documentation")
            && !FILE_WORDS.iter().any(|word| about.contains(word))
    };
    let names = entries.iter().map(|(name, about)| (&name[..cut(name)], about));
    names.filter(|(name, about)| plain(name) && harmless(about)).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::option::{Effect, find};

    /// Warnings that speak of files, paths and output: the program's, not the compiler's.
    const WARNINGS: &str = "\
        -Wanalyzer-double-fclose -Wanalyzer-double-free -Wanalyzer-exposure-through-output-file -Wanalyzer-file-leak \
        -Wanalyzer-free-of-non-heap -Wanalyzer-malloc-leak -Wanalyzer-mismatching-deallocation \
        -Wanalyzer-null-argument -Wanalyzer-null-dereference -Wanalyzer-possible-null-argument \
        -Wanalyzer-possible-null-dereference -Wanalyzer-shift-count-negative -Wanalyzer-shift-count-overflow \
        -Wanalyzer-stale-setjmp-buffer -Wanalyzer-tainted-allocation-size -Wanalyzer-tainted-array-index \
        -Wanalyzer-tainted-divisor -Wanalyzer-tainted-offset -Wanalyzer-tainted-size \
        -Wanalyzer-unsafe-call-within-signal-handler -Wanalyzer-use-after-free \
        -Wanalyzer-use-of-pointer-in-stale-stack-frame -Wanalyzer-use-of-uninitialized-value -Wanalyzer-write-to-const \
        -Wanalyzer-write-to-string-literal -Wargument-mismatch -Wcannot-profile -Wcast-align= -Wclass-memaccess \
        -Wcoverage-mismatch -Wextra -Wformat -Wformat-overflow -Wformat-overflow= -Wformat-truncation \
        -Wformat-truncation= -Wformat= -Wimport -Winvalid-pch -Wmissing-include-dirs -Wmissing-profile -Wmudflap \
        -Wnested-externs -Wpsabi -Wshadow= -Wstringop-overread -Wsuggest-attribute= -Wunused-macros \
    ";

    /// Names of families whose description speaks of files, or that have none, and that were looked at: they read and write none
    /// of their own.
    const LOOKED_AT: &str = "\
        -falign-functions= -falign-jumps= -falign-labels= -falign-loops= -fall-virtual -fanalyzer-feasibility \
        -fanalyzer-verbosity= -fbounds-check -fbuilding-libgcc -fbuiltin- -fcanonical-system-headers -fchkp-optimize \
        -fdebug-prefix-map= -fdebug-types-section -fdiagnostics-column-unit= -fdiagnostics-escape-format= \
        -fdiagnostics-format= -fdiagnostics-generate-patch -fdiagnostics-parseable-fixits -fdiagnostics-path-format= \
        -fdiagnostics-plain-output -fdiagnostics-show-cwe -fdiagnostics-show-path-depths \
        -fdiagnostics-show-template-tree -felide-constructors -fenum-int-equiv -fexternal-templates -ffast-math \
        -ffat-lto-objects -ffile-prefix-map= -ffor-scope -ffriend-injection -fguiding-decls -fhonor-std \
        -finstrument-functions -finstrument-functions-exclude-file-list= -finstrument-functions-exclude-function-list= \
        -fipa-icf -fipa-profile -fipa-reference -fipa-reference-addressable -fisolate-erroneous-paths-attribute \
        -fisolate-erroneous-paths-dereference -fkeep-gc-roots-live -flabels-ok -flang-info-module-cmi \
        -flang-info-module-cmi= -flarge-source-files -flifetime-dse= -flimit-function-alignment -fmacro-prefix-map= \
        -fmudflap -fmudflapir -fmudflapth -fname-mangling-version- -fnew-abi -fnonansi-builtins -fnonnull-objects \
        -fpreprocessed -fpretty-templates -fprintf-return-value -fprofile -frandom-seed -frecord-gcc-switches \
        -fsanitize-address-use-after-scope -fsched-critical-path-heuristic -fsplit-paths -fsquangle -fstack-limit \
        -fstrict-prototype -fthis-is-variable -fthreadsafe-statics -ftrack-macro-expansion \
        -funroll-completely-grow-size -fuse-linker-plugin -fverbose-asm -fvpt -fwhole-file -fworking-directory \
        -gvariable-location-views= -mfentry -mmitigate-rop -mpcommit -mptwrite \
    ";

    #[test]
    fn spelled_in_each_way() {
        for arg in [
            "-Wall",
            "-Werror=format",
            "-fno-common",
            "-g3",
            "-ggdb3",
            "-gdwarf-4",
            "-gno-strict-dwarf",
            "-m64",
            "-march=native",
            "-mno-sse",
            "-fabi-version=2",
            "-ffixed-rax",
            "-W",
            "-Wformat=2",
            "-fmessage-length=0",
        ] {
            assert!(keeps(arg.as_bytes()), "{arg}");
        }
        for arg in ["-fmystery", "-Wmystery", "-mmystery=x", "-fno-mystery", "-f", "-f-", "-fno-", "-gmystery"] {
            assert!(!keeps(arg.as_bytes()), "{arg}");
        }
    }

    #[test]
    fn what_speaks_of_files_was_looked_at() {
        let looked_at: Vec<&str> = WARNINGS.split_whitespace().chain(LOOKED_AT.split_whitespace()).collect();
        let mut left: Vec<&str> = Vec::new();
        for (name, speaks) in rows() {
            if speaks
                && find(name.as_bytes()).is_some_and(|opt| opt.effect == Effect::Family)
                && !looked_at.contains(&name)
            {
                left.push(name);
            }
        }
        assert_eq!(left, Vec::<&str>::new(), "options that speak of files, and no row says what they do to them");
        let all: Vec<&str> = rows().map(|(name, _)| name).collect();
        assert!(all.is_sorted() && all.len() > 1000);
        for name in looked_at {
            assert!(all.contains(&name), "{name}");
        }
    }

    #[test]
    fn another_compiler_is_asked() {
        let told = described(
            "The following options are target specific:\n  -Wnew        Warn about\n               novelties.\n  -Wlogged     Write warnings to a log file.\n  -Wmute       This option lacks documentation.\n  -Wn=<0,3>    Warn.\n  -mcpu=CPU    Use features of CPU.\n  -mlist=FILE  Read FILE.\n  -fnew=N      Do it N times.\n  --new        Same as -fnew.\n",
        );
        assert_eq!(told.into_iter().collect::<Vec<_>>(), ["--new", "-Wn=", "-Wnew", "-mcpu="]);
    }
}
