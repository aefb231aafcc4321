//! Routes and rules: what somebody did to them and what the kernel refused, in the words of the configuration.

use core::fmt::{self, Display};

use super::{Severity, Teller, next_try, verb};
use crate::config::Config;
use crate::config::ids::{Id, InstanceId};
use crate::config::routing::{RouteText, RuleText};
use crate::director::action::{Change, RoutingRef};
use crate::director::event::Errno;
use crate::wire::errno::Text;

/// `route 198.51.100.0/24 via 192.0.2.1`, `rule preference 100 from 10.0.0.0/8 table 5`.
#[derive(Clone, Copy)]
pub(in crate::console) struct Routing<'a>(
    pub(in crate::console) &'a Config,
    pub(in crate::console) RoutingRef,
);

impl Display for Routing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.0;
        match self.1 {
            RoutingRef::Route(id) => match config.routes.get(id.index()) {
                Some(route) => write!(f, "route {}", RouteText { route, config }),
                None => f.write_str("route ?"),
            },
            RoutingRef::Rule(id) => match config.rules.get(id.index()) {
                Some(rule) => write!(f, "rule {}", RuleText(&rule.spec)),
                None => f.write_str("rule ?"),
            },
            RoutingRef::Retired(_) => f.write_str("route or rule of an earlier configuration"),
        }
    }
}

impl Routing<'_> {
    /// Whose it is; nobody's if it is static.
    pub(in crate::console) fn owner(&self) -> Option<InstanceId> {
        match self.1 {
            RoutingRef::Route(id) => self.0.routes.get(id.index())?.instance,
            RoutingRef::Rule(id) => self.0.rules.get(id.index())?.instance,
            RoutingRef::Retired(_) => None,
        }
    }
}

pub(super) fn missing(teller: &mut Teller<'_>, object: RoutingRef) {
    let it = Routing(teller.names.0, object);
    let line = format_args!("{it} was removed or changed by somebody: adding it again");
    teller.of(Severity::Warning, it.owner(), line);
}

pub(super) fn unwanted(teller: &mut Teller<'_>, object: RoutingRef) {
    let it = Routing(teller.names.0, object);
    teller.of(
        Severity::Warning,
        it.owner(),
        format_args!("{it} is there though we are not MASTER: removing it"),
    );
}

pub(super) fn failed(teller: &mut Teller<'_>, object: RoutingRef, change: Change, errno: Errno) {
    let it = Routing(teller.names.0, object);
    let next = next_try(teller.director.route_plan().is_parked(object, teller.names.0));
    let what = verb(change);
    teller.of(Severity::Error, it.owner(), format_args!("{what} {it}: {}; {next}", Text(errno.0)));
}
