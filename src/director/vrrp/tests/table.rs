//! The complete table: every event in every state, where it leads, what is sent, and when the protocol timer fires
//! then. Each row names its section of RFC 9568 (where its number is another one in RFC 3768, that too); where
//! keepalived differs, the row says so and is as keepalived does.

use super::*;
use crate::config::model::Preemption;
use AdvertKind::{Farewell, Present};
use Before::{Backup, Fault, Init, Master, Owner, Staying, Waiting};
use What::{Above, Below, Higher, LinkDown, LinkUp, Lower, Rival, Stop, Timer, Zero};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Before {
    /// INIT: the delay of the start is not over.
    Init,
    Backup,
    /// BACKUP with `nopreempt`.
    Staying,
    /// BACKUP that follows a lesser router until its `preempt_delay` is over.
    Waiting,
    Master,
    /// MASTER with priority 255.
    Owner,
    Fault,
}

const STATES: [Before; 7] = [Init, Backup, Staying, Waiting, Master, Owner, Fault];

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    /// Priority 150 from a higher address.
    Higher,
    /// Our 100 from a lower address.
    Below,
    /// Our 100 from a higher address.
    Above,
    /// Priority 50 from a higher address.
    Lower,
    /// Priority 0: a farewell.
    Zero,
    /// Priority 255 from a higher address.
    Rival,
    /// `Adver_Timer` or `Active_Down_Timer` fires, if one is set.
    Timer,
    LinkDown,
    LinkUp,
    Stop,
}

const EVENTS: [What; 10] = [Higher, Below, Above, Lower, Zero, Rival, Timer, LinkDown, LinkUp, Stop];

fn node(from: Before) -> Node {
    let mut vr = Vr::default();
    match from {
        Staying => vr.preemption = Preemption::Stay,
        Waiting => vr.manners.preempt_delay = Duration::from_secs(10),
        Owner => vr.priority = 255,
        Init | Backup | Master | Fault => {}
    }
    let mut config = Builder::new().instance(vr).build();
    config.global.startup_delay = if from == Init { Duration::from_secs(10) } else { Duration::ZERO };
    let mut node = Node::new(config, ME);
    node.run_until(at(if matches!(from, Master | Owner) { 4_000 } else { 500 }));
    match from {
        Waiting => hear(&mut node, Ok(advert(99, 50))),
        Fault => {
            node.set_carrier("eth0", false);
            node.run_millis(10);
        }
        Init | Backup | Staying | Master | Owner => {}
    }
    // Not in the moment of the last event, so that a timer that is set again can be told from one that is not.
    node.run_millis(20);
    sent(&mut node);
    node
}

fn happen(node: &mut Node, what: What) {
    match what {
        Higher => hear(node, Ok(advert(99, 150))),
        Below => hear(node, Ok(advert(5, 100))),
        Above => hear(node, Ok(advert(99, 100))),
        Lower => hear(node, Ok(advert(99, 50))),
        Zero => hear(node, Ok(advert(99, 0))),
        Rival => hear(node, Ok(advert(99, 255))),
        Timer => match node.director.protocol_deadline(InstanceId(0)) {
            Some(due) => node.run_until(due),
            None => node.handle(Event::Tick),
        },
        LinkDown | LinkUp => {
            node.delay = Duration::ZERO;
            node.set_carrier("eth0", what == LinkUp);
            node.run(Duration::ZERO);
        }
        Stop => node.stop(Keep::default()),
    }
}

