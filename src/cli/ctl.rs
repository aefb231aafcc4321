//! `lvsbox ctl WORDS...`: hands a command to the running daemon and prints its answer.
//!
//! Anybody may bind an abstract name, so the command is given to root only: a squatter would else be handed what an
//! operator types, and answer what it likes.

use core::fmt::Write;

use super::FAILED;
use super::output::Output;
use crate::kernel::error::{Error, number};
use crate::kernel::unix::{Connection, Mode};
use crate::task::control::{END, MAX_MESSAGE, OUTPUT, PAGE};
use crate::wire::errno;

/// Sends the words and prints what comes back. The daemon's status is the exit status.
#[inline(never)]
pub(super) fn run(control: &str, words: &str) -> u8 {
    match converse(control, words) {
        Ok(status) => status,
        Err(trouble) => {
            complain(control, &trouble, &mut Output::errors());
            FAILED
        }
    }
}

/// Why there is no answer, or not all of it.
pub(super) enum Trouble {
    /// A system call.
    Kernel(Error),
    /// Who holds the name is not root.
    Squatter { pid: u32, uid: u32 },
    /// The other end is gone.
    Broken(errno::Text),
}

/// Says what the trouble is. A writer that fails has no second one to tell.
pub(super) fn complain(control: &str, trouble: &Trouble, out: &mut dyn Write) {
    let _ = match trouble {
        Trouble::Kernel(error) => writeln!(out, "lvsbox: {error}").and_then(|()| {
            match error.number() {
                // EAGAIN
                11 => writeln!(out, "lvsbox is busy with other clients: try again"),
                // ECONNREFUSED
                111 => writeln!(out, "is lvsbox running, in this network namespace?"),
                _ => Ok(()),
            }
        }),
        Trouble::Squatter { pid, uid } => writeln!(
            out,
            "lvsbox: @{control} is held by process {pid} of user {uid}, who is not root: nothing was sent"
        ),
        Trouble::Broken(reason) => writeln!(out, "lvsbox: the answer broke off: {reason}"),
    };
}

/// Connects to the daemon, and makes sure that it is root.
pub(super) fn connect(control: &str, mode: Mode) -> Result<Connection, Trouble> {
    let connection = Connection::open(control, mode).map_err(Trouble::Kernel)?;
    let fail = |errno| Trouble::Kernel(Error::new("look at the other end of", "control socket", errno));
    let peer = connection.peer().map_err(fail)?;
    if peer.uid == 0 { Ok(connection) } else { Err(Trouble::Squatter { pid: peer.pid, uid: peer.uid }) }
}

fn converse(control: &str, words: &str) -> Result<u8, Trouble> {
    let connection = connect(control, Mode::Blocking)?;
    let fail = |errno| Trouble::Kernel(Error::new("write to", "control socket", errno));
    connection.send(words.as_bytes()).map_err(fail)?;
    let mut output = Output::new();
    let (mut message, mut pages) = ([0; MAX_MESSAGE], 0_u64);
    loop {
        let length =
            connection.receive(&mut message).map_err(|errno| Trouble::Broken(errno::Text(number(errno))))?;
        match message.get(..length) {
            Some([END, status]) => return Ok((*status).max(output.status())),
            Some([OUTPUT, text @ ..]) => output.write(text),
            // A blank line between two pages.
            Some([PAGE]) => {
                output.write(if pages > 0 { b"\n" } else { b"" });
                pages += 1;
            }
            // ECONNRESET: the daemon went away, or refused us.
            Some(_) | None => return Err(Trouble::Broken(errno::Text(104))),
        }
    }
}
