//! The lines on the world's serial port: what it says and what it is told. Text to types and back, nothing else.
//!
//! Times are whole milliseconds: `ready`, `reply AT NAME TOOK`, `failed AT TOOK REASON`, `killed NAME`,
//! `restored NAME`, `error TEXT` one way; `kill NAME`, `restore NAME`, `quit` the other.

use std::time::Duration;

use super::Answer;

/// What the world says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Everything runs; requests start.
    Ready,
    /// A request of the client came to its end.
    Answer(Answer),
    /// The web server of this name was killed.
    Killed(String),
    /// The web server of this name listens again.
    Restored(String),
    /// Something was not possible, or not understood.
    Error(String),
}

/// What the world is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Kill the web server of this name.
    Kill(String),
    /// Start the web server of this name again.
    Restore(String),
    /// Power off.
    Quit,
}

impl Said {
    /// Reads a line, without its end. `None` for one that is none of ours.
    pub fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "ready" if rest.is_empty() => Some(Self::Ready),
            "reply" => {
                let [at, name, took] = <[&str; 3]>::try_from(rest.split(' ').collect::<Vec<_>>()).ok()?;
                let outcome = Ok(word(name)?);
                Some(Self::Answer(Answer { at: millis(at)?, took: millis(took)?, outcome }))
            }
            "failed" => {
                let mut words = rest.splitn(3, ' ');
                let (at, took) = (millis(words.next()?)?, millis(words.next()?)?);
                let reason = words.next().filter(|text| !text.is_empty())?;
                Some(Self::Answer(Answer { at, took, outcome: Err(reason.to_owned()) }))
            }
            "killed" => word(rest).map(Self::Killed),
            "restored" => word(rest).map(Self::Restored),
            "error" if !rest.is_empty() => Some(Self::Error(rest.to_owned())),
            _ => None,
        }
    }

    /// The line, without its end. What would break it in two becomes a blank.
    pub fn emit(&self) -> String {
        match self {
            Self::Ready => "ready".to_owned(),
            Self::Answer(Answer { at, took, outcome: Ok(name) }) => {
                format!("reply {} {name} {}", at.as_millis(), took.as_millis())
            }
            Self::Answer(Answer { at, took, outcome: Err(reason) }) => {
                format!("failed {} {} {}", at.as_millis(), took.as_millis(), one_line(reason))
            }
            Self::Killed(name) => format!("killed {name}"),
            Self::Restored(name) => format!("restored {name}"),
            Self::Error(text) => format!("error {}", one_line(text)),
        }
    }
}

impl Order {
    /// Reads a line, without its end. `None` for one that is none of ours.
    pub fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        match line.split_once(' ').unwrap_or((line, "")) {
            ("kill", name) => word(name).map(Self::Kill),
            ("restore", name) => word(name).map(Self::Restore),
            ("quit", "") => Some(Self::Quit),
            _ => None,
        }
    }

    /// The line, without its end.
    pub fn emit(&self) -> String {
        match self {
            Self::Kill(name) => format!("kill {name}"),
            Self::Restore(name) => format!("restore {name}"),
            Self::Quit => "quit".to_owned(),
        }
    }
}

fn millis(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis)
}

/// A name: one word that can be printed.
fn word(text: &str) -> Option<String> {
    let fits = !text.is_empty() && text.chars().all(|letter| letter.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

fn one_line(text: &str) -> String {
    let text = text.replace(|letter: char| letter.is_control(), " ");
    if text.trim().is_empty() { "?".to_owned() } else { text.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emitted_is_what_is_parsed() {
        let answer = |outcome| {
            Said::Answer(Answer { at: Duration::from_millis(1_234), took: Duration::from_millis(7), outcome })
        };
        let all = [
            (Said::Ready, "ready"),
            (answer(Ok("web1".to_owned())), "reply 1234 web1 7"),
            (answer(Err("timed out".to_owned())), "failed 1234 7 timed out"),
            (Said::Killed("web1".to_owned()), "killed web1"),
            (Said::Restored("web2".to_owned()), "restored web2"),
            (Said::Error("no web server web9".to_owned()), "error no web server web9"),
        ];
        for (said, line) in all {
            assert_eq!(said.emit(), line);
            assert_eq!(Said::parse(line), Some(said));
        }
        let all = [
            (Order::Kill("web1".to_owned()), "kill web1"),
            (Order::Restore("web2".to_owned()), "restore web2"),
            (Order::Quit, "quit"),
        ];
        for (order, line) in all {
            assert_eq!(order.emit(), line);
            assert_eq!(Order::parse(line), Some(order));
        }
    }

    #[test]
    fn line_of_a_terminal_may_end_in_carriage_return() {
        assert_eq!(Order::parse("quit\r"), Some(Order::Quit));
        assert_eq!(Said::parse("ready\r"), Some(Said::Ready));
    }

    #[test]
    fn garbage_is_no_line_of_ours() {
        for line in [
            "",
            " ",
            "reply",
            "reply 1 web1",
            "reply x web1 1",
            "reply 1 web1 1 1",
            "reply -1 web1 1",
            "reply 1  1",
            "failed 1 1",
            "failed 1 1 ",
            "killed",
            "killed web1 web2",
            "ready now",
            "READY",
            "kill web1",
            "error",
            "\u{fffd}\u{1}reply 1 web1 1",
            "reply 99999999999999999999 web1 1",
        ] {
            assert_eq!(Said::parse(line), None, "{line:?}");
        }
        for line in ["", "kill", "kill ", "kill a b", "quit now", "restored web1", "login:", "kill \u{7f}"] {
            assert_eq!(Order::parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn reason_of_several_lines_stays_one_line() {
        assert_eq!(Said::Error("a\r\nb\n".to_owned()).emit(), "error a  b");
        assert_eq!(Said::Error("\n".to_owned()).emit(), "error ?");
    }
}
