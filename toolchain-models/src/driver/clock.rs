//! The time that `__DATE__`, `__TIME__` and `__TIMESTAMP__` tell.
//!
//! gcc prints the clock in local time, but `SOURCE_DATE_EPOCH` as UTC: a thunk gets the time whose clock in Greenwich shows
//! what the caller's shows now. Knows nothing of sources.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::builder::Builder;
use crate::verdict::{Input, Reason, ReasonKind};
use crate::world::FileKind;

const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// What the caller's clock shows is asked from this.
const DATE: &str = "/bin/date";

/// Where glibc looks for zones.
const ZONES: &str = "/usr/share/zoneinfo";

/// Gives the commands the time of the request, on behalf of `file`, unless the caller gave one.
pub(super) fn tell(builder: &mut Builder<'_>, file: &Path) -> Result<(), Reason> {
    if builder.env.contains_key(EPOCH.as_bytes()) {
        return Ok(());
    }
    let unknown = |why: &str| Reason::new(ReasonKind::TimeMacro, format!("{}: {why}", file.display()));
    let argv: Vec<OsString> = ["date", "+%Y %m %d %H %M %S"].map(OsString::from).into();
    let zone = ["TZ", "TZDIR"].into_iter().filter_map(|name| Some((name.into(), builder.req.var(name)?.to_owned())));
    let env: Vec<(OsString, OsString)> = zone.chain([("LC_ALL".into(), "C".into())]).collect();
    let answer = builder
        .world
        .run(Path::new(DATE), &argv, &env, &builder.req.cwd)
        .map_err(|error| unknown(&format!("{DATE}: {error}")))?;
    let seconds = (answer.status == Some(0)).then(|| as_utc(&answer.stdout)).flatten();
    let seconds = seconds.ok_or_else(|| unknown("the local time cannot be told"))?;
    builder.env.insert(EPOCH.as_bytes().to_vec(), seconds.to_string().into_bytes());
    builder.momentary = true;
    Ok(())
}

/// The seconds since 1970 after which a clock of UTC shows this year, month, day, hour, minute and second.
fn as_utc(shown: &[u8]) -> Option<u64> {
    let words: Vec<i64> = std::str::from_utf8(shown)
        .ok()?
        .split_ascii_whitespace()
        .map(|word| word.parse().ok())
        .collect::<Option<_>>()?;
    let &[year @ 1970..=9999, month @ 1..=12, day @ 1..=31, hour @ 0..=23, minute @ 0..=59, second @ 0..=59] =
        words.as_slice()
    else {
        return None;
    };
    // Years begin in March, so that the day that comes and goes is the last.
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    u64::try_from(((days * 24 + hour) * 60 + minute) * 60 + second).ok()
}

/// Gives the commands the caller's time zone.
pub(super) fn zone(builder: &mut Builder<'_>) -> Result<(), Reason> {
    if builder.req.var("TZDIR").is_some() {
        return Err(Reason::new(ReasonKind::Environment, "TZDIR"));
    }
    let req = builder.req;
    builder.world.purpose(&|| "the time zone, which the C library reads".to_owned());
    let mut files = vec![Path::new(ZONES).join("posixrules")];
    match req.var("TZ") {
        None => files.push(PathBuf::from("/etc/localtime")),
        Some(zone) => {
            builder.env.insert(b"TZ".to_vec(), zone.as_bytes().to_vec());
            files.push(Path::new(ZONES).join(name_of(zone)));
        }
    }
    for file in files {
        if builder.stat(&file)?.is_some_and(|stat| stat.kind == FileKind::File) {
            builder.add([Input::File(file)]);
        }
    }
    Ok(())
}

/// The file in which a zone is looked for before it is read as a rule.
fn name_of(zone: &OsStr) -> &OsStr {
    match zone.as_bytes() {
        b"" => OsStr::new("Universal"),
        [b':', name @ ..] => OsStr::from_bytes(name),
        name => OsStr::from_bytes(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks() {
        for (shown, seconds) in [
            ("1970 01 01 00 00 00\n", Some(0)),
            ("2001 09 09 01 46 40\n", Some(1_000_000_000)),
            ("2024 02 29 23 59 59\n", Some(1_709_251_199)),
            ("2024 03 01 00 00 00\n", Some(1_709_251_200)),
            ("2100 03 01 00 00 00\n", Some(4_107_542_400)),
            ("1969 12 31 23 59 59\n", None),
            ("2016 12 31 23 59 60\n", None),
            ("2016 12 31\n", None),
            ("date: no\n", None),
            ("", None),
        ] {
            assert_eq!(as_utc(shown.as_bytes()), seconds, "{shown}");
        }
    }
}
