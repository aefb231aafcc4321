//! What the control socket answers: a command line in, output in pieces that fit one message, a status at the end.
//!
//! `console` understands the line and renders; `reload` and `show ipvs` have their work done here first (`reload`,
//! `snapshot`), a slice at a time. Nothing is rendered before the client has taken the piece before it.

use core::fmt::Write;

use super::dump::Job;
use super::echo::{self, Asker, Told};
use super::ipvs_views;
use super::kernel_tables::KernelTables;
use super::meter::{CLASSES, Work};
use super::nftables;
use super::real;
use super::reload::{Force, Outcome, Ticket, Verdict};
use super::settings::Settings;
use super::shell::{Role, Shell};
use super::watch::{self, Watch};
use crate::console::ipvs::View as IpvsView;
use crate::console::table::Argument;
use crate::console::view::{self, Tally};
use crate::console::{self, Buf, Command, Format, Request, View};
use crate::director::event::Event;
use crate::director::ipvs_plan::Availability;
use crate::kernel::machine::End;
use crate::kernel::{clock, process};
use crate::observe::log::Topic;
use crate::observe::ring::Cursor;
use crate::observe::{heap, log};
use crate::task::load::Found;
use crate::time::{Duration, Instant};

/// Status of a command that did what it should.
pub const STATUS_OK: u8 = 0;
/// Status of a command that was refused or failed.
pub const STATUS_FAILED: u8 = 1;
/// Status of a line that is no command.
pub const STATUS_USAGE: u8 = 2;

/// An answer that is being given.
pub struct Answer {
    kind: Kind,
    /// A piece and how much of it was given.
    piece: Buf,
    given: usize,
    /// What the log is asked about at the end.
    about: Option<Argument>,
}

enum Kind {
    /// A reload that was asked for, and in what form it is told.
    Reload(Ticket, Format),
    /// Its text from this byte on.
    Told(usize),
    /// Rendered from the director's state.
    Rendered(console::Answer),
    /// Read from the kernel.
    Table(Box<dyn Job>),
    /// The log, to its end.
    Log(Cursor, Format, Part),
    /// The last lines of the log about something.
    History(History),
    /// The log or the changes, for ever.
    Follow(Topic, Cursor, Format),
    /// What a ping brings, to its end.
    Echo(Asker),
    /// Another command, again and again.
    Watch(Watch),
    /// The end of the machine, once it was told.
    End(End),
    /// Over.
    Over(u8),
}

/// A search in the log, which is read twice: to count, then to show the last of what was found.
struct History {
    name: Argument,
    cursor: Cursor,
    /// Lines to pass over; `None` while they are counted.
    skip: Option<usize>,
    found: usize,
}

/// Lines of the log that `why` shows.
const HISTORY: usize = 8;

/// Where a list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Head,
    First,
    Rest,
}

/// Bytes of lines in one piece: as JSON they fit a [`Buf`] with every byte of them escaped.
const LINES: usize = 1_536;

/// What a step brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The reload of this ticket has to end first.
    Wait(Ticket),
    /// Nothing until there is news; the asker may lose interest.
    Follow,
    /// The same, but it ends by itself soon.
    Soon,
    /// Nothing until then; the asker may lose interest.
    Pause(Instant),
    /// A new page begins.
    Page,
    /// This many bytes of the buffer, and there is more; none if only work was done.
    More(usize),
    /// Nothing more.
    Done(u8),
}

impl Answer {
    /// Starts to answer `line`.
    pub fn new(shell: &Shell, line: &[u8]) -> Self {
        let (mut piece, mut about) = (Buf::new(), None);
        let kind = match console::parse(line) {
            Ok(request) => {
                about = Some(request.argument).filter(|_| request.command == Command::Why);
                start(shell, request, &mut piece)
            }
            Err(mistake) => {
                let _ = core::fmt::write(&mut piece, format_args!("{mistake}\n"));
                Kind::Over(STATUS_USAGE)
            }
        };
        Self { kind, piece, given: 0, about }
    }

