//! An answer in pieces: a cursor over rows that are made from the state at the moment they are asked for.
//!
//! Every piece costs at most [`MAX_ROWS`] rows and one [`Buf`]; between two of them the loop turns. Rows refer to
//! tables by their number, so an answer needs no memory of its own and survives a reload, which ends it with a note.

use core::fmt;

use super::table::{Command, Format, Request, row_of};
use super::view::View;
use crate::director::action::Epoch;

/// A piece of an answer. A whole `status` fits.
pub type Buf = heapless::String<4_096>;

/// Rows made in one piece at most, however short they are.
const MAX_ROWS: usize = 64;

/// Where an answer stands: a phase of its command, and rows within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// Head, rows, tail and the like; each command has its own.
    pub(super) phase: u8,
    /// Row of the outer table.
    pub(super) row: usize,
    /// Row of the inner table.
    pub(super) sub: usize,
    /// Row of the innermost table.
    pub(super) leaf: usize,
}

impl Place {
    /// The start of a phase.
    pub(super) fn phase(phase: u8) -> Self {
        Self { phase, ..Self::default() }
    }

    /// The next row, in `phase`.
    pub(super) fn next_row(self, phase: u8) -> Self {
        Self { phase, row: self.row + 1, sub: 0, leaf: 0 }
    }

    /// The next inner row, in `phase`.
    pub(super) fn next_sub(self, phase: u8) -> Self {
        Self { phase, sub: self.sub + 1, leaf: 0, ..self }
    }

    /// The next innermost row.
    pub(super) fn next_leaf(self) -> Self {
        Self { leaf: self.leaf + 1, ..self }
    }

    /// The same rows in another phase.
    pub(super) fn turn_to(self, phase: u8) -> Self {
        Self { phase, ..self }
    }
}

/// What a [`Renderer`] gives back.
pub(super) type Next = Result<Option<Place>, fmt::Error>;

/// Writes the row at a place and says where the next one is; `None` after the last one.
pub(super) type Renderer = fn(&View<'_>, Place, &mut dyn fmt::Write) -> Next;

/// The answer to a request.
#[derive(Debug)]
pub struct Answer {
    request: Request,
    place: Option<Place>,
    epoch: Option<Epoch>,
}

impl Answer {
    /// An answer of which nothing has been given yet.
    pub fn new(request: Request) -> Self {
        Self { request, place: Some(Place::default()), epoch: None }
    }

    /// True if it says how much memory there is: only then need the view have it.
    pub fn tells_memory(&self) -> bool {
        let Request { command, format, .. } = self.request;
        command == Command::Memory || (command == Command::Status && format == Format::Json)
    }

    /// Appends the next piece to `out`; true if there is more. A row that does not fit is left for the next piece,
    /// so `out` is to be emptied in between. Every row fits an empty buffer: names are clipped for that.
    pub fn next(&mut self, view: &View<'_>, out: &mut Buf) -> bool {
        let argument = self.request.argument;
        let view = &View { argument: argument.as_str(), ..*view };
        let row = row_of(self.request.command);
        let Some(renderer) = row.map(|row| match self.request.format {
            Format::Text => row.text,
            Format::Json => row.json,
        }) else {
            return false;
        };
        let epoch = *self.epoch.get_or_insert(view.director.epoch());
        if epoch != view.director.epoch() && self.request.format == Format::Text && self.place.is_some() {
            let note = "(the configuration was reloaded meanwhile: ask again)\n";
            if out.push_str(note).is_ok() {
                self.place = None;
            }
            return self.place.is_some();
        }
        for _ in 0..MAX_ROWS {
            let Some(place) = self.place else { return false };
            let mark = out.len();
            match renderer(view, place, out) {
                Ok(next) => self.place = next,
                Err(fmt::Error) if mark > 0 => {
                    out.truncate(mark);
                    return true;
                }
                Err(fmt::Error) => {
                    debug_assert!(false, "a row of {:?} is larger than a buffer", self.request);
                    self.place = None;
                    return false;
                }
            }
        }
        self.place.is_some()
    }
}
