//! Configurations from a few words, as the loader would make them.

use core::net::{IpAddr, SocketAddr};
use core::num::NonZeroU8;

use lvsbox::check::Checker;
use lvsbox::check::http_get::{HttpGet, Recovery, Url, Version as HttpVersion};
use lvsbox::check::tcp_check::TcpCheck;
use lvsbox::config::Config;
use lvsbox::config::ids::{AddressId, Id, InstanceId, LinkId, ProbeId, Range, ServiceId};
use lvsbox::config::model::{
    Announce, Assumption, Authentication, Destination, Global, Group, Instance, Manners, OnFailure, Peer,
    Policy, Preemption, Probe, Service, SourceCheck, SyncDaemon, Terms, TextsBuilder, Timeouts, Tracker,
    Transport, VirtualAddress,
};
use lvsbox::time::Duration;
use lvsbox::wire::genl_ipvs::{
    DaemonSpec, DestinationKey, ForwardingMethod, Protocol, Scheduler, ServiceKey, ServiceSpec,
};
use lvsbox::wire::link::LinkName;
use lvsbox::wire::vrrp::{Coverage, Family, GROUP, GROUP6, Version};

/// A VRRP instance.
#[derive(Debug, Clone)]
pub(crate) struct Vr {
    pub(crate) name: &'static str,
    pub(crate) link: &'static str,
    pub(crate) vrid: u8,
    pub(crate) priority: u8,
    pub(crate) interval: u64,
    /// Version 3 with this interval in milliseconds.
    pub(crate) v3: Option<u64>,
    pub(crate) preemption: Preemption,
    pub(crate) password: Option<&'static str>,
    pub(crate) vips: Vec<String>,
    pub(crate) excluded: Vec<String>,
    pub(crate) peers: Vec<IpAddr>,
    pub(crate) manners: Manners,
    pub(crate) check_source: bool,
    pub(crate) track: Vec<(&'static str, i16)>,
    pub(crate) announce: Announce,
}

impl Default for Vr {
    fn default() -> Self {
        Self {
            name: "VI_1",
            link: "eth0",
            vrid: 51,
            priority: 100,
            interval: 1,
            v3: None,
            preemption: Preemption::Preempt,
            password: None,
            vips: vec!["192.0.2.100/24".into()],
            excluded: Vec::new(),
            peers: Vec::new(),
            manners: Manners::default(),
            check_source: false,
            track: Vec::new(),
            announce: Announce {
                repeat: 5,
                delay: Duration::from_secs(5),
                refresh: Duration::ZERO,
                refresh_repeat: 1,
                lower_delay: Duration::from_secs(5),
                lower_repeat: 5,
            },
        }
    }
}

/// A real server or a sorry server.
#[derive(Debug, Clone)]
pub(crate) struct Rs {
    pub(crate) at: String,
    pub(crate) weight: u32,
    pub(crate) inhibit: bool,
    /// `TCP_CHECK` with 0 urls, `HTTP_GET` with more, nothing at all with `None`.
    pub(crate) urls: Option<usize>,
    pub(crate) fast: bool,
    pub(crate) alpha: bool,
    pub(crate) retry: u32,
    pub(crate) interval: u64,
    pub(crate) retry_delay: u64,
    /// Seconds.
    pub(crate) slow_start: u64,
    pub(crate) drain_time: u64,
}

impl Rs {
    pub(crate) fn new(at: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            weight: 1,
            inhibit: false,
            urls: Some(0),
            fast: false,
            alpha: false,
            retry: 0,
            interval: 2,
            retry_delay: 1,
            slow_start: 0,
            drain_time: 0,
        }
    }
}

/// A virtual service.
#[derive(Debug, Clone)]
pub(crate) struct Vs {
    pub(crate) at: String,
    pub(crate) scheduler: &'static str,
    pub(crate) quorum: u32,
    pub(crate) hysteresis: u32,
    pub(crate) servers: Vec<Rs>,
    pub(crate) sorry: Option<Rs>,
}

impl Vs {
    pub(crate) fn new(at: impl Into<String>, servers: Vec<Rs>) -> Self {
        Self { at: at.into(), scheduler: "wlc", quorum: 1, hysteresis: 0, servers, sorry: None }
    }
}

