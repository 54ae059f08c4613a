//! The files that cc1 reads and writes beside its source and its output, as options ask for them: notes for coverage, the use
//! of the stack, reports, profiles.
//!
//! Knows how cc1 names them, from the `-dumpdir`, `-dumpbase` and `-dumpbase-ext` that the driver gives it; nothing of drivers
//! or headers.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use gg_thunk::Writes;

use super::builder::Builder;
use crate::verdict::{Holds, Input, Reason, ReasonKind};
use crate::world::FileKind;

/// What the arguments ask for.
#[derive(Default)]
pub(super) struct Beside {
    dir: OsString,
    base: Option<OsString>,
    extension: OsString,
    /// `-fstack-usage`.
    stack: bool,
    /// `-fcallgraph-info`.
    calls: bool,
    /// `-ftest-coverage`.
    notes: bool,
    /// `-fprofile-arcs`: the program counts its runs.
    arcs: bool,
    /// `-fprofile-note=`.
    notes_file: Option<OsString>,
    /// `-fsave-optimization-record`.
    record: bool,
    /// `-aux-info`.
    declarations: Option<OsString>,
    /// `-fopt-info…=`.
    reports: Vec<OsString>,
    /// Whether counts of an earlier run are read.
    counts: bool,
    /// Where these are, or will be, if not in the working directory.
    counts_dir: Option<OsString>,
    /// A profile by samples.
    samples: Option<OsString>,
    /// `-frandom-seed`.
    seeded: bool,
    /// `-flto`: what is told of code comes with the code, at the link.
    late: bool,
}

impl Beside {
    /// Takes in an option without a value of its own; for an option that makes nothing of its own, this does nothing.
    pub(super) fn flag(&mut self, arg: &OsStr) {
        let (name, value) = match arg.as_bytes().iter().position(|byte| *byte == b'=') {
            Some(equals) => (&arg.as_bytes()[..=equals], OsStr::from_bytes(&arg.as_bytes()[equals + 1..]).to_owned()),
            None => (arg.as_bytes(), OsString::new()),
        };
        match name {
            b"-fstack-usage" => self.stack = true,
            b"-fcallgraph-info" | b"-fcallgraph-info=" => self.calls = true,
            b"-ftest-coverage" => self.notes = true,
            b"-fno-test-coverage" => self.notes = false,
            b"-fsave-optimization-record" => self.record = true,
            b"-fno-save-optimization-record" => self.record = false,
            b"-fprofile-note=" => self.notes_file = Some(value),
            b"-fbranch-probabilities" | b"-fprofile-use" => self.counts = true,
            b"-fprofile-use=" => {
                self.counts = true;
                self.counts_dir = Some(value);
            }
            b"-fprofile-arcs" | b"-fprofile-generate" => self.arcs = true,
            b"-fprofile-generate=" => {
                self.arcs = true;
                self.counts_dir = Some(value);
            }
            b"-fprofile-dir=" => self.counts_dir = Some(value),
            b"-fauto-profile" => self.samples = Some("fbdata.afdo".into()),
            b"-fauto-profile=" => self.samples = Some(value),
            b"-frandom-seed" | b"-frandom-seed=" => self.seeded = true,
            b"-flto" | b"-flto=" => self.late = true,
            b"-fno-lto" => self.late = false,
            _ if name.starts_with(b"-fopt-info") && name.ends_with(b"=") => self.reports.push(value),
            _ => {}
        }
    }

    /// Takes in an option's value.
    pub(super) fn valued(&mut self, name: &str, value: &OsStr) {
        match name {
            "-dumpdir" => self.dir = value.to_owned(),
            "-dumpbase" => self.base = Some(value.to_owned()),
            "-dumpbase-ext" => self.extension = value.to_owned(),
            "-aux-info" => self.declarations = Some(value.to_owned()),
            _ => {}
        }
    }

    /// Whether the program counts its runs, by a stamp that ties the counts to the notes.
    pub(super) fn counts_runs(&self) -> bool {
        self.arcs
    }

    /// Adds the files of a run that compiles.
    pub(super) fn add(&self, builder: &mut Builder<'_>) -> Result<(), Reason> {
        if self.late && (self.stack || self.calls || self.record || !self.reports.is_empty()) {
            return Err(Reason::new(ReasonKind::UnmodelledOption, "reports of what -flto leaves to the link"));
        }
        builder.world.purpose(&String::new);
        let text = |builder: &mut Builder<'_>, path: &OsStr| builder.output(path, Writes::Through, Holds::Text);
        if self.stack {
            text(builder, &self.stem(".su")?)?;
        }
        if self.calls {
            text(builder, &self.stem(".ci")?)?;
        }
        if self.record {
            let mut path = self.base()?;
            path.push(".opt-record.json.gz");
            text(builder, &path)?;
        }
        if let Some(path) = &self.declarations {
            text(builder, path)?;
        }
        for report in &self.reports {
            if report.is_empty() || ["stdout", "stderr", "-"].iter().any(|stream| report == stream) {
                return Err(Reason::new(ReasonKind::UnmodelledOption, "-fopt-info to a stream"));
            }
            // Unlike all others it is appended to.
            let path = builder.absolute(report);
            if builder.stat(&path)?.is_some() {
                let what = format!("{}: is there, and would be appended to", path.display());
                return Err(Reason::new(ReasonKind::OutputKind, what));
            }
            builder.optional_output(report, Writes::Through, Holds::Text)?;
        }
        if self.notes {
            let path = match &self.notes_file {
                Some(path) => path.clone(),
                None => self.stem(".gcno")?,
            };
            // With a stamp, which is drawn by lot.
            let holds = if self.seeded { Holds::Text } else { Holds::Varying };
            builder.output(&path, Writes::Through, holds)?;
        }
        if self.counts || self.notes && self.seeded {
            self.counts(builder)?;
        }
        if let Some(samples) = &self.samples {
            builder.input(samples)?;
        }
        Ok(())
    }

