//! The seam between the control socket and whoever answers: a command line in, output in chunks of the caller's
//! buffer, a status at the end. `reload` is the only command that waits; everything else is rendering.

use super::reload::{Force, Ticket};
use super::shell::Shell;

/// Status of a command that did what it should.
pub const STATUS_OK: u8 = 0;
/// Status of a command that was refused or failed.
pub const STATUS_FAILED: u8 = 1;
/// Status of a line that is no command.
pub const STATUS_USAGE: u8 = 2;

/// An answer that is being given.
pub struct Answer {
    kind: Kind,
    done: usize,
}

enum Kind {
    /// A reload that was asked for.
    Reload(Ticket),
    /// Text and status.
    Text(String, u8),
}

/// What a step brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The reload of this ticket has to end first.
    Wait(Ticket),
    /// This many bytes of the buffer, and there is more.
    More(usize),
    /// Nothing more.
    Done(u8),
}

impl Answer {
    /// Starts to answer `line`.
    pub fn new(shell: &Shell, line: &str) -> Self {
        let mut words = line.split_ascii_whitespace();
        let kind = match (words.next(), words.next(), words.next()) {
            (Some("reload"), None, None) => Kind::Reload(shell.desk.request(Force::No)),
            (Some("reload"), Some("force"), None) => Kind::Reload(shell.desk.request(Force::Yes)),
            _ => Kind::Text(format!("unknown command: {line}\n"), STATUS_USAGE),
        };
        Self { kind, done: 0 }
    }

    /// Renders the next chunk into `out`.
    pub fn step(&mut self, shell: &Shell, out: &mut [u8]) -> Step {
        let (text, status) = match &self.kind {
            Kind::Reload(ticket) if !shell.desk.is_done(*ticket) => return Step::Wait(*ticket),
            Kind::Reload(_) => {
                let outcome = shell.desk.outcome();
                let status = if outcome.accepted { STATUS_OK } else { STATUS_FAILED };
                return self.chunk(&outcome.text, status, out);
            }
            Kind::Text(text, status) => (text.clone(), *status),
        };
        self.chunk(&text, status, out)
    }

    fn chunk(&mut self, text: &str, status: u8, out: &mut [u8]) -> Step {
        let rest = text.as_bytes().get(self.done..).unwrap_or(&[]);
        if rest.is_empty() {
            return Step::Done(status);
        }
        let len = rest.len().min(out.len());
        if let (Some(out), Some(rest)) = (out.get_mut(..len), rest.get(..len)) {
            out.copy_from_slice(rest);
        }
        self.done += len;
        Step::More(len)
    }
}
