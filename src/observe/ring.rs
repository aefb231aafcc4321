//! A ring of text lines: the newest `N` bytes, each reader with a cursor of its own that says what it lost.

/// The ring. Positions count bytes since the start, so that a reader knows how far it fell behind.
pub struct Ring<const N: usize> {
    bytes: [u8; N],
    end: u64,
}

/// A reader's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor(u64);

impl<const N: usize> Ring<N> {
    /// An empty ring.
    pub const fn new() -> Self {
        Self { bytes: [0; N], end: 0 }
    }

    /// Appends bytes; the oldest go.
    pub fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let place = index::<N>(self.end);
            let (now, rest) = bytes.split_at(bytes.len().min(N - place));
            if let Some(room) = self.bytes.get_mut(place..place + now.len()) {
                room.copy_from_slice(now);
            }
            self.end = self.end.wrapping_add(u64::try_from(now.len()).unwrap_or(0));
            bytes = rest;
        }
    }

    /// Copies the bytes after `cursor` into `out` and moves the cursor. Zero when there is nothing new. A cursor that
    /// fell behind starts at the oldest whole line.
    pub fn read(&self, cursor: &mut Cursor, out: &mut [u8]) -> usize {
        let capacity = u64::try_from(N).unwrap_or(u64::MAX);
        let oldest = self.end.saturating_sub(capacity);
        if cursor.0 < oldest {
            cursor.0 = oldest;
            while cursor.0 < self.end && self.byte(cursor.0) != b'\n' {
                cursor.0 += 1;
            }
            cursor.0 = (cursor.0 + 1).min(self.end);
        }
        let mut count = 0;
        for slot in out {
            if cursor.0 >= self.end {
                break;
            }
            *slot = self.byte(cursor.0);
            cursor.0 += 1;
            count += 1;
        }
        count
    }

    /// As [`Self::read`], but whole lines only; `out` holds the longest. How many bytes were copied, and how many went
    /// unread since the last call.
    pub fn read_lines(&self, cursor: &mut Cursor, out: &mut [u8]) -> (usize, u64) {
        let before = cursor.0;
        let count = self.read(cursor, out);
        let copied = u64::try_from(count).unwrap_or(0);
        let lost = (cursor.0 - copied).saturating_sub(before);
        let whole = out.get(..count).and_then(|bytes| bytes.iter().rposition(|byte| *byte == b'\n'));
        let kept = whole.map_or(0, |last| last + 1);
        cursor.0 -= u64::try_from(count - kept).unwrap_or(0);
        (kept, lost)
    }

    /// Where a reader starts that wants only what is still to come.
    pub const fn end(&self) -> Cursor {
        Cursor(self.end)
    }

    /// Bytes that can still be read.
    pub fn held(&self) -> usize {
        usize::try_from(self.end).unwrap_or(N).min(N)
    }

    fn byte(&self, position: u64) -> u8 {
        self.bytes.get(index::<N>(position)).copied().unwrap_or(b'\n')
    }
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self::new()
    }
}

fn index<const N: usize>(position: u64) -> usize {
    let capacity = u64::try_from(N).unwrap_or(u64::MAX).max(1);
    usize::try_from(position % capacity).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(ring: &Ring<16>, cursor: &mut Cursor) -> String {
        let mut out = [0; 5];
        let mut text = Vec::new();
        loop {
            match ring.read(cursor, &mut out) {
                0 => return String::from_utf8(text).unwrap(),
                count => text.extend_from_slice(&out[..count]),
            }
        }
    }

    #[test]
    fn every_reader_sees_every_line_once() {
        let (mut ring, mut cursor) = (Ring::new(), Cursor::default());
        ring.write(b"one\ntwo\n");
        assert_eq!(rest(&ring, &mut cursor), "one\ntwo\n");
        ring.write(b"three\n");
        assert_eq!(rest(&ring, &mut cursor), "three\n");
        assert_eq!(rest(&ring, &mut Cursor::default()), "one\ntwo\nthree\n");
    }

    #[test]
    fn whole_lines_are_read_and_what_went_unread_is_counted() {
        let (mut ring, mut cursor, mut out) = (Ring::<16>::new(), Cursor::default(), [0; 8]);
        ring.write(b"one\ntwo\nthree\n");
        assert_eq!(ring.read_lines(&mut cursor, &mut out), (8, 0));
        ring.write(b"four\nfive\nsix\n");
        assert_eq!(ring.read_lines(&mut cursor, &mut out), (5, 6), "`three` is lost");
        assert_eq!(&out[..5], b"four\n");
        cursor = ring.end();
        assert_eq!(ring.read_lines(&mut cursor, &mut out), (0, 0));
    }

    #[test]
    fn a_reader_that_fell_behind_starts_at_a_whole_line() {
        let (mut ring, mut cursor) = (Ring::new(), Cursor::default());
        ring.write(b"first line\nsecond\nthird\n");
        assert_eq!(rest(&ring, &mut cursor), "second\nthird\n");
    }
}