    /// The counts of an earlier run: they are read; and those that no stamp tells from the next run's are deleted.
    fn counts(&self, builder: &mut Builder<'_>) -> Result<(), Reason> {
        let pwd = builder.env.get(&b"PWD"[..]).cloned().unwrap_or_default();
        let path = builder.absolute(self.counts_file(&pwd)?);
        builder.world.purpose(&|| "the counts of an earlier run".to_owned());
        let kind = builder.stat(&path)?.map(|stat| stat.kind);
        match kind {
            None => Ok(()),
            Some(FileKind::File) if self.counts => {
                builder.add([Input::File(path)]);
                Ok(())
            }
            Some(_) => {
                let what = format!("{}: is there, and would be deleted or is no file", path.display());
                Err(Reason::new(ReasonKind::OutputKind, what))
            }
        }
    }

    /// Where cc1 looks for the counts, which is also where the program will write them.
    fn counts_file(&self, pwd: &[u8]) -> Result<PathBuf, Reason> {
        let name = self.stem(".gcda")?;
        if Path::new(&name).is_absolute() {
            let dir = self.counts_dir.as_ref().map(|dir| [dir.as_bytes(), b"/"].concat()).unwrap_or_default();
            return Ok(PathBuf::from(OsString::from_vec([dir.as_slice(), name.as_bytes()].concat())));
        }
        let whole = [pwd, b"/", name.as_bytes()].concat();
        Ok(match &self.counts_dir {
            None => PathBuf::from(OsString::from_vec(whole)),
            Some(dir) => Path::new(dir).join(OsString::from_vec(mangled(&whole))),
        })
    }

    /// What files' names begin with that keep the source's suffix.
    fn base(&self) -> Result<OsString, Reason> {
        let unnamed = || Reason::new(ReasonKind::Plan, "no -dumpbase to name files by");
        let base = self.base.as_ref().filter(|base| !base.is_empty()).ok_or_else(unnamed)?;
        if base.as_bytes().contains(&b'/') {
            return Ok(base.clone());
        }
        let mut whole = self.dir.clone();
        whole.push(base);
        Ok(whole)
    }

    /// The name of a file that does not keep the source's suffix.
    fn stem(&self, suffix: &str) -> Result<OsString, Reason> {
        let base = self.base()?;
        let bytes = base.as_bytes();
        let extension = self.extension.as_bytes();
        let stem =
            bytes.strip_suffix(extension).filter(|stem| !extension.is_empty() && !stem.is_empty()).unwrap_or(bytes);
        let mut name = OsStr::from_bytes(stem).to_owned();
        name.push(suffix);
        Ok(name)
    }
}

/// A path as one name: `#` for each slash and `^` for what leads upwards.
fn mangled(path: &[u8]) -> Vec<u8> {
    let parts = path.split(|byte| *byte == b'/').map(|part| if part == b".." { b"^" } else { part });
    parts.collect::<Vec<_>>().join(&b'#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(args: &[&str]) -> Beside {
        let mut beside = Beside::default();
        for arg in args {
            match arg.split_once(' ') {
                Some((name, value)) => beside.valued(name, OsStr::new(value)),
                None => beside.flag(OsStr::new(arg)),
            }
        }
        beside
    }

    #[test]
    fn names() {
        let stem = |args: &[&str]| of(args).stem(".su").map(|name| name.into_string().unwrap()).ok();
        let usual = ["-dumpdir obj/", "-dumpbase b.c", "-dumpbase-ext .c"];
        assert_eq!(stem(&usual).unwrap(), "obj/b.su");
        assert_eq!(stem(&["-dumpdir prog-", "-dumpbase a.c", "-dumpbase-ext .c"]).unwrap(), "prog-a.su");
        assert_eq!(stem(&["-dumpdir obj/", "-dumpbase other/b.c", "-dumpbase-ext .c"]).unwrap(), "other/b.su");
        assert_eq!(stem(&["-dumpbase .c", "-dumpbase-ext .c"]).unwrap(), ".c.su");
        assert_eq!(stem(&["-dumpbase a.c"]).unwrap(), "a.c.su");
        assert_eq!(stem(&["-dumpdir obj/"]), None);
        assert_eq!(of(&usual).base().unwrap(), "obj/b.c");
    }

    #[test]
    fn counts() {
        let file = |args: &[&str]| of(args).counts_file(b"/w/x").unwrap();
        assert_eq!(file(&["-dumpdir obj/", "-dumpbase b.c", "-dumpbase-ext .c"]), Path::new("/w/x/obj/b.gcda"));
        assert_eq!(file(&["-dumpbase b.c", "-dumpbase-ext .c", "-fprofile-dir=p"]), Path::new("p/#w#x#b.gcda"));
        assert_eq!(file(&["-dumpdir ../", "-dumpbase b.c", "-fprofile-use=/p"]), Path::new("/p/#w#x#^#b.c.gcda"));
        assert_eq!(file(&["-dumpbase /a/b.c", "-dumpbase-ext .c"]), Path::new("/a/b.gcda"));
    }

    #[test]
    fn the_last_option_counts() {
        assert!(!of(&["-ftest-coverage", "-fno-test-coverage"]).notes);
        assert_eq!(of(&["-fopt-info-vec=a", "-fopt-info"]).reports, ["a"]);
    }
}
