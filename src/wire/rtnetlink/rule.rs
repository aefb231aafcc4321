//! Routing rules (`linux/fib_rules.h`): a request to add or remove one, and what a dump or a notification says.
//!
//! A rule has no key: the kernel finds one by all that it says, and so do we. Two equal rules are one too many.

use super::route::{Network, address};
use super::{AF_INET, AF_INET6};
use crate::wire::bytes::array;
use crate::wire::link::LinkName;
use crate::wire::netlink::{
    Attributes, Full, Malformed, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, Writer,
};
use crate::wire::vrrp::Family;

/// A routing rule. What is not asked for is zero or `None`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RuleSpec {
    /// Of which packets.
    pub family: Family,
    /// For packets that it does not describe (`FIB_RULE_INVERT`).
    pub invert: bool,
    /// Lower ones are looked at first.
    pub preference: u32,
    /// What becomes of a packet.
    pub action: RuleAction,
    /// From here.
    pub from: Option<Network>,
    /// To there.
    pub to: Option<Network>,
    /// Type of service.
    pub tos: u8,
    /// Firewall mark and mask.
    pub mark: Option<(u32, u32)>,
    /// Arrived on this interface; `lo`: made here.
    pub input: Option<LinkName>,
    /// Leaves by this interface.
    pub output: Option<LinkName>,
    /// Of sockets of these users.
    pub users: Option<(u32, u32)>,
    /// Protocol above IP, 0 for any.
    pub transport: u8,
    /// Source ports.
    pub source_ports: Option<(u16, u16)>,
    /// Destination ports.
    pub ports: Option<(u16, u16)>,
    /// Routes with a prefix of at most this length do not count.
    pub suppress_prefix: Option<u32>,
    /// Routes through interfaces of this group do not count.
    pub suppress_group: Option<u32>,
    /// Who made it (`RTPROT_*`).
    pub protocol: u8,
}

/// `FR_ACT_*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleAction {
    /// This table says where it goes.
    Table(u32),
    /// Go on with the rule of this preference.
    Goto(u32),
    /// Go on.
    Nop,
    /// Drop it in silence.
    Blackhole,
    /// Refuse it: unreachable.
    Unreachable,
    /// Refuse it: prohibited.
    Prohibit,
    /// Something newer.
    Other(u8),
}

/// One request about a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleRequest {
    /// Add it; an error if there is an equal one.
    Add(RuleSpec),
    /// Remove it.
    Remove(RuleSpec),
}

pub(super) const RTM_NEWRULE: u16 = 32;
pub(super) const RTM_DELRULE: u16 = 33;
pub(super) const RTM_GETRULE: u16 = 34;
/// `struct fib_rule_hdr`: family, prefix lengths of destination and source, TOS, table, two reserved, action, flags.
pub(super) const RULE_HEADER_LEN: usize = 12;
const FIB_RULE_INVERT: u32 = 2;
const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_SUPPRESS_IFGROUP: u16 = 13;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_UID_RANGE: u16 = 20;
const FRA_PROTOCOL: u16 = 21;
const FRA_IP_PROTO: u16 = 22;
const FRA_SPORT_RANGE: u16 = 23;
const FRA_DPORT_RANGE: u16 = 24;

impl RuleAction {
    const fn number(self) -> u8 {
        match self {
            Self::Table(_) => 1,
            Self::Goto(_) => 2,
            Self::Nop => 3,
            Self::Blackhole => 6,
            Self::Unreachable => 7,
            Self::Prohibit => 8,
            Self::Other(number) => number,
        }
    }
}

impl RuleRequest {
    /// Appends the request as one message; it is answered by an acknowledgement.
    pub fn emit(&self, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
        let (kind, flags, spec) = match self {
            Self::Add(spec) => (RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, spec),
            Self::Remove(spec) => (RTM_DELRULE, 0, spec),
        };
        writer.begin(kind, NLM_F_REQUEST | NLM_F_ACK | flags, seq);
        spec.emit(writer);
        writer.finish()
    }
}

