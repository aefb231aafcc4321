//! Routes and rules of the typed configuration: those of an instance follow its state, static ones are always there.

use core::fmt::{self, Display, Formatter};
use core::net::IpAddr;

use super::Config;
use super::ids::{Id, InstanceId, LinkId};
use super::iproute::OWN_PROTOCOL;
use super::model::Text;
use super::route::{LOCAL, METRIC_NAMES};
use super::rule;
use crate::wire::link::{LinkIndex, LinkName};
use crate::wire::rtnetlink::route::{
    Hops, Network, NextHop, RT_TABLE_MAIN, RouteDetails, RouteKind, RouteSpec,
};
use crate::wire::rtnetlink::rule::{RuleAction, RuleSpec};
use crate::wire::vrrp::Family;

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The instance it belongs to; none for a static one.
    pub instance: Option<InstanceId>,
    /// The interface, if one was named.
    pub link: Option<LinkId>,
    /// Everything else that one message says, with the interface 0.
    pub spec: RouteSpec,
    /// `RTAX_*` and value, sorted.
    pub metrics: Box<[(u16, u32)]>,
    /// Bit mask of the metrics that the kernel must not change.
    pub locked: u32,
    /// Congestion control, empty for the default.
    pub congestion: Text,
    /// RFC 4191 preference: 0 medium, 1 high, 3 low.
    pub preference: Option<u8>,
    /// Several next hops, or none.
    pub hops: Box<[Hop]>,
}

/// One of several next hops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The router.
    pub gateway: Option<IpAddr>,
    /// The interface, if one was named.
    pub link: Option<LinkId>,
    /// Share of the traffic, 1 to 256.
    pub weight: u16,
    /// The router is behind the interface whatever its addresses say.
    pub onlink: bool,
}

/// A routing rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The instance it belongs to; none for a static one.
    pub instance: Option<InstanceId>,
    /// All of it: the kernel knows interfaces of rules by name.
    pub spec: RuleSpec,
}

impl Rule {
    /// The interfaces that it names, in order.
    pub fn named(&self) -> impl Iterator<Item = LinkName> {
        rule::links(&self.spec)
    }

    /// Those of them that are interfaces of the configuration.
    pub fn links(&self, config: &Config) -> impl Iterator<Item = LinkId> {
        self.named()
            .filter_map(|name| config.links.iter().position(|known| *known == name).map(LinkId::from_index))
    }
}

/// What two routes of one machine must not have in common.
pub type RoutePlace = (u32, Network, Option<Network>, u8, u32);

impl Route {
    /// What tells it apart from other routes.
    pub const fn place(&self) -> RoutePlace {
        let it = &self.spec;
        (it.table, it.destination, it.from, it.tos, it.effective_metric())
    }

    /// The interfaces it needs, in order.
    pub fn links(&self) -> impl Iterator<Item = LinkId> {
        self.link.into_iter().chain(self.hops.iter().filter_map(|hop| hop.link))
    }

    /// The message about it, where `index` knows the interfaces.
    pub fn resolved(&self, index: impl Fn(LinkId) -> LinkIndex) -> (RouteSpec, Hops) {
        let link = self.link.map_or(LinkIndex(0), &index);
        let hops = self.hops.iter().map(|hop| NextHop {
            gateway: hop.gateway,
            link: hop.link.map_or(LinkIndex(0), &index),
            weight: hop.weight,
            unusable: false,
            onlink: hop.onlink,
        });
        (RouteSpec { link, ..self.spec }, hops.collect())
    }

    /// More of the message.
    pub fn details<'a>(&'a self, congestion: &'a str) -> RouteDetails<'a> {
        let (locked, preference) = (self.locked, self.preference);
        RouteDetails { metrics: &self.metrics, locked, congestion, preference }
    }
}

/// A route in the words of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct RouteText<'a> {
    /// The route.
    pub route: &'a Route,
    /// Where its names are.
    pub config: &'a Config,
}

/// A rule in the words of the configuration, its preference first.
#[derive(Debug, Clone, Copy)]
pub struct RuleText<'a>(pub &'a RuleSpec);

/// A name of the machine's as the reader takes it for one word.
struct Word<'a>(&'a str);

impl Display for Word<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
        let quote = if self.0.bytes().all(plain) { "" } else { "\"" };
        write!(f, "{quote}{}{quote}", self.0)
    }
}

