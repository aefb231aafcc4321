//! What is shown of IPVS besides its table, and `zero ipvs`: one question to the kernel, or the file of connections.
//!
//! A connection table may have a hundred thousand lines: the file is read piece by piece, as the answer is taken, and
//! one piece is held ([`MAX_PIECE`]).

use super::answer::{STATUS_FAILED, STATUS_OK, STATUS_USAGE};
use super::dump::{Dump, Job};
use super::shell::Shell;
use super::snapshot::{Rows, Snapshot};
use crate::console::ipvs::connections::{self, Connection};
use crate::console::ipvs::{Selection, View, views};
use crate::console::table::Argument;
use crate::console::{Buf, Format, ipvs};
use crate::kernel::files::Stream;
use crate::kernel::netlink::Protocol;
use crate::wire::genl_ipvs::{self, Request, ServiceKey};

/// The kernel writes a page at a time.
const MAX_PIECE: usize = 4_096;
/// Bytes of the longest row of a connection: JSON with three IPv6 addresses.
const ROW: usize = 320;
const FILE: &str = "/proc/net/ip_vs_conn";
/// No such service.
const ESRCH: u16 = 3;

/// Starts a view; a status if the words behind it cannot be understood.
pub(super) fn show(
    (view, family): (View, u16),
    argument: &Argument,
    format: Format,
    piece: &mut Buf,
) -> Result<Box<dyn Job>, u8> {
    let selection = select(argument, piece)?;
    Ok(match view {
        View::Connections => Box::new(Connections::new(selection, format)),
        View::Timeouts => Box::new(Question::new(family, Request::GetTimeouts, format)),
        View::Daemon => Box::new(Question::new(family, Request::DumpDaemons, format)),
        View::Plain
        | View::Stats
        | View::Rate
        | View::Thresholds
        | View::Persistent
        | View::Tunnels
        | View::Save => Box::new(Snapshot::new(family, (view, selection, Rows::Shown), format)),
    })
}

/// The table with the services that lead our checks.
pub(super) fn all(
    family: u16,
    argument: &Argument,
    format: Format,
    piece: &mut Buf,
) -> Result<Box<dyn Job>, u8> {
    let selection = select(argument, piece)?;
    Ok(Box::new(Snapshot::new(family, (View::Plain, selection, Rows::All), format)))
}

/// Starts `zero ipvs`.
pub(super) fn zero(family: u16, argument: &Argument, piece: &mut Buf) -> Result<Box<dyn Job>, u8> {
    let selection = select(argument, piece)?;
    let keys = selection.wanted.map(views::Wanted::keys);
    let what = *argument;
    Ok(Box::new(Zero { family, keys, next: 0, done: 0, what }))
}

fn select(argument: &Argument, piece: &mut Buf) -> Result<Selection, u8> {
    Selection::parse(argument.as_str()).map_err(|word| {
        // What is written always fits.
        let _ = views::no_selection(piece, word);
        STATUS_USAGE
    })
}

/// Asks, and gives every payload of the answer to `take`.
fn ask(family: u16, request: Request, take: &mut dyn FnMut(&[u8])) -> Result<(), u16> {
    let mut dump = Dump::open(Protocol::Generic)?;
    dump.ask(&|writer, seq| request.emit(writer, family, seq))?;
    while !dump.read(&mut |_, payload| {
        take(payload);
        true
    })? {}
    Ok(())
}

/// A question whose answer fits one piece.
struct Question {
    family: u16,
    request: Request,
    format: Format,
}

impl Question {
    fn new(family: u16, request: Request, format: Format) -> Self {
        Self { family, request, format }
    }
}

impl Job for Question {
    fn step(&mut self, _: &Shell, out: &mut Buf) -> Option<u8> {
        let json = self.format == Format::Json;
        let daemons = self.request == Request::DumpDaemons;
        // What is written always fits.
        if json && daemons {
            let _ = out.push_str("{\"daemons\":[");
        }
        let mut count = 0;
        let asked = ask(self.family, self.request, &mut |payload| {
            if let Some(values) = genl_ipvs::parse_timeouts(payload) {
                let write = if json { views::timeouts_json } else { views::timeouts };
                let _ = write(out, values);
            } else if let (true, Ok(entry)) = (daemons, genl_ipvs::parse_daemon(payload)) {
                let _ = if json && count > 0 { out.push_str(",") } else { Ok(()) };
                let _ = if json { views::daemon_json(out, &entry) } else { views::daemon(out, &entry) };
                count += 1;
            }
        });
        if json && daemons {
            let _ = out.push_str("]}\n");
        }
        match asked {
            Ok(()) => Some(STATUS_OK),
            Err(errno) => {
                if !json {
                    let _ = ipvs::unavailable(out, errno);
                }
                Some(STATUS_FAILED)
            }
        }
    }
}

