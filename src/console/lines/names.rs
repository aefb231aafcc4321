//! Names of things in keepalived's notation: `[10.0.0.11]:tcp:80`, `FWM 1`.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use crate::check::{Checker, Transport};
use crate::config::Config;
use crate::config::ids::{
    AddressId, DestinationId, GroupId, Id, InstanceId, LinkId, ProbeId, ServiceId, VariableId,
};
use crate::config::model::{Probe, TrackTarget, VirtualAddress};
use crate::console::text::clip;
use crate::director::event::Errno;
use crate::wire::errno::Text;
use crate::wire::genl_ipvs::{DestinationKey, Protocol, ServiceKey, ServiceSpec};

/// Looks names up in the configuration in force.
#[derive(Clone, Copy)]
pub(in crate::console) struct Names<'a>(pub(in crate::console) &'a Config);

impl<'a> Names<'a> {
    pub(in crate::console) fn link(self, id: LinkId) -> &'a str {
        self.0.link_name(id)
    }

    pub(in crate::console) fn instance(self, id: InstanceId) -> &'a str {
        clip(self.0.instance_name(id))
    }

    pub(in crate::console) fn group(self, id: GroupId) -> &'a str {
        clip(self.0.group_name(id))
    }

    /// What a tracker tracks, as it is written: `interface eth1`, `ping_group uplink`.
    pub(in crate::console) fn tracked(self, target: TrackTarget) -> impl fmt::Display + use<'a> {
        fmt::from_fn(move |f| {
            let text = |text| clip(self.0.texts.get(text));
            match target {
                TrackTarget::Link(link) => write!(f, "interface {}", self.link(link)),
                TrackTarget::Service(id) => write!(f, "service {}", self.service(id)),
                TrackTarget::Ping(id) => {
                    let name = self.0.ping_groups.get(id.index()).map_or("?", |group| text(group.name));
                    write!(f, "ping_group {name}")
                }
                TrackTarget::Variable(id) => write!(f, "track_file {}", self.variable(id)),
                TrackTarget::Route(id) => {
                    f.write_str("route ")?;
                    let Some(route) = self.0.tracked_routes.get(id.index()) else { return f.write_str("?") };
                    let link = route.link.map(|link| self.link(link));
                    route.write(f, link.as_ref().map(|link| link as &dyn fmt::Display))
                }
            }
        })
    }

    pub(in crate::console) fn variable(self, id: VariableId) -> &'a str {
        self.0.variables.get(id.index()).map_or("?", |one| clip(self.0.texts.get(one.name)))
    }

    pub(in crate::console) fn address(self, id: AddressId) -> Option<&'a VirtualAddress> {
        self.0.addresses.get(id.index())
    }

    /// A service; a question mark for an id of another configuration.
    pub(in crate::console) fn service(self, id: ServiceId) -> impl fmt::Display + use<'a> {
        self.0.services.get(id.index()).map_or(Name::Unknown, |service| Name::Service(service.key))
    }

    /// The service of a destination.
    pub(in crate::console) fn service_of(self, id: DestinationId) -> impl fmt::Display + use<'a> {
        self.service(self.0.destinations.get(id.index()).map_or(ServiceId(u32::MAX), |one| one.service))
    }

    /// A real server or sorry server.
    pub(in crate::console) fn server(self, id: DestinationId) -> impl fmt::Display + use<'a> {
        self.0.destinations.get(id.index()).map_or(Name::Unknown, |one| {
            Name::Server(RealServer { key: one.key, protocol: self.protocol(one.service) })
        })
    }

    /// The protocol of a service; of a firewall mark TCP, which is what its servers are checked with.
    pub(in crate::console) fn protocol(self, id: ServiceId) -> Protocol {
        match self.0.services.get(id.index()).map(|service| service.key) {
            Some(ServiceKey::Address { protocol, .. }) => protocol,
            Some(ServiceKey::Mark { .. }) | None => Protocol::Tcp,
        }
    }

    pub(in crate::console) fn spec(self, id: ServiceId) -> Option<ServiceSpec> {
        self.0.services.get(id.index()).map(|service| service.spec)
    }

    /// What a probe looks at, in the words of its only user if it has only one.
    pub(in crate::console) fn target(self, id: ProbeId, users: &[DestinationId]) -> Target<'a> {
        Target {
            names: self,
            probe: self.0.probes.get(id.index()),
            user: match users {
                [user] => Some(*user),
                _ => None,
            },
        }
    }
}

enum Name {
    Unknown,
    Service(ServiceKey),
    Server(RealServer),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("?"),
            Self::Service(key) => write!(f, "{key}"),
            Self::Server(server) => write!(f, "{server}"),
        }
    }
}

/// A real server with the protocol of its service.
pub(in crate::console) struct RealServer {
    pub(in crate::console) key: DestinationKey,
    pub(in crate::console) protocol: Protocol,
}

impl fmt::Display for RealServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        trio(f, self.key.address, self.protocol, self.key.port)
    }
}

/// What a probe looks at.
pub(in crate::console) struct Target<'a> {
    names: Names<'a>,
    probe: Option<&'a Probe>,
    user: Option<DestinationId>,
}

impl<'a> Target<'a> {
    pub(in crate::console) fn checker(&self) -> Option<&'a Checker> {
        self.probe.map(|probe| &probe.checker)
    }

    pub(in crate::console) fn checker_name(&self) -> &'static str {
        self.checker().map_or("?", Checker::name)
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.user, self.probe.map(|probe| probe.target())) {
            (Some(user), _) => write!(f, "{}", self.names.server(user)),
            (None, Some(target)) => socket(f, target, self.checker()),
            (None, None) => f.write_str("?"),
        }
    }
}

fn socket(f: &mut fmt::Formatter<'_>, target: SocketAddr, checker: Option<&Checker>) -> fmt::Result {
    let protocol = match checker.map(|checker| checker.form().transport) {
        Some(Transport::Datagram) => Protocol::Udp,
        Some(Transport::Echo) => return write!(f, "[{}]", target.ip()),
        Some(Transport::Stream { .. }) | None => Protocol::Tcp,
    };
    trio(f, target.ip(), protocol, target.port())
}

fn trio(f: &mut fmt::Formatter<'_>, address: IpAddr, protocol: Protocol, port: u16) -> fmt::Result {
    write!(f, "[{address}]:{protocol}:{port}")
}

/// An error of a service: the kernel says "no such entry" of a scheduler it does not have.
pub(in crate::console) struct Cause {
    pub(in crate::console) errno: Errno,
    /// Of the service: an unknown scheduler or engine has the same number.
    pub(in crate::console) spec: Option<ServiceSpec>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.errno, self.spec) {
            (Errno::ENOENT, Some(spec)) => {
                write!(f, "the kernel has no scheduler {}", spec.scheduler)?;
                f.write_str(if spec.engine.is_some() { " or no persistence engine sip" } else { "" })
            }
            (errno, _) => write!(f, "{}", Text(errno.0)),
        }
    }
}
