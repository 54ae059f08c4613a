//! The rule that the compiler writes for make, byte for byte.
//!
//! Knows nothing of how the prerequisites were found.

/// Lines are folded behind this column.
const WIDTH: usize = 72;

/// A rule.
#[derive(Default, Debug)]
pub(crate) struct Rule {
    /// As they are to be written.
    targets: Vec<Vec<u8>>,
    /// How many of them, in front, were given as they are.
    plain: usize,
    pub(crate) prerequisites: Vec<Vec<u8>>,
    /// An empty rule for each prerequisite but the first (`-MP`).
    pub(crate) phony: bool,
}

impl Rule {
    pub(crate) fn new(phony: bool) -> Self {
        Self { phony, ..Self::default() }
    }

    /// A target: `-MT` gives it as it is to be written, `-MQ` as a name.
    pub(crate) fn target(&mut self, name: &[u8], quote: bool) {
        let name = without_dots(name);
        if quote {
            self.targets.push(quoted(name));
            return;
        }
        // Those that are plain stand in front: the first of the others makes room.
        let mut name = name.to_vec();
        if let Some(first) = self.targets.get_mut(self.plain) {
            std::mem::swap(first, &mut name);
        }
        self.plain += 1;
        self.targets.push(name);
    }

    /// The target where none is given: the source's name with another suffix.
    pub(crate) fn default_target(&mut self, source: &[u8]) {
        if !self.targets.is_empty() {
            return;
        }
        let name = &source[source.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1)..];
        let stem = &name[..name.iter().rposition(|byte| *byte == b'.').unwrap_or(name.len())];
        self.target(&[stem, b".o"].concat(), true);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut column = 0;
        let put = |text: &mut Vec<u8>, column: &mut usize, name: &[u8]| {
            if *column > 0 {
                if *column + name.len() > WIDTH {
                    text.extend_from_slice(b" \\\n");
                    *column = 0;
                }
                text.push(b' ');
                *column += 1;
            }
            text.extend_from_slice(name);
            *column += name.len();
        };
        for target in &self.targets {
            put(&mut text, &mut column, target);
        }
        text.push(b':');
        column += 1;
        let names: Vec<Vec<u8>> = self.prerequisites.iter().map(|name| quoted(without_dots(name))).collect();
        for name in &names {
            put(&mut text, &mut column, name);
        }
        text.push(b'\n');
        if self.phony {
            for name in names.iter().skip(1) {
                text.extend_from_slice(name);
                text.extend_from_slice(b":\n");
            }
        }
        text
    }
}

/// A name as make reads it.
fn quoted(name: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(name.len());
    let mut slashes = 0;
    for byte in name {
        match byte {
            b'\\' => slashes += 1,
            b' ' | b'\t' => {
                // Backslashes count for themselves only before a blank.
                text.extend(std::iter::repeat_n(b'\\', slashes + 1));
                slashes = 0;
            }
            b'$' => {
                text.push(b'$');
                slashes = 0;
            }
            b'#' => {
                text.push(b'\\');
                slashes = 0;
            }
            _ => slashes = 0,
        }
        text.push(*byte);
    }
    text
}

/// A path as `-M` prints it: no `./` in front.
pub(super) fn without_dots(mut path: &[u8]) -> &[u8] {
    while let Some(rest) = path.strip_prefix(b"./") {
        let slashes = rest.iter().take_while(|byte| **byte == b'/').count();
        path = &rest[slashes..];
    }
    path
}
