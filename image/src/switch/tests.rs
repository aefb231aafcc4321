//! The switch with plain sockets as guests.

use std::io::Read;
use std::time::Instant;

use super::*;
use crate::wait::secs;

const BROADCAST: [u8; 6] = [0xff; 6];
const GROUP: [u8; 6] = [0x01, 0, 0x5e, 0, 0, 0x12];

/// A guest's end of a wire.
struct Card {
    stream: UnixStream,
    address: [u8; 6],
}

impl Card {
    fn plug(switch: &Switch, port: usize, number: u8) -> Self {
        let stream = UnixStream::connect(switch.wire(port)).unwrap();
        stream.set_read_timeout(Some(secs(10))).unwrap();
        Self { stream, address: [0x52, 0x54, 0, 0, 1, number] }
    }

    /// Sends a frame with `word` in it.
    fn send(&mut self, to: [u8; 6], word: &str) {
        let mut frame = [&to[..], &self.address, &[0x88, 0xb5], word.as_bytes()].concat();
        frame.resize(60, 0);
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&length[..], &frame].concat()).unwrap();
    }

    /// The word in the next frame.
    fn receive(&mut self) -> String {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut frame).unwrap();
        String::from_utf8(frame[14..].to_vec()).unwrap().trim_end_matches('\0').to_owned()
    }
}

fn lan() -> (Switch, [Card; 3]) {
    let switch = Switch::new(3);
    let cards = [0, 1, 2].map(|port: u8| Card::plug(&switch, usize::from(port), port));
    (switch, cards)
}

#[test]
fn unknown_and_group_destinations_go_everywhere_and_known_ones_to_one_port() {
    let (_switch, [mut a, mut b, mut c]) = lan();
    a.send(b.address, "unknown");
    assert_eq!([b.receive(), c.receive()], ["unknown", "unknown"]);
    b.send(a.address, "answer");
    assert_eq!(a.receive(), "answer");
    a.send(b.address, "known");
    a.send(GROUP, "group");
    a.send(BROADCAST, "broadcast");
    assert_eq!([b.receive(), b.receive(), b.receive()], ["known", "group", "broadcast"]);
    assert_eq!([c.receive(), c.receive()], ["group", "broadcast"], "neither the answer nor what was known");
    c.send(BROADCAST, "end");
    assert_eq!([a.receive(), b.receive()], ["end", "end"], "nothing came back to its sender");
}

#[test]
fn an_address_that_is_heard_at_another_port_moves_there() {
    let (_switch, [mut a, mut b, mut c]) = lan();
    let shared = [0, 0, 0x5e, 0, 1, 51];
    b.address = shared;
    b.send(BROADCAST, "mine");
    assert_eq!([a.receive(), c.receive()], ["mine", "mine"]);
    a.send(shared, "to b");
    assert_eq!(b.receive(), "to b");
    c.address = shared;
    c.send(BROADCAST, "taken over");
    assert_eq!([a.receive(), b.receive()], ["taken over", "taken over"]);
    a.send(shared, "to c");
    assert_eq!(c.receive(), "to c");
    a.send(BROADCAST, "end");
    assert_eq!(b.receive(), "end");
}

#[test]
fn a_cut_port_is_lost_both_ways_and_forgotten_until_it_is_joined() {
    let (switch, [mut a, mut b, mut c]) = lan();
    b.send(BROADCAST, "before");
    assert_eq!([a.receive(), c.receive()], ["before", "before"]);
    switch.cut(1);
    a.send(b.address, "to the cut port");
    assert_eq!(c.receive(), "to the cut port", "its address is not known any more");
    b.send(BROADCAST, "from the cut port");
    wait::until("the loss of both", secs(10), || (switch.lost_total() == 2).then_some(()));
    assert!(switch.is_plugged(1), "the carrier stays");
    switch.join(1);
    a.send(b.address, "joined");
    assert_eq!([b.receive(), c.receive()], ["joined", "joined"]);
    b.send(BROADCAST, "again");
    assert_eq!([a.receive(), c.receive()], ["again", "again"]);
    let words: Vec<_> = switch.seen().iter().map(|seen| (seen.port, seen.frame.bytes[14])).collect();
    assert_eq!(words, [(1, b'b'), (0, b't'), (0, b'j'), (1, b'a')], "lost frames were not on the LAN");
}

#[test]
fn frames_of_a_delayed_port_come_later_both_ways_and_in_order() {
    let (switch, [mut a, mut b, mut c]) = lan();
    switch.delay(1, Duration::from_millis(150));
    let start = Instant::now();
    a.send(BROADCAST, "one");
    a.send(BROADCAST, "two");
    assert_eq!([c.receive(), c.receive()], ["one", "two"]);
    assert_eq!([b.receive(), b.receive()], ["one", "two"]);
    let there = start.elapsed();
    b.send(BROADCAST, "back");
    assert_eq!([a.receive(), c.receive()], ["back", "back"]);
    assert!(there >= Duration::from_millis(150), "{there:?}");
    assert!(start.elapsed() >= there + Duration::from_millis(150), "{:?}", start.elapsed());
    a.send(BROADCAST, "on its way");
    assert_eq!(c.receive(), "on its way");
    switch.cut(1);
    wait::until("the loss of what was on its way", secs(10), || (switch.lost_total() == 1).then_some(()));
}

