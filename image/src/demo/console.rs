//! The demonstration for a person: the terminal is a director's serial console until the escape key opens the menu.
//!
//! The terminal is raw meanwhile, so that every key but the escape goes to the box, ^C included. It is given back as it
//! was at the end, on a panic, and when a signal ends the process. A terminal that is gone ends the demonstration.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::lan::{self, Cable, DIRECTORS, Lan};
use super::menu::{Choice, ESCAPE, State};
use super::watch::{LEGEND, Watch};
use crate::cleanup;
use crate::world::SERVERS;

/// Rows of a console's past that are shown when it is entered.
const BACKLOG: usize = 20;
/// The same for the first time.
const FEW: usize = 4;
/// How often a console, the client and the LAN's state are looked at.
const PERIOD: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// Looks between two of the menu's at the LAN.
const LOOKS: u32 = 15;
/// Requests that the menu counts.
const LATELY: usize = 10;
/// The whole screen is erased, and the cursor in its corner (ECMA-48 8.3.39, 8.3.21).
const CLEAR: &str = "\x1b[2J\x1b[H";

/// The terminal has gone.
#[derive(Debug)]
struct Gone;

/// Plays until the person leaves or the terminal is gone.
///
/// # Panics
/// If `terminal` is none, or a machine does not do what it must.
pub fn run(lan: &mut Lan, terminal: impl AsFd) {
    let terminal = Raw::new(terminal.as_fd().try_clone_to_owned().expect("share the terminal"));
    let mut desk = Desk { lan, terminal, typed: VecDeque::new(), here: 0, note: String::new() };
    if desk.play().is_ok() {
        desk.write("\r\n").ok();
    }
}

/// A terminal whose keys come as they are.
struct Raw {
    terminal: OwnedFd,
    before: Termios,
}

impl Raw {
    fn new(terminal: OwnedFd) -> Self {
        let before = tcgetattr(&terminal).expect("the terminal's mode");
        let (other, mode) = (terminal.try_clone().expect("share the terminal"), before.clone());
        cleanup::at_signal(move || {
            let _gone = tcsetattr(other, OptionalActions::Now, &mode);
        });
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&terminal, OptionalActions::Now, &raw).expect("make the terminal raw");
        Self { terminal, before }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // It may be gone.
        tcsetattr(&self.terminal, OptionalActions::Now, &self.before).ok();
    }
}

struct Desk<'a> {
    lan: &'a mut Lan,
    terminal: Raw,
    /// Keys that nobody has looked at yet.
    typed: VecDeque<u8>,
    /// The director whose console it is.
    here: usize,
    /// What the menu says below.
    note: String,
}