/// From where, what, where to, which adverts are sent, when the timer fires then, and the section that says so.
type Row = (Before, What, &'static str, &'static [AdvertKind], Option<u64>, &'static str);

/// The timer goes on as it was.
const KEPT: Option<u64> = Some(u64::MAX);
/// The wait of a BACKUP with priority 255.
const OWNER_DOWN: Option<u64> = Some(3_003_906);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    (Init, Higher, "INIT", &[], None, "6.4.1: packets are not looked at"),
    (Init, Below, "INIT", &[], None, "6.4.1"),
    (Init, Above, "INIT", &[], None, "6.4.1"),
    (Init, Lower, "INIT", &[], None, "6.4.1"),
    (Init, Zero, "INIT", &[], None, "6.4.1"),
    (Init, Rival, "INIT", &[], None, "6.4.1"),
    (Init, Timer, "INIT", &[], None, "6.4.1: no timer is set"),
    (Init, LinkDown, "INIT", &[], None, "6.4.1: no Startup event yet"),
    (Init, LinkUp, "INIT", &[], None, "6.4.1: no Startup event yet"),
    (Init, Stop, "INIT", &[], None, "6.4.1"),
    (Backup, Higher, "BACKUP", &[], DOWN, "6.4.2: priority not below ours resets Active_Down_Timer"),
    (Backup, Below, "BACKUP", &[], DOWN, "6.4.2: addresses are not compared"),
    (Backup, Above, "BACKUP", &[], DOWN, "6.4.2"),
    (Backup, Lower, "BACKUP", &[], KEPT, "6.4.2: discarded, Preempt_Mode is True"),
    (Backup, Zero, "BACKUP", &[], SKEW, "6.4.2: Active_Down_Timer is set to Skew_Time"),
    (Backup, Rival, "BACKUP", &[], DOWN, "6.4.2"),
    (Backup, Timer, "MASTER", &[Present], INTERVAL, "6.4.2: Active_Down_Timer fires"),
    (Backup, LinkDown, "FAULT", &[], None, "6.4.2 Shutdown event"),
    (Backup, LinkUp, "BACKUP", &[], KEPT, "6.4.2: it is up"),
    (Backup, Stop, "INIT", &[], None, "6.4.2 Shutdown event: nothing is sent"),
    (Staying, Higher, "BACKUP", &[], DOWN, "6.4.2"),
    (Staying, Below, "BACKUP", &[], DOWN, "6.4.2"),
    (Staying, Above, "BACKUP", &[], DOWN, "6.4.2"),
    (Staying, Lower, "BACKUP", &[], DOWN, "6.4.2: Preempt_Mode is False"),
    (Staying, Zero, "BACKUP", &[], SKEW, "6.4.2"),
    (Staying, Rival, "BACKUP", &[], DOWN, "6.4.2"),
    (Staying, Timer, "MASTER", &[Present], INTERVAL, "6.4.2"),
    (Staying, LinkDown, "FAULT", &[], None, "6.4.2 Shutdown event"),
    (Staying, LinkUp, "BACKUP", &[], KEPT, "6.4.2"),
    (Staying, Stop, "INIT", &[], None, "6.4.2 Shutdown event"),
    (Waiting, Higher, "BACKUP", &[], DOWN, "6.4.2"),
    (Waiting, Below, "BACKUP", &[], DOWN, "6.4.2"),
    (Waiting, Above, "BACKUP", &[], DOWN, "6.4.2"),
    (Waiting, Lower, "BACKUP", &[], DOWN, "6.4.2 as if Preempt_Mode was False (keepalived)"),
    (Waiting, Zero, "BACKUP", &[], SKEW, "6.4.2: nobody is MASTER, nothing is waited for"),
    (Waiting, Rival, "BACKUP", &[], DOWN, "6.4.2"),
    (Waiting, Timer, "MASTER", &[Present], INTERVAL, "6.4.2: nobody is MASTER, nothing is waited for"),
    (Waiting, LinkDown, "FAULT", &[], None, "6.4.2 Shutdown event"),
    (Waiting, LinkUp, "BACKUP", &[], KEPT, "6.4.2"),
    (Waiting, Stop, "INIT", &[], None, "6.4.2 Shutdown event"),
    (Master, Higher, "BACKUP", &[], DOWN, "6.4.3: higher priority"),
    (Master, Below, "MASTER", &[Present], INTERVAL, "6.4.3: lesser; RFC 9568 sends at once, RFC 3768 is silent"),
    (Master, Above, "BACKUP", &[], DOWN, "6.4.3: equal priority and the higher address"),
    (Master, Lower, "MASTER", &[Present], INTERVAL, "6.4.3: lesser; RFC 9568 sends at once, RFC 3768 is silent"),
    (Master, Zero, "MASTER", &[Present], INTERVAL, "6.4.3: priority 0 is answered at once"),
    (Master, Rival, "BACKUP", &[], DOWN, "6.4.3: higher priority"),
    (Master, Timer, "MASTER", &[Present], INTERVAL, "6.4.3: Adver_Timer fires"),
    (Master, LinkDown, "FAULT", &[Farewell], None, "6.4.3 Shutdown event"),
    (Master, LinkUp, "MASTER", &[], KEPT, "6.4.3: it is up"),
    (Master, Stop, "INIT", &[Farewell], None, "6.4.3 Shutdown event: priority 0 is sent"),
    (Owner, Higher, "MASTER", &[Present], INTERVAL, "6.4.3: lesser than 255; RFC 3768 7.1 would discard it"),
    (Owner, Below, "MASTER", &[Present], INTERVAL, "6.4.3"),
    (Owner, Above, "MASTER", &[Present], INTERVAL, "6.4.3"),
    (Owner, Lower, "MASTER", &[Present], INTERVAL, "6.4.3"),
    (Owner, Zero, "MASTER", &[Present], INTERVAL, "6.4.3"),
    (Owner, Rival, "BACKUP", &[], OWNER_DOWN, "6.4.3: equal priority and the higher address"),
    (Owner, Timer, "MASTER", &[Present], INTERVAL, "6.4.3"),
    (Owner, LinkDown, "FAULT", &[Farewell], None, "6.4.3 Shutdown event"),
    (Owner, LinkUp, "MASTER", &[], KEPT, "6.4.3"),
    (Owner, Stop, "INIT", &[Farewell], None, "6.4.3 Shutdown event"),
    (Fault, Higher, "FAULT", &[], None, "6.4.1: FAULT is Initialize"),
    (Fault, Below, "FAULT", &[], None, "6.4.1"),
    (Fault, Above, "FAULT", &[], None, "6.4.1"),
    (Fault, Lower, "FAULT", &[], None, "6.4.1"),
    (Fault, Zero, "FAULT", &[], None, "6.4.1"),
    (Fault, Rival, "FAULT", &[], None, "6.4.1"),
    (Fault, Timer, "FAULT", &[], None, "6.4.1: no timer is set"),
    (Fault, LinkDown, "FAULT", &[], None, "6.4.1"),
    (Fault, LinkUp, "BACKUP", &[], DOWN, "6.4.1 Startup event"),
    (Fault, Stop, "INIT", &[], None, "6.4.1"),
];

#[test]
fn every_event_in_every_state_has_exactly_one_row() {
    for from in STATES {
        for what in EVENTS {
            let rows = TABLE.iter().filter(|row| (row.0, row.1) == (from, what)).count();
            assert_eq!(rows, 1, "{from:?} {what:?}");
        }
    }
    assert_eq!(TABLE.len(), STATES.len() * EVENTS.len());
}

#[test]
fn every_event_in_every_state_leads_where_the_protocol_says() {
    for (from, what, to, adverts, timer, section) in TABLE {
        let mut node = node(*from);
        let before = left(&node);
        happen(&mut node, *what);
        let state = match node.state(0) {
            State::Init => "INIT",
            State::Backup => "BACKUP",
            State::Master => "MASTER",
            State::Fault(_) => "FAULT",
        };
        assert_eq!((state, &sent(&mut node)[..]), (*to, *adverts), "{from:?} {what:?}: RFC 9568 {section}");
        let timer = if *timer == KEPT { before } else { *timer };
        assert_eq!(left(&node), timer, "{from:?} {what:?}: RFC 9568 {section}");
    }
}
