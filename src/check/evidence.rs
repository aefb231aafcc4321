//! What a server said when it failed its check: the first bytes of it, for whoever has to find out why.

use crate::limits::MAX_EVIDENCE;

/// The first bytes of something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    bytes: [u8; MAX_EVIDENCE],
    length: u8,
}

impl Default for Evidence {
    fn default() -> Self {
        Self { bytes: [0; MAX_EVIDENCE], length: 0 }
    }
}

impl core::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.bytes()))
    }
}

impl Evidence {
    /// Keeps of `more` what there is room for.
    pub fn add(&mut self, more: &[u8]) {
        let free = self.bytes.get_mut(usize::from(self.length)..).unwrap_or_default();
        for (place, byte) in free.iter_mut().zip(more) {
            *place = *byte;
            self.length += 1;
        }
    }

    /// What was kept.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_are_kept_however_they_come() {
        let mut one = Evidence::default();
        (0..100_u8).for_each(|byte| one.add(&[byte]));
        let mut other = Evidence::default();
        other.add(&(0..100).collect::<Vec<u8>>());
        assert_eq!(one, other);
        assert_eq!(one.bytes(), (0..48).collect::<Vec<u8>>());
    }
}
