//! The row for the progress line, as escape sequences of a VT100. Knows no terminal: what is made here is for others to write,
//! each answer in one piece.
//!
//! The last row is taken out of the region that scrolls. The cursor is where the tools left it before and after each answer,
//! and so are its attributes: `ESC 7` keeps both, `ESC 8` brings them back. Every drawing sets the region anew, as a program
//! may have set it back.

/// How large a terminal is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Size {
    pub(crate) rows: u16,
    pub(crate) columns: u16,
}

impl Size {
    /// Whether a row can be spared, and says something.
    fn suffices(self) -> bool {
        self.rows >= 8 && self.columns >= 40
    }
}

/// The row, while it is taken: for this size, with this text.
#[derive(Default)]
pub(crate) struct Screen {
    taken: Option<(Size, String)>,
}

impl Screen {
    /// Shows the text; nothing if it is what is shown.
    pub(crate) fn draw(&mut self, size: Size, text: &str) -> Vec<u8> {
        if !size.suffices() {
            return self.give_back(Some(size));
        }
        let mut bytes = match &self.taken {
            Some((before, _)) if *before != size => self.give_back(Some(size)),
            Some((_, before)) if before == text => return Vec::new(),
            _ => Vec::new(),
        };
        // A letter in the last column would have the next one wrap.
        let shown: String = text.chars().take(usize::from(size.columns) - 1).collect();
        let Size { rows, .. } = size;
        // Down and up again, as `ESC D` scrolls in the last row and keeps the column: the cursor's line is above the last row.
        bytes.extend(format!("\x1bD\x1b[A\x1b7\x1b[1;{}r\x1b[{rows};1H\x1b[m{shown}\x1b[K\x1b8", rows - 1).bytes());
        self.taken = Some((size, text.to_owned()));
        bytes
    }

    /// Gives the row back, cleared, to a terminal that now has this size.
    pub(crate) fn give_back(&mut self, size: Option<Size>) -> Vec<u8> {
        match self.taken.take() {
            None => Vec::new(),
            Some((before, _)) if size == Some(before) => {
                format!("\x1b7\x1b[r\x1b[{};1H\x1b[m\x1b[2K\x1b8", before.rows).into_bytes()
            }
            // Where the row has got to nobody says; below the cursor there is nothing but it.
            Some(_) => b"\x1b7\x1b[r\x1b8\x1b7\x1b[m\x1b[J\x1b8".to_vec(),
        }
    }

    /// Gives the row to a program that has the terminal to itself, and leaves to it what is on the screen.
    pub(crate) fn lend(&mut self) -> Vec<u8> {
        self.taken.take().map_or_else(Vec::new, |_| b"\x1b7\x1b[r\x1b8".to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { rows: 24, columns: 80 };

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn it_is_drawn_when_it_changes() {
        let mut screen = Screen::default();
        let drawn = |said: &str| format!("\x1bD\x1b[A\x1b7\x1b[1;23r\x1b[24;1H\x1b[m{said}\x1b[K\x1b8");
        assert_eq!(text(screen.draw(SIZE, "one")), drawn("one"));
        assert_eq!(text(screen.draw(SIZE, "one")), "");
        assert_eq!(text(screen.draw(SIZE, &"x".repeat(99))), drawn(&"x".repeat(79)));
        assert_eq!(text(screen.give_back(Some(SIZE))), "\x1b7\x1b[r\x1b[24;1H\x1b[m\x1b[2K\x1b8");
        assert_eq!(text(screen.give_back(Some(SIZE))), "");
        assert_eq!(text(screen.draw(SIZE, "one")), drawn("one"));
        assert_eq!(text(screen.lend()), "\x1b7\x1b[r\x1b8");
        assert_eq!(text(screen.lend()), "");
    }

    #[test]
    fn another_size() {
        let mut screen = Screen::default();
        assert_eq!(text(screen.draw(Size { rows: 7, ..SIZE }, "one")), "");
        assert_eq!(text(screen.draw(Size { columns: 39, ..SIZE }, "one")), "");
        screen.draw(SIZE, "one");
        let larger = text(screen.draw(Size { rows: 30, ..SIZE }, "one"));
        assert!(larger.starts_with("\x1b7\x1b[r\x1b8") && larger.contains("\x1b[1;29r\x1b[30;1H"), "{larger:?}");
        let small = text(screen.draw(Size { rows: 1, columns: 0 }, "one"));
        assert!(small.contains("\x1b[r") && !small.contains("one"), "{small:?}");
        screen.draw(SIZE, "one");
        assert!(text(screen.give_back(None)).contains("\x1b[r"));
    }
}
