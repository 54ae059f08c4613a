//! The row for the progress line, as escape sequences of a VT100. Knows no terminal: what is made here is for others to write,
//! each answer in one piece.
//!
//! The last row is taken out of the region that scrolls. The cursor is where the tools left it before and after each answer,
//! and so are its attributes: `ESC 7` keeps both, `ESC 8` brings them back. Below the cursor there is nothing but the row, as
//! on any terminal to which programs only add.

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

/// Whose the row is.
#[derive(Default)]
enum Row {
    /// The tools', as all others.
    #[default]
    Free,
    /// The line's, at this size and with this text.
    Taken(Size, String),
    /// A program's that draws on all rows; below that, the line may still be there.
    Lent,
}

/// The row for the line.
#[derive(Default)]
pub(crate) struct Screen(Row);

const ALL_SCROLL: &str = "\x1b7\x1b[r\x1b8";
const CLEAR_BELOW: &str = "\x1b7\x1b[m\x1b[J\x1b8";
/// Down and up again, as this scrolls in the last row and keeps the column: the cursor's line is then above the last row.
const MAKE_ROOM: &str = "\x1bD\x1b[A";

impl Screen {
    /// Shows the text; nothing if it is what is shown.
    pub(crate) fn draw(&mut self, size: Size, text: &str) -> String {
        let mut bytes = match &self.0 {
            Row::Taken(before, shown) if *before == size && shown == text => return String::new(),
            Row::Taken(before, _) if *before == size => String::new(),
            _ => self.give_back(Some(size)),
        };
        if !size.suffices() {
            return bytes;
        }
        if matches!(self.0, Row::Free) {
            bytes.push_str(MAKE_ROOM);
        }
        // A letter in the last column would have the next one wrap.
        let shown: String = text.chars().take(usize::from(size.columns) - 1).collect();
        let (last, above) = (size.rows, size.rows - 1);
        // The region is set each time: a program may have set it back.
        bytes.push_str(&format!("\x1b7\x1b[1;{above}r\x1b[{last};1H\x1b[m{shown}\x1b[K\x1b8"));
        self.0 = Row::Taken(size, text.to_owned());
        bytes
    }

    /// Gives the row back, cleared, on a terminal that now has this size.
    pub(crate) fn give_back(&mut self, size: Option<Size>) -> String {
        match std::mem::take(&mut self.0) {
            Row::Free => String::new(),
            Row::Taken(before, _) if size == Some(before) => {
                format!("\x1b7\x1b[r\x1b[{};1H\x1b[m\x1b[2K\x1b8", before.rows)
            }
            // Where it has got to nobody says.
            Row::Taken(..) => [ALL_SCROLL, CLEAR_BELOW].concat(),
            Row::Lent => CLEAR_BELOW.to_owned(),
        }
    }

    /// Gives the row to a program that has the terminal to itself, and leaves to it what is on the screen.
    pub(crate) fn lend(&mut self) -> String {
        if !matches!(self.0, Row::Taken(..)) {
            return String::new();
        }
        self.0 = Row::Lent;
        ALL_SCROLL.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { rows: 24, columns: 80 };

    const GIVEN_BACK: &str = "\x1b7\x1b[r\x1b[24;1H\x1b[m\x1b[2K\x1b8";

    #[test]
    fn it_is_drawn_when_it_changes() {
        let mut screen = Screen::default();
        let drawn = |said: &str| format!("\x1b7\x1b[1;23r\x1b[24;1H\x1b[m{said}\x1b[K\x1b8");
        assert_eq!(screen.draw(SIZE, "one"), format!("\x1bD\x1b[A{}", drawn("one")));
        assert_eq!(screen.draw(SIZE, "one"), "");
        assert_eq!(screen.draw(SIZE, &"x".repeat(99)), drawn(&"x".repeat(79)));
        assert_eq!(screen.give_back(Some(SIZE)), GIVEN_BACK);
        assert_eq!(screen.give_back(Some(SIZE)), "");
        assert_eq!(screen.lend(), "");
        assert_eq!(screen.draw(SIZE, "one"), format!("\x1bD\x1b[A{}", drawn("one")));
    }

    #[test]
    fn a_row_that_was_lent_is_cleared_later() {
        let mut screen = Screen::default();
        for again in [true, false] {
            screen.draw(SIZE, "one");
            assert_eq!(screen.lend(), ALL_SCROLL);
            assert_eq!(screen.lend(), "");
            if again {
                assert!(screen.draw(SIZE, "one").starts_with(&[CLEAR_BELOW, MAKE_ROOM].concat()));
                assert_eq!(screen.give_back(Some(SIZE)), GIVEN_BACK);
            } else {
                assert_eq!(screen.give_back(Some(SIZE)), CLEAR_BELOW);
            }
        }
    }

    #[test]
    fn another_size() {
        let mut screen = Screen::default();
        assert_eq!(screen.draw(Size { rows: 7, ..SIZE }, "one"), "");
        assert_eq!(screen.draw(Size { columns: 39, ..SIZE }, "one"), "");
        screen.draw(SIZE, "one");
        let larger = screen.draw(Size { rows: 30, ..SIZE }, "one");
        let gone = [ALL_SCROLL, CLEAR_BELOW].concat();
        assert!(larger.starts_with(&gone) && larger.contains("\x1b[1;29r\x1b[30;1H"), "{larger:?}");
        assert_eq!(screen.draw(Size { rows: 1, columns: 0 }, "one"), gone);
        screen.draw(SIZE, "one");
        assert_eq!(screen.give_back(None), gone);
    }
}
