//! Golden packets, and what no packet may do.

use super::*;
use proptest::prelude::*;

/// Debian's keepalived 2.2.7, `tcpdump -x ip proto 112`: VRID 51, priority 150, PASS 1111, two addresses. The
/// header's checksum, which the capture does not show, is filled in.
const KEEPALIVED: [u8; 44] = [
    0x45, 0xc0, 0x00, 0x2c, 0x00, 0x01, 0x00, 0x00, 0xff, 0x70, 0xd0, 0x84, 0x0a, 0x09, 0x00, 0x01, 0xe0,
    0x00, 0x00, 0x12, 0x21, 0x33, 0x96, 0x02, 0x01, 0x01, 0xd0, 0x8b, 0x0a, 0x09, 0x00, 0x64, 0x0a, 0x09,
    0x00, 0x65, 0x31, 0x31, 0x31, 0x31, 0x00, 0x00, 0x00, 0x00,
];

/// The version 2 vector of the packet tests of `holo-vrrp`: VRID 51, priority 30, 10.0.1.5, no authentication.
const HOLO: [u8; 20] =
    [0x21, 0x33, 0x1e, 0x01, 0x00, 0x01, 0xb5, 0xc5, 0x0a, 0x00, 0x01, 0x05, 0, 0, 0, 0, 0, 0, 0, 0];

const OUTGOING: Outgoing = Outgoing {
    source: Ipv4Addr::new(10, 9, 0, 1),
    destination: GROUP,
    ttl: 255,
    id: 1,
    vrid: 51,
    priority: 150,
    auth_type: 1,
    auth_data: *b"1111\0\0\0\0",
    interval: 1,
};

const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 9, 0, 100), Ipv4Addr::new(10, 9, 0, 101)];

#[test]
fn an_advert_is_keepalived_s_byte_for_byte() {
    let mut packet = [0; 1500];
    assert_eq!(OUTGOING.emit(ADDRESSES, &mut packet), Some(KEEPALIVED.len()));
    assert_eq!(packet[..KEEPALIVED.len()], KEEPALIVED);
    assert_eq!(Outgoing::emit_len(2), KEEPALIVED.len());
}

#[test]
fn keepalived_s_advert_is_understood() {
    let received = parse(&KEEPALIVED).unwrap();
    assert_eq!((received.source, received.destination, received.ttl), (OUTGOING.source, GROUP, 255));
    let advert = received.advert;
    assert_eq!((advert.version, advert.kind, advert.vrid, advert.priority), (2, 1, 51, 150));
    assert_eq!((advert.auth_type, advert.auth_data, advert.interval), (1, *b"1111\0\0\0\0", 1));
    assert_eq!(advert.addresses, [[10, 9, 0, 100], [10, 9, 0, 101]]);
    assert_eq!(advert.checksum, Checksum::Right);
}

#[test]
fn holo_s_vector_is_reproduced_and_understood() {
    let outgoing = Outgoing { priority: 30, auth_type: 0, auth_data: [0; 8], ..OUTGOING };
    let mut packet = [0; 40];
    assert_eq!(outgoing.emit([Ipv4Addr::new(10, 0, 1, 5)], &mut packet), Some(40));
    assert_eq!(packet[20..], HOLO);
    assert_eq!(parse(&packet).unwrap().advert.checksum, Checksum::Right);
}

#[test]
fn ethernet_padding_behind_the_total_length_is_no_part_of_the_advert() {
    let mut packet = KEEPALIVED.to_vec();
    packet.extend([0; 6]);
    assert_eq!(parse(&packet), parse(&KEEPALIVED));
}

#[test]
fn a_packet_with_ip_options_is_understood() {
    let mut packet = KEEPALIVED.to_vec();
    packet.splice(20..20, [1, 1, 1, 0]);
    packet[0] = 0x46;
    packet[3] += 4;
    assert_eq!(parse(&packet).unwrap().advert, parse(&KEEPALIVED).unwrap().advert);
}

fn with_message(message: &[u8]) -> Vec<u8> {
    let mut packet = KEEPALIVED[..20].to_vec();
    packet[3] = u8::try_from(20 + message.len()).unwrap();
    packet.extend(message);
    packet
}

