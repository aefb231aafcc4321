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
    source: IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1)),
    destination: IpAddr::V4(GROUP),
    ttl: 255,
    id: 1,
    vrid: 51,
    priority: 150,
    sealing: None,
    dialect: Dialect::V2 { auth_type: 1, auth_data: *b"1111\0\0\0\0", interval: 1 },
};

fn addresses() -> impl Iterator<Item = IpAddr> {
    [[10, 9, 0, 100], [10, 9, 0, 101]].into_iter().map(IpAddr::from)
}

/// Debian's keepalived 2.2.7, `tcpdump -x ip proto 112`: version 3, VRID 51, priority 150, 0.25 s, two addresses.
const V3: [u8; 36] = [
    0x45, 0xc0, 0x00, 0x24, 0x00, 0x01, 0x00, 0x00, 0xff, 0x70, 0xd0, 0x8c, 0x0a, 0x09, 0x00, 0x01, 0xe0,
    0x00, 0x00, 0x12, 0x31, 0x33, 0x96, 0x02, 0x00, 0x19, 0x39, 0x39, 0x0a, 0x09, 0x00, 0x64, 0x0a, 0x09,
    0x00, 0x65,
];

/// Without the pseudo-header (keepalived 2.2.7 knows no `v3_checksum_as_v2`; its packet but for the checksum, which is
/// worked out by hand): VRID 52, 0.1 s, one address.
const V3_AS_V2: [u8; 32] = [
    0x45, 0xc0, 0x00, 0x20, 0x00, 0x01, 0x00, 0x00, 0xff, 0x70, 0xd0, 0x90, 0x0a, 0x09, 0x00, 0x01, 0xe0,
    0x00, 0x00, 0x12, 0x31, 0x34, 0x96, 0x01, 0x00, 0x0a, 0x2e, 0x51, 0x0a, 0x09, 0x00, 0x66,
];

/// The same over IPv6: VRID 51, 0.5 s, fe80::100 and 2001:db8::100. The flow label, which the kernel makes up, is 0.
const V6: [u8; 80] = [
    0x6c, 0x00, 0x00, 0x00, 0x00, 0x28, 0x70, 0xff, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0xff, 0xfe,
    0x00, 0x09, 0x01, 0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x12, 0x31, 0x33, 0x96, 0x02,
    0x00, 0x32, 0x04, 0x2f, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x00, 0x20, 0x01, 0x0d,
    0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x00,
];

fn v3(interval: u16, coverage: Coverage) -> Outgoing {
    Outgoing { dialect: Dialect::V3 { interval, coverage }, ..OUTGOING }
}

fn v6() -> (Outgoing, [IpAddr; 2]) {
    let source = "fe80::ff:fe00:901".parse().unwrap();
    let outgoing = Outgoing { source, destination: GROUP6.into(), ..v3(50, Coverage::Message) };
    (outgoing, ["fe80::100", "2001:db8::100"].map(|text| text.parse().unwrap()))
}

#[test]
fn v07_adverts_of_version_3_are_keepalived_s_byte_for_byte_in_both_families() {
    let mut packet = [0; 100];
    assert_eq!(v3(25, Coverage::PseudoHeader).emit(addresses(), &mut packet), Some(V3.len()));
    assert_eq!(packet[..V3.len()], V3);
    let outgoing = Outgoing { vrid: 52, ..v3(10, Coverage::Message) };
    let one = [IpAddr::from([10, 9, 0, 102])];
    assert_eq!(outgoing.emit(one.into_iter(), &mut packet), Some(V3_AS_V2.len()));
    assert_eq!(packet[..V3_AS_V2.len()], V3_AS_V2);
    let (outgoing, list) = v6();
    assert_eq!(outgoing.emit(list.into_iter(), &mut packet), Some(V6.len()));
    assert_eq!(packet[..V6.len()], V6);
}

#[test]
fn v07_both_forms_of_the_checksum_are_right_over_ipv4_and_one_over_ipv6() {
    for (packet, interval) in [(&V3[..], 250), (&V3_AS_V2, 100), (&V6, 500)] {
        let advert = parse(packet).unwrap().advert;
        assert_eq!(advert.checksum, Checksum::Right);
        assert_eq!((advert.version, advert.kind, advert.priority), (3, 1, 150));
        assert_eq!(advert.interval, Duration::from_millis(interval));
    }
    let (received, (outgoing, list)) = (parse(&V6).unwrap(), v6());
    assert_eq!((received.source, received.destination, received.ttl), (outgoing.source, GROUP6.into(), 255));
    assert!(received.advert.addresses.iter().eq(list));
    let mut wrong = V6;
    wrong[20] ^= 1;
    assert_eq!(parse(&wrong).unwrap().advert.checksum, Checksum::Wrong, "the pseudo-header counts");
}

