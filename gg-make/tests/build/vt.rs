//! What a terminal shows: as much of a VT100 as a build needs. Fails on a sequence that it does not know.

/// A screen, and the lines that have left it at its top.
pub struct Vt {
    rows: usize,
    columns: usize,
    above: Vec<String>,
    screen: Vec<Vec<char>>,
    cursor: (usize, usize),
    saved: (usize, usize),
    region: (usize, usize),
}

impl Vt {
    pub fn new(rows: usize, columns: usize) -> Vt {
        Vt {
            rows,
            columns,
            above: Vec::new(),
            screen: vec![Vec::new(); rows],
            cursor: (0, 0),
            saved: (0, 0),
            region: (0, rows - 1),
        }
    }

    /// What a terminal of this size shows after these bytes.
    pub fn shown(rows: usize, columns: usize, bytes: &[u8]) -> Vt {
        let mut vt = Vt::new(rows, columns);
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            match char {
                '\x1b' => vt.escape(&mut chars),
                '\r' => vt.cursor.1 = 0,
                '\n' => vt.down(),
                char => {
                    assert!(!char.is_control(), "{char:?}");
                    vt.put(char);
                }
            }
        }
        vt
    }

    /// Whether all rows scroll.
    pub fn is_whole(&self) -> bool {
        self.region == (0, self.rows - 1)
    }

    /// A row from the foot of the screen.
    pub fn above_foot(&self, number: usize) -> String {
        line(&self.screen[self.rows - 1 - number])
    }

    /// Everything that was ever written, as a reader scrolls back through it.
    pub fn all(&self) -> String {
        let mut all = self.above.clone();
        all.extend(self.screen.iter().map(|row| line(row)));
        all.join("\n").trim_end().to_owned()
    }

    fn put(&mut self, char: char) {
        if self.cursor.1 == self.columns {
            self.cursor.1 = 0;
            self.down();
        }
        let row = &mut self.screen[self.cursor.0];
        row.resize(row.len().max(self.cursor.1 + 1), ' ');
        row[self.cursor.1] = char;
        self.cursor.1 += 1;
    }

    fn down(&mut self) {
        if self.cursor.0 != self.region.1 {
            self.cursor.0 = (self.cursor.0 + 1).min(self.rows - 1);
            return;
        }
        let gone = self.screen.remove(self.region.0);
        self.screen.insert(self.region.1, Vec::new());
        self.above.push(line(&gone));
    }

    fn escape(&mut self, chars: &mut std::str::Chars<'_>) {
        match chars.next() {
            Some('7') => self.saved = self.cursor,
            Some('8') => self.cursor = self.saved,
            Some('D') => self.down(),
            Some('[') => {
                let rest = chars.as_str();
                let end = rest.find(|char: char| char.is_ascii_alphabetic()).expect("an end of the sequence");
                let numbers: Vec<usize> = rest[..end].split(';').map(|text| text.parse().unwrap_or(0)).collect();
                self.control(rest.as_bytes()[end], &numbers);
                *chars = rest[end + 1..].chars();
            }
            other => panic!("ESC {other:?}"),
        }
    }

    fn control(&mut self, what: u8, numbers: &[usize]) {
        let number = |at: usize, default: usize| numbers.get(at).copied().filter(|n| *n > 0).unwrap_or(default);
        match what {
            b'A' => self.cursor.0 = self.cursor.0.saturating_sub(number(0, 1)),
            b'H' => self.cursor = (number(0, 1) - 1, number(1, 1) - 1),
            b'r' => {
                self.region = (number(0, 1) - 1, number(1, self.rows) - 1);
                self.cursor = (0, 0);
            }
            b'K' if numbers == [2] => self.screen[self.cursor.0].clear(),
            b'K' => self.screen[self.cursor.0].truncate(self.cursor.1),
            b'J' => {
                self.screen[self.cursor.0].truncate(self.cursor.1);
                self.screen[self.cursor.0 + 1..].iter_mut().for_each(Vec::clear);
            }
            b'm' => {}
            other => panic!("CSI {numbers:?} {}", char::from(other)),
        }
    }
}

fn line(row: &[char]) -> String {
    row.iter().collect::<String>().trim_end().to_owned()
}