impl RuleSpec {
    fn emit(&self, writer: &mut Writer<'_>) {
        let family = if self.family == Family::Ipv4 { AF_INET } else { AF_INET6 };
        let length = |network: Option<Network>| network.map_or(0, |(_, prefix)| prefix);
        let (to, from) = (length(self.to), length(self.from));
        writer.raw(&[family, to, from, self.tos, 0, 0, 0, self.action.number()]);
        writer.raw(&(if self.invert { FIB_RULE_INVERT } else { 0 }).to_ne_bytes());
        for (kind, network) in [(FRA_DST, self.to), (FRA_SRC, self.from)] {
            if let Some((address, _)) = network {
                super::emit_address(kind, address, writer);
            }
        }
        writer.u32(FRA_PRIORITY, self.preference);
        match self.action {
            RuleAction::Table(table) => writer.u32(FRA_TABLE, table),
            RuleAction::Goto(target) => writer.u32(FRA_GOTO, target),
            RuleAction::Nop
            | RuleAction::Blackhole
            | RuleAction::Unreachable
            | RuleAction::Prohibit
            | RuleAction::Other(_) => {}
        }
        if let Some((mark, mask)) = self.mark {
            writer.u32(FRA_FWMARK, mark);
            writer.u32(FRA_FWMASK, mask);
        }
        for (kind, name) in [(FRA_IIFNAME, &self.input), (FRA_OIFNAME, &self.output)] {
            if let Some(name) = name {
                writer.str(kind, name.as_str());
            }
        }
        if let Some((first, last)) = self.users {
            let ([a, b, c, d], [e, f, g, h]) = (first.to_ne_bytes(), last.to_ne_bytes());
            writer.bytes(FRA_UID_RANGE, &[a, b, c, d, e, f, g, h]);
        }
        if self.transport != 0 {
            writer.u8(FRA_IP_PROTO, self.transport);
        }
        for (kind, ports) in [(FRA_SPORT_RANGE, self.source_ports), (FRA_DPORT_RANGE, self.ports)] {
            if let Some((first, last)) = ports {
                let ([a, b], [c, d]) = (first.to_ne_bytes(), last.to_ne_bytes());
                writer.bytes(kind, &[a, b, c, d]);
            }
        }
        for (kind, number) in
            [(FRA_SUPPRESS_PREFIXLEN, self.suppress_prefix), (FRA_SUPPRESS_IFGROUP, self.suppress_group)]
        {
            if let Some(number) = number {
                writer.u32(kind, number);
            }
        }
        writer.u8(FRA_PROTOCOL, self.protocol);
    }
}

/// Reads a rule.
#[inline(never)]
pub(super) fn parse(family: u8, payload: &[u8]) -> Result<RuleSpec, Malformed> {
    let (header, rest) = payload.split_first_chunk::<RULE_HEADER_LEN>().ok_or(Malformed::Truncated)?;
    let [_, to, from, tos, table, _, _, action, f0, f1, f2, f3] = *header;
    let attributes = Attributes::new(rest);
    let network = |kind, prefix| address(attributes, kind).map(|address| (address, prefix));
    let name = |kind| attributes.str(kind).and_then(LinkName::new);
    let ports = |kind| {
        let bytes = attributes.bytes(kind)?;
        Some((u16::from_ne_bytes(array(bytes, 0)?), u16::from_ne_bytes(array(bytes, 2)?)))
    };
    let users = attributes.bytes(FRA_UID_RANGE);
    let user = |at| users.and_then(|users| array(users, at)).map(u32::from_ne_bytes);
    let number = |kind| attributes.u32(kind).filter(|number| *number != u32::MAX);
    Ok(RuleSpec {
        family: if family == AF_INET { Family::Ipv4 } else { Family::Ipv6 },
        invert: u32::from_ne_bytes([f0, f1, f2, f3]) & FIB_RULE_INVERT != 0,
        preference: attributes.u32(FRA_PRIORITY).unwrap_or(0),
        action: match action {
            1 => RuleAction::Table(attributes.u32(FRA_TABLE).unwrap_or(u32::from(table))),
            2 => RuleAction::Goto(attributes.u32(FRA_GOTO).unwrap_or(0)),
            3 => RuleAction::Nop,
            6 => RuleAction::Blackhole,
            7 => RuleAction::Unreachable,
            8 => RuleAction::Prohibit,
            other => RuleAction::Other(other),
        },
        from: network(FRA_SRC, from),
        to: network(FRA_DST, to),
        tos,
        // A mask without a mark says "no mark under this mask".
        mark: attributes.u32(FRA_FWMASK).map(|mask| (attributes.u32(FRA_FWMARK).unwrap_or(0), mask)),
        input: name(FRA_IIFNAME),
        output: name(FRA_OIFNAME),
        users: user(0).zip(user(4)),
        transport: attributes.u8(FRA_IP_PROTO).unwrap_or(0),
        source_ports: ports(FRA_SPORT_RANGE),
        ports: ports(FRA_DPORT_RANGE),
        suppress_prefix: number(FRA_SUPPRESS_PREFIXLEN),
        suppress_group: number(FRA_SUPPRESS_IFGROUP),
        protocol: attributes.u8(FRA_PROTOCOL).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests;
