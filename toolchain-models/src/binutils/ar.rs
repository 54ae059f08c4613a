//! The archiver.
//!
//! Knows what its operations read and write; what stands in archives only as far as members' names, times and modes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::archive::{self, Entry};
use crate::binutils::library::Standing;
use crate::binutils::{Call, determinism, output};
use crate::verdict::{Holds, Reason, ReasonKind};

mod command;

use command::{Parsed, command_line};

pub(super) fn model(call: &mut Call<'_>) -> Result<(), Reason> {
    let parsed = command_line(&call.args)?;
    for option in &parsed.options {
        call.shape(option);
    }
    let act = parsed.act()?;
    if matches!(act, b'p' | b't') {
        return Err(Reason::new(ReasonKind::ReadsOnly, "ar prints"));
    }
    // With other operations the text counts as a member's name.
    if parsed.dependencies
        && (!matches!(act, b'r' | b'q') || !determinism::records_dependencies(&call.req.exe, call.world)?)
    {
        return Err(Reason::new(ReasonKind::UnmodelledOption, "l: dependencies of a library"));
    }
    let Some((archive, names)) = parsed.operands.split_first() else {
        return Err(Reason::new(ReasonKind::Usage, "ar without an archive"));
    };
    if parsed.truncates && !matches!(act, b'r' | b'q' | b's') {
        return Err(Reason::new(ReasonKind::UnmodelledOption, "f: names cut off"));
    }
    let path = call.path(archive);
    let standing = call.standing(&path)?;
    if let Some(plugin) = &parsed.plugin {
        call.loads(plugin)?;
    }
    call.loads_plugins()?;
    if act == b'x' {
        return extract(call, &parsed, archive, names, &standing);
    }
    let real_times = match parsed.real_times {
        Some(real) => real,
        None => !determinism::by_default(&call.req.exe, call.world)?,
    };
    if real_times {
        return Err(Reason::new(ReasonKind::Times, if parsed.newer { "ar u" } else { "ar U" }));
    }
    let adds = matches!(act, b'r' | b'q');
    // Whether members are there, and how old they are, where that counts.
    let matters = act == b'd' || parsed.newer;
    let bytes = match &standing {
        Standing::Plain(true) if matters => Some(call.content(&path)?),
        Standing::Thin(bytes) if matters => Some(bytes.clone()),
        _ => None,
    };
    let entries = bytes.as_deref().map(|bytes| understood(&path, bytes)).transpose()?;
    if adds {
        add(call, &parsed, names)?;
        if parsed.newer && entries.iter().flatten().any(|entry| entry.date != 0) {
            return Err(Reason::new(ReasonKind::Times, "ar u: members have times"));
        }
    } else {
        // Members' names count as the options do not, but they name no files.
        call.shape(OsStr::new("names"));
    }
    if let Standing::Thin(bytes) = &standing {
        if act == b'd' {
            return Err(Reason::new(ReasonKind::UnmodelledOption, "d: of a thin archive"));
        }
        call.reads_members(&path, bytes)?;
    }
    match standing {
        Standing::Nothing if adds => {
            let holds = if parsed.thin { Holds::Binary } else { holds(call, names)? };
            call.writes(output::by_stdio("out", &path, holds, call.world)?)
        }
        Standing::Nothing => Err(Reason::new(ReasonKind::Input, format!("{} not found", archive.display()))),
        _ => {
            if changes_nothing(&parsed, act, names, entries.as_deref()) {
                return Err(Reason::new(ReasonKind::ReadsOnly, "ar changes nothing"));
            }
            call.modifies(archive)?;
            if adds && holds(call, names)? != Holds::Archive {
                call.last_holds(Holds::Binary);
            }
            Ok(())
        }
    }
}

/// The files that become members; a thin archive takes over what another one names.
fn add(call: &mut Call<'_>, parsed: &Parsed, names: &[OsString]) -> Result<(), Reason> {
    for name in names {
        let path = call.reads(name)?;
        if parsed.thin
            && let Standing::Thin(bytes) = call.standing(&path)?
        {
            call.reads_members(&path, &bytes)?;
        }
    }
    Ok(())
}

