//! The menu behind the escape key: the LAN as it is now, and what can be done to it. Pure.

use std::fmt::Write;

/// The escape key, Ctrl-].
pub const ESCAPE: u8 = 0x1d;
/// What is said before the first console.
pub const KEYS: &str = "\
This terminal is lb1's serial console now; `help` there lists its commands.
Ctrl-] opens the menu: the other console, cables, web servers, power, the
client's requests, and the way out.";
/// Columns under which a guest stands in the picture: where the middle of its name is.
const PLACES: [usize; 4] = [19, 35, 51, 67];

/// What a key asks for; the index is that of the director or web server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The console of a director.
    Console(usize),
    /// Cut or mend a director's cable.
    Cable(usize),
    /// Kill or restore a web server.
    Server(usize),
    /// Switch a director off or on.
    Power(usize),
    /// Watch the client.
    Watch,
    /// Stop everything.
    Leave,
    /// The console of before.
    Back,
}

impl Choice {
    /// What `key` means in the menu.
    pub const fn of(key: u8) -> Option<Self> {
        match key {
            b'1' => Some(Self::Console(0)),
            b'2' => Some(Self::Console(1)),
            b'3' => Some(Self::Cable(0)),
            b'4' => Some(Self::Cable(1)),
            b'5' => Some(Self::Server(0)),
            b'6' => Some(Self::Server(1)),
            b'7' => Some(Self::Power(0)),
            b'8' => Some(Self::Power(1)),
            b'w' | b'W' => Some(Self::Watch),
            b'q' | b'Q' => Some(Self::Leave),
            b'\r' | b'\n' | ESCAPE => Some(Self::Back),
            _ => None,
        }
    }
}

/// The LAN as it is now.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct State {
    /// Whose console is behind the menu.
    pub here: usize,
    /// Whose adverts are on the wire.
    pub master: Option<usize>,
    /// Which director's machine runs.
    pub is_on: [bool; 2],
    /// Which director's cable is pulled.
    pub is_cut: [bool; 2],
    /// Which web server is dead.
    pub is_dead: [bool; 2],
    /// Of the client's last ten requests: answered by each web server, and failed.
    pub shares: ([usize; 2], usize),
    /// What came of the last choice.
    pub note: String,
}

impl State {
    /// One screen, at most 79 columns and 24 rows.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let ([one, two], none) = self.shares;
        writeln!(
            text,
            "\n   client 192.0.2.50     its last 10 requests: web1 {one}, web2 {two}, failed {none}"
        )
        .ok();
        text += "      |\n";
        text += " -----+------------+---------------+---------------+---------------+-----\n";
        let wire = |index: usize| if self.is_cut[index] { "x" } else { "|" };
        row(&mut text, "", [wire(0), wire(1), "|", "|"]);
        row(&mut text, "", ["lb1", "lb2", "web1", "web2"]);
        row(&mut text, "", ["192.0.2.11", "192.0.2.12", "192.0.2.21", "192.0.2.22"]);
        let power = |index: usize| if self.is_on[index] { "on" } else { "OFF" };
        let server = |index: usize| if self.is_dead[index] { "KILLED" } else { "on" };
        row(&mut text, " power", [power(0), power(1), server(0), server(1)]);
        let cable = |index: usize| if self.is_cut[index] { "CUT" } else { "in" };
        row(&mut text, " cable", [cable(0), cable(1), "in", "in"]);
        let adverts = |index| if self.master == Some(index) { "MASTER" } else { "-" };
        row(&mut text, " adverts", [adverts(0), adverts(1), "", ""]);
        text.push('\n');
        let here = |index| if self.here == index { "  (you were here)" } else { "" };
        let act = |is: bool, this: &'static str, other: &'static str| if is { this } else { other };
        let pairs = [
            (format!("1  lb1's console{}", here(0)), format!("2  lb2's console{}", here(1))),
            (
                format!("3  {} lb1's cable", act(self.is_cut[0], "mend", "cut")),
                format!("4  {} lb2's cable", act(self.is_cut[1], "mend", "cut")),
            ),
            (
                format!("5  {} web1", act(self.is_dead[0], "restore", "kill")),
                format!("6  {} web2", act(self.is_dead[1], "restore", "kill")),
            ),
            (
                format!("7  switch lb1 {}", act(self.is_on[0], "off", "on")),
                format!("8  switch lb2 {}", act(self.is_on[1], "off", "on")),
            ),
            ("w  watch the client's requests".to_owned(), "q  leave: stops everything".to_owned()),
        ];
        for (left, right) in pairs {
            writeln!(text, "   {left:<36}{right}").ok();
        }
        text += "   Enter or Ctrl-]  back to the console\n";
        let note: String = self.note.chars().filter(|character| !character.is_control()).take(78).collect();
        writeln!(text, "\n {note}").ok();
        text
    }
}

