//! `lvsbox ctl WORDS...`: hands a command to the running daemon and prints its answer.
//!
//! Anybody may bind an abstract name, so the command is given to root only: a squatter would else be handed what an
//! operator types, and answer what it likes.

use super::FAILED;
use super::output::Output;
use crate::kernel::error::{Error, number};
use crate::kernel::unix::{Connection, Mode};
use crate::task::control::{END, MAX_MESSAGE, OUTPUT};
use crate::wire::errno;

/// Sends the words and prints what comes back. The daemon's status is the exit status.
pub(super) fn run(control: &str, words: &str) -> u8 {
    let mut errors = Output::errors();
    match converse(control, words) {
        Ok(status) => status,
        Err(Trouble::Kernel(error)) => {
            errors.line(format_args!("lvsbox: {error}"));
            // ECONNREFUSED
            if error.number() == 111 {
                errors.line(format_args!("is lvsbox running, in this network namespace?"));
            }
            FAILED
        }
        Err(Trouble::Squatter { pid, uid }) => {
            errors.line(format_args!(
                "lvsbox: @{control} is held by process {pid} of user {uid}, who is not root: nothing was sent"
            ));
            FAILED
        }
        Err(Trouble::Broken(reason)) => {
            errors.line(format_args!("lvsbox: the answer broke off: {reason}"));
            FAILED
        }
    }
}

enum Trouble {
    Kernel(Error),
    Squatter { pid: u32, uid: u32 },
    Broken(errno::Text),
}

fn converse(control: &str, words: &str) -> Result<u8, Trouble> {
    let connection = Connection::open(control, Mode::Blocking).map_err(Trouble::Kernel)?;
    let fail = |operation| move |errno| Trouble::Kernel(Error::new(operation, "control socket", errno));
    let peer = connection.peer().map_err(fail("look at the other end of"))?;
    if peer.uid != 0 {
        return Err(Trouble::Squatter { pid: peer.pid, uid: peer.uid });
    }
    connection.send(words.as_bytes()).map_err(fail("write to"))?;
    let mut output = Output::new();
    let mut message = [0; MAX_MESSAGE];
    loop {
        let length =
            connection.receive(&mut message).map_err(|errno| Trouble::Broken(errno::Text(number(errno))))?;
        match message.get(..length) {
            Some([END, status]) => return Ok((*status).max(output.status())),
            Some([OUTPUT, text @ ..]) => output.write(text),
            // ECONNRESET: the daemon went away, or refused us.
            Some(_) | None => return Err(Trouble::Broken(errno::Text(104))),
        }
    }
}
