//! A takeover is not later than keepalived's: both as the BACKUP of the same MASTER, in turn, in the same run.
//!
//! Medians of a few runs are compared, with room for a machine that does other things: the figures themselves are
//! `lab bench-takeover`'s to print.

use lab::bench::takeover::{Ending, Takeovers, compare, rows};
use lab::bench::{Figures, Program};

use crate::rig::binary;

/// What a busy machine may add to one program and not to the other, in microseconds.
const NOISE: i64 = 3_000;

#[track_caller]
fn assert_not_later(what: &str, ours: &Figures, theirs: &Figures) {
    let bound = theirs.median() + NOISE;
    assert!(ours.median() <= bound, "{what}: {ours:?}, keepalived {theirs:?}");
}

#[track_caller]
fn not_later_than_keepalived(vips: u8, ending: Ending) {
    let programs = [Program::Lvsbox(binary()), Program::Keepalived];
    let both: [Takeovers; 2] = compare(&programs, vips, ending, 7).try_into().unwrap();
    println!("{}", rows(&format!("{ending:?}, {vips}"), &both));
    let [ours, theirs] = both;
    assert_eq!((ours.detected.len(), theirs.detected.len()), (7, 7));
    // The times are of one clock; a millisecond is for a frame that the backup read late.
    assert!(ours.detected.quantile(0) > -1_000, "too early: {:?}", ours.detected);
    assert_not_later("the first advert", &ours.detected, &theirs.detected);
    assert_not_later("the last address", &ours.installed, &theirs.installed);
    assert_not_later("the last announcement", &ours.announced, &theirs.announced);
}

#[test]
fn takeover_of_one_address_after_silence_is_not_later_than_keepalived() {
    not_later_than_keepalived(1, Ending::Silence);
}

#[test]
fn takeover_of_200_addresses_after_a_farewell_is_not_later_than_keepalived() {
    not_later_than_keepalived(200, Ending::Farewell);
}
