//! What of an outline decides what a scan finds, as a digest: two sources with the same one are scanned alike. Numbers of lines
//! are left out; a scan that counts them says so.
//!
//! Knows nothing of what directives do. The digest is kept from one session to the next.

use gg_thunk::ValueName;

use super::{Does, How, Operand, Outline, Text};
use crate::scan::exact::facts::{Facts, Pragma};
use crate::scan::exact::symbol::{Symbol, Symbols};

/// Raised when outlines of the same bytes come to mean something else; when models infer something else from them, the calls'
/// own generation is.
const FORM: u8 = 2;

struct Writer<'a> {
    symbols: &'a Symbols,
    bytes: Vec<u8>,
}

/// The digest.
pub(super) fn of(outline: &Outline, symbols: &Symbols) -> [u8; 32] {
    let mut writer = Writer { symbols, bytes: vec![FORM] };
    for item in &outline.items {
        writer.does(&item.does);
        writer.number(item.next);
        writer.number(item.end);
    }
    writer.optional(outline.guard);
    writer.text(outline.unsure.map_or("", |unsure| unsure.name()).as_bytes());
    *ValueName::of(&writer.bytes).digest()
}

impl Writer<'_> {
    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn number(&mut self, number: u32) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(text);
    }

    fn symbol(&mut self, symbol: Symbol) {
        let text = self.symbols.text(symbol);
        self.text(&text);
    }

    fn optional(&mut self, symbol: Option<Symbol>) {
        self.byte(u8::from(symbol.is_some()));
        if let Some(symbol) = symbol {
            self.symbol(symbol);
        }
    }

    fn directive(&mut self, kind: u8, text: &Text) {
        self.byte(kind);
        self.text(&text.bytes);
    }

    fn does(&mut self, does: &Does) {
        match does {
            Does::If(text) => self.directive(0, text),
            Does::Elif(text) => self.directive(1, text),
            Does::Ifdef(name, defined) | Does::Elifdef(name, defined) => {
                self.byte(if matches!(does, Does::Ifdef(..)) { 2 } else { 3 });
                self.symbol(*name);
                self.byte(u8::from(*defined));
            }
            Does::Else => self.byte(4),
            Does::Endif => self.byte(5),
            Does::Include(how, operand) => {
                self.byte(6);
                self.byte(match how {
                    How::Plain => 0,
                    How::Next => 1,
                    How::Import => 2,
                });
                match operand {
                    Operand::Quoted(name) => {
                        self.byte(0);
                        self.symbol(*name);
                    }
                    Operand::Angled(name) => {
                        self.byte(1);
                        self.symbol(*name);
                    }
                    Operand::Computed(text) => self.directive(2, text),
                }
            }
            Does::Define(name, is) => {
                self.byte(7);
                self.symbol(*name);
                let is = self.symbols.definitions.get(*is);
                self.text(is.text());
            }
            Does::Undef(name) => {
                self.byte(8);
                self.symbol(*name);
            }
            Does::Pragma(pragma) => {
                self.byte(9);
                self.pragma(pragma);
            }
            Does::Line(marker, text) => {
                self.byte(10);
                self.directive(u8::from(*marker), text);
            }
            Does::Facts(facts) => {
                self.byte(11);
                self.facts(facts);
            }
            Does::Error => self.byte(12),
            Does::Unsure(unsure) => {
                self.byte(13);
                self.text(unsure.name().as_bytes());
            }
        }
    }

    fn pragma(&mut self, pragma: &Pragma) {
        match pragma {
            Pragma::Once => self.byte(0),
            Pragma::SystemHeader => self.byte(1),
            Pragma::Push(name) | Pragma::Pop(name) => {
                self.byte(if matches!(pragma, Pragma::Push(_)) { 2 } else { 3 });
                self.text(name);
            }
            Pragma::Poison(names) => {
                self.byte(4);
                self.number(u32::try_from(names.len()).unwrap_or(u32::MAX));
                for name in names {
                    self.text(name);
                }
            }
            Pragma::Target => self.byte(5),
            Pragma::Optimize => self.byte(6),
            Pragma::PushOptions => self.byte(7),
            Pragma::PopOptions => self.byte(8),
            Pragma::Dependency => self.byte(9),
            Pragma::Precompiled => self.byte(10),
            Pragma::Malformed => self.byte(11),
        }
    }

    fn facts(&mut self, facts: &Facts) {
        let Facts {
            clock,
            timestamp,
            pasted,
            dependency,
            pch,
            assembler,
            assembler_unclear,
            computed,
            words,
            option_words,
            options,
            unclear,
        } = facts;
        for flag in
            [clock, timestamp, dependency, pch, assembler_unclear, computed, words, option_words, options, unclear]
        {
            self.byte(u8::from(*flag));
        }
        self.number(pasted.bits().into());
        self.number(u32::try_from(assembler.len()).unwrap_or(u32::MAX));
        for (include, name) in assembler {
            self.byte(u8::from(*include));
            self.text(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::exact::Dialect;

    #[test]
    fn it_stays_what_it_is() {
        let source = b"#include <a.h>\n#if N > 1\n#define M(x) x\n#else\n#pragma once\n#endif\nint a;\n";
        let digest = |source: &[u8]| {
            let symbols = Symbols::default();
            of(&Outline::of(source, Dialect::of(false, false, None).unwrap(), &symbols), &symbols)
        };
        let kept = "e3c56fc5df52dc9cc0cc7426aa39522bc33e2e289d6e08d5a41516621f3bbe5e";
        assert_eq!(digest(source).iter().map(|byte| format!("{byte:02x}")).collect::<String>(), kept);
        assert_eq!(digest(source), digest(&[b"\n/* moved */ ", &source[..], b"int b;\n"].concat()));
        assert_ne!(digest(source), digest(&[&source[..], b"#define B\n"].concat()));
        assert_ne!(digest(source), digest(&[&source[..], b"int TIME;\n"].concat()));
    }
}
