//! Reasons as the tail of a sentence: behind keepalived's words in the log, in the `why` column on screen.

use core::fmt;

use super::names::Names;
use crate::check::{ANSWERED, CONNECTED, Failure, SILENT, Verdict};
use crate::config::model::TrackTarget;
use crate::director::journal::{Entry, Reason};
use crate::director::vrrp::Fault;
use crate::wire::errno::Text;

/// A reason that can be displayed.
#[derive(Clone, Copy)]
pub struct Why<'a>(Cause<'a>);

#[derive(Clone, Copy)]
enum Cause<'a> {
    Nothing,
    Fault(Names<'a>, Fault),
    Record(Names<'a>, Reason),
    Failure(Failure),
    Verdict(Verdict),
}

impl<'a> Why<'a> {
    /// Why an instance is in its state.
    pub(in crate::console) fn of_state(names: Names<'a>, why: Option<Reason>) -> Self {
        Self(why.map_or(Cause::Nothing, |reason| Cause::Record(names, reason)))
    }

    /// Why an instance cannot take part.
    pub(in crate::console) fn of_fault(names: Names<'a>, fault: Fault) -> Self {
        Self(Cause::Fault(names, fault))
    }

    /// Why a check failed.
    pub(in crate::console) fn of_failure(failure: Failure) -> Self {
        Self(Cause::Failure(failure))
    }

    /// How a check ended.
    pub(in crate::console) fn of_verdict(verdict: Verdict) -> Self {
        Self(Cause::Verdict(verdict))
    }
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Cause::Nothing => f.write_str("waiting for interfaces and sockets"),
            Cause::Fault(names, fault) => write_fault(f, names, fault),
            Cause::Record(names, reason) => write_reason(f, names, reason),
            Cause::Failure(failure) => write_failure(f, failure),
            Cause::Verdict(Verdict::Pass { status: CONNECTED }) => f.write_str("connected"),
            Cause::Verdict(Verdict::Pass { status: ANSWERED }) => f.write_str("answered"),
            Cause::Verdict(Verdict::Pass { status: SILENT }) => f.write_str("no error"),
            Cause::Verdict(Verdict::Pass { status }) => write!(f, "status {status}"),
            Cause::Verdict(Verdict::Fail(failure)) => write_failure(f, failure),
            Cause::Verdict(Verdict::Local { errno }) => write!(f, "not made: {}", Text(errno)),
        }
    }
}

fn write_fault(f: &mut fmt::Formatter<'_>, names: Names<'_>, fault: Fault) -> fmt::Result {
    match fault {
        Fault::LinkAbsent(link) => write!(f, "no interface {}", names.link(link)),
        Fault::LinkDown(link) => write!(f, "interface {} is down", names.link(link)),
        Fault::NoAddress(link, family) => {
            write!(f, "no {} address for interface {}", family.name(), names.link(link))
        }
        Fault::NoSource(link, source) => {
            write!(f, "source address {source} is not on interface {}", names.link(link))
        }
        Fault::NoPeers => f.write_str("no unicast peers"),
        Fault::Tracked(row) => match names.0.trackers.get(row as usize) {
            Some(tracker) => {
                let word = match (tracker.target, tracker.reverse) {
                    (TrackTarget::Variable(_), _) => "says so",
                    (TrackTarget::Route(_), true) => "is there",
                    (TrackTarget::Route(_), false) => "is missing",
                    (_, true) => "is up",
                    (_, false) => "is down",
                };
                write!(f, "{} {word}", names.tracked(tracker.target))
            }
            None => f.write_str("-"),
        },
        Fault::Group(member) => {
            write!(f, "{} of the same group is in FAULT", names.instance(member))
        }
        Fault::Socket(link, errno) => {
            write!(f, "VRRP socket on {}: {}", names.link(link), Text(errno.0))
        }
    }
}

fn write_failure(f: &mut fmt::Formatter<'_>, failure: Failure) -> fmt::Result {
    match failure {
        Failure::ConnectTimeout => f.write_str("no connection in time"),
        Failure::Connect { errno } => write!(f, "{}", Text(errno)),
        Failure::Deadline => f.write_str("no whole reply in time"),
        Failure::Closed => f.write_str("closed too early"),
        Failure::Broken { errno } => write!(f, "broken: {}", Text(errno)),
        Failure::Garbage => f.write_str("not understood"),
        Failure::TooLong => f.write_str("the reply is too long"),
        Failure::Status(status) => write!(f, "status {status}"),
        Failure::ReplyCode(code) => write!(f, "reply {code}"),
        Failure::ResponseCode(code) => write!(f, "response code {code}"),
        Failure::Digest => f.write_str("another digest"),
        Failure::Mismatch => f.write_str("not as expected"),
        Failure::Unmatched => f.write_str("regex does not match"),
        Failure::Matched => f.write_str("regex_no_match matches"),
        #[cfg(feature = "tls")]
        Failure::Tls(fault) => write!(f, "{fault}"),
    }
}

/// What leads an instance to a state; a reason that never does is shown as nothing in particular.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a new reason is none for a state until it is listed here"
)]
fn write_reason(f: &mut fmt::Formatter<'_>, names: Names<'_>, reason: Reason) -> fmt::Result {
    match reason {
        Reason::EnteredBackup(_, Entry::Initial) => f.write_str("start: listens before it speaks"),
        Reason::EnteredBackup(_, Entry::Recovered) => f.write_str("the fault is over"),
        Reason::EnteredBackup(_, Entry::Defeated) => f.write_str("a better router is MASTER"),
        Reason::EnteredMaster(_) => f.write_str("owner: priority 255"),
        Reason::MasterSilent(_) => f.write_str("no advert in time"),
        Reason::HigherAdvert(_, rival) => {
            write!(f, "{} has priority {}, ours was {}", rival.from, rival.theirs, rival.ours)
        }
        Reason::EqualAdvert(_, rival) => {
            write!(f, "{} has priority {} too and the higher address", rival.from, rival.theirs)
        }
        Reason::GroupSynced(group, _) => write!(f, "as the whole group {}", names.group(group)),
        Reason::EnteredFault(_, fault) => write_fault(f, names, fault),
        Reason::Stopping => f.write_str("stopping"),
        Reason::StartDelayed(delay) => write!(f, "no VRRP in the first {delay} s"),
        Reason::WokeLate(_, late) => write!(f, "woke up {late} s late: it listens first"),
        Reason::Reloaded => f.write_str("reload"),
        _ => f.write_str("-"),
    }
}