    /// Gives the next piece in `out`.
    pub fn step(&mut self, shell: &Shell, out: &mut [u8]) -> Step {
        if let Some(length) = self.give(out) {
            return Step::More(length);
        }
        self.piece.clear();
        self.given = 0;
        self.kind = match core::mem::replace(&mut self.kind, Kind::Over(STATUS_FAILED)) {
            Kind::Over(status) => return Step::Done(status),
            Kind::End(end) => {
                ::log::info!(target: log::CHANGE, "{}", told_end(end));
                shell.stop_machine(end);
                return Step::Done(STATUS_OK);
            }
            Kind::Reload(ticket, format) if !shell.desk.is_done(ticket) => {
                self.kind = Kind::Reload(ticket, format);
                return Step::Wait(ticket);
            }
            Kind::Reload(_, Format::Text) => Kind::Told(0),
            Kind::Reload(_, Format::Json) => Kind::Rendered(console::Answer::new(Request {
                command: Command::Reload,
                format: Format::Json,
                argument: Argument::NONE,
            })),
            Kind::Told(from) => tell(&shell.desk.outcome(), from, &mut self.piece),
            Kind::Rendered(mut answer) => {
                let more = render(shell, &mut answer, &mut self.piece);
                match if more { None } else { self.about.take() } {
                    Some(name) => {
                        Kind::History(History { name, cursor: Cursor::default(), skip: None, found: 0 })
                    }
                    None if more => Kind::Rendered(answer),
                    None => Kind::Over(STATUS_OK),
                }
            }
            Kind::History(history) => tell_history(history, &mut self.piece),
            Kind::Log(cursor, format, part) => read_log(cursor, format, part, &mut self.piece),
            Kind::Follow(topic, mut cursor, format) => {
                let new = follow(topic, &mut cursor, format, &mut self.piece);
                self.kind = Kind::Follow(topic, cursor, format);
                return if new { Step::More(self.give(out).unwrap_or(0)) } else { Step::Follow };
            }
            Kind::Watch(mut watch) => {
                let step = watch.step(shell, out);
                self.kind = Kind::Watch(watch);
                return step;
            }
            Kind::Echo(mut asker) => match asker.read(&mut self.piece) {
                Told::Lines => Kind::Echo(asker),
                Told::End(status) => Kind::Over(status),
                Told::Nothing => {
                    self.kind = Kind::Echo(asker);
                    return Step::Soon;
                }
            },
            Kind::Table(mut snapshot) => match snapshot.step(shell, &mut self.piece) {
                None => Kind::Table(snapshot),
                Some(status) => Kind::Over(status),
            },
        };
        Step::More(self.give(out).unwrap_or(0))
    }

    /// The page is full: what is left of it is not wanted.
    pub fn skip_page(&mut self) {
        if let Kind::Watch(watch) = &mut self.kind {
            watch.skip();
        }
    }

    /// Copies what is left of the piece.
    fn give(&mut self, out: &mut [u8]) -> Option<usize> {
        let rest = self.piece.as_bytes().get(self.given..).filter(|rest| !rest.is_empty())?;
        let length = rest.len().min(out.len());
        out.get_mut(..length)?.copy_from_slice(rest.get(..length)?);
        self.given += length;
        Some(length)
    }
}

/// The machine's end as a line.
fn told_end(end: End) -> &'static str {
    match end {
        End::Reboot => "Reboot asked for on the console",
        End::PowerOff => "Power off asked for on the console",
    }
}

/// Only PID 1 ends the machine: a daemon's host has other work.
fn start_end(shell: &Shell, (end, format): (End, Format), piece: &mut Buf) -> Kind {
    let mine = shell.options.role == Role::Appliance;
    let text = match (mine, format) {
        (true, Format::Text) => "taking addresses and services down first\n",
        (true, Format::Json) => "{\"accepted\":true}\n",
        (false, Format::Text) => {
            "refused: this is a daemon on a machine of its owner's; only the appliance ends its machine\n"
        }
        (false, Format::Json) => "{\"accepted\":false}\n",
    };
    let _ = piece.push_str(text);
    if mine { Kind::End(end) } else { Kind::Over(STATUS_FAILED) }
}

/// `set track NAME VALUE`: a status; what was done, or why not, is written to `piece`.
fn set_track(shell: &Shell, words: &str, piece: &mut Buf) -> u8 {
    const MOST: i16 = 10_000;
    let (name, value) = words.split_once(' ').unwrap_or((words, ""));
    let variable = shell.director.borrow().config().variable(name);
    let value = value.parse().ok().filter(|value| (-MOST..=MOST).contains(value));
    // What is written always fits.
    let _ = match (variable, value) {
        (Some(variable), Some(value)) => {
            shell.handle(Event::SetVariable { variable, value });
            return STATUS_OK;
        }
        (None, _) => writeln!(piece, "there is no track_file {name} in the configuration"),
        (_, None) => writeln!(piece, "a value is a number from -{MOST} to {MOST}"),
    };
    STATUS_USAGE
}

