//! Who writes a temporary file or holds a lease, and whether that process still lives. Reads `/proc`;
//! knows nothing of what is written.

use std::fs;
use std::sync::RwLock;

static CURRENT: RwLock<Option<(u32, String)>> = RwLock::new(None);

/// A name for this process that no other process has: number, start time, pid namespace, boot.
/// What `/proc` does not tell is written 0, and such an owner's life cannot be asked.
pub(crate) fn current() -> String {
    let pid = std::process::id();
    if let Ok(known) = CURRENT.read()
        && let Some((of, name)) = known.as_ref()
        && *of == pid
    {
        return name.clone();
    }
    let start = start_time(pid).unwrap_or(0);
    let name = format!("{pid}-{start}-{}", place());
    if let Ok(mut known) = CURRENT.write() {
        *known = Some((pid, name.clone()));
    }
    name
}

/// What became of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Alive,
    Gone,
    /// Another machine, container or boot, or a name that is none.
    Unknown,
}

/// Whether the owner that this file name begins with still lives.
pub(crate) fn life(file_name: &str) -> Life {
    let mut parts = file_name.splitn(5, '-');
    let mut next = || parts.next().unwrap_or_default();
    let (pid, start, namespace, boot) = (next(), next(), next(), next());
    let (Ok(pid), Ok(start)) = (pid.parse::<u32>(), start.parse::<u64>()) else {
        return Life::Unknown;
    };
    let here = place();
    if start == 0 || here.starts_with("0-") || format!("{namespace}-{boot}") != here {
        return Life::Unknown;
    }
    match start_time(pid) {
        Some(now) if now == start => Life::Alive,
        _ => Life::Gone,
    }
}

/// The pid namespace and the boot, without which a pid means nothing.
fn place() -> String {
    let namespace = fs::read_link("/proc/self/ns/pid")
        .ok()
        .and_then(|link| {
            let text = link.to_str()?;
            let digits = text.strip_prefix("pid:[")?.strip_suffix(']')?;
            digits.parse::<u64>().ok()
        })
        .unwrap_or(0);
    let boot: String = fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(8)
        .collect();
    format!("{namespace}-{}", if boot.is_empty() { "0" } else { &boot })
}

/// Field 22 of `/proc/PID/stat`; `None` for a process that is not, or is a zombie.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let mut rest = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if matches!(rest.next()?, "Z" | "X") {
        return None;
    }
    rest.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives() {
        assert_eq!(life(&format!("{}-17", current())), Life::Alive);
    }

    #[test]
    fn a_number_that_was_used_again_is_another_process() {
        let mine = current();
        let mut parts: Vec<&str> = mine.split('-').collect();
        let other = (parts[1].parse::<u64>().unwrap() + 1).to_string();
        parts[1] = &other;
        assert_eq!(life(&parts.join("-")), Life::Gone);
    }

    #[test]
    fn of_other_places_and_foreign_names_nothing_is_known() {
        let pid = std::process::id();
        for name in ["", "x", "1-2", &format!("{pid}-5-1-deadbeef-0"), "0-0-0-0-0"] {
            assert_eq!(life(name), Life::Unknown, "{name}");
        }
    }
}
