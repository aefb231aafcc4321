//! Lines about what instances track, a MASTER that wakes late, and what the operator does about them.

use super::Severity::{Info, Warning};
use super::Teller;
use crate::config::model::TrackTarget;
use crate::director::journal::Reason;

#[expect(clippy::wildcard_enum_match_arm, reason = "the caller sends no others")]
pub(super) fn tell(teller: &mut Teller<'_>, reason: Reason) {
    let names = teller.names;
    match reason {
        Reason::VariableSet(id, value) => {
            let name = names.variable(id);
            teller.say(Info, format_args!("track_file {name} set to {value} by the operator"));
        }
        Reason::RouteTracked(id, there) => {
            let (severity, word) = if there { (Info, "there") } else { (Warning, "missing") };
            teller.say(severity, format_args!("{} is {word}", names.tracked(TrackTarget::Route(id))));
        }
        Reason::WokeLate(id, late) => {
            let line = format_args!("the next advert is {late} s late: another router may be MASTER");
            teller.about(Warning, id, line);
        }
        Reason::AlarmsCleared(count) => {
            teller.say(Info, format_args!("{count} alarms cleared by the operator"));
        }
        _ => debug_assert!(false, "no reason of this family"),
    }
}
