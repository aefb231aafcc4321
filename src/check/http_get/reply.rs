//! An HTTP/1.x reply, read as it arrives (RFC 9112): the status, and where the body ends.
//!
//! Nothing is kept but the scanner's state, so a reply costs the same few bytes whatever the server sends. It is over
//! when its body is complete, when the server closes, or when a limit is passed. A body that ends early is no failure:
//! keepalived logs it and judges the status, and so do we.

use super::super::Failure;
use crate::limits::{MAX_HTTP_BODY, MAX_HTTP_HEAD};

/// The outcome of a reply: its final status.
type Outcome = Result<u16, Failure>;

/// What a status line must look like; `#` is a digit, the last three are the status (RFC 9112 section 4).
const STATUS_LINE: &[u8; 12] = b"HTTP/#.# ###";
const CONTENT_LENGTH: &[u8] = b"content-length";
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding";
const CHUNKED: &[u8] = b"chunked";

/// The scanner.
#[derive(Debug, Clone)]
pub struct Reply {
    state: State,
    status: u16,
    /// Bytes of all heads, interim replies included.
    head: usize,
    /// Bytes of the body, chunk framing included.
    body: usize,
    length: Length,
    chunked: bool,
}

/// What `Content-Length` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Absent,
    Known(usize),
    /// No number, or two different ones: the body then ends where the server closes.
    Unusable,
}

/// Where in the reply the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the fixed part of the status line.
    Status { at: u8 },
    /// In the reason phrase, first the byte behind the status.
    Reason { first: bool },
    /// In a header's name, of which `at` bytes were read and those two may still be it.
    Name { at: u8, length: bool, coding: bool },
    /// In a value that does not matter.
    Value,
    /// In the value of `Content-Length`.
    LengthValue { value: Length, ended: bool },
    /// In the value of `Transfer-Encoding`: how much of `chunked` the current item is; `u8::MAX` for another one.
    CodingValue { matched: u8 },
    /// In a body of known length.
    Body { left: usize },
    /// In a body that ends where the server closes.
    UntilClose,
    /// In a chunk's size, or in what may follow it on its line (RFC 9112 section 7.1).
    ChunkSize { size: usize, digits: bool, extension: bool },
    /// In a chunk.
    Chunk { left: usize },
    /// In the end of line behind a chunk.
    ChunkEnd,
    /// In the trailer section.
    Trailer { blank: bool },
    /// Over.
    Over(Outcome),
}

const LINE_START: State = State::Name { at: 0, length: true, coding: true };
const SIZE_START: State = State::ChunkSize { size: 0, digits: false, extension: false };

impl Default for Reply {
    fn default() -> Self {
        Self::new()
    }
}

impl Reply {
    /// Before the first byte.
    pub const fn new() -> Self {
        let state = State::Status { at: 0 };
        Self { state, status: 0, head: 0, body: 0, length: Length::Absent, chunked: false }
    }

    /// Takes what arrived; `body` is handed what of it is the body, without chunk framing. The final status as soon as
    /// the reply is complete, or what is wrong with it; bytes behind that are ignored.
    pub fn feed(&mut self, mut bytes: &[u8], body: &mut dyn FnMut(&[u8])) -> Option<Outcome> {
        loop {
            if let State::Over(outcome) = self.state {
                return Some(outcome);
            }
            let used = self.stride(bytes.len());
            let (now, rest) = bytes.split_at_checked(used).filter(|(now, _)| !now.is_empty())?;
            bytes = rest;
            if matches!(self.state, State::Body { .. } | State::Chunk { .. } | State::UntilClose) {
                body(now);
            }
            if let Err(failure) = self.step(now) {
                self.state = State::Over(Err(failure));
            }
            self.count(used);
        }
    }

    /// The server closed. Without a whole head there is no status to judge.
    pub fn end(&mut self) -> Outcome {
        let outcome = if let State::Over(outcome) = self.state {
            outcome
        } else if self.in_head() {
            Err(Failure::Closed)
        } else {
            Ok(self.status)
        };
        self.state = State::Over(outcome);
        outcome
    }

    /// How many of `available` bytes are taken in one step: a body is skipped, the rest is read byte by byte.
    fn stride(&self, available: usize) -> usize {
        if let State::Body { left } | State::Chunk { left } = self.state {
            left.min(available)
        } else if self.state == State::UntilClose {
            available
        } else {
            1
        }
    }

    const fn in_head(&self) -> bool {
        matches!(
            self.state,
            State::Status { .. }
                | State::Reason { .. }
                | State::Name { .. }
                | State::Value
                | State::LengthValue { .. }
                | State::CodingValue { .. }
        )
    }

    /// Keeps to the limits: a head without end is broken; a body that long has shown that the server serves, and
    /// the status judges.
    fn count(&mut self, bytes: usize) {
        if self.in_head() {
            self.head = self.head.saturating_add(bytes);
            if self.head >= MAX_HTTP_HEAD {
                self.state = State::Over(Err(Failure::TooLong));
            }
        } else if !matches!(self.state, State::Over(_)) {
            self.body = self.body.saturating_add(bytes);
            if self.body > MAX_HTTP_BODY {
                self.state = State::Over(Ok(self.status));
            }
        }
    }