#[test]
fn each_wrong_length_is_named() {
    let message = &KEEPALIVED[20..];
    assert_eq!(parse(&with_message(&[])), Err(Malformed::Short { vrid: None }));
    assert_eq!(parse(&with_message(&message[..7])), Err(Malformed::Short { vrid: Some(51) }));
    assert_eq!(parse(&with_message(&message[..15])), Err(Malformed::Short { vrid: Some(51) }));
    // One address is missing, four bytes and one byte too many, a count that is not there.
    let count = Err(Malformed::Count { vrid: 51 });
    assert_eq!(parse(&with_message(&message[..20])), count);
    assert_eq!(parse(&with_message(&[message, &[0; 4]].concat())), count);
    assert_eq!(parse(&with_message(&[message, &[0]].concat())), count);
    let mut more = message.to_vec();
    more[3] = 255;
    assert_eq!(parse(&with_message(&more)), count);
}

#[test]
fn another_version_is_named_even_where_its_packet_is_shorter_than_ours() {
    let v3 = with_message(&[0x31, 51, 100, 1, 0, 100, 0, 0, 10, 9, 0, 100]);
    assert_eq!(parse(&v3), Err(Malformed::Version { vrid: 51, version: 3 }));
}

#[test]
fn what_is_not_protocol_112_or_a_fragment_is_refused_at_the_header() {
    for (at, value) in [(9, 17), (6, 0x20), (0, 0x65), (3, 0xff)] {
        let mut packet = KEEPALIVED;
        packet[at] = value;
        assert_eq!(parse(&packet), Err(Malformed::Header), "byte {at}");
    }
}

#[test]
fn two_hundred_and_fifty_five_addresses_fit_and_one_more_does_not() {
    let many = |n: usize| std::iter::repeat_n(Ipv4Addr::LOCALHOST, n);
    let mut packet = [0; 2048];
    assert_eq!(OUTGOING.emit(many(255), &mut packet), Some(Outgoing::emit_len(255)));
    assert_eq!(parse(&packet).unwrap().advert.addresses.len(), 255);
    assert_eq!(OUTGOING.emit(many(256), &mut packet), None);
}

#[test]
fn a_buffer_one_byte_short_is_refused() {
    let mut packet = [0; 64];
    assert_eq!(OUTGOING.emit(ADDRESSES, &mut packet[..43]), None);
    assert_eq!(OUTGOING.emit(ADDRESSES, &mut packet[..10]), None);
    assert_eq!(OUTGOING.emit(ADDRESSES, &mut packet[..44]), Some(44));
}

prop_compose! {
    fn outgoings()(
        source: [u8; 4], destination: [u8; 4], ttl: u8, id: u16, vrid: u8, priority: u8, auth_type: u8,
        auth_data: [u8; 8], interval: u8,
    ) -> Outgoing {
        let (source, destination) = (source.into(), destination.into());
        Outgoing { source, destination, ttl, id, vrid, priority, auth_type, auth_data, interval }
    }
}

proptest! {
    #[test]
    fn parse_reverses_emit(outgoing in outgoings(), list in prop::collection::vec(any::<[u8; 4]>(), 0..=255)) {
        let mut packet = [0; 1056];
        let length = outgoing.emit(list.iter().map(|address| Ipv4Addr::from(*address)), &mut packet).unwrap();
        let received = parse(&packet[..length]).unwrap();
        let advert = Advert {
            version: 2,
            kind: 1,
            vrid: outgoing.vrid,
            priority: outgoing.priority,
            auth_type: outgoing.auth_type,
            interval: outgoing.interval,
            checksum: Checksum::Right,
            addresses: &list,
            auth_data: outgoing.auth_data,
        };
        let Outgoing { source, destination, ttl, .. } = outgoing;
        prop_assert_eq!(received, Received { source, destination, ttl, advert });
    }

    #[test]
    fn no_input_panics(packet: Vec<u8>) {
        let _ = parse(&packet);
        let _ = parse(&with_message(&packet[..packet.len().min(200)]));
    }

    #[test]
    fn every_truncation_is_refused(cut in 0..KEEPALIVED.len()) {
        prop_assert_eq!(parse(&KEEPALIVED[..cut]), Err(Malformed::Header));
    }

    #[test]
    fn a_flipped_bit_of_the_message_never_passes_as_right(bit in 0..24 * 8_usize) {
        let mut packet = KEEPALIVED;
        packet[20 + bit / 8] ^= 1 << (bit % 8);
        let passes = parse(&packet).is_ok_and(|received| received.advert.checksum == Checksum::Right);
        prop_assert!(!passes);
    }
}
