//! A terminal that the daemon serves itself: a serial line, a pseudo-terminal. One task each, for as long as the
//! process lives; a terminal that is not there or hangs up is opened again after [`RETRY`].
//!
//! Nothing waits for the terminal: what it does not take stays in the session's buffer, a command is not asked for more
//! before there is room, and changes of state that find none are dropped and counted (`console::session`). The first
//! terminal of the appliance is also that of its log: while a session is there, it shows what is worth telling unasked,
//! and from the moment a stop is asked for every line.

use core::future::poll_fn;
use core::task::{Context, Poll};
use std::rc::Rc;

use rustix::io::Errno as Code;

use super::answer::{Answer, Step};
use super::control::MAX_MESSAGE;
use super::meter::Work;
use super::reactor::{Source, Timer};
use super::shell::{Priority, Role, Shell};
use crate::console::log::lost;
use crate::console::session::{Session, Want};
use crate::kernel::clock;
use crate::kernel::error::Error;
use crate::kernel::tty::Tty;
use crate::limits::{MAX_CLIENTS, MAX_CONSOLES};
use crate::observe::log::{self as logger, Hold, Topic};
use crate::observe::ring::Cursor;
use crate::time::Duration;

/// When a terminal that is gone is looked for again.
const RETRY: Duration = Duration::from_secs(5);
/// Rows of a terminal that does not say how many it has.
const ROWS: usize = 24;
/// Bytes read at once, so that junk at line speed leaves the turn to others.
const TYPED: usize = 128;
/// Bytes of lines taken at once; one line fits.
const LINES: usize = 1_024;

/// Starts a task for each terminal of the options.
///
/// # Errors
/// No timers.
pub(super) fn start(shell: &Rc<Shell>) -> Result<(), Error> {
    for (place, path) in shell.options.consoles.iter().take(MAX_CONSOLES).enumerate() {
        let timer = shell.reactor.timer()?;
        shell.spawn(Priority::Ordinary, run(Rc::clone(shell), path.clone(), MAX_CLIENTS + place, timer));
    }
    Ok(())
}

async fn run(shell: Rc<Shell>, path: Box<str>, row: usize, timer: Timer) {
    let mut told = false;
    let holds = shell.options.role == Role::Appliance && row == MAX_CLIENTS;
    let mut station = Station {
        shell,
        row,
        holds,
        session: Session::default(),
        answer: None,
        timer,
        topic: Topic::Changes,
        read: Cursor::default(),
    };
    loop {
        match Tty::open(&path).and_then(|tty| station.shell.reactor.register(tty)) {
            Ok(tty) => {
                told = false;
                let _hold = station.holds.then(Hold::new);
                station.serve(&tty).await;
            }
            Err(error) if !told => {
                told = true;
                log::error!("{error}; trying again every 5 s");
            }
            Err(_) => {}
        }
        station.timer.until(clock::now() + RETRY).await;
    }
}

/// A terminal and what runs at it.
struct Station {
    shell: Rc<Shell>,
    /// Its place among those who wait for news or for a reload.
    row: usize,
    /// Standard error is this terminal.
    holds: bool,
    session: Session,
    answer: Option<Answer>,
    /// When a terminal that is gone is looked for, and when the next page of `watch` is due.
    timer: Timer,
    /// What is shown unasked.
    topic: Topic,
    /// How far it was shown.
    read: Cursor,
}

impl Station {
    /// Serves the terminal until it hangs up.
    async fn serve(&mut self, tty: &Source<Tty>) {
        self.session = Session::default();
        let (columns, rows) = tty.io().size();
        self.session.set_columns(columns);
        self.session.set_rows(if rows == 0 { ROWS } else { rows });
        self.read = logger::end(self.topic);
        self.greet();
        while poll_fn(|context| self.poll(tty, context)).await.is_ok() {
            smol::future::yield_now().await;
        }
        // Whoever asked is gone: a ping would keep others from theirs until the terminal is back.
        self.answer = None;
        self.shell.feed.owe(self.row, 0);
    }

