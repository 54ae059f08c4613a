//! A macro's body with its arguments put in: `#`, `##` and what comes of them.
//!
//! Knows nothing of expansion: it is given the arguments in both forms.

use super::expand::{Argument, Expander};
use super::macros::Body;
use super::symbol::{NONE, VA_OPT};
use super::token::{Kind, Op, PASTE, STRINGIFY, Token, WHITE, tokens};
use super::unsure::Unsure;

/// A place between words; with `SOURCE` the blanks before some word count there, which are its `WHITE`.
const SOURCE: u16 = 1;

fn place(source: Option<Token>) -> Token {
    let mut place = Token::new(Kind::Padding, NONE);
    if let Some(source) = source {
        place.param = SOURCE;
        place.flags = source.flags & WHITE;
    }
    place
}

/// The words that the body stands for. An argument that is not in `expanded` is not needed there.
pub(crate) fn substitute(
    expander: &Expander<'_>,
    body: &Body,
    arguments: &[Argument],
    expanded: &[Option<Vec<Token>>],
) -> Result<Vec<Token>, Unsure> {
    let mut words: Vec<Token> = Vec::with_capacity(body.tokens.len());
    // Whether the last of the words, or nothing, waits to be pasted with what comes.
    let mut pasting: Option<bool> = None;
    for (index, token) in body.tokens.iter().enumerate() {
        if token.text == VA_OPT && body.variadic {
            return Err(Unsure::VaOpt);
        }
        let before = index.checked_sub(1).map(|before| body.tokens[before]);
        let pasted = before.is_some_and(|before| before.has(PASTE));
        let mut part: Vec<Token> = Vec::new();
        if token.kind != Kind::Param {
            part.push(Token { flags: token.flags & !PASTE, ..*token });
        } else if token.has(STRINGIFY) {
            let mut string = stringify(expander, &arguments[usize::from(token.param)].raw);
            string.flags |= token.flags & WHITE;
            part.push(string);
        } else {
            let argument = &arguments[usize::from(token.param)];
            let last = body.variadic && usize::from(token.param) + 1 == body.params;
            if last && pasted && before.is_some_and(|before| before.is(Op::Comma)) && pasting == Some(true) {
                // GNU's `, ## arguments`: without any the comma goes, else nothing is pasted.
                pasting = None;
                if argument.absent {
                    words.pop();
                }
            }
            if pasted || token.has(PASTE) {
                part.extend(&argument.raw);
            } else {
                if expander.padded() {
                    part.push(place(Some(*token)));
                }
                part.extend(expanded.get(usize::from(token.param)).into_iter().flatten().flatten());
                if expander.padded() {
                    part.push(place(None));
                }
            }
        }
        let empty = part.is_empty();
        if pasting == Some(true) && !empty {
            let left = words.pop().ok_or(Unsure::Malformed)?;
            part[0] = join(expander, left, part[0])?;
        }
        words.extend(part);
        pasting = match (token.has(PASTE), empty) {
            (false, _) => None,
            // An empty operand changes nothing: what waited waits on.
            (true, true) => Some(pasting == Some(true)),
            (true, false) => Some(true),
        };
    }
    Ok(words)
}

/// One word of two.
fn join(expander: &Expander<'_>, left: Token, right: Token) -> Result<Token, Unsure> {
    let text = [&*expander.spelled(left), &*expander.spelled(right)].concat();
    match tokens(&text, expander.dialect, expander.symbols).as_slice() {
        [word] if word.kind != Kind::Other => {
            Ok(Token { flags: word.flags | left.flags & WHITE, at: u32::MAX, ..*word })
        }
        _ => Err(Unsure::Malformed),
    }
}

/// The string of an argument's words.
fn stringify(expander: &Expander<'_>, words: &[Token]) -> Token {
    let mut text = vec![b'"'];
    let mut source: Option<bool> = None;
    for word in words {
        if word.kind == Kind::Padding {
            let of = (word.param == SOURCE).then(|| word.has(WHITE));
            if source.is_none() || source == Some(false) && of.is_none() {
                source = of;
            }
            continue;
        }
        if text.len() > 1 && source.unwrap_or(word.has(WHITE)) {
            text.push(b' ');
        }
        source = None;
        let spelled = expander.spelled(*word);
        if matches!(word.kind, Kind::Str | Kind::OtherStr | Kind::Char) {
            for byte in spelled.iter() {
                if matches!(byte, b'"' | b'\\') {
                    text.push(b'\\');
                }
                text.push(*byte);
            }
        } else {
            text.extend_from_slice(&spelled);
        }
    }
    text.push(b'"');
    Token::new(Kind::Str, expander.symbols.of(&text))
}
