//! A line of text on the stack: what does not fit is cut, control characters become blanks so that a peer's bytes
//! cannot forge a line or reprogram a terminal. Nothing here allocates.

use core::fmt;

/// Longest line of the log in bytes; less than a pipe takes at once.
pub const MAX_TEXT: usize = 1_024;

/// The line.
pub struct Text {
    bytes: [u8; MAX_TEXT],
    len: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; MAX_TEXT], len: 0 }
    }
}

impl Text {
    /// Ends the line and returns it with its newline. A line that is full loses its last character to it.
    pub fn finish(&mut self) -> &[u8] {
        while self.len >= MAX_TEXT || core::str::from_utf8(self.as_bytes()).is_err() {
            self.len = self.len.saturating_sub(1);
        }
        if let Some(byte) = self.bytes.get_mut(self.len) {
            *byte = b'\n';
            self.len += 1;
        }
        self.as_bytes()
    }

    /// The text so far.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    fn push(&mut self, character: char) -> fmt::Result {
        let character = if character.is_control() { ' ' } else { character };
        let end = self.len + character.len_utf8();
        let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        character.encode_utf8(room);
        self.len = end;
        Ok(())
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Most text has no control characters (those above ASCII begin with 0xC2) and is taken as a whole.
        let plain = text.bytes().all(|byte| byte >= b' ' && byte != 0x7f && byte != 0xc2);
        if let Some(room) = self.bytes.get_mut(self.len..self.len + text.len()).filter(|_| plain) {
            room.copy_from_slice(text.as_bytes());
            self.len += text.len();
            return Ok(());
        }
        text.chars().try_for_each(|character| self.push(character))
    }
}

/// `2026-11-21T06:59:20.123Z` of microseconds since 1970 (the civil calendar, proleptic Gregorian).
#[derive(Debug, Clone, Copy)]
pub struct Timestamp(pub u64);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0 / 1_000_000, self.0 / 1_000 % 1_000);
        let (days, of_day) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Year, month, day of a count of days since 1970-01-01. Years are counted from March, so that the leap day is the
/// last of its year; an era is 400 years.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const ERA: u64 = 146_097;
    let days = days + DAYS_TO_1970;
    let (era, of_era) = (days / ERA, days % ERA);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use core::fmt::Write;

    use super::*;

    #[test]
    fn a_long_line_is_cut_between_characters_and_still_ends() {
        for shift in 0..4 {
            let mut text = Text::default();
            let _ = write!(text, "{}{}", "x".repeat(shift), "\u{1f600}".repeat(400));
            let line = text.finish().to_vec();
            assert!(line.len() <= MAX_TEXT && line.ends_with(b"\n"));
            assert!(core::str::from_utf8(&line).is_ok());
        }
    }

    #[test]
    fn a_peer_cannot_forge_a_line_or_an_escape() {
        let mut text = Text::default();
        write!(text, "a\nb\x1b[2Jc\u{9b}d").unwrap();
        assert_eq!(text.finish(), b"a b [2Jc d\n");
    }

    #[test]
    fn timestamps_follow_the_calendar() {
        // `date -u -d @N +%FT%T`
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_795_244_360, "2026-11-21T06:59:20.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Timestamp(seconds * 1_000_000).to_string(), text);
        }
    }
}