#[test]
fn every_nth_frame_is_dropped_counted_from_the_call() {
    let (switch, [mut a, mut b, _c]) = lan();
    let mut send = |words: [&str; 4]| words.map(|word| a.send(BROADCAST, word));
    switch.drop_every(0, 2);
    send(["1", "2", "3", "4"]);
    assert_eq!([b.receive(), b.receive()], ["1", "3"]);
    wait::until("the fourth frame", secs(10), || (switch.lost_total() == 2).then_some(()));
    switch.drop_every(0, 3);
    send(["5", "6", "7", "8"]);
    assert_eq!([b.receive(), b.receive(), b.receive()], ["5", "6", "8"]);
    switch.drop_every(0, 0);
    send(["9", "10", "11", "12"]);
    assert_eq!([b.receive(), b.receive(), b.receive(), b.receive()], ["9", "10", "11", "12"]);
}

#[test]
fn a_port_takes_a_new_guest_after_and_instead_of_the_old_one() {
    let (switch, [mut a, b, mut c]) = lan();
    wait::until("the guest", secs(10), || switch.is_plugged(1).then_some(()));
    drop(b);
    wait::until("the end of the guest", secs(10), || (!switch.is_plugged(1)).then_some(()));
    a.send(BROADCAST, "nobody there");
    assert_eq!(c.receive(), "nobody there");
    let mut second = Card::plug(&switch, 1, 1);
    a.send(BROADCAST, "second");
    assert_eq!([second.receive(), c.receive()], ["second", "second"]);
    let mut third = Card::plug(&switch, 1, 1);
    a.send(BROADCAST, "third");
    assert_eq!([third.receive(), c.receive()], ["third", "third"]);
    assert_eq!(second.stream.read(&mut [0]).unwrap(), 0, "unplugged");
    assert_eq!(switch.lost_total(), 0);
}

#[test]
fn a_guest_that_does_not_read_loses_frames_and_holds_up_nobody() {
    let (switch, [mut a, mut b, _silent]) = lan();
    let text = "x".repeat(40);
    let mut sent = 0_u32;
    wait::until("a full queue", secs(60), || {
        for _ in 0..1_000 {
            a.send(BROADCAST, &text);
            assert_eq!(b.receive(), text);
        }
        sent += 1_000;
        (switch.lost_total() > 0).then_some(())
    });
    assert!(sent > 1_000, "the queue holds more than {sent} frames");
}

#[test]
fn one_that_does_not_speak_the_protocol_is_thrown_out() {
    let (_switch, [mut a, mut b, mut c]) = lan();
    b.stream.write_all(&[0xff; 64]).unwrap();
    assert_eq!(b.stream.read(&mut [0]).unwrap(), 0, "unplugged");
    a.send(BROADCAST, "others go on");
    assert_eq!(c.receive(), "others go on");
}

#[test]
fn a_capture_is_a_pcap_file_of_what_came_in() {
    let (switch, [mut a, mut b, mut c]) = lan();
    let scratch = Scratch::new("pcap");
    let path = scratch.join("lan.pcap");
    switch.capture(&path);
    switch.cut(2);
    a.send(BROADCAST, "kept");
    c.send(BROADCAST, "cut off");
    wait::until("the loss", secs(10), || (switch.lost_total() == 2).then_some(()));
    a.send(BROADCAST, "kept too");
    assert_eq!([b.receive(), b.receive()], ["kept", "kept too"]);
    let bytes = std::fs::read(&path).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(bytes[..8], [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0], "magic number and version 2.4");
    assert_eq!((word(16), word(20)), (262_144, 1), "the longest frame, and Ethernet");
    let frames = switch.frames();
    assert_eq!((frames.len(), bytes.len()), (2, 24 + 2 * (16 + 60)));
    for (at, frame) in [(24, &frames[0]), (24 + 76, &frames[1])] {
        assert_eq!(
            (word(at), word(at + 4)),
            (u32::try_from(frame.at.as_secs()).unwrap(), frame.at.subsec_micros())
        );
        assert_eq!((word(at + 8), word(at + 12)), (60, 60));
        assert_eq!(bytes[at + 16..at + 76], frame.bytes);
    }
}

#[test]
fn the_ring_of_frames_is_bounded_and_adverts_are_found_in_it() {
    let (switch, [mut a, mut b, _c]) = lan();
    for number in 0..MAX_SEEN + 1 {
        a.send(b.address, &format!("{number}"));
        b.receive();
    }
    let frames = switch.frames();
    assert_eq!((frames.len(), frames[0].bytes[14]), (MAX_SEEN, b'1'), "the oldest has gone");
    switch.clear();
    let advert = crate::frames::Forged::new([10, 0, 0, 1].into(), 51, 150, &[]).frame();
    let length = u32::try_from(advert.len()).unwrap().to_be_bytes();
    b.stream.write_all(&[&length[..], &advert].concat()).unwrap();
    let seen = switch.wait_advert("the advert", secs(10), |port, _| port == 1);
    assert_eq!((seen.vrid, switch.adverts().len(), switch.frames().len()), (51, 1, 1));
}

#[test]
fn what_was_sent_before_settling_has_come_in_after_it() {
    let (switch, [mut a, ..]) = lan();
    for round in 1..=20 {
        for _ in 0..200 {
            a.send(BROADCAST, "before");
        }
        switch.settle();
        assert_eq!(switch.frames().len(), round * 200);
    }
}
