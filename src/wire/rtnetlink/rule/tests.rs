//! Rules through netlink-packet-route, an independent implementation, and back.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for a few kinds among many")]

use super::*;
use crate::wire::netlink::{Content, messages};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::rule::{RuleAction as Action, RuleAttribute, RuleMessage};

const PLAIN: RuleSpec = RuleSpec {
    family: Family::Ipv4,
    invert: false,
    preference: 16_384,
    action: RuleAction::Table(100),
    from: None,
    to: None,
    tos: 0,
    mark: None,
    input: None,
    output: None,
    users: None,
    transport: 0,
    source_ports: None,
    ports: None,
    suppress_prefix: None,
    suppress_group: None,
    protocol: 18,
};

fn emitted(request: RuleRequest) -> Vec<u8> {
    let mut buffer = [0; 512];
    let mut writer = Writer::new(&mut buffer);
    request.emit(&mut writer, 1).unwrap();
    writer.as_bytes().to_vec()
}

fn oracle(bytes: &[u8]) -> RuleMessage {
    let message: NetlinkMessage<RouteNetlinkMessage> = NetlinkMessage::deserialize(bytes).unwrap();
    match message.payload {
        NetlinkPayload::InnerMessage(
            RouteNetlinkMessage::NewRule(rule) | RouteNetlinkMessage::DelRule(rule),
        ) => rule,
        other => panic!("{other:?}"),
    }
}

fn read_back(bytes: &[u8]) -> RuleSpec {
    let Content::Data(payload) = messages(bytes).next().unwrap().unwrap().content else { panic!() };
    parse(payload[0], payload).unwrap()
}

fn full() -> RuleSpec {
    RuleSpec {
        invert: true,
        from: Some(("10.0.0.0".parse().unwrap(), 8)),
        to: Some(("192.0.2.0".parse().unwrap(), 24)),
        tos: 0x10,
        mark: Some((5, 0xff)),
        input: LinkName::new("eth0"),
        output: LinkName::new("eth1"),
        users: Some((1_000, 2_000)),
        transport: 6,
        source_ports: Some((1_024, 65_535)),
        ports: Some((80, 81)),
        suppress_prefix: Some(0),
        suppress_group: Some(3),
        ..PLAIN
    }
}

#[test]
fn a_rule_says_everything_that_was_asked_for() {
    let rule = oracle(&emitted(RuleRequest::Add(full())));
    assert_eq!((rule.header.src_len, rule.header.dst_len, rule.header.tos), (8, 24, 0x10));
    assert_eq!((rule.header.action, rule.header.flags.bits()), (Action::ToTable, 2));
    for wanted in [
        RuleAttribute::Priority(16_384),
        RuleAttribute::Table(100),
        RuleAttribute::FwMark(5),
        RuleAttribute::FwMask(255),
        RuleAttribute::Iifname("eth0".into()),
        RuleAttribute::Oifname("eth1".into()),
        RuleAttribute::SuppressPrefixLen(0),
        RuleAttribute::SuppressIfGroup(3),
    ] {
        assert!(rule.attributes.contains(&wanted), "{wanted:?} in {rule:?}");
    }
}

#[test]
fn what_is_asked_for_is_what_is_read_back() {
    let actions = [
        RuleAction::Table(70_000),
        RuleAction::Goto(32_000),
        RuleAction::Nop,
        RuleAction::Blackhole,
        RuleAction::Unreachable,
        RuleAction::Prohibit,
    ];
    for action in actions {
        for spec in [RuleSpec { action, ..PLAIN }, RuleSpec { action, ..full() }] {
            assert_eq!(read_back(&emitted(RuleRequest::Add(spec))), spec);
            assert_eq!(read_back(&emitted(RuleRequest::Remove(spec))), spec);
        }
    }
    let ipv6 = RuleSpec { family: Family::Ipv6, from: Some(("2001:db8::".parse().unwrap(), 32)), ..PLAIN };
    assert_eq!(read_back(&emitted(RuleRequest::Add(ipv6))), ipv6);
}

#[test]
fn a_rule_without_suppression_is_described_with_a_length_of_minus_one() {
    // The kernel always names the attribute (net/core/fib_rules.c, fib_nl_fill_rule).
    let mut buffer = [0; 256];
    let mut writer = Writer::new(&mut buffer);
    writer.begin(RTM_NEWRULE, 0, 1);
    PLAIN.emit(&mut writer);
    writer.u32(FRA_SUPPRESS_PREFIXLEN, u32::MAX);
    writer.finish().unwrap();
    assert_eq!(read_back(writer.as_bytes()), PLAIN);
}
