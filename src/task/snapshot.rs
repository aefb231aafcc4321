//! `show ipvs` and its views: the kernel's own table, read for the occasion and printed as ipvsadm prints it.
//!
//! What the director believes is not asked: an operator wants to see what the kernel does, services of others
//! included. One datagram is read a step ([`super::dump`]); one list of services and one of destinations are held, and
//! freed with the answer.

use super::answer::{STATUS_FAILED, STATUS_OK};
use super::dump::{Dump, Job};
use super::settings;
use super::shell::Shell;
use crate::console::ipvs::{Selection, View, views};
use crate::console::{Buf, Format, ipvs};
use crate::director::Director;
use crate::kernel::netlink::Protocol;
use crate::limits::{MAX_REAL_SERVERS, MAX_SERVICES, MAX_VIA};
use crate::wire::genl_ipvs::{self, DestinationEntry, Info, Request, ServiceEntry, Stats};

/// Bytes of the longest row, with room to spare.
const ROW: usize = 640;
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

/// A service or a destination with its counters.
type Counted<T> = (T, Stats);

/// A table that is being read and printed.
pub(super) struct Snapshot {
    family: u16,
    format: Format,
    rows: Rows,
    view: View,
    selection: Selection,
    stage: Stage,
    dump: Option<Dump>,
    services: Vec<Counted<ServiceEntry>>,
    destinations: Vec<Counted<DestinationEntry>>,
    scratch: Vec<Counted<DestinationEntry>>,
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
    pub(super) fn new(family: u16, (view, selection, rows): (View, Selection, Rows), format: Format) -> Self {
        Self {
            family,
            format,
            view,
            selection,
            rows,
            stage: Stage::Open,
            dump: None,
            services: Vec::new(),
            destinations: Vec::new(),
            scratch: Vec::new(),
        }
    }

    fn advance(&mut self, director: &Director, out: &mut Buf) -> Result<Stage, u16> {
        match self.stage {
            Stage::Open => {
                self.dump = Some(Dump::open(Protocol::Generic)?);
                self.ask(Request::GetInfo)?;
                Ok(Stage::Info)
            }
            Stage::Info => self.read_info(out),
            Stage::Services => self.read_services(director),
            Stage::Ask(row) => {
                let Some((service, _)) = self.services.get(row).copied() else { return Ok(Stage::Close) };
                self.destinations.clear();
                self.ask(Request::DumpDestinations(service.key))?;
                Ok(Stage::Destinations(row))
            }
            Stage::Destinations(row) => self.read_destinations(row, out),
            Stage::Print(row, from) => Ok(self.print(row, from, out)),
            Stage::Close => Ok(Stage::Close),
        }
    }

    fn read_info(&mut self, out: &mut Buf) -> Result<Stage, u16> {
        let mut info = None;
        let ended = self.read(|payload| info = info.or(genl_ipvs::parse_info(payload).ok()))?;
        let Some(info) = info else { return Ok(if ended { Stage::Close } else { Stage::Info }) };
        self.begin(&info, out);
        self.ask(Request::DumpServices)?;
        Ok(Stage::Services)
    }

    /// ipvsadm has no version above the one service that was asked for, and nothing above commands.
    fn begin(&self, info: &Info, out: &mut Buf) {
        let versioned = self.selection.wanted.is_none() && self.view != View::Save;
        // What is written always fits.
        let _ = match self.format {
            Format::Text if versioned => ipvs::version(out, info).and_then(|()| views::title(out, self.view)),
            Format::Text => views::title(out, self.view),
            Format::Json => ipvs::json_begin(out, info),
        };
    }

    fn read_services(&mut self, director: &Director) -> Result<Stage, u16> {
        let (selection, rows) = (self.selection, self.rows);
        let mut found = core::mem::take(&mut self.services);
        let ended = self.read(|payload| {
            if let Ok(entry) = genl_ipvs::parse_service(payload)
                && selection.takes(&entry.key)
                && (rows == Rows::All || !director.is_hidden(&entry.key))
                && found.len() < MAX_ROWS
            {
                found.push((entry, genl_ipvs::parse_stats(payload).unwrap_or_default()));
            }
        })?;
        self.services = found;
        if !ended {
            return Ok(Stage::Services);
        }
        let mut scratch = Vec::with_capacity(self.services.len());
        ipvs::sort(&mut self.services, &mut scratch, &|(a, _), (b, _)| {
            ipvs::compare_services(&a.key, &b.key)
        });
        Ok(Stage::Ask(0))
    }

    fn read_destinations(&mut self, row: usize, out: &mut Buf) -> Result<Stage, u16> {
        let Some((service, stats)) = self.services.get(row).copied() else { return Ok(Stage::Close) };
        let mut found = core::mem::take(&mut self.destinations);
        let family = service.key.family();
        let ended = self.read(|payload| {
            if let Ok(entry) = genl_ipvs::parse_destination(payload, family)
                && found.len() < MAX_REAL_SERVERS
            {
                found.push((entry, genl_ipvs::parse_stats(payload).unwrap_or_default()));
            }
        })?;
        self.destinations = found;
        if !ended {
            return Ok(Stage::Destinations(row));
        }
        ipvs::sort(&mut self.destinations, &mut self.scratch, &|(a, _), (b, _)| {
            ipvs::compare_destinations(&a.key, &b.key)
        });
        let _ = match self.format {
            Format::Text => views::service(out, (self.view, self.selection.exact), &service, &stats),
            Format::Json => ipvs::json_service(out, (&service, &stats), self.view, row),
        };
        Ok(self.print(row, 0, out))
    }

    /// Prints destinations while there is room.
    fn print(&self, row: usize, from: usize, out: &mut Buf) -> Stage {
        let Some((service, _)) = self.services.get(row) else { return Stage::Close };
        let how = (self.view, self.selection.exact);
        for (place, (entry, stats)) in self.destinations.iter().enumerate().skip(from) {
            if out.capacity() - out.len() < ROW {
                return Stage::Print(row, place);
            }
            let _ = match self.format {
                Format::Text => views::destination(out, how, &service.key, entry, stats),
                Format::Json => ipvs::json_destination(out, (entry, stats), self.view, place),
            };
        }
        if self.format == Format::Json {
            let _ = ipvs::json_service_end(out);
        }
        Stage::Ask(row + 1)
    }

    /// A service that was asked for and is not there is a failure, as with ipvsadm.
    fn close(&self, out: &mut Buf) -> u8 {
        let rates_off = self.view == View::Rate && settings::are_rates_off();
        let _ = match self.format {
            Format::Json => ipvs::json_end(out, rates_off),
            Format::Text if rates_off => ipvs::rates_off(out),
            Format::Text => Ok(()),
        };
        if self.services.is_empty() && self.selection.wanted.is_some() {
            if self.format == Format::Text {
                let _ = out.push_str("No such service\n");
            }
            return STATUS_FAILED;
        }
        STATUS_OK
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
        if self.stage == Stage::Close {
            return Some(self.close(out));
        }
        let advanced = self.advance(&shell.director.borrow(), out);
        match advanced {
            Ok(stage) => {
                self.stage = stage;
                None
            }
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
