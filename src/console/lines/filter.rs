//! Lines about our tables in nf_tables: `firewall`, and addresses that do not answer (`no_accept`). What keepalived
//! says of them is word for word its own.

use super::Severity::{Error, Info, Warning};
use super::Teller;
use crate::director::journal::Reason;
use crate::wire::errno::Text;
use crate::wire::nftables::{Presence, TABLE};

#[expect(clippy::wildcard_enum_match_arm, reason = "the caller sends no others")]
pub(super) fn tell(teller: &mut Teller<'_>, reason: Reason) {
    match reason {
        Reason::DropRule(id, Presence::Present) => {
            teller.about(Info, id, format_args!("setting firewall drop rule"));
        }
        Reason::DropRule(id, Presence::Absent) => {
            teller.about(Info, id, format_args!("removing firewall drop rule"));
        }
        Reason::FilterFailed(errno) => {
            let errno = Text(errno.0);
            teller.say(Error, format_args!("nf_tables: {errno} (is the module nf_tables loaded?)"));
            teller.say(
                Error,
                format_args!("addresses with no_accept answer until it works; it is tried again"),
            );
        }
        Reason::FilterBuilt => teller.say(Info, format_args!("nf_tables works again")),
        Reason::FilterDiffers => {
            let line = format_args!("nf_tables table {TABLE} was changed by somebody: making it again");
            teller.say(Warning, line);
        }
        Reason::FirewallFailed(part, errno) => {
            let (word, errno, modules) = (part.word(), Text(errno.0), part.modules());
            let line = format_args!(
                "firewall {word}: {errno} (are the modules {modules} loaded?); it is tried again"
            );
            teller.say(Error, line);
        }
        Reason::FirewallBuilt(part) => teller.say(Info, format_args!("firewall {} works again", part.word())),
        Reason::FirewallDiffers(part) => {
            let table = part.table();
            teller.say(
                Warning,
                format_args!("nf_tables table {table} was changed by somebody: making it again"),
            );
        }
        Reason::TableLeft(table, errno) => {
            teller.say(
                Error,
                format_args!("nf_tables table {table} stays, it cannot be removed: {}", Text(errno.0)),
            );
        }
        _ => debug_assert!(false, "no reason of this family"),
    }
}
