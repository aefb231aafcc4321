//! Bounded memory, measured: once everything has happened, nothing that happens again allocates. A binary of its own,
//! since the counters are of the whole process and this test must be alone in it.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use lvsbox::check::{Failure, Verdict};
use lvsbox::config::ids::{InstanceId, LinkId};
use lvsbox::director::Director;
use lvsbox::director::action::{Action, Actions, AdvertKind, Budget, Dump};
use lvsbox::director::event::{DumpError, Errno, Event};
use lvsbox::observe::heap;
use lvsbox::time::{Duration, Instant};
use lvsbox::wire::vrrp;

use support::{Builder, Dice, Node, Rs, Vr, Vs, at};

const BUDGET: Budget = Budget { route: 64, ipvs: 64, announcements: 64, probes: 64, probes_meanwhile: 2 };

fn config(priority: u8) -> Builder {
    let vips = (0..50).map(|n| format!("198.51.100.{n}/32")).collect();
    let mut builder = Builder::new().instance(Vr { priority, vips, ..Vr::default() });
    for service in 0..20 {
        let server = |n: u8| Rs { retry: u32::from(n % 3), ..Rs::new(format!("10.0.{service}.{n}:80")) };
        builder = builder.service(Vs {
            sorry: Some(Rs::new("10.9.9.9:80")),
            ..Vs::new(format!("203.0.113.{service}:80"), (0..10).map(server).collect())
        });
    }
    builder
}

/// The director, and a kernel that answers at once and forgets everything.
struct Shell {
    director: Director,
    now: Instant,
    dice: Dice,
    probes: u64,
    sent: u64,
    polled: u64,
}

impl Shell {
    fn handle(&mut self, event: Event<'_>) {
        self.director.handle(self.now, event);
        loop {
            let mut out = Actions::new();
            self.director.poll_actions(self.now, BUDGET, &mut out);
            if out.is_empty() {
                break;
            }
            out.into_iter().for_each(|action| self.execute(action));
        }
    }

    fn execute(&mut self, action: Action) {
        self.polled += 1;
        let mut bytes = [0; 1_056];
        match action {
            Action::SendAdvert { instance, peer, kind } => {
                self.sent += u64::from(self.director.advert(instance, peer, kind, &mut bytes).is_some());
            }
            Action::Announce { address } => {
                _ = self.director.announcement(address, lvsbox::wire::ndisc::Role::Host, &mut bytes)
            }
            Action::CloseSocket { .. } | Action::AbortProbe { .. } => {}
            Action::Dump { what, .. } => {
                // An empty table is drift that is repaired; interfaces stay as they are.
                let result = match what {
                    Dump::Links | Dump::Addresses => Err(DumpError::Interrupted),
                    Dump::Services | Dump::Destinations(_) | Dump::Routes | Dump::Rules | Dump::Daemons => {
                        Ok(())
                    }
                };
                self.director.handle(self.now, Event::Dumped { action, result });
            }
            Action::Probe { epoch, slot, .. } => {
                self.probes += 1;
                let verdict = match self.dice.below(8) {
                    0..3 => Verdict::Fail(Failure::Connect { errno: 111 }),
                    3 => Verdict::Local { errno: 99 },
                    _ => Verdict::Pass { status: 0 },
                };
                self.director.handle(self.now, Event::Probed { slot, epoch, verdict });
            }
            Action::OpenSocket { .. }
            | Action::Filter { .. }
            | Action::Firewall { .. }
            | Action::AddAddress { .. }
            | Action::RemoveAddress { .. }
            | Action::Routing { .. }
            | Action::FindIpvs { .. }
            | Action::SetTimeouts { .. }
            | Action::FlushIpvs { .. }
            | Action::Service { .. }
            | Action::Daemon { .. }
            | Action::ReadTimeouts { .. }
            | Action::Destination { .. } => {
                let result = match self.dice.below(20) {
                    0 => Err(Errno::LOST),
                    1 => Err(Errno::ENOBUFS),
                    _ => Ok(()),
                };
                self.director.handle(self.now, Event::Applied { action, result });
            }
        }
    }

    /// Adverts of a better and of a lesser router in turn, silence in between, checks all the time.
    fn story(&mut self, adverts: usize, better: &[u8], lesser: &[u8]) {
        for n in 0..adverts {
            let packet = match n % 400 {
                0..60 => better,
                _ => lesser,
            };
            self.handle(Event::Advert {
                link: LinkId(0),
                channel: vrrp::Channel::Ipv4,
                packet: vrrp::parse(packet),
            });
            let until = self.now + Duration::from_millis(20);
            while self.director.next_deadline() <= until {
                self.now = self.director.next_deadline().max(self.now);
                self.handle(Event::Tick);
            }
            self.now = until;
        }
    }
}

fn packet(priority: u8, primary: &str) -> Vec<u8> {
    let mut node = Node::new(config(priority).build(), primary);
    node.run_until(at(100));
    let mut bytes = [0; 1_056];
    let datagram = node.director.advert(InstanceId(0), 0, AdvertKind::Present, &mut bytes).unwrap();
    bytes[..datagram.len].to_vec()
}

#[test]
fn adverts_checks_and_flaps_leave_the_heap_alone() {
    let (better, lesser) = (packet(200, "192.0.2.12"), packet(50, "192.0.2.13"));
    let mut node = Node::new(config(100).build(), "192.0.2.11");
    node.run_until(at(1_500));
    let mut shell =
        Shell { director: node.director, now: node.now, dice: Dice::new(1), probes: 0, sent: 0, polled: 0 };
    shell.story(2_000, &better, &lesser);
    let (before, probes) = (heap::figures(), shell.probes);
    let flaps = shell.director.vrrp().get(InstanceId(0)).unwrap().counters.became_master_total;
    shell.story(100_000, &better, &lesser);
    let after = heap::figures();
    assert_eq!(after, before, "live bytes, peak and allocations");
    // And a lot did happen.
    let counters = shell.director.vrrp().get(InstanceId(0)).unwrap().counters;
    assert!(counters.became_master_total - flaps > 200, "{}", counters.became_master_total);
    assert!(counters.received_total > 100_000 && shell.sent > 2_000);
    assert!(shell.probes - probes > 100_000, "{}", shell.probes);
    assert!(shell.director.ipvs_plan().repairs_total() > 300 && shell.polled > 500_000, "{}", shell.polled);
}
