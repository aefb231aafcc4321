//! Names for the word that is being typed: asked for with a command of their own when TAB is pressed where a name
//! belongs, and collected here as they come. Fixed buffers: of many names the first are listed, all of them count for
//! what they have in common.

/// Bytes of a name; longer ones are not offered.
const MAX_NAME: usize = 64;
/// Bytes of names that are listed.
const MAX_LISTED: usize = 1_024;

/// The names that have come so far.
#[derive(Debug, Default)]
pub(super) struct Offer {
    /// What is being typed.
    partial: heapless::String<MAX_NAME>,
    /// The name that has come in part.
    line: heapless::Vec<u8, MAX_NAME>,
    /// It is too long.
    spoilt: bool,
    /// What all names begin with.
    common: heapless::String<MAX_NAME>,
    /// Different names, each with a newline.
    names: heapless::String<MAX_LISTED>,
    count: usize,
    /// There was no room for another one.
    more: bool,
}

impl Offer {
    /// Begins to collect names that begin with `partial`.
    pub(super) fn new(partial: &str) -> Self {
        Self { partial: partial.try_into().unwrap_or_default(), ..Self::default() }
    }

    /// Takes some of the answer.
    pub(super) fn take(&mut self, text: &[u8]) {
        for byte in text {
            if *byte == b'\n' {
                self.end_line();
            } else {
                self.spoilt |= self.line.push(*byte).is_err();
            }
        }
    }

    fn end_line(&mut self) {
        let line = core::mem::take(&mut self.line);
        let spoilt = core::mem::take(&mut self.spoilt);
        // A sentence, of who could not be asked for instance, is no name.
        let name =
            core::str::from_utf8(&line).ok().filter(|name| name.bytes().all(|byte| byte.is_ascii_graphic()));
        let Some(name) =
            name.filter(|name| !spoilt && !name.is_empty() && name.starts_with(self.partial.as_str()))
        else {
            return;
        };
        if self.names.lines().any(|known| known == name) {
            return;
        }
        let same = self.common.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        if self.count == 0 {
            let _ = self.common.push_str(name);
        } else {
            self.common.truncate(same);
        }
        self.count += 1;
        if self.more || self.names.len() + name.len() + 1 > MAX_LISTED {
            self.more = true;
        } else {
            let _ = self.names.push_str(name);
            let _ = self.names.push('\n');
        }
    }

    /// What can be added to what is typed for certain, and whether that is a whole name.
    pub(super) fn certain(&self) -> (&str, bool) {
        (self.common.get(self.partial.len()..).unwrap_or(""), self.count == 1)
    }

    /// The names, and whether there are more.
    pub(super) fn names(&self) -> (impl Iterator<Item = &str>, bool) {
        (self.names.lines(), self.more)
    }

    /// True if no name begins so.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_any_pieces_and_sentences_are_none() {
        let text = b"10.0.0.11:80\n10.0.0.12:80\n10.0.0.11:80\nno connection to the daemon\n192.0.2.1\n";
        for cut in 0..text.len() {
            let mut offer = Offer::new("10.");
            offer.take(&text[..cut]);
            offer.take(&text[cut..]);
            assert_eq!(offer.certain(), ("0.0.1", false));
            assert_eq!(offer.names().0.collect::<Vec<_>>(), ["10.0.0.11:80", "10.0.0.12:80"]);
        }
    }

    #[test]
    fn of_too_many_names_the_first_are_listed_and_all_count() {
        let mut offer = Offer::new("");
        for name in 0..500 {
            offer.take(format!("server{name}\n").as_bytes());
        }
        offer.take(b"sender\n");
        offer.take(&[b's'; 200]);
        offer.take(b"\n");
        assert_eq!(offer.certain(), ("se", false));
        assert!(offer.names().1 && offer.names().0.count() > 50);
    }
}
