//! The bytes on the wire: what keepalived sends for the same configuration, lvsbox sends too.

use std::time::Duration;

use lab::frames::Advert;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::{FIRST, Pair};
use crate::rig::{Instance, Make};

/// The first adverts of a director alone on its LAN, the one of its farewell included, and their Ethernet headers.
fn sent_by(make: Make, text: &str) -> Vec<(Vec<u8>, Advert)> {
    let pair = Pair::new();
    let scratch = Scratch::new("adverts");
    let sent = || -> Vec<(Vec<u8>, Advert)> {
        let frames = pair.capture.frames();
        let pairs = frames.iter().filter_map(|frame| Some((frame.bytes[..14].to_vec(), frame.advert()?)));
        pairs.filter(|pair| pair.1.source == FIRST).collect()
    };
    let mut director = make.start(&pair.first, text, &scratch);
    wait::until("three adverts", secs(9), || (sent().len() >= 3).then_some(()));
    director.stop(secs(5));
    wait::until("the farewell", secs(3), || sent().iter().any(|row| row.1.priority == 0).then_some(()));
    sent()
}

fn same_bytes(instance: &Instance) {
    let text = instance.to_string();
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| sent_by(Make::Keepalived, &text));
        (theirs.join().unwrap(), sent_by(Make::Lvsbox, &text))
    });
    for index in [0, 1] {
        let ((their_ethernet, their), (our_ethernet, our)) = (&theirs[index], &ours[index]);
        assert_eq!(our_ethernet[12..], their_ethernet[12..]);
        if instance.unicast.is_none() {
            assert_eq!(our_ethernet[..6], their_ethernet[..6], "Ethernet destination");
        }
        assert_eq!(our.comparable_ip(), their.comparable_ip(), "IP header of advert {index}");
        assert_eq!(our.vrrp, their.vrrp, "VRRP part of advert {index}");
    }
    let farewell =
        |sent: &[(Vec<u8>, Advert)]| sent.iter().find(|row| row.1.priority == 0).unwrap().1.clone();
    assert_eq!(farewell(&ours).vrrp, farewell(&theirs).vrrp, "farewell");
    assert!(ours.iter().all(|row| row.1.checksums_are_right()));
    let spans: Vec<Duration> = ours.windows(2).take(2).map(|pair| pair[1].1.at - pair[0].1.at).collect();
    let second = |span: &Duration| (950..1_300).contains(&span.as_millis());
    assert!(spans.iter().all(second), "an advert a second: {spans:?}");
}

#[test]
fn laboratory_keepalived_sends_what_its_documentation_shows() {
    let sent = sent_by(
        Make::Keepalived,
        &Instance::new(150, &["10.9.0.100", "10.9.0.101"]).password("1111").to_string(),
    );
    let captured = [
        0x21, 0x33, 0x96, 0x02, 0x01, 0x01, 0xd0, 0x8b, 0x0a, 0x09, 0x00, 0x64, 0x0a, 0x09, 0x00, 0x65, 0x31,
        0x31, 0x31, 0x31, 0, 0, 0, 0,
    ];
    assert_eq!(sent[0].1.vrrp, captured);
    assert_eq!(sent[0].1.ip[..2], [0x45, 0xc0]);
}

#[test]
fn multicast_advert_is_keepaliveds_byte_for_byte() {
    same_bytes(&Instance::new(150, &["10.9.0.100/24"]));
}

#[test]
fn multicast_advert_with_password_is_keepaliveds_byte_for_byte() {
    same_bytes(&Instance::new(254, &["10.9.0.100", "10.9.0.101/24"]).password("1111"));
}

#[test]
fn unicast_advert_is_keepaliveds_byte_for_byte() {
    same_bytes(&Instance::new(1, &["10.9.0.100/24"]).unicast("10.9.0.1", "10.9.0.2"));
}

#[test]
fn advert_with_twenty_addresses_and_a_long_password_is_keepaliveds_byte_for_byte() {
    let addresses: Vec<String> = (100..120).map(|last| format!("10.9.0.{last}/24")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    same_bytes(&Instance::new(100, &addresses).password("eightchr"));
}
