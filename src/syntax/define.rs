//! `$NAME=value` and `$NAME`: the table of definitions, and how a definition and its use are recognised.
//!
//! A definition keeps the lines of its value with their places; nothing is replaced before it is used. Redefining
//! counts from there on. What 2.2.7 of keepalived does decides; where its manual page says otherwise, the comment does.

use std::rc::Rc;

use super::line::Line;
use super::tree::Position;
use crate::limits::MAX_DEFINITIONS;

/// A name with what it stands for.
#[derive(Debug)]
pub(super) struct Definition {
    name: Box<str>,
    pub(super) lines: Rc<[Line]>,
    pub(super) at: Position,
    /// By a generator: its line says which value it has.
    pub(super) generated: bool,
    /// The note about the last use, and what that was a part of.
    pub(super) noted: Option<(u16, u16)>,
}

/// All names.
#[derive(Debug, Default)]
pub(super) struct Definitions(Vec<Definition>);

impl Definitions {
    /// The definition of a name.
    pub(super) fn get(&mut self, name: &str) -> Option<&mut Definition> {
        self.0.iter_mut().find(|known| &*known.name == name)
    }

    /// Defines a name, or redefines it. False if there are too many.
    pub(super) fn set(&mut self, name: &str, lines: Rc<[Line]>, at: Position, generated: bool) -> bool {
        if let Some(known) = self.get(name) {
            (known.lines, known.at, known.generated, known.noted) = (lines, at, generated, None);
            return true;
        }
        let room = self.0.len() < MAX_DEFINITIONS;
        if room {
            self.0.push(Definition { name: name.into(), lines, at, generated, noted: None });
        }
        room
    }
}

/// The use of a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Variable<'l> {
    pub(super) name: &'l str,
    /// What stands behind the name within the braces.
    pub(super) parameters: &'l str,
    /// Bytes of all of it, the `$` included.
    pub(super) len: usize,
    pub(super) braces: bool,
}

/// Bytes of the name at the start of `text`; 0 if there is none.
pub(super) fn name_len(text: &str) -> usize {
    let len = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    if text.starts_with(|c: char| c.is_ascii_digit()) { 0 } else { len }
}

/// `$NAME=`: the name, and where its value starts. 2.2.7: no blank before the `=`, any number behind it.
pub(super) fn definition(text: &str) -> Option<(&str, usize)> {
    let behind = text.strip_prefix('$')?;
    let len = name_len(behind);
    let value = behind.get(len..)?.strip_prefix('=').filter(|_| len > 0)?;
    Some((behind.get(..len)?, text.len() - value.trim_start().len()))
}

/// The variable that starts with the `$` at the start of `text`. 2.2.7: without braces only before a blank, a `,`, a
/// `)` or the end of the line, so that `a$b.c` and `$pbkdf2$...` stay what they are.
pub(super) fn variable(text: &str) -> Option<Variable<'_>> {
    let behind = text.strip_prefix('$')?;
    if let Some(inside) = behind.strip_prefix('{') {
        let inside = inside.get(..inside.find('}')?)?;
        let len = name_len(inside);
        let (name, parameters) = (inside.get(..len)?, inside.get(len..)?);
        let fits = len > 0 && (parameters.is_empty() || parameters.starts_with(' '));
        let parameters = parameters.trim();
        return fits.then_some(Variable { name, parameters, len: inside.len() + 3, braces: true });
    }
    let len = name_len(behind);
    let ends = matches!(behind.as_bytes().get(len), None | Some(b' ' | b'\t' | b',' | b')'));
    (len > 0 && ends).then_some(Variable {
        name: behind.get(..len)?,
        parameters: "",
        len: len + 1,
        braces: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_has_no_blank_before_its_sign() {
        assert_eq!(definition("$A=x y"), Some(("A", 3)));
        assert_eq!(definition("$_a1=  x"), Some(("_a1", 7)));
        for text in ["$A =x", "$1=x", "$=x", "A=x", "$A", "$A-b=c"] {
            assert_eq!(definition(text), None, "{text}");
        }
    }

    #[test]
    fn a_variable_without_braces_ends_before_a_blank_a_comma_a_parenthesis_or_the_end() {
        for text in ["$ab", "$ab c", "$ab,c", "$ab)", "${ab}c"] {
            assert_eq!(variable(text).unwrap().name, "ab", "{text}");
        }
        assert_eq!(variable("${_RANDOM 1 2}x").unwrap().parameters, "1 2");
        for text in ["$ab.c", "$ab\"", "${ab", "$", "${}", "$1", "${a-b}", "$a$b", "$é", "${é}"] {
            assert_eq!(variable(text), None, "{text}");
        }
    }
}
