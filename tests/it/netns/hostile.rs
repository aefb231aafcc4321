//! Forged and malformed adverts change nothing, kill nothing, grow nothing, and are counted with their reason.

use std::net::Ipv4Addr;

use lab::frames::{Forged, ip_frame};
use lab::netns::Host;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::{FIRST, Pair};
use crate::rig::{Instance, Make, ctl};

const FORGER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 66);
const VIP: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 100);
/// Of each kind; ten kinds make 10,000.
const EACH: usize = 1_000;

/// A right advert of a better director for the instance of these tests.
fn right() -> Forged {
    let mut forged = Forged::new(FORGER, 51, 254, &[VIP]);
    (forged.auth_type, forged.auth) = (1, *b"s3cret\0\0");
    forged
}

/// Random bytes, the same in every run (xorshift).
fn noise(state: &mut u64) -> Vec<u8> {
    let mut next = || {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        state.to_le_bytes()
    };
    let length = usize::from(next()[0] % 64);
    let mut bytes = Vec::new();
    while bytes.len() < length {
        bytes.extend(next());
    }
    bytes.truncate(length);
    // Never by chance a whole advert for us: the first byte is no version anybody speaks.
    if let Some(first) = bytes.first_mut() {
        *first |= 0xf0;
    }
    bytes
}

/// One kind of frame after the other, `EACH` of them, and the word under which `show vrrp` counts it.
fn kinds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let forge = |change: &dyn Fn(&mut Forged)| {
        let mut forged = right();
        change(&mut forged);
        vec![forged.frame(); EACH]
    };
    let mut state = 0x9e37_79b9_7f4a_7c15;
    vec![
        ("ttl", forge(&|forged| forged.ttl = 254)),
        ("checksum", forge(&|forged| forged.checksum_error = 1)),
        ("password", forge(&|forged| forged.auth = *b"wrong\0\0\0")),
        ("authentication", forge(&|forged| forged.auth_type = 0)),
        ("count", forge(&|forged| forged.count = Some(200))),
        ("interval", forge(&|forged| forged.interval = 2)),
        ("version", forge(&|forged| forged.version_type = 0x51)),
        ("type", forge(&|forged| forged.version_type = 0x22)),
        ("short", forge(&|forged| forged.cut = 14)),
        (
            "",
            (0..EACH)
                .map(|_| ip_frame(FORGER, Ipv4Addr::new(224, 0, 0, 18), 255, &noise(&mut state)))
                .collect(),
        ),
    ]
}

/// The sum of the whole numbers in the lines of `text` that contain `word`.
fn counted(text: &str, word: &str) -> u64 {
    let lines = text.lines().filter(|line| line.to_lowercase().contains(word));
    let words = lines.flat_map(|line| line.split(|letter: char| !letter.is_ascii_digit()));
    words.filter_map(|word| word.parse::<u64>().ok()).sum()
}

/// Bytes of the heap in use.
fn heap_live(director: &Host) -> u64 {
    let json: serde_json::Value = serde_json::from_str(&ctl(director, "show memory json")).unwrap();
    json["heap_live"].as_u64().unwrap()
}

#[test]
fn ten_thousand_forged_adverts_change_nothing_and_are_counted() {
    let pair = Pair::new();
    let scratch = Scratch::new("forged");
    let text = Instance::new(100, &["10.9.0.100/24"]).password("s3cret").to_string();
    let director = Make::Lvsbox.start(&pair.first, &text, &scratch);
    director.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    let kinds = kinds();
    // Once through every kind, so that what is reached for the first time is not taken for growth.
    kinds.iter().for_each(|kind| pair.capture.send(&kind.1[0]));
    let before = ctl(&pair.first, "show vrrp");
    let memory = heap_live(&pair.first);
    let resident = director.status("RssAnon");
    let mut worst = Vec::new();
    for (word, frames) in &kinds {
        let start = counted(&ctl(&pair.first, "show vrrp"), word);
        for chunk in frames.chunks(50) {
            chunk.iter().for_each(|frame| pair.capture.send(frame));
            // An answer means that the loop has turned: the socket's queue does not overflow.
            ctl(&pair.first, "show loop");
        }
        let rise = || counted(&ctl(&pair.first, "show vrrp"), word) - start;
        // The last may still be on their way through the kernel.
        let all = || (rise() >= EACH as u64).then_some(());
        if !word.is_empty() && wait::maybe(secs(5), all).is_none() {
            worst.push(format!("{word}: {} of {EACH}", rise()));
        }
    }
    let after = ctl(&pair.first, "show vrrp");
    assert!(worst.is_empty(), "counted too few: {worst:?}\nbefore:\n{before}\nafter:\n{after}");
    assert!(!director.has_ended());
    assert_eq!(director.count("Entering BACKUP STATE"), 1, "nothing but the start");
    assert!(pair.first.has_address("eth0", "10.9.0.100"));
    let heap = heap_live(&pair.first);
    assert!(heap <= memory + 512, "{memory} bytes of the heap, and then {heap}");
    // Tables and the log's ring were reserved at the load, and are touched when they are used first.
    let grown = director.status("RssAnon").saturating_sub(resident);
    assert!(grown <= 96, "grown by {grown} KiB");
    pair.capture.clear();
    pair.capture
        .wait_advert("it still sends", secs(3), |advert| advert.source == FIRST && advert.priority == 100);
}

/// The forger's control: the same frame without an error deposes the master, so the others were refused for theirs.
#[test]
fn right_advert_of_a_better_director_is_obeyed() {
    let pair = Pair::new();
    let scratch = Scratch::new("obeyed");
    let text = Instance::new(100, &["10.9.0.100/24"]).password("s3cret").to_string();
    for make in [Make::Keepalived, Make::Lvsbox] {
        let mut director = make.start(&pair.first, &text, &scratch);
        director.wait_line("(VI_1) Entering MASTER STATE", secs(8));
        pair.capture.send(&right().frame());
        director.wait_lines("(VI_1) Entering BACKUP STATE", 2, secs(2));
        director.stop(secs(5));
    }
}

/// Refused adverts do not keep a backup quiet: its timer runs on.
#[test]
fn refused_adverts_do_not_hold_a_backup_down() {
    let pair = Pair::new();
    let scratch = Scratch::new("quiet");
    let text = Instance::new(100, &["10.9.0.100/24"]).password("s3cret").to_string();
    let director = Make::Lvsbox.start(&pair.first, &text, &scratch);
    let mut forged = right();
    forged.auth = *b"wrong\0\0\0";
    let master = lab::wait::maybe(secs(8), || {
        pair.capture.send(&forged.frame());
        (director.count("(VI_1) Entering MASTER STATE") == 1).then_some(())
    });
    assert!(master.is_some(), "a wrong password held the backup down");
}