/// One row of the picture: each word's middle under the place of its guest.
fn row(text: &mut String, title: &str, words: [&str; 4]) {
    let mut line = title.to_owned();
    for (place, word) in PLACES.into_iter().zip(words) {
        let start = place.saturating_sub(word.len() / 2);
        line = format!("{line:<start$}{word}");
    }
    *text += line.trim_end();
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every state that can be shown.
    fn states() -> Vec<State> {
        let both = [[false, false], [true, false], [true, true]];
        let mut states = Vec::new();
        for is_on in both {
            for is_cut in both {
                for is_dead in both {
                    let note = "n".repeat(200);
                    let shares = ([10, 10], 10);
                    states.push(State { here: 1, master: Some(0), is_on, is_cut, is_dead, shares, note });
                }
            }
        }
        states
    }

    #[test]
    fn menu_fits_80_columns_and_24_rows() {
        for state in states() {
            let text = state.text();
            assert!(text.lines().count() <= 24, "{text}");
            assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
            assert!(text.bytes().all(|byte| byte == b'\n' || (32..127).contains(&byte)), "{text:?}");
        }
    }

    #[test]
    fn menu_says_what_is_so_and_offers_the_other() {
        let mut state = State { is_on: [true, true], master: Some(0), ..State::default() };
        let text = state.text();
        for words in ["cut lb1's cable", "kill web2", "switch lb2 off", "1  lb1's console  (you were here)"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert_eq!(text.matches("MASTER").count(), 1);
        assert!(!text.contains("CUT") && !text.contains("OFF") && !text.contains("KILLED"), "{text}");
        (state.is_on[1], state.is_cut[0], state.is_dead[1], state.master) = (false, true, true, None);
        let text = state.text();
        for words in ["mend lb1's cable", "restore web2", "switch lb2 on", "CUT", "OFF", "KILLED"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(!text.contains("MASTER"), "{text}");
    }

    #[test]
    fn every_key_in_the_menu_has_its_choice_and_others_none() {
        let text = State::default().text();
        let rows = text.lines().skip_while(|line| !line.contains("lb1's console"));
        let keys = rows.flat_map(|line| [line.get(3..6), line.get(39..42)]).flatten();
        let keys: Vec<u8> = keys.filter(|word| word.ends_with("  ")).map(|word| word.as_bytes()[0]).collect();
        assert_eq!(keys, *b"12345678wq");
        let mut choices: Vec<Choice> = keys.iter().map(|key| Choice::of(*key).unwrap()).collect();
        choices.dedup();
        assert_eq!(choices.len(), 10);
        assert_eq!(Choice::of(ESCAPE), Some(Choice::Back));
        assert_eq!(Choice::of(b'\r'), Some(Choice::Back));
        for key in [0, 3, 0x1b, b'[', b'A', b'0', b'9', 0xff] {
            assert_eq!(Choice::of(key), None, "{key}");
        }
    }
}
