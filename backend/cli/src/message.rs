//! What is told, in words.

/// An error with its causes in one line, none of them twice.
pub fn said(error: &anyhow::Error) -> String {
    gg_session::said(error.as_ref())
}

/// So many of what has this name: `1 file`, `2 files`.
pub(crate) fn counted(count: u64, name: &str) -> String {
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_cause_is_told_once() {
        let io = || std::io::Error::from_raw_os_error(17);
        let store = gg_store::StoreError::Io { path: "/x".into(), source: io() };
        let error = Err::<(), _>(store).context("opening").unwrap_err();
        assert_eq!(said(&error), format!("opening: /x: {}", io()));
        let plain = Err::<(), _>(io()).context("reading /y").unwrap_err();
        assert_eq!(said(&plain), format!("reading /y: {}", io()));
    }
}
