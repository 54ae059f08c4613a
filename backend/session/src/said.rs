//! Errors as they are told. Knows no error by its kind.

use std::error::Error;

/// An error with its causes in one line, none of them twice: many an error's words end in its cause's already, or say the
/// same as what the system says.
#[must_use]
pub fn said(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.ends_with(&text) && !has_words(&said, &text) {
            said = said + ": " + &text;
        }
        next = cause.source();
    }
    said
}

/// Whether a system's answer (`Permission denied (os error 13)`) stands in a text in other letters.
fn has_words(text: &str, answer: &str) -> bool {
    let words = answer.split_once(" (os error ").map(|(words, _)| words);
    words.is_some_and(|words| text.to_lowercase().contains(&words.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use crate::SessionError;
    use gg_store::StoreError;
    use std::path::Path;

    #[test]
    fn what_the_system_says_is_told_once() {
        let said = |errno| {
            let error = std::io::Error::from_raw_os_error(errno);
            super::said(&SessionError::from(StoreError::at(Path::new("/x/y"), error)))
        };
        assert_eq!(said(libc::EACCES), "permission denied: /x/y");
        assert_eq!(said(libc::EPERM), "permission denied: /x/y: Operation not permitted (os error 1)");
        assert_eq!(said(libc::EROFS), "/x/y is on a read-only file system");
        assert_eq!(said(libc::ENOSPC), "no room to write /x/y: No space left on device (os error 28)");
        assert_eq!(said(libc::ENOTDIR), "/x/y: Not a directory (os error 20)");
        let io = || std::io::Error::from_raw_os_error(libc::EEXIST);
        let error = SessionError::io("making", Path::new("/x"), io());
        assert_eq!(super::said(&error), format!("making /x: {}", io()));
    }
}
