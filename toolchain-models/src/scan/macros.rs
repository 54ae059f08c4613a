//! What `#include NAME` may name: every operand that a `#define NAME` anywhere in reach, or a `-D`, gives it.
//!
//! Knows no order and no conditions. Where a definition is not an operand as it stands, it says so and the compiler is asked.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::lex::{Form, Lexed, Operand, is_word};

/// What GCC defines outside the names that are reserved (`builtin_define_std` in its configurations); they may stand in a path.
const PREDEFINED: &[&[u8]] = &[
    b"arc",
    b"arm",
    b"host_mips",
    b"hp9000s800",
    b"hpux",
    b"hppa",
    b"i386",
    b"linux",
    b"m68k",
    b"mc68000",
    b"mips",
    b"pdp11",
    b"rtems",
    b"sgi",
    b"sparc",
    b"spectrum",
    b"sun",
    b"svr4",
    b"unix",
    b"vax",
];

/// The name of a macro, kept as a hash: two names with one are taken for one, which makes it less clear, never wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Name(u64);

impl Name {
    pub(crate) fn of(name: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// An include whose operand is one macro's name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct ByName {
    pub(crate) name: Vec<u8>,
    pub(crate) next: bool,
}

/// A macro whose body is an operand as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Definition {
    pub(crate) name: Vec<u8>,
    pub(crate) operand: (Form, Vec<u8>),
}

/// The macros that may be defined.
#[derive(Default, Debug)]
pub(crate) struct Macros {
    /// There are some whose names are not known.
    any: bool,
    /// Those with a definition that is no operand.
    others: HashSet<Name>,
    /// Definitions that are operands.
    operands: BTreeMap<Vec<u8>, BTreeSet<(Form, Vec<u8>)>>,
}

impl Macros {
    /// Adds those that a file may define.
    pub(crate) fn add(&mut self, lexed: &Lexed) {
        self.any |= lexed.any_macro;
        self.others.extend(&lexed.others);
        for Definition { name, operand } in &lexed.named {
            self.operand(name, operand.clone());
        }
    }

    fn operand(&mut self, name: &[u8], operand: (Form, Vec<u8>)) {
        self.operands.entry(name.to_vec()).or_default().insert(operand);
    }

    /// The operands that the name may stand for: none if nothing defines it, for then the include fails if it is
    /// reached. `None` if it may stand for something else.
    pub(crate) fn stands_for(&self, by: &ByName) -> Option<Vec<Operand>> {
        // A name with other characters has other spellings.
        let plain = by.name.is_ascii() && !by.name.contains(&b'$');
        let own = plain && !by.name.starts_with(b"_") && !PREDEFINED.contains(&by.name.as_slice());
        if !own || self.any || self.others.contains(&Name::of(&by.name)) {
            return None;
        }
        let operands = self.operands.get(&by.name).into_iter().flatten();
        operands
            .map(|(form, name)| {
                let plain = *form == Form::Quote || self.is_plain(name);
                plain.then(|| Operand { form: *form, next: by.next, name: name.clone(), probe: false })
            })
            .collect()
    }

    /// Whether the text between `<` and `>` of a macro's body stays as it is: what is in it is expanded, and blanks count
    /// otherwise than in a directive.
    fn is_plain(&self, name: &[u8]) -> bool {
        let mut words = name.split(|byte| !is_word(*byte)).filter(|word| !word.is_empty());
        let defined = |word: &[u8]| {
            word.starts_with(b"_")
                || PREDEFINED.contains(&word)
                || self.others.contains(&Name::of(word))
                || self.operands.contains_key(word)
        };
        let clear = |byte: &u8| is_word(*byte) && byte.is_ascii() || matches!(byte, b'/' | b'.' | b'-' | b'+');
        name.iter().all(clear) && !find_comment(name) && !words.any(defined)
    }
}

fn find_comment(name: &[u8]) -> bool {
    name.windows(2).any(|pair| pair == b"//")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Flavour;

    fn stands_for(source: &str, options: &[&str], name: &str) -> Option<Vec<String>> {
        let mut macros = Macros::default();
        for option in options {
            macros.add(&Lexed::of_option(option.as_bytes(), Flavour::C));
        }
        macros.add(&Lexed::of(source.as_bytes(), Flavour::C));
        let operands = macros.stands_for(&ByName { name: name.into(), next: false })?;
        let shown = |operand: Operand| {
            let name = String::from_utf8(operand.name).unwrap();
            if operand.form == Form::Angle { format!("<{name}>") } else { format!("\"{name}\"") }
        };
        Some(operands.into_iter().map(shown).collect())
    }

    #[test]
    fn every_definition_counts() {
        let source = "#ifdef A\n#define H <a/b.h> // one\n#else\n # define H \\\n \"c.h\" /* two */\n#endif\n";
        assert_eq!(stands_for(source, &["H=<d.h>"], "H").unwrap(), ["\"c.h\"", "<a/b.h>", "<d.h>"]);
        assert_eq!(stands_for(source, &[], "ABSENT").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_clear_is_said() {
        for source in [
            "#define H",
            "#define H(x) <x.h>",
            "#define H OTHER",
            "#define H <a.h> X",
            "#define H L\"a.h\"",
            "#define H <a b.h>",
            "#define H <linux/a.h>",
            "#define H <a//b.h>",
            "#define a 1\n#define H <a.h>",
            "#define H <a.h>\n#define H <b.h\n",
            "#define \\u0024X <a.h>\n",
        ] {
            assert_eq!(stands_for(source, &[], "H"), None, "{source}");
        }
        for option in ["H", "H=", "H=x", "H(x)=<x.h>", "H=<x.h> y"] {
            assert_eq!(stands_for("", &[option], "H"), None, "{option}");
        }
        for name in ["__FILE__", "linux", "\u{e9}", "$H"] {
            assert_eq!(stands_for("", &[], name), None, "{name}");
        }
    }
}
