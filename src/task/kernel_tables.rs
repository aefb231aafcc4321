//! `show interfaces`, `show arp`, `show routes`: the kernel's tables, read for the occasion.
//!
//! Interfaces and addresses are collected, up to their limits, because an interface is shown with its addresses and
//! the other tables name interfaces by number. Neighbours and routes may be many: they are printed as they come.
//! All of it is freed with the answer. A table that is not whole ends with a line about that and status 1.

use core::fmt;

use super::answer::{STATUS_FAILED, STATUS_OK};
use super::dump::{Dump, EPROTO, Job};
use super::shell::Shell;
use crate::console::kernel_tables::{self as show, Links, Trouble};
use crate::console::{Buf, Command, Format};
use crate::director::Director;
use crate::kernel::netlink::Protocol;
use crate::limits::{MAX_KERNEL_ADDRESSES, MAX_LINKS};
use crate::wire::rtnetlink::AddressEntry;
use crate::wire::rtnetlink::tables::{InterfaceEntry, NeighbourState, Row, Table, parse_row};

/// How often a list that changed while it was read is read before that is reported.
const MAX_READS: u8 = 4;

/// A table that is being read and printed.
pub(super) struct KernelTables {
    subject: Subject,
    format: Format,
    stage: Stage,
    dump: Option<Dump>,
    links: Vec<InterfaceEntry>,
    addresses: Vec<AddressEntry>,
    /// Rows printed.
    printed: usize,
    /// Times that the present list was read.
    reads: u8,
    trouble: Option<Trouble>,
}

/// What is shown: its name in JSON, the lists to read, and the sentence for a table without rows.
struct Subject {
    name: &'static str,
    tables: &'static [Table],
    nothing: &'static str,
}

/// What the next step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// Read this list of the subject's.
    Read(usize),
    /// Print the interface in this row: 0 its head, then one number for each address, its own or not, then its end.
    Print(usize, usize),
    Close,
}

impl KernelTables {
    /// Nothing read yet; `None` for a command that reads no such table.
    pub(super) fn new(command: Command, format: Format) -> Option<Self> {
        let (name, tables, nothing): (_, &[Table], _) = if command == Command::Interfaces {
            ("interfaces", &[Table::Interfaces, Table::Addresses], "no interfaces\n")
        } else if command == Command::Arp {
            ("neighbours", &[Table::Interfaces, Table::Neighbours], "no neighbours known\n")
        } else if command == Command::Routes {
            let tables = &[Table::Interfaces, Table::Routes4, Table::Routes6];
            ("routes", tables, "no routes in the main table\n")
        } else {
            return None;
        };
        Some(Self {
            subject: Subject { name, tables, nothing },
            format,
            stage: Stage::Open,
            dump: None,
            links: Vec::new(),
            addresses: Vec::new(),
            printed: 0,
            reads: 0,
            trouble: None,
        })
    }

    fn advance(&mut self, director: &Director, out: &mut Buf) -> Result<Stage, u16> {
        match self.stage {
            Stage::Open => {
                if self.format == Format::Json {
                    // What is written always fits.
                    let _ = show::json_begin(out, self.subject.name);
                }
                self.dump = Some(Dump::open(Protocol::Route)?);
                self.begin(0)
            }
            Stage::Read(list) => self.read(list, out),
            Stage::Print(row, part) => Ok(self.print(director, row, part, out)),
            Stage::Close => Ok(Stage::Close),
        }
    }

    /// Asks for a list; printing what was collected follows the last one.
    fn begin(&mut self, list: usize) -> Result<Stage, u16> {
        let (Some(table), Some(dump)) = (self.subject.tables.get(list), &mut self.dump) else {
            let collected = self.subject.tables.contains(&Table::Addresses);
            return Ok(if collected { Stage::Print(0, 0) } else { Stage::Close });
        };
        match table {
            Table::Interfaces => self.links.clear(),
            Table::Addresses => self.addresses.clear(),
            Table::Neighbours | Table::Routes4 | Table::Routes6 => {}
        }
        self.reads += 1;
        dump.ask(&|writer, seq| table.emit(writer, seq))?;
        Ok(Stage::Read(list))
    }

    fn read(&mut self, list: usize, out: &mut Buf) -> Result<Stage, u16> {
        let Some(mut dump) = self.dump.take() else { return Ok(Stage::Close) };
        let ended = dump.read(&mut |kind, payload| self.take(kind, payload, out));
        let interrupted = dump.is_interrupted();
        self.dump = Some(dump);
        if !ended? {
            return Ok(Stage::Read(list));
        }
        if interrupted {
            // What was printed cannot be taken back.
            if self.printed == 0 && self.reads < MAX_READS {
                return self.begin(list);
            }
            self.trouble = Some(Trouble::Changed);
        }
        self.reads = 0;
        self.begin(list + 1)
    }

