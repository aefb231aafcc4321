//! What an operator says behind the words of a command.

/// A word of the operator's: printable ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    bytes: [u8; MAX_ARGUMENT],
    len: usize,
}

/// Bytes of an argument; the longest key of a real server or a service has 57, and there may be one of each.
const MAX_ARGUMENT: usize = 128;

impl Argument {
    /// No word.
    pub const NONE: Self = Self { bytes: [0; MAX_ARGUMENT], len: 0 };

    pub(super) fn new(word: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_ARGUMENT];
        let fine = word.iter().all(u8::is_ascii_graphic);
        bytes.get_mut(..word.len()).filter(|_| fine)?.copy_from_slice(word);
        Some(Self { bytes, len: word.len() })
    }

    /// This one and another behind a blank.
    pub(super) fn and(&self, word: &[u8]) -> Option<Self> {
        if self.len == 0 {
            return Self::new(word);
        }
        let (next, mut both) = (Self::new(word)?, *self);
        let rest = both.bytes.get_mut(self.len..)?;
        *rest.first_mut()? = b' ';
        rest.get_mut(1..=next.len)?.copy_from_slice(next.bytes.get(..next.len)?);
        both.len += 1 + next.len;
        Some(both)
    }

    /// The word; of a command that takes several, these with a blank between them.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|word| core::str::from_utf8(word).ok()).unwrap_or("")
    }
}