#[test]
fn v05_the_reserved_bits_of_version_3_are_no_part_of_the_interval() {
    let mut packet = V3;
    packet[24] |= 0xf0;
    assert_eq!(parse(&packet).unwrap().advert.interval, Duration::from_millis(250));
}

#[test]
fn v12_addresses_of_the_other_family_are_not_sent() {
    let (six, list) = v6();
    assert_eq!(OUTGOING.emit(list.into_iter(), &mut [0; 200]), None);
    assert_eq!(six.emit(addresses(), &mut [0; 200]), None);
    let mixed = Outgoing { destination: GROUP.into(), ..six };
    assert_eq!(mixed.emit(list.into_iter(), &mut [0; 200]), None);
}

#[test]
fn version_2_over_ipv6_is_named() {
    let mut packet = V6;
    packet[40] = 0x21;
    assert_eq!(parse(&packet), Err(Malformed::Version { vrid: 51, version: 2 }));
}

#[test]
fn an_advert_is_keepalived_s_byte_for_byte() {
    let mut packet = [0; 1500];
    assert_eq!(OUTGOING.emit(addresses(), &mut packet), Some(KEEPALIVED.len()));
    assert_eq!(packet[..KEEPALIVED.len()], KEEPALIVED);
}

#[test]
fn keepalived_s_advert_is_understood() {
    let received = parse(&KEEPALIVED).unwrap();
    assert_eq!((received.source, received.destination, received.ttl), (OUTGOING.source, GROUP.into(), 255));
    let advert = received.advert;
    assert_eq!((advert.version, advert.kind, advert.vrid, advert.priority), (2, 1, 51, 150));
    assert_eq!(
        (advert.auth_type, advert.auth_data, advert.interval),
        (1, *b"1111\0\0\0\0", Duration::from_secs(1))
    );
    assert!(advert.addresses.iter().eq(addresses()));
    assert_eq!(advert.checksum, Checksum::Right);
}

#[test]
fn holo_s_vector_is_reproduced_and_understood() {
    let outgoing = Outgoing {
        priority: 30,
        dialect: Dialect::V2 { auth_type: 0, auth_data: [0; 8], interval: 1 },
        ..OUTGOING
    };
    let mut packet = [0; 40];
    assert_eq!(outgoing.emit([IpAddr::from([10, 0, 1, 5])].into_iter(), &mut packet), Some(40));
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
    let v4 = with_message(&[0x41, 51, 100, 1, 0, 100, 0, 0, 10, 9, 0, 100]);
    assert_eq!(parse(&v4), Err(Malformed::Version { vrid: 51, version: 4 }));
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
    let many = |n: usize| std::iter::repeat_n(IpAddr::from([127, 0, 0, 1]), n);
    let mut packet = [0; 2048];
    assert_eq!(OUTGOING.emit(many(255), &mut packet), Some(20 + 8 + 4 * 255 + 8));
    assert_eq!(parse(&packet).unwrap().advert.addresses.len(), 255);
    assert_eq!(OUTGOING.emit(many(256), &mut packet), None);
}

#[test]
fn a_buffer_one_byte_short_is_refused() {
    let mut packet = [0; 64];
    assert_eq!(OUTGOING.emit(addresses(), &mut packet[..43]), None);
    assert_eq!(OUTGOING.emit(addresses(), &mut packet[..10]), None);
    assert_eq!(OUTGOING.emit(addresses(), &mut packet[..44]), Some(44));
}

prop_compose! {
    fn outgoings()(
        source: [u8; 4], destination: [u8; 4], ttl: u8, id: u16, vrid: u8, priority: u8, auth_type: u8,
        auth_data: [u8; 8], interval: u8, centiseconds in 0..4096_u16, six: bool, three: bool, plain: bool,
        sealed in any::<Option<([u8; 8], u32)>>(),
    ) -> Outgoing {
        let address = |bytes: [u8; 4]| match six {
            true => IpAddr::V6(Ipv4Addr::from(bytes).to_ipv6_mapped()),
            false => IpAddr::from(bytes),
        };
        let coverage = if plain { Coverage::Message } else { Coverage::PseudoHeader };
        let dialect = match six || three {
            true => Dialect::V3 { interval: centiseconds, coverage },
            false => Dialect::V2 { auth_type, auth_data, interval },
        };
        let (source, destination) = (address(source), address(destination));
        let sealing = sealed.filter(|_| !six).map(|(key, sequence)| Sealing { key, sequence });
        Outgoing { source, destination, ttl, id, vrid, priority, sealing, dialect }
    }
}