/// What an archive of these files is: one that holds anything but objects of a compiler may hold code for a plugin.
fn holds(call: &Call<'_>, names: &[OsString]) -> Result<Holds, Reason> {
    for name in names {
        if call.promised(&call.path(name))? != Some(Holds::Object) {
            return Ok(Holds::Binary);
        }
    }
    Ok(Holds::Archive)
}

/// Whether the archive stays untouched, its times too.
fn changes_nothing(parsed: &Parsed, act: u8, names: &[OsString], entries: Option<&[Entry<'_>]>) -> bool {
    match (act, entries) {
        (b'd', Some(entries)) => {
            let least = parsed.count().unwrap_or(1);
            let meant = |name: &&OsString| entries.iter().filter(|entry| parsed.means(name, entry)).count() >= least;
            !names.iter().any(|name| meant(&name))
        }
        (b's', _) => false,
        _ if parsed.dependencies => false,
        _ => names.is_empty(),
    }
}

impl Parsed {
    /// Whether a name on the command line means this member.
    fn means(&self, name: &OsStr, entry: &Entry<'_>) -> bool {
        let name = name.as_bytes();
        let last = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
        entry.name == if self.full_names { name } else { last }
    }

    /// Which of several members of one name is meant, from 1.
    fn count(&self) -> Option<usize> {
        self.count.as_ref().map(|count| count.to_str().and_then(|count| count.parse().ok()).unwrap_or(usize::MAX))
    }
}

fn understood<'a>(path: &Path, bytes: &'a [u8]) -> Result<Vec<Entry<'a>>, Reason> {
    let refuse = || Reason::new(ReasonKind::Footprint, format!("{}: an archive of another kind", path.display()));
    archive::entries(bytes).ok_or_else(refuse)
}

/// Members become files of their names and modes.
fn extract(
    call: &mut Call<'_>,
    parsed: &Parsed,
    archive: &OsStr,
    names: &[OsString],
    standing: &Standing,
) -> Result<(), Reason> {
    let path = call.path(archive);
    if parsed.keeps_dates {
        return Err(Reason::new(ReasonKind::Times, "ar o: files get the members' times"));
    }
    let bytes = match standing {
        Standing::Plain(_) => call.content(&path)?,
        Standing::Thin(_) => return Err(Reason::new(ReasonKind::Usage, "ar x of a thin archive")),
        Standing::Nothing | Standing::Other => {
            return Err(Reason::new(ReasonKind::Input, format!("{} is no archive", archive.display())));
        }
    };
    call.reads(archive)?;
    let mut outputs: Vec<(PathBuf, u32)> = Vec::new();
    for entry in understood(&path, &bytes)? {
        let meant = names.iter().filter(|name| parsed.means(name, &entry)).count();
        if !names.is_empty() && meant == 0 {
            continue;
        }
        if entry.name.contains(&b'/') || matches!(entry.name, b"." | b"..") {
            return Err(Reason::new(ReasonKind::Footprint, format!("{}: a member with a path", path.display())));
        }
        if parsed.count.is_some() || meant > 1 {
            return Err(Reason::new(ReasonKind::UnmodelledOption, "x: one of several members of a name"));
        }
        let mut target = call.req.cwd.clone();
        target.extend(parsed.directory.as_deref().map(Path::new));
        target.push(OsStr::from_bytes(entry.name));
        if let Some((_, mode)) = outputs.iter_mut().find(|(path, _)| *path == target) {
            // The first of them if it was named, else the last.
            if *mode != entry.mode {
                return Err(Reason::new(ReasonKind::UnmodelledOption, "x: members of one name, with other modes"));
            }
            continue;
        }
        outputs.push((target, entry.mode));
    }
    for (target, mode) in outputs {
        if let Some(stat) = output::regular(&target, call.world)?
            && stat.mode != mode
        {
            let what = format!("{} is there, and gets another mode", target.display());
            return Err(Reason::new(ReasonKind::OutputKind, what));
        }
        let output = output::by_stdio(&call.tag(), &target, Holds::Binary, call.world)?;
        call.writes(output)?;
    }
    Ok(())
}