impl Desk<'_> {
    fn play(&mut self) -> Result<(), Gone> {
        // What stands on the screen stays there the first time: where everything is, and the keys.
        self.console("\r\n", FEW)?;
        while self.menu()? != Choice::Leave {
            self.console(CLEAR, BACKLOG)?;
        }
        Ok(())
    }

    /// The console with the end of its past behind `before`, until the escape key.
    fn console(&mut self, before: &str, rows: usize) -> Result<(), Gone> {
        let name = DIRECTORS[self.here];
        let (past, mut position) = self.serial().view(rows);
        self.write(&format!("{before}---- {name}'s console; Ctrl-] opens the menu ----\r\n"))?;
        self.write(&past.replace('\n', "\r\n"))?;
        let mut was_on = true;
        loop {
            let said = self.serial().raw_from(position);
            position += said.len();
            self.write_bytes(&said)?;
            let is_on = !self.lan.directors[self.here].has_ended();
            if was_on && !is_on {
                self.write(&format!("\r\n---- {name} is off; the menu (Ctrl-]) switches it on ----\r\n"))?;
            }
            was_on = is_on;
            self.look()?;
            let keys: Vec<u8> = self.typed.iter().copied().take_while(|key| *key != ESCAPE).collect();
            self.typed.drain(..keys.len());
            // What is typed at a machine that is off, or dies meanwhile, is typed in vain.
            self.serial().try_send_bytes(&keys).ok();
            if self.typed.pop_front().is_some() {
                return Ok(());
            }
        }
    }

    /// The menu, until a choice that ends it.
    fn menu(&mut self) -> Result<Choice, Gone> {
        let mut shown = String::new();
        loop {
            let text = self.state().text();
            if text != shown {
                self.write(&format!("{CLEAR}{}", text.replace('\n', "\r\n")))?;
                shown = text;
            }
            let Some(choice) = self.key(LOOKS)?.and_then(Choice::of) else { continue };
            match choice {
                Choice::Leave | Choice::Back => return Ok(choice),
                Choice::Console(index) => {
                    self.here = index;
                    return Ok(choice);
                }
                Choice::Watch => {
                    self.watch()?;
                    shown.clear();
                }
                Choice::Cable(_) | Choice::Server(_) | Choice::Power(_) => {
                    self.write("\r\n ...")?;
                    self.note = self.act(choice);
                }
            }
        }
    }

    /// Does to the LAN what was chosen, and says what it was.
    fn act(&mut self, choice: Choice) -> String {
        let lan = &mut *self.lan;
        match choice {
            Choice::Cable(index) => {
                let cut = lan.is_cut[index];
                lan.set_cut(index, if cut { Cable::Mended } else { Cable::Pulled });
                format!("{} the cable of {}", if cut { "mended" } else { "cut" }, DIRECTORS[index])
            }
            Choice::Server(_) if lan.world.guest().has_ended() => {
                "the guest of client and web servers has ended".to_owned()
            }
            Choice::Server(index) if lan.is_dead[index] => {
                lan.restore_server(index);
                format!("restored {}", SERVERS[index].0)
            }
            Choice::Server(index) => {
                lan.kill_server(index);
                format!("killed {}", SERVERS[index].0)
            }
            Choice::Power(index) if lan.directors[index].has_ended() => {
                lan.power_on(index);
                format!("switched on {}", DIRECTORS[index])
            }
            Choice::Power(index) => {
                lan.power_off(index);
                format!("switched off {}", DIRECTORS[index])
            }
            Choice::Console(_) | Choice::Watch | Choice::Leave | Choice::Back => String::new(),
        }
    }

    /// The client's answers from now on, until a key.
    fn watch(&mut self) -> Result<(), Gone> {
        self.write(&format!("{CLEAR}{LEGEND}\r\n\r\n"))?;
        let mut watch = Watch::default();
        // A gap that is under way began before.
        let mut next = self.lan.world.count().saturating_sub(LATELY);
        while self.key(1)?.is_none() {
            let answers = self.lan.world.answers_since(next);
            next += answers.len();
            let text: String = answers.iter().map(|answer| watch.take(answer)).collect();
            self.write(&text.replace('\n', "\r\n"))?;
        }
        Ok(())
    }

    fn state(&self) -> State {
        let answers = self.lan.world.answers_since(self.lan.world.count().saturating_sub(LATELY));
        State {
            here: self.here,
            master: self.lan.master(),
            is_on: [0, 1].map(|index| !self.lan.directors[index].has_ended()),
            is_cut: self.lan.is_cut,
            is_dead: self.lan.is_dead,
            shares: lan::shares(&answers),
            note: self.note.clone(),
        }
    }

    fn serial(&self) -> &crate::serial::Serial {
        self.lan.directors[self.here].serial()
    }

    /// The next key, if there is one within so many periods.
    fn key(&mut self, periods: u32) -> Result<Option<u8>, Gone> {
        for _ in 0..periods {
            if self.typed.is_empty() {
                self.look()?;
            }
        }
        Ok(self.typed.pop_front())
    }

    /// Waits a period for keys.
    fn look(&mut self) -> Result<(), Gone> {
        let terminal = &self.terminal.terminal;
        match poll(&mut [PollFd::new(terminal, PollFlags::IN)], Some(&PERIOD)) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(_) => return Err(Gone),
        }
        let mut bytes = [0; 256];
        match rustix::io::read(terminal, &mut bytes) {
            Ok(0) => Err(Gone),
            Ok(count) => {
                self.typed.extend(&bytes[..count]);
                Ok(())
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(()),
            Err(_) => Err(Gone),
        }
    }

    fn write(&self, text: &str) -> Result<(), Gone> {
        self.write_bytes(text.as_bytes())
    }

    fn write_bytes(&self, mut bytes: &[u8]) -> Result<(), Gone> {
        let terminal = &self.terminal.terminal;
        while !bytes.is_empty() {
            match rustix::io::write(terminal, bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::AGAIN) => {
                    let second = Timespec::try_from(Duration::from_secs(1)).map_err(|_| Gone)?;
                    poll(&mut [PollFd::new(terminal, PollFlags::OUT)], Some(&second)).ok();
                }
                Err(Errno::INTR) => {}
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }
}