    fn greet(&mut self) {
        let (version, host) = (env!("CARGO_PKG_VERSION"), &self.shell.host);
        self.session.set_prompt(host);
        self.session.greet(format_args!("lvsbox {version} on {host}: `?` or `help` lists the commands"));
    }

    /// One round of everything. Ready when something was done, or the terminal is gone.
    fn poll(&mut self, tty: &Source<Tty>, context: &Context<'_>) -> Poll<Result<(), Code>> {
        let shell = Rc::clone(&self.shell);
        let read = self.type_in(tty, context)?;
        let worked = shell.meter.measure(Work::Control, || self.show_changes() | self.work(context));
        let written = self.flush(tty, context)?;
        shell.feed.owe(self.row, self.session.output().len());
        shell.feed.wait(self.row, context);
        if read || worked || written { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn type_in(&mut self, tty: &Source<Tty>, context: &Context<'_>) -> Result<bool, Code> {
        let mut typed = [0; TYPED];
        match tty.poll_read(context, |tty| tty.read(&mut typed)) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => Err(Code::IO),
            Poll::Ready(Ok(count)) => {
                self.session.handle(typed.get(..count).unwrap_or(&[]));
                Ok(true)
            }
            Poll::Ready(Err(errno)) => Err(errno),
        }
    }

    fn show_changes(&mut self) -> bool {
        if let (true, Topic::Changes, Some(farewell)) = (self.holds, self.topic, self.shell.farewell()) {
            (self.topic, self.read) = (Topic::Log, farewell);
            self.session.close();
        }
        let mut bytes = [0; LINES];
        let (count, missed) = logger::read_lines(self.topic, &mut self.read, &mut bytes);
        let mut note: heapless::String<80> = heapless::String::new();
        let _ = lost(missed, &mut note);
        let lines = bytes.get(..count).and_then(|lines| core::str::from_utf8(lines).ok()).unwrap_or("");
        note.lines().chain(lines.lines()).for_each(|line| self.session.event(line));
        count > 0
    }

    /// Does what the session wants, and a step of the command that runs.
    fn work(&mut self, context: &Context<'_>) -> bool {
        let want = self.session.poll_want();
        match want {
            None => {}
            Some(Want::Run) => {
                self.answer = Some(Answer::new(&self.shell, self.session.command().as_bytes()));
            }
            Some(Want::Cancel) => {
                self.answer = None;
                self.session.end();
            }
            // There is no other place to go to.
            Some(Want::Leave) => self.greet(),
        }
        let Some(answer) = self.answer.as_mut().filter(|_| self.session.wants_output()) else {
            return want.is_some();
        };
        if self.session.is_page_full() {
            answer.skip_page();
        }
        let mut text = [0; MAX_MESSAGE];
        match answer.step(&self.shell, &mut text) {
            Step::Wait(ticket) => self.shell.desk.poll_done(ticket, self.row, context).is_ready(),
            // The news that wakes this task for the changes wakes it for the log, too.
            Step::Follow | Step::Soon => want.is_some(),
            Step::Pause(at) => self.timer.poll_until(context, at).is_ready() || want.is_some(),
            Step::Page => {
                self.session.begin_page();
                true
            }
            Step::More(count) => {
                self.session.write(text.get(..count).unwrap_or(&[]));
                true
            }
            Step::Done(_) => {
                self.answer = None;
                self.session.end();
                true
            }
        }
    }

    fn flush(&mut self, tty: &Source<Tty>, context: &Context<'_>) -> Result<bool, Code> {
        if self.session.output().is_empty() {
            return Ok(false);
        }
        match tty.poll_write(context, |tty| tty.write(self.session.output())) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(count)) => {
                self.session.sent(count);
                Ok(count > 0)
            }
            Poll::Ready(Err(errno)) => Err(errno),
        }
    }
}