/// ` name value`, unless it is what happens anyway.
fn rated<T: Display + PartialEq>(f: &mut Formatter<'_>, name: &str, value: T, default: &T) -> fmt::Result {
    if value == *default { Ok(()) } else { write!(f, " {name} {value}") }
}

fn given<T: Display>(f: &mut Formatter<'_>, name: &str, value: Option<T>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {name} {value}"))
}

struct Net(Network);

impl Display for Net {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.0, self.0.1)
    }
}

impl Display for RouteText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (route, it) = (self.route, &self.route.spec);
        f.write_str(match it.kind {
            RouteKind::Unicast | RouteKind::Other(_) => "",
            RouteKind::Blackhole => "blackhole ",
            RouteKind::Unreachable => "unreachable ",
            RouteKind::Prohibit => "prohibit ",
            RouteKind::Throw => "throw ",
        })?;
        f.write_str(if it.kind == RouteKind::Other(LOCAL) { "local " } else { "" })?;
        write!(f, "{}", Net(it.destination))?;
        let link = |id: Option<LinkId>| id.map(|id| Word(self.config.link_name(id)));
        given(f, "from", it.from.map(Net))?;
        given(f, "via", it.gateway)?;
        given(f, "dev", link(route.link))?;
        f.write_str(if it.onlink { " onlink" } else { "" })?;
        given(f, "src", it.source)?;
        rated(f, "table", it.table, &RT_TABLE_MAIN)?;
        rated(f, "metric", it.metric, &0)?;
        rated(f, "tos", it.tos, &0)?;
        rated(f, "scope", it.scope, &0)?;
        rated(f, "protocol", it.protocol, &OWN_PROTOCOL)?;
        for (kind, value) in &route.metrics {
            let lock = if route.locked & (1 << kind) != 0 { "lock " } else { "" };
            match METRIC_NAMES.iter().find(|(known, _)| known == kind) {
                Some((_, "features")) => f.write_str(" features ecn")?,
                Some((_, name)) => write!(f, " {name} {lock}{value}")?,
                None => {}
            }
        }
        let congestion = self.config.texts.get(route.congestion);
        given(f, "congctl", (!congestion.is_empty()).then_some(Word(congestion)))?;
        let preference = route.preference.map(|number| match number {
            1 => "high",
            3 => "low",
            _ => "medium",
        });
        given(f, "pref", preference)?;
        for hop in &route.hops {
            f.write_str(" nexthop")?;
            given(f, "via", hop.gateway)?;
            given(f, "dev", link(hop.link))?;
            rated(f, "weight", hop.weight, &1)?;
            f.write_str(if hop.onlink { " onlink" } else { "" })?;
        }
        Ok(())
    }
}

impl Display for RuleText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let it = self.0;
        write!(f, "preference {}", it.preference)?;
        f.write_str(if it.family == Family::Ipv6 { " inet6" } else { "" })?;
        f.write_str(if it.invert { " not" } else { "" })?;
        given(f, "from", it.from.map(Net))?;
        given(f, "to", it.to.map(Net))?;
        rated(f, "tos", it.tos, &0)?;
        if let Some((mark, mask)) = it.mark {
            write!(f, " fwmark {mark:#x}/{mask:#x}")?;
        }
        given(f, "iif", it.input.as_ref().map(|name| Word(name.as_str())))?;
        given(f, "oif", it.output.as_ref().map(|name| Word(name.as_str())))?;
        if let Some((first, last)) = it.users {
            write!(f, " uidrange {first}-{last}")?;
        }
        rated(f, "ipproto", it.transport, &0)?;
        for (name, ports) in [("sport", it.source_ports), ("dport", it.ports)] {
            if let Some((first, last)) = ports {
                write!(f, " {name} {first}-{last}")?;
            }
        }
        match it.action {
            RuleAction::Table(table) => write!(f, " table {table}")?,
            RuleAction::Goto(target) => write!(f, " goto {target}")?,
            RuleAction::Nop => f.write_str(" nop")?,
            RuleAction::Blackhole => f.write_str(" blackhole")?,
            RuleAction::Unreachable => f.write_str(" unreachable")?,
            RuleAction::Prohibit | RuleAction::Other(_) => f.write_str(" prohibit")?,
        }
        given(f, "suppress_prefixlength", it.suppress_prefix)?;
        given(f, "suppress_ifgroup", it.suppress_group)?;
        rated(f, "protocol", it.protocol, &OWN_PROTOCOL)
    }
}