/// Collects blocks and becomes a configuration.
#[derive(Debug, Default, Clone)]
pub(crate) struct Builder {
    pub(crate) instances: Vec<Vr>,
    /// Sync groups: name, and the numbers of their instances.
    pub(crate) groups: Vec<(&'static str, Vec<u32>)>,
    pub(crate) services: Vec<Vs>,
    pub(crate) flush: bool,
    pub(crate) flush_on_stop: bool,
    /// `lvs_sync_daemon`: interface, row of the instance, id.
    pub(crate) sync: Option<(&'static str, Option<u32>, u8)>,
    pub(crate) timeouts: Timeouts,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn instance(mut self, instance: Vr) -> Self {
        self.instances.push(instance);
        self
    }

    pub(crate) fn group(mut self, name: &'static str, members: &[u32]) -> Self {
        self.groups.push((name, members.to_vec()));
        self
    }

    pub(crate) fn service(mut self, service: Vs) -> Self {
        self.services.push(service);
        self
    }

    pub(crate) fn build(&self) -> Config {
        let mut rows = Rows::default();
        self.instances.iter().for_each(|instance| rows.instance(instance));
        self.services.iter().for_each(|service| rows.service(service));
        self.groups.iter().for_each(|(name, members)| rows.group(name, members));
        let sync = self.sync.map(|(link, instance, id)| SyncDaemon {
            link: rows.link(link),
            instance: instance.map(InstanceId),
            spec: DaemonSpec { id, ..DaemonSpec::new(LinkName::new(link).unwrap()) },
        });
        Config {
            firewall: Box::default(),
            role: None,
            tunnel: false,
            global: Global {
                flush_at_start: self.flush,
                flush_on_stop: self.flush_on_stop,
                timeouts: self.timeouts,
                sync_daemon: sync,
                ..Global::default()
            },
            texts: rows.texts.finish(),
            links: rows.links.into(),
            link_rules: Box::default(),
            instances: rows.instances.into(),
            groups: rows.groups.into(),
            members: rows.members.into(),
            addresses: rows.addresses.into(),
            routes: Box::default(),
            tracked_routes: Box::default(),
            rules: Box::default(),
            peers: rows.peers.into(),
            trackers: rows.trackers.into(),
            ping_groups: Box::default(),
            variables: Box::default(),
            services: rows.services.into(),
            destinations: rows.destinations.into(),
            hidden: 0,
            probes: rows.probes.into(),
            probe_uses: rows.probe_uses.into(),
            #[cfg(feature = "tls")]
            tls: lvsbox::config::tls::Tls::default(),
            appliance: lvsbox::config::model::Appliance::default(),
            interfaces: Box::default(),
        }
    }
}

#[derive(Default)]
struct Rows {
    texts: TextsBuilder,
    links: Vec<LinkName>,
    instances: Vec<Instance>,
    groups: Vec<Group>,
    members: Vec<InstanceId>,
    addresses: Vec<VirtualAddress>,
    peers: Vec<Peer>,
    trackers: Vec<Tracker>,
    services: Vec<Service>,
    destinations: Vec<Destination>,
    probes: Vec<Probe>,
    probe_uses: Vec<ProbeId>,
}

fn row(index: usize) -> u32 {
    u32::try_from(index).unwrap()
}

impl Rows {
    fn link(&mut self, name: &str) -> LinkId {
        let name = LinkName::new(name).unwrap();
        let known = self.links.iter().position(|one| *one == name);
        LinkId::from_index(known.unwrap_or_else(|| {
            self.links.push(name);
            self.links.len() - 1
        }))
    }

    fn instance(&mut self, vr: &Vr) {
        let (id, link) = (InstanceId::from_index(self.instances.len()), self.link(vr.link));
        let first_address = self.addresses.len();
        for text in vr.vips.iter().chain(&vr.excluded) {
            let (address, rest) = text.split_once('/').unwrap();
            let (prefix, dev) = rest.split_once('%').unwrap_or((rest, vr.link));
            let address = VirtualAddress {
                instance: Some(id),
                address: ip(address),
                prefix: prefix.parse().unwrap(),
                link: self.link(dev),
                broadcast: None,
                peer: None,
                scope: 0,
                label: self.texts.intern(""),
                flags: 0,
                preferred: None,
            };
            self.addresses.push(address);
        }
        let (first_peer, first_tracker) = (row(self.peers.len()), row(self.trackers.len()));
        self.peers.extend(vr.peers.iter().map(|address| Peer { address: *address, ttls: None }));
        self.trackers.push(Tracker::of_link(link, 0));
        for (name, weight) in &vr.track {
            let link = self.link(name);
            self.trackers.push(Tracker::of_link(link, *weight));
        }
        let family = self.addresses.get(first_address).map_or(Family::Ipv4, |one| Family::of(one.address));
        let authentication = vr.password.map_or(Authentication::None, |password| {
            let mut bytes = [0; 8];
            bytes[..password.len()].copy_from_slice(password.as_bytes());
            Authentication::Pass(bytes)
        });
        self.instances.push(Instance {
            name: self.texts.intern(vr.name),
            link,
            vrid: NonZeroU8::new(vr.vrid).unwrap(),
            priority: vr.priority,
            version: if vr.v3.is_some() { Version::V3 } else { Version::V2 },
            family,
            coverage: Coverage::PseudoHeader,
            advert_interval: vr.v3.map_or(Duration::from_secs(vr.interval), Duration::from_millis),
            preemption: vr.preemption,
            authentication,
            source: None,
            transport: if vr.peers.is_empty() {
                Transport::Multicast(match family {
                    Family::Ipv4 => GROUP.into(),
                    Family::Ipv6 => GROUP6.into(),
                })
            } else {
                Transport::Unicast { peers: first_peer..row(self.peers.len()) }
            },
            source_check: if vr.check_source { SourceCheck::Peers } else { SourceCheck::Any },
            addresses: Range::<AddressId>::new(first_address, self.addresses.len()),
            advertised: u8::try_from(vr.vips.len()).unwrap(),
            routes: Range::default(),
            rules: Range::default(),
            trackers: first_tracker..row(self.trackers.len()),
            announce: vr.announce,
            manners: vr.manners,
        });
    }

    fn group(&mut self, name: &str, members: &[u32]) {
        let first = row(self.members.len());
        self.members.extend(members.iter().map(|id| InstanceId(*id)));
        let name = self.texts.intern(name);
        self.groups.push(Group { name, members: first..row(self.members.len()), weighted: false });
    }

    fn service(&mut self, vs: &Vs) {
        let (id, first) = (ServiceId::from_index(self.services.len()), self.destinations.len());
        for server in &vs.servers {
            self.destination(id, server);
        }
        let first_sorry = self.destinations.len();
        if let Some(sorry) = &vs.sorry {
            self.destination(id, &Rs { urls: None, weight: 1, ..sorry.clone() });
        }
        self.services.push(Service {
            key: tcp_key(&vs.at),
            spec: ServiceSpec {
                scheduler: Scheduler::new(vs.scheduler).unwrap(),
                flags: 0,
                timeout: 0,
                netmask: 32,
                engine: None,
            },
            destinations: Range::new(first, self.destinations.len()),
            sorry: Range::new(first_sorry, self.destinations.len()),
            quorum: vs.quorum,
            hysteresis: vs.hysteresis,
            suspend: false,
        });
    }

    fn destination(&mut self, service: ServiceId, rs: &Rs) {
        let target: SocketAddr = rs.at.parse().unwrap();
        let first = row(self.probe_uses.len());
        if let Some(urls) = rs.urls {
            let probe = Probe {
                address: target.ip(),
                port: target.port(),
                terms: std::rc::Rc::new(Terms {
                    interval: Duration::from_secs(rs.interval),
                    timeout: Duration::from_secs(5),
                    retry: rs.retry,
                    rise: 1,
                    retry_delay: Duration::from_secs(rs.retry_delay),
                    warmup: Duration::from_secs(rs.interval),
                    assumption: if rs.alpha { Assumption::Down } else { Assumption::Up },
                    bind: None,
                    checker: if urls == 0 { Checker::Tcp(TcpCheck) } else { http(urls, rs.fast) },
                }),
            };
            let known = self.probes.iter().position(|one| *one == probe);
            let id = known.unwrap_or_else(|| {
                self.probes.push(probe);
                self.probes.len() - 1
            });
            self.probe_uses.push(ProbeId::from_index(id));
        }
        self.destinations.push(Destination {
            service,
            key: DestinationKey { address: target.ip(), port: target.port() },
            weight: rs.weight,
            probes: first..row(self.probe_uses.len()),
            policy: std::rc::Rc::new(Policy {
                method: ForwardingMethod::DirectRoute,
                upper: 0,
                lower: 0,
                on_failure: if rs.inhibit { OnFailure::Inhibit } else { OnFailure::Remove },
                slow_start: Duration::from_secs(rs.slow_start),
                drain_time: Duration::from_secs(rs.drain_time),
            }),
        });
    }
}

fn http(urls: usize, fast: bool) -> Checker {
    let url = |n: usize| Url {
        path: format!("/{n}").into(),
        host: None,
        statuses: [(200, 299)].into(),
        digest: None,
        regex: None,
    };
    let recovery = if fast { Recovery::Fast } else { Recovery::FullPass };
    Checker::Http(HttpGet { urls: (0..urls).map(url).collect(), recovery, protocol: HttpVersion::V10 })
}

/// An address.
pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The key of a TCP service, `address:port`.
pub(crate) fn tcp_key(text: &str) -> ServiceKey {
    let at: SocketAddr = text.parse().unwrap();
    ServiceKey::Address { protocol: Protocol::Tcp, address: at.ip(), port: at.port() }
}