/// Sets counters to zero: one request a step.
struct Zero {
    family: u16,
    /// `None` for all of them.
    keys: Option<heapless::Vec<ServiceKey, 3>>,
    next: usize,
    done: usize,
    what: Argument,
}

impl Zero {
    fn next_request(&mut self) -> Option<Request> {
        let place = self.next;
        self.next += 1;
        match &self.keys {
            None => (place == 0).then_some(Request::Zero(None)),
            Some(keys) => keys.get(place).map(|key| Request::Zero(Some(*key))),
        }
    }
}

impl Job for Zero {
    fn step(&mut self, _: &Shell, out: &mut Buf) -> Option<u8> {
        if let Some(request) = self.next_request() {
            return match ask(self.family, request, &mut |_| {}) {
                Ok(()) => {
                    self.done += 1;
                    None
                }
                Err(ESRCH) => None,
                Err(errno) => {
                    let _ = ipvs::unavailable(out, errno);
                    Some(STATUS_FAILED)
                }
            };
        }
        if self.done == 0 {
            let _ = out.push_str("No such service\n");
            return Some(STATUS_FAILED);
        }
        let what = if self.what.as_str().is_empty() { "all services" } else { self.what.as_str() };
        ::log::info!("IPVS counters of {what} set to zero on the console");
        Some(STATUS_OK)
    }
}

/// Connections that are being read and printed.
struct Connections {
    selection: Selection,
    format: Format,
    file: Option<Stream>,
    /// What was read and not printed: whole lines, and the start of one.
    held: heapless::Vec<u8, MAX_PIECE>,
    /// Of that, how much was printed.
    taken: usize,
    printed: usize,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Lines,
    Close,
}

impl Connections {
    fn new(selection: Selection, format: Format) -> Self {
        let held = heapless::Vec::new();
        Self { selection, format, file: None, held, taken: 0, printed: 0, stage: Stage::Open }
    }

    fn advance(&mut self, out: &mut Buf) -> Result<Stage, u16> {
        match self.stage {
            Stage::Open => {
                self.file = Some(Stream::open(FILE.as_ref()).map_err(|error| error.number())?);
                let _ = match self.format {
                    Format::Text => connections::head(out),
                    Format::Json => out.push_str("{\"connections\":[").map_err(|_| core::fmt::Error),
                };
                Ok(Stage::Lines)
            }
            Stage::Lines => {
                self.print(out);
                if out.capacity() - out.len() < ROW {
                    return Ok(Stage::Lines);
                }
                Ok(if self.fill()? { Stage::Lines } else { Stage::Close })
            }
            Stage::Close => Ok(Stage::Close),
        }
    }

    /// Prints whole lines while there is room.
    fn print(&mut self, out: &mut Buf) {
        while out.capacity() - out.len() >= ROW {
            let rest = self.held.get(self.taken..).unwrap_or(&[]);
            let Some(length) = rest.iter().position(|byte| *byte == b'\n') else { return };
            let line = rest.get(..length).and_then(|line| core::str::from_utf8(line).ok()).unwrap_or("");
            self.taken += length + 1;
            let Some(found) = Connection::parse(line) else { continue };
            let [_, (address, port), _] = found.ends;
            if self.selection.takes_address(address, port) {
                // There is room for a row.
                let _ = match self.format {
                    Format::Text => connections::line(out, &found),
                    Format::Json => out
                        .push_str(if self.printed == 0 { "\n" } else { ",\n" })
                        .map_err(|_| core::fmt::Error)
                        .and_then(|()| connections::json(out, &found)),
                };
                self.printed += 1;
            }
        }
    }

    /// Reads behind the start of a line; false at the end of the file.
    fn fill(&mut self) -> Result<bool, u16> {
        let (held, taken) = (self.held.len(), self.taken.min(self.held.len()));
        self.held.rotate_left(taken);
        let left = held - taken;
        self.taken = 0;
        // A line that fills all of it is none.
        let left = if left == MAX_PIECE { 0 } else { left };
        let _ = self.held.resize(MAX_PIECE, 0);
        let file = self.file.as_mut().ok_or(0_u16)?;
        let read = file.read(self.held.get_mut(left..).unwrap_or(&mut [])).map_err(|error| error.number());
        self.held.truncate(left + *read.as_ref().unwrap_or(&0));
        Ok(read? > 0)
    }
}

impl Job for Connections {
    fn step(&mut self, _: &Shell, out: &mut Buf) -> Option<u8> {
        if self.stage == Stage::Close {
            let _ = if self.format == Format::Json { out.push_str("\n]}\n") } else { Ok(()) };
            return Some(STATUS_OK);
        }
        match self.advance(out) {
            Ok(stage) => {
                self.stage = stage;
                None
            }
            Err(errno) => {
                let _ = ipvs::unavailable(out, errno);
                Some(STATUS_FAILED)
            }
        }
    }
}