fn start(shell: &Shell, request: Request, piece: &mut Buf) -> Kind {
    let present = matches!(shell.director.borrow().ipvs_plan().availability(), Availability::Present(_));
    match (request.command, shell.ipvs_family.get()) {
        (Command::Reload, _) => Kind::Reload(shell.desk.request(Force::No), request.format),
        (Command::ReloadForce, _) => Kind::Reload(shell.desk.request(Force::Yes), request.format),
        (Command::Log, _) => Kind::Log(Cursor::default(), request.format, Part::Head),
        (Command::LogFollow, _) => Kind::Follow(Topic::Log, log::end(Topic::Log), request.format),
        (Command::LogChanges, _) => Kind::Follow(Topic::Changes, log::end(Topic::Changes), request.format),
        (Command::Ping | Command::Arping, _) => {
            echo::ask(shell, &request, piece).map_or_else(Kind::Over, Kind::Echo)
        }
        (command @ (Command::Drain | Command::Enable | Command::Weight), _) => {
            Kind::Over(real::run(shell, command, request.argument.as_str(), piece))
        }
        (Command::Watch, _) => {
            watch::start(request.argument.as_str(), piece).map_or_else(Kind::Over, Kind::Watch)
        }
        (Command::SetTrack, _) => Kind::Over(set_track(shell, request.argument.as_str(), piece)),
        (Command::AlarmClear, _) => {
            shell.handle(Event::ClearAlarms);
            Kind::Over(STATUS_OK)
        }
        (Command::Reboot, _) => start_end(shell, (End::Reboot, request.format), piece),
        (Command::PowerOff, _) => start_end(shell, (End::PowerOff, request.format), piece),
        (Command::Firewall, _) => {
            nftables::look(shell);
            Kind::Rendered(console::Answer::new(request))
        }
        (Command::Sysctl, _) => Kind::Table(Box::new(Settings::new(request.format))),
        (Command::Ipvs, Some(family)) if present => {
            table(ipvs_views::show((IpvsView::Plain, family), &request.argument, request.format, piece))
        }
        (Command::IpvsAll, Some(family)) if present => {
            table(ipvs_views::all(family, &request.argument, request.format, piece))
        }
        (Command::IpvsOf(view), Some(family)) if present => {
            table(ipvs_views::show((view, family), &request.argument, request.format, piece))
        }
        (Command::ZeroIpvs, Some(family)) if present => {
            table(ipvs_views::zero(family, &request.argument, piece))
        }
        (command, _) => match KernelTables::new(command, request.format) {
            Some(tables) => Kind::Table(Box::new(tables)),
            None => Kind::Rendered(console::Answer::new(request)),
        },
    }
}

fn table(started: Result<Box<dyn Job>, u8>) -> Kind {
    started.map_or_else(Kind::Over, Kind::Table)
}

/// The next lines of the log.
fn read_log(mut cursor: Cursor, format: Format, part: Part, piece: &mut Buf) -> Kind {
    let mut bytes = [0; LINES];
    let (count, _) = log::read_lines(Topic::Log, &mut cursor, &mut bytes);
    let lines = bytes.get(..count).and_then(|lines| core::str::from_utf8(lines).ok()).unwrap_or("");
    let mut first = part != Part::Rest;
    // What is written always fits.
    let _ = match format {
        Format::Text => piece.write_str(lines),
        Format::Json => {
            let head = if part == Part::Head { "{\"lines\":[" } else { "" };
            piece.write_str(head).and_then(|()| console::log::json_items(lines, &mut first, piece))
        }
    };
    if count > 0 {
        return Kind::Log(cursor, format, if first { Part::First } else { Part::Rest });
    }
    if format == Format::Json {
        let _ = piece.write_str("]}\n");
    }
    Kind::Over(STATUS_OK)
}

/// The next lines of the log, those about the object.
fn tell_history(mut history: History, piece: &mut Buf) -> Kind {
    let mut bytes = [0; LINES];
    let (count, _) = log::read_lines(Topic::Log, &mut history.cursor, &mut bytes);
    let lines = bytes.get(..count).and_then(|lines| core::str::from_utf8(lines).ok()).unwrap_or("");
    for line in lines.lines().filter(|line| console::log::is_about(line, history.name.as_str())) {
        history.found += 1;
        if history.skip.is_some_and(|skip| history.found > skip) {
            // What is written always fits.
            let _ = writeln!(piece, "{line}");
        }
    }
    match (count, history.skip) {
        (1.., _) => Kind::History(history),
        (0, None) => {
            if history.found > 0 {
                let _ = piece.push_str("in the log\n");
            }
            let skip = Some(history.found.saturating_sub(HISTORY));
            Kind::History(History { cursor: Cursor::default(), skip, found: 0, ..history })
        }
        (0, Some(_)) => Kind::Over(STATUS_OK),
    }
}

