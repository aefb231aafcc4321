//! `show ipvs`: the kernel's own table, read for the occasion and printed as `ipvsadm -Ln` prints it.
//!
//! What the director believes is not asked: an operator wants to see what the kernel does, services of others
//! included. One datagram is read a step ([`super::dump`]); one list of services and one of destinations are held, and
//! freed with the answer.

use super::answer::{STATUS_FAILED, STATUS_OK};
use super::dump::{Dump, Job};
use super::shell::Shell;
use crate::console::{Buf, Format, ipvs};
use crate::director::Director;
use crate::kernel::netlink::Protocol;
use crate::limits::{MAX_REAL_SERVERS, MAX_SERVICES, MAX_VIA};
use crate::wire::genl_ipvs::{self, DestinationEntry, Info, Request, ServiceEntry};

/// Bytes of the longest row, with room to spare.
const ROW: usize = 512;
/// Services read at most: ours and as many of others.
const MAX_ROWS: usize = 2 * MAX_SERVICES + MAX_VIA;

/// Which services are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// Those of the configuration, and of others.
    Shown,
    /// With those that lead our checks.
    All,
}

/// A table that is being read and printed.
pub(super) struct Snapshot {
    family: u16,
    format: Format,
    rows: Rows,
    stage: Stage,
    dump: Option<Dump>,
    services: Vec<ServiceEntry>,
    destinations: Vec<DestinationEntry>,
    scratch: Vec<DestinationEntry>,
}

/// What the next step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Info,
    Services,
    /// Ask for the destinations of this service.
    Ask(usize),
    /// Read them.
    Destinations(usize),
    /// Print this row of them.
    Print(usize, usize),
    Close,
}

impl Snapshot {
    /// Nothing read yet; `family` is the number of IPVS in this kernel.
    pub(super) fn new(family: u16, format: Format, rows: Rows) -> Self {
        Self {
            family,
            format,
            rows,
            stage: Stage::Open,
            dump: None,
            services: Vec::new(),
            destinations: Vec::new(),
            scratch: Vec::new(),
        }
    }

    fn advance(&mut self, director: &Director, out: &mut Buf) -> Result<Option<Stage>, u16> {
        match self.stage {
            Stage::Open => {
                self.dump = Some(Dump::open(Protocol::Generic)?);
                self.ask(Request::GetInfo)?;
                Ok(Some(Stage::Info))
            }
            Stage::Info => self.read_info(out),
            Stage::Services => {
                let mut found = core::mem::take(&mut self.services);
                let ended = self.read(|payload| found.extend(genl_ipvs::parse_service(payload)))?;
                self.services = found;
                if self.rows == Rows::Shown {
                    self.services.retain(|one| !director.is_hidden(&one.key));
                }
                self.services.truncate(MAX_ROWS);
                if !ended {
                    return Ok(Some(Stage::Services));
                }
                let mut scratch = Vec::with_capacity(self.services.len());
                ipvs::sort(&mut self.services, &mut scratch, &|a, b| ipvs::compare_services(&a.key, &b.key));
                Ok(Some(Stage::Ask(0)))
            }
            Stage::Ask(row) => {
                let Some(service) = self.services.get(row).copied() else { return Ok(Some(Stage::Close)) };
                self.destinations.clear();
                self.ask(Request::DumpDestinations(service.key))?;
                Ok(Some(Stage::Destinations(row)))
            }
            Stage::Destinations(row) => self.read_destinations(row, out),
            Stage::Print(row, from) => Ok(Some(self.print(row, from, out))),
            Stage::Close => {
                if self.format == Format::Json {
                    let _ = ipvs::json_end(out);
                }
                Ok(None)
            }
        }
    }

    fn read_info(&mut self, out: &mut Buf) -> Result<Option<Stage>, u16> {
        let mut info = None;
        let ended = self.read(|payload| info = info.or(genl_ipvs::parse_info(payload).ok()))?;
        let Some(info) = info else { return Ok((!ended).then_some(Stage::Info)) };
        self.begin(&info, out);
        self.ask(Request::DumpServices)?;
        Ok(Some(Stage::Services))
    }

    fn begin(&self, info: &Info, out: &mut Buf) {
        let _ = match self.format {
            Format::Text => ipvs::header(out, info),
            Format::Json => ipvs::json_begin(out, info),
        };
    }

    fn read_destinations(&mut self, row: usize, out: &mut Buf) -> Result<Option<Stage>, u16> {
        let Some(service) = self.services.get(row).copied() else { return Ok(Some(Stage::Close)) };
        let mut found = core::mem::take(&mut self.destinations);
        let family = service.key.family();
        let ended = self.read(|payload| found.extend(genl_ipvs::parse_destination(payload, family)))?;
        self.destinations = found;
        self.destinations.truncate(MAX_REAL_SERVERS);
        if !ended {
            return Ok(Some(Stage::Destinations(row)));
        }
        ipvs::sort(&mut self.destinations, &mut self.scratch, &|a, b| {
            ipvs::compare_destinations(&a.key, &b.key)
        });
        let _ = match self.format {
            Format::Text => ipvs::service_line(out, &service),
            Format::Json => ipvs::json_service(out, &service, row),
        };
        Ok(Some(self.print(row, 0, out)))
    }

    /// Prints destinations while there is room.
    fn print(&self, row: usize, from: usize, out: &mut Buf) -> Stage {
        for (place, entry) in self.destinations.iter().enumerate().skip(from) {
            if out.capacity() - out.len() < ROW {
                return Stage::Print(row, place);
            }
            let _ = match self.format {
                Format::Text => ipvs::destination_line(out, entry),
                Format::Json => ipvs::json_destination(out, entry, place),
            };
        }
        if self.format == Format::Json {
            let _ = ipvs::json_service_end(out);
        }
        Stage::Ask(row + 1)
    }

    fn ask(&mut self, request: Request) -> Result<(), u16> {
        let family = self.family;
        self.dump.as_mut().ok_or(0_u16)?.ask(&|writer, seq| request.emit(writer, family, seq))
    }

    /// Reads one datagram and hands over its payloads. True at the end of a dump or of an answer.
    fn read(&mut self, mut take: impl FnMut(&[u8])) -> Result<bool, u16> {
        self.dump.as_mut().ok_or(0_u16)?.read(&mut |_, payload| {
            take(payload);
            true
        })
    }
}

impl Job for Snapshot {
    fn step(&mut self, shell: &Shell, out: &mut Buf) -> Option<u8> {
        let advanced = self.advance(&shell.director.borrow(), out);
        match advanced {
            Ok(Some(stage)) => {
                self.stage = stage;
                None
            }
            Ok(None) => Some(STATUS_OK),
            Err(errno) => {
                let _ = match self.format {
                    Format::Text => ipvs::unavailable(out, errno),
                    Format::Json => ipvs::unavailable_json(out, errno),
                };
                Some(STATUS_FAILED)
            }
        }
    }
}