proptest! {
    #[test]
    fn parse_reverses_emit(outgoing in outgoings(), list in prop::collection::vec(any::<[u8; 16]>(), 0..=255)) {
        let mut packet = [0; 4_200];
        let short: Vec<[u8; 4]> = list.iter().map(|bytes| *bytes.first_chunk().unwrap()).collect();
        let addresses = match outgoing.source {
            IpAddr::V4(_) => Addresses::V4(&short),
            IpAddr::V6(_) => Addresses::V6(&list),
        };
        let length = outgoing.emit(addresses.iter(), &mut packet).unwrap();
        let received = parse(&packet[..length]).unwrap();
        let (version, auth_type, auth_data, interval) = match outgoing.dialect {
            Dialect::V2 { auth_type, auth_data, interval } =>
                (2, auth_type, auth_data, Duration::from_secs(interval.into())),
            Dialect::V3 { interval, .. } => (3, 0, [0; 8], CENTISECOND.times(interval.into())),
        };
        let Outgoing { source, destination, ttl, vrid, priority, .. } = outgoing;
        let checksum = Checksum::Right;
        let advert = Advert { version, kind: 1, vrid, priority, auth_type, interval, checksum, addresses, auth_data };
        let seal = received.seal;
        prop_assert_eq!(received, Received { source, destination, ttl, seal, advert });
        prop_assert_eq!(seal.map(|it| it.sequence), outgoing.sealing.map(|it| it.sequence));
        let right = |it: Sealing| seal.is_some_and(|seal| seal.is_made_with(&it.key));
        prop_assert!(outgoing.sealing.is_none_or(right));
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

/// keepalived 2.2.7, `auth_type AH` and password `s3cret`, `tcpdump -xx -i br0 ip proto 51`: to the group and to a
/// peer.
const SEALED: [&str; 2] = [
    "45c0004000010000ff33d0ad0a090001e0000012700400000a09000100000001828586b613f815bba67c001d2135960102013c58\
     0a0900670000000000000000",
    "45c0004000010000ff33a6b50a0900010a090002700400000a0900010000000137b1635f4466034c15cf53c52136960102013c56\
     0a0900680000000000000000",
];

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap()).collect()
}

#[test]
fn sealed_adverts_are_keepalived_s_byte_for_byte_and_understood() {
    let sealing = Some(Sealing { key: *b"s3cret\0\0", sequence: 1 });
    let dialect = Dialect::V2 { auth_type: 2, auth_data: [0; 8], interval: 1 };
    let group = Outgoing { sealing, dialect, vrid: 53, ..OUTGOING };
    let peer = Outgoing { destination: IpAddr::from([10, 9, 0, 2]), vrid: 54, ..group };
    for (hex, outgoing, last) in [(SEALED[0], group, 103), (SEALED[1], peer, 104)] {
        let captured = bytes_of(hex);
        let mut packet = [0; 64];
        assert_eq!(outgoing.emit([IpAddr::from([10, 9, 0, last])].into_iter(), &mut packet), Some(64));
        assert_eq!(packet[..], captured);
        let received = parse(&captured).unwrap();
        let seal = received.seal.unwrap();
        assert_eq!((seal.sequence, IpAddr::V4(seal.spi)), (1, outgoing.source));
        assert_eq!((received.advert.auth_type, received.advert.checksum), (2, Checksum::Right));
        assert!(seal.is_made_with(b"s3cret\0\0") && !seal.is_made_with(b"s3cres\0\0"));
    }
}

#[test]
fn a_seal_covers_every_byte_that_no_router_changes() {
    for (hex, free) in [(SEALED[0], &[1, 6, 7, 10, 11][..]), (SEALED[1], &[1, 6, 7, 8, 10, 11])] {
        let captured = bytes_of(hex);
        for at in 0..captured.len() {
            let mut changed = captured.clone();
            changed[at] ^= 1;
            // Some bytes make it no packet at all.
            let right = parse(&changed)
                .is_ok_and(|packet| packet.seal.is_some_and(|seal| seal.is_made_with(b"s3cret\0\0")));
            // The first byte of flags and offset: bit 0 makes a fragment of it.
            assert_eq!(right, free.contains(&at) && !matches!(at, 6 | 7), "byte {at}");
        }
    }
}

#[test]
fn a_sealed_packet_that_is_cut_or_carries_something_else_is_no_advert() {
    let captured = bytes_of(SEALED[0]);
    let with = |at: usize, value: u8| {
        let mut packet = captured.clone();
        packet[at] = value;
        parse(&packet).unwrap_err()
    };
    assert_eq!(with(20, 6), Malformed::Header);
    assert_eq!(with(21, 5), Malformed::Header);
    assert_eq!(with(3, 40), Malformed::Header);
    for length in 0..captured.len() {
        assert!(parse(&captured[..length]).is_err());
    }
}
