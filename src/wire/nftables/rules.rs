//! The chains and rules of our table, expression by expression. They never change: what changes is in the sets.
//!
//! Both directions, as keepalived has it: nothing reaches the address, and nothing leaves from it. Neighbour
//! solicitations and advertisements pass, or nobody would find an IPv6 address; ARP is no matter of this family.

use super::{APPEND, INET, LIST_ITEM, NEW_CHAIN, NEW_RULE, SETS, TABLE, VALUE, be32, begin};
use crate::wire::netlink::{Full, NLM_F_ACK, NLM_F_CREATE, Writer};

const _: () = assert!(INET == 1, "the rules look at the family of each packet");

/// Just before what others filter.
const PRIORITY: i32 = -1;

/// A hook (`enum nf_inet_hooks`) and what is looked at there.
struct Direction {
    chain: &'static str,
    hook: u32,
    /// Where the address stands in the headers of IPv4 and IPv6.
    offsets: [u32; 2],
    /// `NFT_META_IIF` or `NFT_META_OIF`.
    link: u32,
}

const DIRECTIONS: [Direction; 2] = [
    Direction { chain: "out", hook: 3, offsets: [12, 8], link: 5 },
    Direction { chain: "in", hook: 1, offsets: [16, 24], link: 4 },
];

/// `NFT_META_NFPROTO`, `NFT_META_L4PROTO`.
pub(super) const FAMILY: u32 = 15;
pub(super) const PROTOCOL: u32 = 16;
/// `NFPROTO_IPV4`, `NFPROTO_IPV6`, `IPPROTO_ICMPV6`.
pub(super) const IPV4: u8 = 2;
pub(super) const IPV6: u8 = 10;
const ICMPV6: u8 = 58;
/// `NFT_PAYLOAD_NETWORK_HEADER`, `NFT_PAYLOAD_TRANSPORT_HEADER`.
pub(super) const NETWORK: u32 = 1;
pub(super) const TRANSPORT: u32 = 2;
/// `NFT_CMP_EQ`, `NFT_CMP_LTE`, `NFT_CMP_GTE`.
pub(super) const EQUAL: u32 = 0;
pub(super) const AT_MOST: u32 = 3;
pub(super) const AT_LEAST: u32 = 5;
/// `NFT_REG32_00`, and the register behind 16 bytes in it.
pub(super) const REGISTER: u32 = 8;
const BEHIND: u32 = 12;
/// `NF_DROP`, `NF_ACCEPT`.
const DROP: u32 = 0;
pub(super) const ACCEPT: u32 = 1;

/// Both chains with their rules; the last message asks for an acknowledgement.
pub(super) fn emit(writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
    for (place, direction) in DIRECTIONS.iter().enumerate() {
        chain(direction, writer, seq)?;
        let last = if place + 1 == DIRECTIONS.len() { NLM_F_ACK } else { 0 };
        let [four, six] = direction.offsets;
        rule(direction, 0, writer, seq, |writer| {
            meta(writer, FAMILY, REGISTER);
            compare(writer, EQUAL, &[IPV6]);
            meta(writer, PROTOCOL, REGISTER);
            compare(writer, EQUAL, &[ICMPV6]);
            // RFC 4861 4.3 and 4.4: types 135 and 136.
            payload(writer, TRANSPORT, 0, 1);
            compare(writer, AT_LEAST, &[135]);
            compare(writer, AT_MOST, &[136]);
            verdict(writer, ACCEPT);
        })?;
        rule(direction, 0, writer, seq, |writer| matching(writer, IPV4, (four, 4), None, 0))?;
        rule(direction, 0, writer, seq, |writer| matching(writer, IPV6, (six, 16), None, 1))?;
        let link = Some(direction.link);
        rule(direction, last, writer, seq, |writer| matching(writer, IPV6, (six, 16), link, 2))?;
    }
    Ok(())
}

/// An address of this family that a set holds, alone or with the interface: dropped.
fn matching(writer: &mut Writer<'_>, family: u8, (offset, len): (u32, u32), link: Option<u32>, set: usize) {
    meta(writer, FAMILY, REGISTER);
    compare(writer, EQUAL, &[family]);
    payload(writer, NETWORK, offset, len);
    if let Some(key) = link {
        meta(writer, key, BEHIND);
    }
    expression(writer, "lookup", |writer| {
        writer.str(1, SETS.get(set).map_or("", |set| set.0));
        be32(writer, 2, REGISTER);
    });
    verdict(writer, DROP);
}

fn chain(direction: &Direction, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
    begin(NEW_CHAIN, NLM_F_CREATE, writer, seq);
    writer.str(1, TABLE);
    writer.str(3, direction.chain);
    writer.nested(4, |writer| {
        be32(writer, 1, direction.hook);
        writer.bytes(2, &PRIORITY.to_be_bytes());
    });
    be32(writer, 5, ACCEPT);
    writer.str(7, "filter");
    writer.finish()
}

fn rule(
    direction: &Direction,
    flags: u16,
    writer: &mut Writer<'_>,
    seq: u32,
    expressions: impl FnOnce(&mut Writer<'_>),
) -> Result<(), Full> {
    begin(NEW_RULE, NLM_F_CREATE | APPEND | flags, writer, seq);
    writer.str(1, TABLE);
    writer.str(2, direction.chain);
    writer.nested(4, |writer| expressions(writer));
    writer.finish()
}

pub(super) fn expression(writer: &mut Writer<'_>, name: &str, data: impl FnOnce(&mut Writer<'_>)) {
    writer.nested(LIST_ITEM, |writer| {
        writer.str(1, name);
        writer.nested(2, |writer| data(writer));
    });
}

/// Something about the packet, into a register.
pub(super) fn meta(writer: &mut Writer<'_>, key: u32, register: u32) {
    expression(writer, "meta", |writer| {
        be32(writer, 1, register);
        be32(writer, 2, key);
    });
}

/// Bytes of the packet, into the register.
pub(super) fn payload(writer: &mut Writer<'_>, base: u32, offset: u32, len: u32) {
    expression(writer, "payload", |writer| {
        for (attribute, value) in [(1, REGISTER), (2, base), (3, offset), (4, len)] {
            be32(writer, attribute, value);
        }
    });
}

/// The rule goes on if the register's first bytes are so.
pub(super) fn compare(writer: &mut Writer<'_>, how: u32, value: &[u8]) {
    expression(writer, "cmp", |writer| {
        be32(writer, 1, REGISTER);
        be32(writer, 2, how);
        writer.nested(3, |writer| writer.bytes(VALUE, value));
    });
}

fn verdict(writer: &mut Writer<'_>, code: u32) {
    expression(writer, "immediate", |writer| {
        // NFT_REG_VERDICT
        be32(writer, 1, 0);
        // NFTA_DATA_VERDICT, NFTA_VERDICT_CODE
        writer.nested(2, |writer| writer.nested(2, |writer| be32(writer, 1, code)));
    });
}