/// Lines that are new. False if there are none.
fn follow(topic: Topic, cursor: &mut Cursor, format: Format, piece: &mut Buf) -> bool {
    let mut bytes = [0; LINES];
    let (count, lost) = log::read_lines(topic, cursor, &mut bytes);
    let lines = bytes.get(..count).and_then(|lines| core::str::from_utf8(lines).ok()).unwrap_or("");
    // What is written always fits.
    let _ = match format {
        Format::Text => console::log::lost(lost, piece).and_then(|()| piece.write_str(lines)),
        Format::Json => console::log::json_objects(lines, piece),
    };
    count > 0
}

/// What a reload had to say, piece by piece.
fn tell(outcome: &Outcome, from: usize, piece: &mut Buf) -> Kind {
    let rest = outcome.text.get(from..).unwrap_or("");
    let cut =
        rest.char_indices().map(|(at, char)| at + char.len_utf8()).take_while(|end| *end <= piece.capacity());
    let end = cut.last().unwrap_or(0);
    let _ = piece.push_str(rest.get(..end).unwrap_or(""));
    match (end, outcome.verdict) {
        (1.., _) => Kind::Told(from + end),
        // Behind what there was to object to: the sentence that `status` has, too.
        (0, Verdict::InForce) => Kind::Rendered(console::Answer::new(Request {
            command: Command::Reload,
            format: Format::Text,
            argument: Argument::NONE,
        })),
        (0, Verdict::Refused(_) | Verdict::Unreadable { .. }) => Kind::Over(STATUS_FAILED),
    }
}

fn render(shell: &Shell, answer: &mut console::Answer, piece: &mut Buf) -> bool {
    let (director, meter) = (shell.director.borrow(), &shell.meter);
    let (boot, status) = (shell.boot.borrow(), process::status().unwrap_or_default());
    // Three files of the kernel's, which nobody else wants to know.
    let room = answer.tells_memory().then(|| process::room(shell.options.budget));
    let work: [(&'static str, Tally); Work::ALL.len()] =
        Work::ALL.map(|work| (work.name(), meter.work(work)));
    let ends = CLASSES.into_iter().map(Some).chain([None::<Duration>]);
    let mut classes = [(None, 0); CLASSES.len() + 1];
    for ((class, end), count) in classes.iter_mut().zip(ends).zip(meter.classes()) {
        *class = (end, count);
    }
    let (heap, log, worst) = (heap::figures(), log::figures(), meter.worst());
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let found =
        |found: Found| view::Diagnostics { errors: size(found.errors), warnings: size(found.warnings) };
    let outcome = shell.desk.outcome();
    let told = match outcome.verdict {
        Verdict::InForce => view::Outcome::InForce,
        Verdict::Refused(why) => view::Outcome::Refused(found(why)),
        Verdict::Unreadable { errno } => view::Outcome::Unreadable { errno },
    };
    let view = View {
        director: &director,
        now: clock::now(),
        identity: view::Identity {
            version: env!("CARGO_PKG_VERSION"),
            host: &shell.host,
            configuration: &shell.options.file.to_string_lossy(),
            started: shell.started,
            pid: process::id(),
        },
        heap: view::Heap { live: heap.live, peak: heap.peak, allocations_total: heap.allocations_total },
        process: view::Process {
            resident_kib: size(status.resident_kib),
            threads: size(status.threads),
            need: shell.found.get().need,
            room: room.map_or_else(Default::default, |room| (room.bytes, room.bound)),
        },
        turns: view::Turns {
            since: meter.since(),
            turns_total: meter.turns_total(),
            wakes: meter.wakes(),
            worst: view::Worst { late: worst.late, after: worst.after.name(), at: worst.at },
            work: &work,
            ipvs: shell.ipvs.borrow().traffic(),
            classes: &classes,
        },
        log: view::LogFigures {
            written_total: log.written_total,
            lost_total: log.lost_total,
            held: log.held,
        },
        argument: "",
        boot: &boot,
        diagnostics: found(shell.found.get()),
        short: shell.short.get(),
        reload: outcome.at.map(|at| view::Reload { at, outcome: told }),
        #[cfg(feature = "tls")]
        clock_set: super::tls::is_clock_set(),
    };
    answer.next(&view, piece)
}
