//! Errors as they are told.

/// An error with its causes in one line, none of them twice: many an error's words end in its cause's already.
pub fn said(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.is_empty() {
        true => cause,
        false if said.ends_with(&cause) => said,
        false => said + ": " + &cause,
    })
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