    /// Keeps or prints a row. False if there is no room for it in the piece.
    fn take(&mut self, kind: u16, payload: &[u8], out: &mut Buf) -> bool {
        let (links, json) = (Links(&self.links), self.format == Format::Json);
        let written = match &parse_row(kind, payload) {
            Ok(Row::Interface(_)) if self.links.len() >= MAX_LINKS => {
                return self.too_large();
            }
            Ok(Row::Address(_)) if self.addresses.len() >= MAX_KERNEL_ADDRESSES => {
                return self.too_large();
            }
            Ok(Row::Interface(link)) => {
                self.links.push(*link);
                return true;
            }
            Ok(Row::Address(address)) => {
                self.addresses.push(*address);
                return true;
            }
            Ok(Row::Neighbour(entry)) => {
                if matches!(entry.state, NeighbourState::NoArp | NeighbourState::None) {
                    return true;
                }
                fitting(out, self.printed, json, &|out| match json {
                    true => show::neighbour_json(out, links, entry),
                    false if self.printed == 0 => {
                        show::neighbours_head(out).and_then(|()| show::neighbour(out, links, entry))
                    }
                    false => show::neighbour(out, links, entry),
                })
            }
            Ok(Row::Route(entry)) => fitting(out, self.printed, json, &|out| match json {
                true => show::route_json(out, links, entry),
                false => show::route(out, links, entry),
            }),
            Ok(Row::Other) => return true,
            Err(_) => {
                self.trouble = Some(Trouble::Errno(EPROTO));
                return true;
            }
        };
        self.printed += usize::from(written);
        written
    }

    /// More rows than are collected: who asks for them is told so, who needs names of interfaces gets numbers.
    fn too_large(&mut self) -> bool {
        if self.subject.tables.contains(&Table::Addresses) {
            self.trouble = Some(Trouble::TooLarge);
        }
        true
    }

    /// Prints interfaces while there is room.
    fn print(&mut self, director: &Director, mut row: usize, mut part: usize, out: &mut Buf) -> Stage {
        while let Some(entry) = self.links.get(row) {
            let fits = match (part.checked_sub(1), part.checked_sub(1).and_then(|at| self.addresses.get(at)))
            {
                (None, _) => self.print_head(row, entry, out),
                (Some(at), Some(address)) => {
                    address.link != entry.link.index || self.print_address(director, entry, at, out)
                }
                (Some(_), None) => fitting(out, 1, false, &|out| match self.format {
                    Format::Text => show::counters(out, entry),
                    Format::Json => show::interface_json_end(out),
                }),
            };
            if !fits {
                return Stage::Print(row, part);
            }
            (row, part) = if part > self.addresses.len() { (row + 1, 0) } else { (row, part + 1) };
        }
        self.printed = row;
        Stage::Close
    }

    fn print_head(&self, row: usize, entry: &InterfaceEntry, out: &mut Buf) -> bool {
        let (links, json) = (Links(&self.links), self.format == Format::Json);
        fitting(out, row, json, &|out| match json {
            true => show::interface_json(out, links, entry),
            false => show::interface(out, links, entry),
        })
    }

    fn print_address(&self, director: &Director, entry: &InterfaceEntry, at: usize, out: &mut Buf) -> bool {
        let (before, rest) = self.addresses.split_at(at.min(self.addresses.len()));
        let Some(address) = rest.first() else { return true };
        let owner = show::owner(director, entry.link.name, address.address);
        let json = self.format == Format::Json;
        let place = usize::from(before.iter().any(|other| other.link == address.link));
        fitting(out, place, json, &|out| match json {
            true => show::address_json(out, address, owner),
            false => show::address(out, address, owner),
        })
    }

    fn close(&self, out: &mut Buf) -> u8 {
        // What is written always fits.
        let _ = match (self.format, self.trouble) {
            (Format::Json, trouble) => show::json_end(out, trouble),
            (Format::Text, Some(trouble)) => fmt::write(out, format_args!("{trouble}\n")),
            (Format::Text, None) if self.printed == 0 => {
                out.push_str(self.subject.nothing).map_err(|_| fmt::Error)
            }
            (Format::Text, None) => Ok(()),
        };
        if self.trouble.is_some() { STATUS_FAILED } else { STATUS_OK }
    }
}

impl Job for KernelTables {
    fn step(&mut self, shell: &Shell, out: &mut Buf) -> Option<u8> {
        if self.stage == Stage::Close {
            return Some(self.close(out));
        }
        self.stage = self.advance(&shell.director.borrow(), out).unwrap_or_else(|errno| {
            self.trouble = Some(Trouble::Errno(errno));
            Stage::Close
        });
        None
    }
}

/// Appends a row, in JSON behind what separates it from the one before. False if it has no room: then nothing of it
/// is there.
fn fitting(out: &mut Buf, place: usize, json: bool, write: &dyn Fn(&mut Buf) -> fmt::Result) -> bool {
    let mark = out.len();
    let separated = if json { show::separator(out, place == 0) } else { Ok(()) };
    if separated.and_then(|()| write(out)).is_ok() {
        return true;
    }
    out.truncate(mark);
    debug_assert!(mark > 0, "a row is larger than a piece");
    mark == 0
}
