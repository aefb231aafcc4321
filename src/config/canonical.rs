//! A [`Config`] back to text: every effective value on a line of its own, what is default anyway as a comment.
//!
//! Read again, the text gives the same configuration, names and passwords as written included. It is made row by row,
//! so that the largest configuration needs no more memory than its longest row: [`row`] writes what stands at a
//! [`Place`] and says where to go on. What a value was derived from is not known here any more: times and weights that
//! a service gave to all its servers stand at each server, those of `global_defs` in each instance.

mod links;
mod machine;
mod page;
mod routing;
mod service;
mod track;
mod vrrp;

#[cfg(test)]
mod tests;

use core::fmt;

use super::Config;
use page::Page;

/// Whether passwords are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passwords {
    /// As `***`, with a comment that says so.
    Hidden,
    /// As they are.
    Shown,
}

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// What becomes of passwords.
    pub passwords: Passwords,
    /// Bytes of a word, from which on it is cut and ends in `...`, so that a row is bounded: it then has at most
    /// 700 bytes and two such words. `usize::MAX` for what shall be read again.
    pub longest: usize,
}

/// A row of the text. The default is the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Which kind of row.
    pub phase: u8,
    /// Row of the outer table.
    pub row: usize,
    /// Row of the inner one.
    pub sub: usize,
    /// Row of the innermost one.
    pub leaf: usize,
}

impl Place {
    const fn at(phase: u8, row: usize) -> Self {
        Self { phase, row, sub: 0, leaf: 0 }
    }

    const fn next_sub(self) -> Self {
        Self { sub: self.sub + 1, leaf: 0, ..self }
    }
}

/// Where the next row is; nothing behind the last one.
pub type Next = Result<Option<Place>, fmt::Error>;

/// The kinds of rows, in their order.
mod phase {
    pub(super) const HEAD: u8 = 0;
    pub(super) const APPLIANCE: u8 = 1;
    pub(super) const CONSOLE: u8 = 2;
    pub(super) const SYSCTL: u8 = 3;
    pub(super) const MODULE: u8 = 4;
    pub(super) const INTERFACE: u8 = 5;
    pub(super) const INTERFACE_ADDRESS: u8 = 6;
    /// `row` counts interfaces, in this and the next three.
    pub(super) const GARP_GROUP: u8 = 7;
    pub(super) const GARP_MEMBER: u8 = 8;
    pub(super) const DELAY: u8 = 9;
    pub(super) const PING_GROUP: u8 = 22;
    pub(super) const VARIABLE: u8 = 23;
    pub(super) const INSTANCE: u8 = 10;
    pub(super) const ELECTION: u8 = 11;
    pub(super) const ANNOUNCE: u8 = 12;
    pub(super) const PEER: u8 = 13;
    /// Addresses whose interfaces are tracked because of them.
    pub(super) const ADDRESS: u8 = 14;
    /// Addresses whose interfaces are tracked by lines of their own, if at all.
    pub(super) const UNTRACKED_ADDRESS: u8 = 15;
    pub(super) const TRACKERS: u8 = 16;
    pub(super) const TRACKER: u8 = 17;
    pub(super) const GROUP: u8 = 18;
    pub(super) const SERVICE: u8 = 19;
    /// `sub` counts addresses, routes or rules; `row` is the instance, or stands behind the last one for static ones.
    pub(super) const ROUTE: u8 = 24;
    pub(super) const RULE: u8 = 25;
    pub(super) const STATIC_ADDRESS: u8 = 26;
    pub(super) const ROLE: u8 = 27;
    /// `sub` counts rules.
    pub(super) const FIREWALL: u8 = 28;
    /// `sub` is 0 for what is trusted, 1 for who we are.
    #[cfg(feature = "tls")]
    pub(super) const SSL: u8 = 29;
    /// `row` counts all destinations.
    pub(super) const SERVER: u8 = 20;
    /// `sub` counts the server's probes, `leaf` the urls of one.
    pub(super) const PROBE: u8 = 21;
}

/// Writes the row at `place`, whole lines or nothing, and says where the next one is. A place that the configuration
/// does not have is passed over.
///
/// # Errors
///
/// Those of `out`.
pub fn row(config: &Config, style: Style, place: Place, out: &mut dyn fmt::Write) -> Next {
    let mut page = Page { out, style };
    match place.phase {
        phase::HEAD => machine::head(config, &mut page),
        #[cfg(feature = "tls")]
        phase::SSL => machine::ssl(config, place, &mut page),
        phase::APPLIANCE..=phase::INTERFACE_ADDRESS | phase::FIREWALL => {
            machine::row(config, place, &mut page)
        }
        phase::GARP_GROUP..=phase::DELAY => links::row(config, place, &mut page),
        phase::PING_GROUP | phase::VARIABLE => track::row(config, place, &mut page),
        phase::INSTANCE..=phase::GROUP => vrrp::row(config, place, &mut page),
        phase::ROUTE | phase::RULE | phase::STATIC_ADDRESS | phase::ROLE => {
            routing::row(config, place, &mut page)
        }
        _ => service::row(config, place, &mut page),
    }
}
