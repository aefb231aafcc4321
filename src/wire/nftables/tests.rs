use super::*;
use crate::wire::netlink::{Content, messages};

fn render(transaction: Transaction<'_>) -> Vec<u8> {
    let mut buffer = vec![0; 16 << 10];
    let mut writer = Writer::new(&mut buffer);
    transaction.emit(&mut writer, 7).unwrap();
    writer.as_bytes().to_vec()
}

fn elements(count: usize) -> Vec<(Element, Presence)> {
    (0..count)
        .map(|n| {
            let address = Ipv6Addr::from(0xfe80_u128 << 112 | n as u128);
            (Element::new(address.into(), LinkIndex(3)), Presence::Present)
        })
        .collect()
}

#[test]
fn a_transaction_is_one_batch_with_one_number_and_one_acknowledgement_at_its_end() {
    let few = elements(2);
    for transaction in
        [Transaction::Build(&few), Transaction::Build(&[]), Transaction::Change(&few), Transaction::Remove]
    {
        let bytes = render(transaction);
        let all: Vec<_> = messages(&bytes).map(Result::unwrap).collect();
        let kinds: Vec<u16> = all.iter().map(|one| one.kind).collect();
        assert_eq!((kinds[0], kinds[kinds.len() - 1]), (BATCH_BEGIN, BATCH_END), "{transaction:?}");
        assert!(all.iter().all(|one| one.seq == 7));
        let asking: Vec<usize> = (0..all.len()).filter(|n| all[*n].flags & NLM_F_ACK != 0).collect();
        assert_eq!(asking, [all.len() - 2], "{transaction:?}");
    }
}

#[test]
fn the_largest_transaction_fits_the_buffer_of_a_send() {
    let most = elements(MAX_ELEMENTS);
    assert!(render(Transaction::Build(&most)).len() < 16 << 10);
    let mut small = [0; 200];
    let mut writer = Writer::new(&mut small);
    assert_eq!(Transaction::Change(&most).emit(&mut writer, 1), Err(Full));
}

#[test]
fn what_does_not_look_at_an_interface_is_the_same_element_on_all() {
    let on = |address: &str, link| Element::new(address.parse().unwrap(), LinkIndex(link));
    assert_eq!(on("192.0.2.1", 1), on("192.0.2.1", 2));
    assert_eq!(on("2001:db8::1", 1), on("2001:db8::1", 2));
    assert_ne!(on("fe80::1", 1), on("fe80::1", 2));
    assert_ne!(on("fe80::1", 1).digest(), on("fe80::1", 2).digest());
}

/// What the kernel shows of an element is what was written of it.
#[test]
fn a_census_counts_elements_as_they_were_written() {
    let mut wanted = Census::default();
    let mut seen = Census::default();
    for (address, set) in [("192.0.2.1", 0), ("2001:db8::1", 1), ("fe80::1", 2)] {
        let element = Element::new(address.parse().unwrap(), LinkIndex(5));
        wanted.add(element);
        let bytes = render(Transaction::Change(&[(element, Presence::Present)]));
        let message = messages(&bytes).nth(1).unwrap().unwrap();
        let Content::Data(payload) = message.content else { panic!("{message:?}") };
        seen.count(Question::Elements(set), payload).unwrap();
    }
    assert_eq!(seen, wanted);
    assert_eq!(seen.elements, 3);
    assert_eq!(seen.count(Question::Rules, &[0; 3]), Err(Malformed::Truncated));
}