    /// Takes `now`, which is one byte but in the body.
    fn step(&mut self, now: &[u8]) -> Result<(), Failure> {
        let byte = now.first().copied().unwrap_or(0);
        self.state = match self.state {
            State::Status { at } => self.status_line(at, byte)?,
            State::Reason { .. } if byte == b'\n' => LINE_START,
            State::Reason { first: true } if !matches!(byte, b' ' | b'\r') => return Err(Failure::Garbage),
            State::Reason { .. } => State::Reason { first: false },
            State::Name { at, length, coding } => self.name(at, length, coding, byte),
            State::Value if byte == b'\n' => LINE_START,
            State::LengthValue { value, ended } => self.length_value(value, ended, byte),
            State::CodingValue { matched } => self.coding_value(matched, byte),
            State::Body { left } => match left.saturating_sub(now.len()) {
                0 => State::Over(Ok(self.status)),
                left => State::Body { left },
            },
            State::ChunkSize { size, digits, extension } => chunk_size(size, digits, extension, byte)?,
            State::Chunk { left } => match left.saturating_sub(now.len()) {
                0 => State::ChunkEnd,
                left => State::Chunk { left },
            },
            State::ChunkEnd => match byte {
                b'\r' => State::ChunkEnd,
                b'\n' => SIZE_START,
                _ => return Err(Failure::Garbage),
            },
            State::Trailer { blank: true } if byte == b'\n' => State::Over(Ok(self.status)),
            State::Trailer { blank } => State::Trailer { blank: byte == b'\n' || (blank && byte == b'\r') },
            same @ (State::Value | State::UntilClose | State::Over(_)) => same,
        };
        Ok(())
    }

    fn status_line(&mut self, at: u8, byte: u8) -> Result<State, Failure> {
        match STATUS_LINE.get(usize::from(at)) {
            Some(b'#') if byte.is_ascii_digit() => {
                // The digits of the version are shifted out again by those of the status.
                self.status = (self.status * 10 + u16::from(byte - b'0')) % 1000;
            }
            Some(expected) if *expected != b'#' && *expected == byte => {}
            _ => return Err(Failure::Garbage),
        }
        let whole = usize::from(at) + 1 == STATUS_LINE.len();
        Ok(if whole { State::Reason { first: true } } else { State::Status { at: at + 1 } })
    }

    fn name(&mut self, at: u8, length: bool, coding: bool, byte: u8) -> State {
        let here = usize::from(at);
        let is = |name: &[u8]| name.get(here).is_some_and(|expected| byte.eq_ignore_ascii_case(expected));
        match byte {
            b'\r' => State::Name { at, length, coding },
            b'\n' if at == 0 => self.head_complete(),
            // A line without a colon is nobody's header, and no reason to doubt the status.
            b'\n' => LINE_START,
            b':' if length && here == CONTENT_LENGTH.len() => {
                State::LengthValue { value: Length::Absent, ended: false }
            }
            b':' if coding && here == TRANSFER_ENCODING.len() => State::CodingValue { matched: 0 },
            b':' => State::Value,
            _ => State::Name {
                at: at.saturating_add(1),
                length: length && is(CONTENT_LENGTH),
                coding: coding && is(TRANSFER_ENCODING),
            },
        }
    }

    fn length_value(&mut self, value: Length, ended: bool, byte: u8) -> State {
        let value = match (byte, value) {
            (b'\n', _) => {
                self.length = match (self.length, value) {
                    (Length::Absent, Length::Known(length)) => Length::Known(length),
                    (old, new) if old == new && old != Length::Absent => old,
                    _ => Length::Unusable,
                };
                return LINE_START;
            }
            (b' ' | b'\t' | b'\r', _) => return State::LengthValue { value, ended: value != Length::Absent },
            (b'0'..=b'9', Length::Absent) => Length::Known(usize::from(byte - b'0')),
            (b'0'..=b'9', Length::Known(number)) if !ended => {
                Length::Known(number.saturating_mul(10).saturating_add(usize::from(byte - b'0')))
            }
            _ => Length::Unusable,
        };
        State::LengthValue { value, ended }
    }

    fn coding_value(&mut self, matched: u8, byte: u8) -> State {
        let expected = CHUNKED.get(usize::from(matched));
        State::CodingValue {
            matched: match byte {
                b'\n' => {
                    // `chunked` is the last coding or none (RFC 9112 section 6.1).
                    self.chunked = usize::from(matched) == CHUNKED.len();
                    return LINE_START;
                }
                b',' => 0,
                b' ' | b'\t' | b'\r' => matched,
                _ if expected.is_some_and(|expected| byte.eq_ignore_ascii_case(expected)) => matched + 1,
                _ => u8::MAX,
            },
        }
    }

    fn head_complete(&mut self) -> State {
        match (self.status, self.length) {
            // An interim reply: the final one follows (RFC 9110 section 15.2). Nobody asked for 101.
            (100 | 102..=199, _) => {
                (self.length, self.chunked) = (Length::Absent, false);
                State::Status { at: 0 }
            }
            // No body whatever the headers say (RFC 9112 section 6.3).
            (101 | 204 | 304, _) => State::Over(Ok(self.status)),
            _ if self.chunked => SIZE_START,
            (_, Length::Known(0)) => State::Over(Ok(self.status)),
            (_, Length::Known(left)) => State::Body { left },
            (_, Length::Absent | Length::Unusable) => State::UntilClose,
        }
    }
}

fn chunk_size(size: usize, digits: bool, extension: bool, byte: u8) -> Result<State, Failure> {
    Ok(match byte {
        b'\n' if !digits => return Err(Failure::Garbage),
        b'\n' if size == 0 => State::Trailer { blank: true },
        b'\n' => State::Chunk { left: size },
        _ if extension => State::ChunkSize { size, digits, extension },
        b';' | b' ' | b'\t' | b'\r' => State::ChunkSize { size, digits, extension: true },
        _ => {
            let digit = char::from(byte).to_digit(16).and_then(|digit| usize::try_from(digit).ok());
            let size = size.saturating_mul(16).saturating_add(digit.ok_or(Failure::Garbage)?);
            State::ChunkSize { size, digits: true, extension: false }
        }
    })
}

#[cfg(test)]
mod tests;
