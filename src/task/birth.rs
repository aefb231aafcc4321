//! The last stages of PID 1's boot, which happen inside the loop: IPVS is found, the instances have a state, the first
//! advert is sent. Each is logged and kept for `show boot` like those before it.

use super::shell::Shell;
use crate::config::ids::{Id, InstanceId};
use crate::console::view::{Millis, Stage};
use crate::director::Director;
use crate::director::ipvs_plan::Availability;
use crate::director::vrrp::State;
use crate::kernel::clock;
use crate::time::Instant;

/// What was done so far.
#[derive(Debug, Clone)]
pub struct Birth {
    /// When the kernel handed over.
    pub at: Instant,
    /// The stages, in their order.
    pub stages: Vec<Stage>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Milestone {
    Ipvs,
    Vrrp,
    Advert,
}

/// The milestones that were not reached yet.
#[derive(Debug)]
pub(super) struct Milestones([Option<Milestone>; 3]);

impl Milestones {
    /// All of them, if there was a boot.
    pub(super) fn of(birth: Option<&Birth>) -> Self {
        let all = [Milestone::Ipvs, Milestone::Vrrp, Milestone::Advert];
        Self(all.map(|one| birth.and(Some(one))))
    }
}

/// Looks what was reached in this turn.
pub(super) fn watch(shell: &Shell) {
    let mut milestones = shell.milestones.borrow_mut();
    for place in &mut milestones.0 {
        if let Some(milestone) = *place
            && let Some(done) = reached(&shell.director.borrow(), milestone)
        {
            *place = None;
            note(shell, milestone, done);
        }
    }
}

fn reached(director: &Director, milestone: Milestone) -> Option<&'static str> {
    let all = 0..director.config().instances.len();
    let mut routers = all.filter_map(|row| director.vrrp().get(InstanceId::from_index(row)));
    match milestone {
        Milestone::Ipvs => match director.ipvs_plan().availability() {
            Availability::Unneeded => Some("no virtual server"),
            Availability::Absent(_) => Some("not available"),
            Availability::Present(_) => Some("there"),
            Availability::Unknown | Availability::Asking(_) => None,
        },
        Milestone::Vrrp => {
            routers.all(|router| router.state != State::Init).then_some("every instance has a state")
        }
        Milestone::Advert => routers.any(|router| router.counters.sent_total > 0).then_some("sent"),
    }
}

/// The time is counted from the hand-over: these stages run side by side.
fn note(shell: &Shell, milestone: Milestone, done: &str) {
    let Some(birth) = &shell.options.birth else { return };
    let name = match milestone {
        Milestone::Ipvs => "ipvs",
        Milestone::Vrrp => "vrrp",
        Milestone::Advert => "first advert",
    };
    let took = clock::now().since(birth.at);
    log::info!("Boot {name}: {done}, {} after the hand-over", Millis(took));
    let done = format!("{done} (since the hand-over)").into();
    shell.boot.borrow_mut().push(Stage { name, done, took, problems: Box::default() });
}
