//! `lvsbox console`: a terminal at the running daemon. Commands go over the control socket, one connection each;
//! another one follows the changes of state, which appear above the line being typed.
//!
//! Nothing here waits for the terminal: one `poll` waits for whatever comes first. On every way out, a signal
//! included, the terminal is what it was before.

use std::os::fd::AsFd;

use rustix::io::Errno;

use super::ctl::{self, Trouble};
use super::output::Output;
use super::{FAILED, OK};
use crate::console::session::{Session, Want};
use crate::kernel::error::{Error, number};
use crate::kernel::process;
use crate::kernel::signals::{Audience, Signals};
use crate::kernel::tty::{self, Tty};
use crate::kernel::unix::{Connection, Mode};
use crate::task::control::{END, MAX_MESSAGE, OUTPUT, PAGE};
use crate::wire::errno;

/// Bytes read from the terminal at once.
const TYPED: usize = 256;

/// What came over a connection.
enum Heard<'a> {
    Nothing,
    Text(&'a [u8]),
    Page,
    Status,
    Gone(Errno),
}

struct Client<'a> {
    control: &'a str,
    tty: Tty,
    session: Session,
    command: Option<Connection>,
    changes: Option<Connection>,
    message: Box<[u8; MAX_MESSAGE]>,
}

/// Serves the terminal until its user leaves, it hangs up, or a signal comes.
#[inline(never)]
pub(super) fn run(control: &str) -> u8 {
    match begin(control) {
        Ok((mut client, signals)) => {
            let ended = client.serve(&signals);
            // What was said last, if the terminal takes it.
            client.flush();
            drop(client);
            match ended {
                Ok(()) => OK,
                Err(trouble) => complain(control, &trouble),
            }
        }
        Err(trouble) => complain(control, &trouble),
    }
}

fn complain(control: &str, trouble: &Trouble) -> u8 {
    ctl::complain(control, trouble, &mut Output::errors());
    FAILED
}

fn begin(control: &str) -> Result<(Client<'_>, Signals), Trouble> {
    // The daemon is asked first: without one there is no need to touch the terminal.
    let changes = ctl::connect(control, Mode::Brief)?;
    ask(&changes, "log changes")?;
    let signals = Signals::open(Audience::Daemon).map_err(Trouble::Kernel)?;
    let tty = Tty::of_input().map_err(Trouble::Kernel)?;
    let session = Session::default();
    let message = Box::new([0; MAX_MESSAGE]);
    Ok((Client { control, tty, session, command: None, changes: Some(changes), message }, signals))
}

fn ask(connection: &Connection, words: &str) -> Result<(), Trouble> {
    let fail = |errno| Trouble::Kernel(Error::new("write to", "control socket", errno));
    connection.send(words.as_bytes()).map_err(fail)
}

impl Client<'_> {
    fn serve(&mut self, signals: &Signals) -> Result<(), Trouble> {
        let version = env!("CARGO_PKG_VERSION");
        let (columns, rows) = self.tty.size();
        self.session.set_columns(columns);
        self.session.set_rows(rows);
        self.session.set_prompt(&process::host_name());
        self.session.greet(format_args!("lvsbox {version}: `?` or `help` lists the commands, ^D leaves"));
        loop {
            if signals.read().is_ok() || !self.type_in() {
                return Ok(());
            }
            self.listen();
            while let Some(want) = self.session.poll_want() {
                match want {
                    Want::Run => self.start(),
                    Want::Cancel => {
                        self.command = None;
                        self.session.end();
                    }
                    Want::Leave => return Ok(()),
                }
            }
            self.flush();
            self.wait(signals)?;
        }
    }

    fn wait(&self, signals: &Signals) -> Result<(), Trouble> {
        let mut inputs: heapless::Vec<_, 4> = heapless::Vec::new();
        let command = self.command.as_ref().filter(|_| self.session.wants_output());
        let all = [Some(self.tty.as_fd()), Some(signals.as_fd())].into_iter().flatten();
        let all = all.chain(command.map(AsFd::as_fd)).chain(self.changes.as_ref().map(AsFd::as_fd));
        inputs.extend(all);
        let output = (!self.session.output().is_empty()).then_some(self.tty.as_fd());
        let fail = |errno| Trouble::Kernel(Error::new("wait for", "terminal", errno));
        tty::wait(&inputs, output).map_err(fail)
    }

    /// Reads the terminal. False at a hang-up.
    fn type_in(&mut self) -> bool {
        let mut typed = [0; TYPED];
        match self.tty.read(&mut typed) {
            Ok(0) => false,
            Ok(count) => {
                self.session.handle(typed.get(..count).unwrap_or(&[]));
                true
            }
            Err(errno) => errno == Errno::WOULDBLOCK || errno == Errno::INTR,
        }
    }

    /// Reads what the daemon says.
    fn listen(&mut self) {
        if let Some(changes) = &self.changes {
            match hear(changes, &mut *self.message) {
                Heard::Nothing | Heard::Page => {}
                Heard::Text(text) => {
                    String::from_utf8_lossy(text).lines().for_each(|line| self.session.event(line));
                }
                Heard::Status => self.changes = None,
                Heard::Gone(_) => {
                    self.changes = None;
                    self.session
                        .event("(the daemon is gone: changes are shown again after the next command)");
                }
            }
        }
        if !self.session.wants_output() {
            return;
        }
        let Some(command) = &self.command else { return };
        match hear(command, &mut *self.message) {
            Heard::Nothing => return,
            Heard::Text(text) => return self.session.write(text),
            Heard::Page => return self.session.begin_page(),
            Heard::Status => {}
            Heard::Gone(why) => {
                let why = errno::Text(number(why));
                self.session.write(format!("the answer broke off: {why}\n").as_bytes());
            }
        }
        self.command = None;
        self.session.end();
    }

    /// Hands the command over.
    fn start(&mut self) {
        let (columns, rows) = self.tty.size();
        self.session.set_columns(columns);
        self.session.set_rows(rows);
        self.session.set_prompt(&process::host_name());
        let opened = ctl::connect(self.control, Mode::Brief);
        let asked =
            opened.and_then(|connection| ask(&connection, self.session.command()).map(|()| connection));
        match asked {
            Ok(connection) => self.command = Some(connection),
            Err(trouble) => {
                let mut said = String::new();
                ctl::complain(self.control, &trouble, &mut said);
                self.session.write(said.as_bytes());
                self.session.end();
                return;
            }
        }
        if self.changes.is_none() {
            // Tried again at the next command.
            let opened = ctl::connect(self.control, Mode::NonBlocking);
            self.changes = opened.and_then(|again| ask(&again, "log changes").map(|()| again)).ok();
        }
    }

    fn flush(&mut self) {
        while let Ok(count @ 1..) = self.tty.write(self.session.output()) {
            self.session.sent(count);
        }
    }
}

fn hear<'a>(connection: &Connection, message: &'a mut [u8]) -> Heard<'a> {
    match connection.receive(message) {
        Err(Errno::WOULDBLOCK | Errno::INTR) => Heard::Nothing,
        Err(errno) => Heard::Gone(errno),
        Ok(length) => match message.get(..length) {
            Some([OUTPUT, text @ ..]) => Heard::Text(text),
            Some([PAGE]) => Heard::Page,
            Some([END, _]) => Heard::Status,
            Some(_) | None => Heard::Gone(Errno::CONNRESET),
        },
    }
}
