//! JSON (RFC 8259) written piece by piece: an [`Object`] sets its commas, values escape themselves.
//!
//! Spans are numbers of seconds, moments are spans before or after now.

use core::fmt::{self, Write};

use crate::time::{Duration, Instant};

/// Something that can stand behind a colon.
pub(super) trait Value {
    /// Writes it.
    fn write(&self, out: &mut dyn Write) -> fmt::Result;
}

macro_rules! numbers {
    ($($kind:ty)*) => {$(
        impl Value for $kind {
            fn write(&self, out: &mut dyn Write) -> fmt::Result {
                write!(out, "{self}")
            }
        }
    )*};
}

numbers! { u8 u16 u32 u64 i16 i32 usize bool }

impl Value for &str {
    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        Shown(self).write(out)
    }
}

/// Seconds with six decimals.
impl Value for Duration {
    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{}.{:06}", self.as_secs(), self.as_micros() % 1_000_000)
    }
}

impl<T: Value> Value for Option<T> {
    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        match self {
            Some(value) => value.write(out),
            None => out.write_str("null"),
        }
    }
}

/// A string of whatever can be displayed.
pub(super) struct Shown<T>(pub(super) T);

impl<T: fmt::Display> Value for Shown<T> {
    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_char('"')?;
        write!(Escaped(out), "{}", self.0)?;
        out.write_char('"')
    }
}

/// The time from now to `at`, or nothing if that is never.
pub(super) fn until(now: Instant, at: Instant) -> Option<Duration> {
    (at != Instant::NEVER).then(|| at.since(now))
}

/// An object under way.
pub(super) struct Object<'a> {
    out: &'a mut dyn Write,
    first: bool,
}

impl<'a> Object<'a> {
    /// Opens it.
    pub(super) fn begin(out: &'a mut dyn Write) -> Result<Self, fmt::Error> {
        out.write_char('{')?;
        Ok(Self { out, first: true })
    }

    /// A member. Names need no escaping.
    pub(super) fn field(&mut self, name: &str, value: impl Value) -> fmt::Result {
        value.write(self.name(name)?)
    }

    /// A member that is an object.
    pub(super) fn object(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut Object<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let mut inner = Object::begin(self.name(name)?)?;
        fill(&mut inner)?;
        inner.end()
    }

    /// A member that is a list.
    pub(super) fn list(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut List<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let out = self.name(name)?;
        out.write_char('[')?;
        fill(&mut List { out, first: true })?;
        self.out.write_char(']')
    }

    /// A member whose value others write: what comes next is that value.
    pub(super) fn open(mut self, name: &str) -> fmt::Result {
        self.name(name).map(|_| ())
    }

    /// Closes it.
    pub(super) fn end(self) -> fmt::Result {
        self.out.write_char('}')
    }

    fn name(&mut self, name: &str) -> Result<&mut dyn Write, fmt::Error> {
        let comma = if core::mem::take(&mut self.first) { "" } else { "," };
        write!(self.out, "{comma}\"{name}\":")?;
        Ok(self.out)
    }
}

/// A list under way.
pub(super) struct List<'a> {
    out: &'a mut dyn Write,
    first: bool,
}

impl List<'_> {
    /// An item.
    pub(super) fn item(&mut self, value: impl Value) -> fmt::Result {
        if !core::mem::take(&mut self.first) {
            self.out.write_char(',')?;
        }
        value.write(self.out)
    }
}

/// Escapes what may not stand in a string (section 7).
pub(super) struct Escaped<'a>(pub(super) &'a mut dyn Write);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| match character {
            '"' => self.0.write_str("\\\""),
            '\\' => self.0.write_str("\\\\"),
            control if control.is_control() => write!(self.0, "\\u{:04x}", u32::from(control)),
            plain => self.0.write_char(plain),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_and_members_separated() {
        let mut out = String::new();
        let mut object = Object::begin(&mut out).unwrap();
        object.field("a", "x\"\\\n\u{9b}ü").unwrap();
        object.field("b", None::<u8>).unwrap();
        object.object("c", |inner| inner.field("d", Duration::from_millis(1_500))).unwrap();
        object.list("e", |list| [true, false].into_iter().try_for_each(|item| list.item(item))).unwrap();
        object.end().unwrap();
        let expected = r#"{"a":"x\"\\\u000a\u009bü","b":null,"c":{"d":1.500000},"e":[true,false]}"#;
        assert_eq!(out, expected);
    }
}
