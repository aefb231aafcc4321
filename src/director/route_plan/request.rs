//! What an action asks of the kernel.

use super::{Retired, RoutePlan};
use crate::config::Config;
use crate::config::ids::Id;
use crate::director::action::{Change, RoutingRef};
use crate::director::links::Links;
use crate::wire::netlink::{Full, Writer};
use crate::wire::rtnetlink::route::{Hops, RouteChange, RouteDetails, RouteRequest};
use crate::wire::rtnetlink::rule::RuleRequest;

/// A request about a route or a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "written at once, and nothing may be allocated for it")]
pub enum RoutingRequest<'a> {
    /// A route.
    Route(RouteRequest<'a>),
    /// A rule.
    Rule(RuleRequest),
}

impl RoutingRequest<'_> {
    /// Appends it as one message.
    pub fn emit(&self, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
        match self {
            Self::Route(request) => request.emit(writer, seq),
            Self::Rule(request) => request.emit(writer, seq),
        }
    }
}

impl RoutePlan {
    /// What an action asks of the kernel.
    pub(crate) fn request<'a>(
        &self,
        (object, change): (RoutingRef, Change),
        config: &'a Config,
        links: &Links,
    ) -> Option<RoutingRequest<'a>> {
        let rule = |spec| match change {
            Change::Add | Change::Set => RoutingRequest::Rule(RuleRequest::Add(spec)),
            Change::Remove => RoutingRequest::Rule(RuleRequest::Remove(spec)),
        };
        let change = match change {
            Change::Add => RouteChange::Add,
            Change::Set => RouteChange::Replace,
            Change::Remove => RouteChange::Remove,
        };
        Some(match object {
            RoutingRef::Route(id) => {
                let route = config.routes.get(id.index())?;
                let (spec, hops) = route.resolved(|id| links.get(id).index);
                let details = route.details(config.texts.get(route.congestion));
                RoutingRequest::Route(RouteRequest { change, spec, details, hops })
            }
            RoutingRef::Rule(id) => rule(config.rules.get(id.index())?.spec),
            RoutingRef::Retired(row) => match *self.retired.get(row as usize)? {
                Retired::Route(spec) => {
                    let (details, hops) = (RouteDetails::default(), Hops::new());
                    RoutingRequest::Route(RouteRequest { change: RouteChange::Remove, spec, details, hops })
                }
                Retired::Rule(spec) => RoutingRequest::Rule(RuleRequest::Remove(spec)),
            },
        })
    }
}
