//! Framing: golden bytes, what does not fit, and what no datagram may do.

use super::*;
use crate::wire::genetlink;
use proptest::prelude::*;

/// `genl ctrl get name nlctrl`, the request with its acknowledgement asked for, and the kernel's two answers (6.18).
const FIND_FAMILY: &str = "20000000100005000700000000000000030100000b0002006e6c6374726c0000";
const FAMILY: &str = "88000000100000000700000097260000010200000b0002006e6c6374726c0000060001001000000008000300020000000\
    80004000000000008000500000000002c000600140001000800010003000000080002000e00000014000200080001000a00000008000200\
    0c0000001c0007001800010008000200100000000b0001006e6f746966790000";
const ACKNOWLEDGEMENT: &str = "240000000200000107000000972600000000000020000000100005000700000000000000";

/// Bytes of a text of hexadecimal digits.
pub(in crate::wire) fn hex(text: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(pair).collect()
}

fn one(datagram: &[u8]) -> Message<'_> {
    let mut messages = messages(datagram);
    let message = messages.next().unwrap().unwrap();
    assert!(messages.next().is_none());
    message
}

#[test]
fn a_family_is_asked_for_and_found() {
    let mut buffer = [0; 64];
    let mut writer = Writer::new(&mut buffer);
    genetlink::emit_find_family("nlctrl", &mut writer, 7).unwrap();
    assert_eq!(writer.as_bytes(), hex(FIND_FAMILY));

    let answer = hex(FAMILY);
    let message = one(&answer);
    assert_eq!((message.seq, message.port), (7, 0x2697));
    let Content::Data(payload) = message.content else { panic!("{message:?}") };
    assert_eq!(genetlink::parse_family(payload), Ok(16));
    assert_eq!(genetlink::parse_family(&payload[..4]), Err(Malformed::Missing));
    assert_eq!(genetlink::parse_family(&payload[..3]), Err(Malformed::Truncated));
}

#[test]
fn an_acknowledgement_carries_its_request_s_sequence_number() {
    let mut answer = hex(ACKNOWLEDGEMENT);
    assert_eq!((one(&answer).seq, one(&answer).content), (7, Content::Acknowledgement { errno: 0 }));
    answer[16..20].copy_from_slice(&(-17_i32).to_ne_bytes());
    assert_eq!(one(&answer).content, Content::Acknowledgement { errno: 17 });
    answer[16..20].copy_from_slice(&i32::MIN.to_ne_bytes());
    assert_eq!(one(&answer).content, Content::Acknowledgement { errno: u16::MAX });
}

fn control(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 64];
    let mut writer = Writer::new(&mut buffer);
    writer.begin(kind, flags, 9);
    writer.raw(payload);
    writer.finish().unwrap();
    writer.as_bytes().to_vec()
}

#[test]
fn the_end_of_a_dump_tells_an_interrupted_and_a_failed_one() {
    assert_eq!(one(&control(3, 2, &[])).content, Content::Done { errno: 0 });
    assert_eq!(one(&control(3, 2, &[0; 4])).content, Content::Done { errno: 0 });
    let failed = control(3, 0x12, &(-16_i32).to_ne_bytes());
    assert_eq!(one(&failed).content, Content::Done { errno: 16 });
    assert!(one(&failed).is_interrupted());
    assert!(!one(&control(3, 2, &[])).is_interrupted());
}

#[test]
fn an_overrun_and_a_noop_are_told_from_data() {
    assert_eq!(one(&control(4, 0, &[])).content, Content::Overrun);
    assert_eq!(one(&control(1, 0, &[])).content, Content::Noop);
    assert_eq!(one(&control(20, 0, &[1, 2, 3, 4])).content, Content::Data(&[1, 2, 3, 4]));
}

#[test]
fn an_error_without_its_number_is_malformed() {
    let datagram = control(2, 0, &[]);
    assert_eq!(messages(&datagram).collect::<Vec<_>>(), [Err(Malformed::Truncated)]);
}

#[test]
fn a_bad_length_ends_the_datagram_but_not_the_messages_before_it() {
    let mut datagram = control(20, 0, &[1; 4]);
    let mut second = control(21, 0, &[2; 4]);
    for length in [0_u32, 15, 21, u32::MAX] {
        second[..4].copy_from_slice(&length.to_ne_bytes());
        datagram.truncate(20);
        datagram.extend(&second);
        let list: Vec<_> = messages(&datagram).collect();
        assert_eq!(list.len(), 2, "{length}");
        assert_eq!(list[0].map(|message| message.kind), Ok(20));
        assert_eq!(list[1], Err(Malformed::Truncated));
    }
}

#[test]
fn a_message_that_does_not_fit_is_taken_back_whole() {
    let mut buffer = [0xee; 56];
    let mut writer = Writer::new(&mut buffer);
    let write = |writer: &mut Writer<'_>, seq| {
        writer.begin(20, NLM_F_REQUEST, seq);
        writer.u32(1, 7);
        writer.finish()
    };
    assert_eq!((write(&mut writer, 1), write(&mut writer, 2)), (Ok(()), Ok(())));
    let before = writer.as_bytes().to_vec();
    assert_eq!(write(&mut writer, 3), Err(Full));
    assert_eq!((writer.messages(), writer.as_bytes()), (2, &before[..]));
    assert_eq!(messages(writer.as_bytes()).filter_map(Result::ok).map(|m| m.seq).collect::<Vec<_>>(), [1, 2]);
    writer.clear();
    assert_eq!((writer.messages(), writer.as_bytes().len()), (0, 0));
    assert_eq!(write(&mut writer, 3), Ok(()));
}

