//! Reading and writing fixed-size pieces of a byte buffer without ever indexing out of it.
//!
//! [`array()`] is how parsers look at a field, [`Output`] how emitters write a packet of bounded length. netlink has a
//! writer of its own ([`super::netlink::Writer`]), which can take back a message.

use core::fmt;

/// The `N` bytes from offset `at`, if all of them are there.
pub fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Writes into a buffer from its start. What does not fit is remembered and makes [`Output::finish`] say `None`, so
/// that an emitter needs no check of its own after each field.
#[derive(Debug)]
pub struct Output<'a> {
    buffer: &'a mut [u8],
    len: usize,
    overflow: bool,
}

impl<'a> Output<'a> {
    /// Starts at the beginning of `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0, overflow: false }
    }

    /// Appends `bytes`, whole or not at all.
    pub fn put(&mut self, bytes: &[u8]) -> &mut Self {
        let end = self.len.saturating_add(bytes.len());
        match self.buffer.get_mut(self.len..end).filter(|_| !self.overflow) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            None => self.overflow = true,
        }
        self
    }

    /// Overwrites bytes written before, from offset `at`; a checksum or a count that is known only at the end.
    pub fn patch(&mut self, at: usize, bytes: &[u8]) -> &mut Self {
        match self
            .buffer
            .get_mut(..self.len)
            .and_then(|done| done.get_mut(at..at.saturating_add(bytes.len())))
        {
            Some(room) => room.copy_from_slice(bytes),
            None => self.overflow = true,
        }
        self
    }

    /// What was written from offset `at` on.
    pub fn written_from(&self, at: usize) -> &[u8] {
        self.buffer.get(at..self.len).unwrap_or(&[])
    }

    /// The number of bytes written; `None` if something did not fit.
    pub fn finish(&self) -> Option<usize> {
        (!self.overflow).then_some(self.len)
    }
}

impl fmt::Write for Output<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        if self.overflow { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_of_exactly_the_length_fits_and_one_byte_less_does_not() {
        let mut buffer = [0; 4];
        assert_eq!(Output::new(&mut buffer).put(&[1, 2]).put(&[3, 4]).finish(), Some(4));
        assert_eq!(buffer, [1, 2, 3, 4]);
        assert_eq!(Output::new(&mut buffer).put(&[1, 2]).put(&[3, 4, 5]).finish(), None);
    }

    #[test]
    fn nothing_is_written_behind_a_gap() {
        let mut buffer = [0; 4];
        assert_eq!(Output::new(&mut buffer).put(&[9; 5]).put(&[1]).finish(), None);
        assert_eq!(buffer, [0; 4]);
    }

    #[test]
    fn only_what_was_written_can_be_patched() {
        let mut buffer = [0; 8];
        assert_eq!(Output::new(&mut buffer).put(&[1, 2, 3]).patch(1, &[7, 8]).finish(), Some(3));
        assert_eq!(buffer, [1, 7, 8, 0, 0, 0, 0, 0]);
        assert_eq!(Output::new(&mut buffer).put(&[1, 2, 3]).patch(2, &[7, 8]).finish(), None);
    }
}
