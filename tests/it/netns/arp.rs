//! Gratuitous ARP: which frames, in which order, when.

use std::net::Ipv4Addr;
use std::time::Duration;

use lab::frames::GratuitousArp;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::{FIRST, Pair};
use crate::rig::{Instance, Make};

const VIPS: [Ipv4Addr; 3] =
    [Ipv4Addr::new(10, 9, 0, 100), Ipv4Addr::new(10, 9, 0, 101), Ipv4Addr::new(10, 9, 0, 90)];

fn five_rounds_at_once_and_five_after_five_seconds(make: Make) {
    let pair = Pair::new();
    let scratch = Scratch::new("arp");
    let text = Instance::new(150, &["10.9.0.100/24", "10.9.0.101/24", "10.9.0.90/24"]).to_string();
    let _director = make.start(&pair.first, &text, &scratch);
    let seen = || -> Vec<GratuitousArp> {
        let frames = pair.capture.frames();
        frames
            .iter()
            .filter_map(|frame| frame.gratuitous_arp())
            .filter(|arp| VIPS.contains(&arp.address))
            .collect()
    };
    wait::until("thirty announcements", secs(15), || (seen().len() >= 30).then_some(()));
    wait::steady("no third burst", secs(2), || seen().len() == 30);

    let (all, adverts) = (seen(), pair.capture.adverts());
    let first = adverts.iter().find(|advert| advert.source == FIRST).unwrap();
    assert!(first.at < all[0].at, "the advert goes before the announcements");
    for (index, arp) in all.iter().enumerate() {
        assert_eq!(
            arp.address,
            VIPS[index % 3],
            "announcement {index}: rounds over all addresses, in their order"
        );
    }
    let mac = all[0].source;
    let mut expected = vec![0, 1, 8, 0, 6, 4, 0, 1];
    expected.extend(mac);
    expected.extend(VIPS[0].octets());
    expected.extend([0xff; 6]);
    expected.extend(VIPS[0].octets());
    assert_eq!(all[0].arp, expected, "a request, from and for the address, target all ones");
    let pause = all[15].at - all[14].at;
    assert!(
        pause >= Duration::from_millis(4_900) && pause <= Duration::from_millis(5_900),
        "pause {pause:?}"
    );
    assert!(all[14].at - all[0].at < Duration::from_millis(900), "the first burst is one burst");
}

#[test]
fn laboratory_keepalived_announces_in_two_bursts() {
    five_rounds_at_once_and_five_after_five_seconds(Make::Keepalived);
}

#[test]
fn lvsbox_announces_in_two_bursts_of_five_rounds() {
    five_rounds_at_once_and_five_after_five_seconds(Make::Lvsbox);
}

/// A host that spoke to the old master speaks to the new one without asking again.
#[test]
fn neighbours_learn_the_new_master_from_its_announcement() {
    let pair = Pair::new();
    let scratch = Scratch::new("neighbour");
    let text = |priority| Instance::new(priority, &["10.9.0.100/24"]).to_string();
    let mut first = Make::Keepalived.start(&pair.first, &text(150), &scratch);
    let second = Make::Lvsbox.start(&pair.second, &text(100), &scratch);
    first.wait_line("Entering MASTER STATE", secs(8));
    let neighbour = || pair.observer.ip("neigh show to 10.9.0.100 dev eth0");
    let mac = |namespace: &lab::netns::Namespace| {
        let listing = namespace.ip("-o link show eth0");
        listing.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap().to_owned()
    };
    pair.observer.run("ping -c 1 -W 2 10.9.0.100");
    assert!(neighbour().contains(&mac(&pair.first)), "{}", neighbour());
    first.stop(secs(5));
    second.wait_line("Entering MASTER STATE", secs(5));
    wait::until("the new address in the neighbour table", secs(3), || {
        neighbour().contains(&mac(&pair.second)).then_some(())
    });
}