#[test]
fn a_message_begun_and_not_finished_is_not_in_the_buffer() {
    let mut buffer = [0; 64];
    let mut writer = Writer::new(&mut buffer);
    assert_eq!(writer.finish(), Err(Full));
    writer.begin(20, 0, 1);
    writer.u32(1, 7);
    assert_eq!(writer.as_bytes(), [0_u8; 0]);
    writer.begin(21, 0, 2);
    writer.finish().unwrap();
    assert_eq!(one(writer.as_bytes()).kind, 21);
}

#[test]
fn an_attribute_longer_than_its_length_field_can_say_is_refused() {
    let mut buffer = vec![0; 70_000];
    let mut writer = Writer::new(&mut buffer);
    for (length, fits) in [(65_531, true), (65_532, false)] {
        writer.clear();
        writer.begin(20, 0, 1);
        writer.bytes(1, &vec![0; length]);
        assert_eq!(writer.finish().is_ok(), fits, "{length}");
    }
}

#[test]
fn attributes_of_every_kind_are_read_back() {
    let mut buffer = [0; 256];
    let mut writer = Writer::new(&mut buffer);
    writer.begin(20, 0, 1);
    writer.u8(1, 0xab);
    writer.u16(2, 0x1234);
    writer.be16(3, 80);
    writer.u32(4, 0xdead_beef);
    writer.str(5, "wlc");
    writer.nested(6, |nest| {
        nest.bytes(1, &[1, 2, 3]);
        nest.nested(2, |inner| inner.u8(9, 9));
    });
    writer.u8(7, 7);
    writer.finish().unwrap();
    let Content::Data(payload) = one(writer.as_bytes()).content else { panic!() };
    let attributes = Attributes::new(payload);
    assert_eq!(
        (attributes.u8(1), attributes.u16(2), attributes.be16(3)),
        (Some(0xab), Some(0x1234), Some(80))
    );
    assert_eq!((attributes.u32(4), attributes.str(5)), (Some(0xdead_beef), Some("wlc")));
    let nest = attributes.nest(6).unwrap();
    assert_eq!(nest.bytes(1), Some(&[1, 2, 3][..]));
    assert_eq!(nest.nest(2).unwrap().u8(9), Some(9));
    assert_eq!((attributes.u8(7), attributes.u8(8), attributes.u32(1)), (Some(7), None, None));
    // `bytes` is on the wire as `80` in network order, and the string has its NUL.
    assert_eq!((attributes.bytes(3), attributes.bytes(5)), (Some(&[0, 80][..]), Some(&b"wlc\0"[..])));
}

#[test]
fn the_flags_of_an_attribute_are_no_part_of_its_type() {
    let attributes = hex("0500010107000000");
    assert_eq!(Attributes::new(&attributes).u8(0x101), Some(7));
    let attributes = hex("0500014007000000");
    assert_eq!(Attributes::new(&attributes).u8(1), Some(7));
}

proptest! {
    #[test]
    fn no_datagram_panics_or_never_ends(datagram: Vec<u8>) {
        let count = messages(&datagram).count();
        prop_assert!(count <= datagram.len() / HEADER_LEN + 1);
        prop_assert!(Attributes::new(&datagram).iter().count() <= datagram.len() / 4 + 1);
    }

    #[test]
    fn truncation_never_invents_a_message(cut in 0..0x88_usize) {
        let answer = hex(FAMILY);
        prop_assert!(messages(&answer[..cut]).all(|message| message.is_err()));
    }

    #[test]
    fn a_flipped_bit_panics_nowhere(bit in 0..0x88 * 8_usize) {
        let mut answer = hex(FAMILY);
        answer[bit / 8] ^= 1 << (bit % 8);
        for message in messages(&answer).flatten() {
            if let Content::Data(payload) = message.content {
                let _ = genetlink::parse_family(payload);
            }
        }
    }

    #[test]
    fn whatever_fits_is_read_back(
        list in prop::collection::vec((0..0x4000_u16, prop::collection::vec(any::<u8>(), 0..40)), 0..20),
        room in 0..900_usize,
    ) {
        let mut buffer = vec![0; room];
        let mut writer = Writer::new(&mut buffer);
        writer.begin(20, 5, 3);
        for (kind, value) in &list {
            writer.bytes(*kind, value);
        }
        let needed: usize = 16 + list.iter().map(|(_, value)| 4 + value.len().next_multiple_of(4)).sum::<usize>();
        prop_assert_eq!(writer.finish().is_ok(), needed <= room);
        for message in messages(writer.as_bytes()) {
            let Content::Data(payload) = message.unwrap().content else { panic!() };
            let read: Vec<_> =
                Attributes::new(payload).iter().map(|attribute| (attribute.kind, attribute.value.to_vec())).collect();
            prop_assert_eq!(&read, &list);
        }
    }
}
