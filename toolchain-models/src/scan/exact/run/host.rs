//! What a run answers when macros are expanded: definitions, built-in macros, questions to the search path and the compiler.
//!
//! Knows nothing of directives.

use super::{Run, TARGET};
use crate::scan::exact::expand::Host;
use crate::scan::exact::macros::{Builtin, Definition, QUESTIONS};
use crate::scan::exact::symbol::Symbol;
use crate::scan::exact::token::Kind;
use crate::scan::exact::unsure::{Stop, Unsure};

impl Host for Run<'_> {
    fn definition(&self, name: Symbol) -> Result<Option<Definition>, Unsure> {
        if self.is_doubtful(name) && !self.tolerant {
            return Err(Unsure::Target);
        }
        Ok(self.table.get(name))
    }

    fn has_include(&mut self, name: &[u8], angle: bool, next: bool) -> Result<bool, Stop> {
        if name.is_empty() {
            return Err(Unsure::Malformed.into());
        }
        let start = self.start(name, angle, next)?;
        self.world.purpose(&|| format!("__has_include of {}", String::from_utf8_lossy(name)));
        let name = self.symbols.of(name);
        let file = self.files.find(name, start)?;
        self.files.precompiled = false;
        Ok(self.files.all[file].stat.is_some())
    }

    fn answer(&mut self, question: u8, operand: &[u8]) -> Result<i64, Stop> {
        let key = (question, operand.to_vec());
        let answer = match self.table.base.answers.get(&key) {
            Some(answer) => *answer,
            None => (self.ask)(question, operand)?.ok_or(Unsure::Unanswered)?,
        };
        // A declaration of the source's own hides what the compiler has built in, unless the name is reserved.
        if QUESTIONS[usize::from(question)] == "__has_builtin"
            && answer != 0
            && !self.dialect.cxx
            && !operand.starts_with(b"__")
        {
            return Err(Unsure::Declared.into());
        }
        Ok(answer)
    }

    fn value(&mut self, builtin: Builtin) -> Result<(Kind, Vec<u8>), Stop> {
        match builtin {
            Builtin::IncludeLevel => Ok((Kind::Number, (self.frames.len() - 1).to_string().into_bytes())),
            Builtin::Line => {
                self.counts_lines = true;
                let (line, spliced) = self.line;
                let frame = self.here()?;
                if spliced || frame.unclear_line {
                    return Err(Unsure::Line.into());
                }
                let line = match frame.shifted {
                    Some((number, at)) => number + i64::from(line) - i64::from(at) - 1,
                    None => i64::from(line),
                };
                Ok((Kind::Number, line.to_string().into_bytes()))
            }
            Builtin::File | Builtin::BaseFile => {
                let frame = if builtin == Builtin::File { self.frames.last() } else { self.frames.first() };
                let path = frame.map(|frame| self.path_of(frame)).unwrap_or_default();
                if self.call.maps_prefixes
                    || path.iter().any(|byte| matches!(byte, b'"' | b'\\' | b'\n') || *byte >= 0x80)
                {
                    return Err(Unsure::FileName.into());
                }
                Ok((Kind::Str, [b"\"", path.as_slice(), b"\""].concat()))
            }
            Builtin::Counter => Err(Unsure::Counter.into()),
            Builtin::Clock => Err(Unsure::Clock.into()),
            _ => Err(Unsure::Malformed.into()),
        }
    }
}

/// Whether `#pragma GCC target` or `optimize` may define or undefine a macro of this name: those are reserved names, and
/// some never change.
pub(super) fn depends_on(options: u8, name: &[u8]) -> bool {
    const FIXED: &[&[u8]] = &[
        b"__APPLE__",
        b"__ANDROID__",
        b"__CYGWIN__",
        b"__DragonFly__",
        b"__ELF__",
        b"__EMSCRIPTEN__",
        b"__FreeBSD__",
        b"__ILP32__",
        b"__LP64__",
        b"__MINGW32__",
        b"__NetBSD__",
        b"__OpenBSD__",
        b"__QNX__",
        b"__VMS__",
        b"__VXWORKS__",
        b"__clang__",
        b"__cplusplus",
        b"__i386__",
        b"__iamcu__",
        b"__linux__",
        b"__sun",
        b"__sun__",
        b"__unix__",
        b"__vxworks",
        b"__x86_64__",
    ];
    const FAMILIES: &[&[u8]] = &[
        b"__DISABLE_",
        b"__GLIBC",
        b"__GNUC",
        b"__INT",
        b"__ORDER_",
        b"__PTRDIFF_",
        b"__SIZEOF_",
        b"__SIZE_",
        b"__STDC",
        b"__USE_",
        b"__WCHAR_",
        b"__WINT_",
        b"__cpp_",
        b"__has_",
        b"__need_",
    ];
    // Names of headers' own.
    const ENDS: &[&[u8]] = &[b"_H", b"_H_", b"_H__", b"_h", b"_h__", b"_DEFINED", b"_INCLUDED"];
    if options == TARGET && matches!(name, b"__OPTIMIZE__" | b"__OPTIMIZE_SIZE__" | b"__NO_INLINE__") {
        return false;
    }
    name.starts_with(b"__")
        && !FIXED.contains(&name)
        && !FAMILIES.iter().any(|family| name.starts_with(family))
        && !ENDS.iter().any(|end| name.ends_with(end))
}
