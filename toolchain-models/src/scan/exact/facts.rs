//! What stands in a piece of text that matters though it is no directive: the clock, the assembler's directives, pragmas.
//!
//! Knows nothing of conditions: it is told a piece at a time.

use crate::scan::pasted::Pasted;

/// What was met in a piece of text.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Facts {
    /// `__DATE__` or `__TIME__`.
    pub(crate) clock: bool,
    /// `__TIMESTAMP__`.
    pub(crate) timestamp: bool,
    /// What may be one of these when it is pasted.
    pub(crate) pasted: Pasted,
    /// `#pragma GCC dependency`, wherever it may be run.
    pub(crate) dependency: bool,
    /// `#pragma GCC pch_preprocess`.
    pub(crate) pch: bool,
    /// Operands of `.incbin` (false) and `.include` (true).
    pub(crate) assembler: Vec<(bool, Vec<u8>)>,
    /// One of those that cannot be told.
    pub(crate) assembler_unclear: bool,
    /// A macro whose expansion runs some pragma that is put together.
    pub(crate) computed: bool,
    /// A word that would matter in such a pragma.
    pub(crate) words: bool,
    /// Words by which such a pragma would change options.
    pub(crate) option_words: bool,
    /// A macro that changes options.
    pub(crate) options: bool,
    /// A macro, or text, with a pragma that matters and of which it is not clear when it is run.
    pub(crate) unclear: bool,
}

/// A pragma that matters to a preprocessor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Pragma {
    Once,
    SystemHeader,
    Push(Vec<u8>),
    Pop(Vec<u8>),
    Poison(Vec<Vec<u8>>),
    /// Options of the target change.
    Target,
    /// Options of optimization change.
    Optimize,
    PushOptions,
    PopOptions,
    /// A file's time is asked for.
    Dependency,
    Precompiled,
    /// It has another form than expected.
    Malformed,
}

impl Pragma {
    /// What stands behind `#pragma`.
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let (first, rest) = word(text);
        Some(match first {
            b"once" => Self::Once,
            b"push_macro" => operand(rest).map_or(Self::Malformed, Self::Push),
            b"pop_macro" => operand(rest).map_or(Self::Malformed, Self::Pop),
            b"GCC" => {
                let (second, rest) = word(rest);
                match second {
                    b"system_header" => Self::SystemHeader,
                    b"poison" => {
                        let names = rest.split(u8::is_ascii_whitespace).filter(|name| !name.is_empty());
                        Self::Poison(names.map(<[u8]>::to_vec).collect())
                    }
                    b"target" => Self::Target,
                    b"optimize" => Self::Optimize,
                    b"push_options" => Self::PushOptions,
                    b"pop_options" => Self::PopOptions,
                    b"dependency" => Self::Dependency,
                    b"pch_preprocess" => Self::Precompiled,
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    /// Whether it changes options only.
    pub(crate) fn is_of_options(&self) -> bool {
        matches!(self, Self::Target | Self::Optimize | Self::PushOptions | Self::PopOptions)
    }
}

fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    let length = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    text.split_at(length)
}

/// `("NAME")`.
fn operand(text: &[u8]) -> Option<Vec<u8>> {
    let inner = text.trim_ascii().strip_prefix(b"(")?;
    let inner = &inner[..inner.iter().position(|byte| *byte == b')')?];
    let name = inner.trim_ascii().strip_prefix(b"\"")?.strip_suffix(b"\"")?.trim_ascii();
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'));
    (plain && !name.is_empty()).then(|| name.to_vec())
}

/// The assembler's directives in the text of inline assembly.
pub(crate) fn assembler_in(content: &[u8], facts: &mut Facts) {
    let mut from = 0;
    while let Some(dot) = content[from..].iter().position(|byte| *byte == b'.') {
        let at = from + dot;
        let free = at == 0
            || !super::token::is_name(content[at - 1])
            || content[..at].ends_with(b"\\n")
            || content[..at].ends_with(b"\\t");
        if free && starts_directive(&content[at..]) {
            assembler_operand(&content[at..], false, facts);
        }
        from = at + 1;
    }
}

/// `text` begins with `.incbin` or `.include`. `own`: it is the assembler's own source.
pub(crate) fn assembler_operand(text: &[u8], own: bool, facts: &mut Facts) {
    let include = begins(text, b".include");
    let rest = &text[if include { b".include".len() } else { b".incbin".len() }..];
    let rest = rest.trim_ascii_start();
    let Some(rest) = rest.strip_prefix(b"\\\"").or_else(|| rest.strip_prefix(b"\"")) else {
        // Without a quote it is a macro's parameter, a stringized operand, or no directive at all.
        facts.assembler_unclear |= rest.is_empty() || rest.starts_with(b"\\") || own;
        return;
    };
    match rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        Some(end) if rest[end] == b'"' || rest[end + 1..].starts_with(b"\"") => {
            facts.assembler.push((include, rest[..end].to_vec()));
        }
        _ => facts.assembler_unclear = true,
    }
}

/// The assembler takes its directives in capitals, too.
fn begins(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Whether the text begins with `.incbin` or `.include`.
pub(crate) fn starts_directive(text: &[u8]) -> bool {
    [&b".incbin"[..], b".include"]
        .iter()
        .any(|word| begins(text, word) && !text.get(word.len()).is_some_and(|byte| super::token::is_name(*byte)))
}
