//! The shell of a box: it does what the director wants, and its kernel answers after a while.

use lvsbox::check::{Failure, Verdict};
use lvsbox::config::ids::{Id, InstanceId, LinkId, ProbeId};
use lvsbox::director::action::{Action, AdvertKind, Dump, Epoch, FilterStep, SlotId};
use lvsbox::director::event::{DumpError, Errno, Event, Source};
use lvsbox::time::Duration;
use lvsbox::wire::genl_ipvs::{DaemonEntry, DaemonRole, DestinationEntry, ServiceEntry};
use lvsbox::wire::netlink::Writer;
use lvsbox::wire::rtnetlink;
use lvsbox::wire::rtnetlink::route::{Hops, RouteChange, RouteDetails, RouteRequest, RouteSpec};

use super::super::kernel::{Asked, Fault, Kernel, Pool};
use super::{Coming, Heard, Node, Row, Server};

impl Node {
    pub(super) fn execute(&mut self, action: Action) {
        let due = self.now + self.latency;
        match action {
            Action::SendAdvert { instance, peer, kind } => self.send((instance, peer, kind), action),
            Action::Announce { address } => {
                let mut bytes = [0; 128];
                assert!(
                    self.director
                        .announcement(address, lvsbox::wire::ndisc::Role::Host, &mut bytes)
                        .is_some()
                );
                let address = self.director.config().addresses[address.index()].address;
                self.announced.push((self.now, address, self.kernel.has(address)));
            }
            Action::OpenSocket { link, channel, .. } => {
                let spec = self.director.socket(link, channel);
                let result = self.faulty(&action, |_| match spec {
                    Some(_) => Ok(()),
                    None => Err(Errno::ENODEV),
                });
                let name = self.director.config().link_name(link).to_owned();
                if result.is_ok() {
                    self.sockets.insert((name, channel));
                }
                self.answers.push_back((due, Coming::Applied(action, result)));
            }
            Action::CloseSocket { link, channel } => {
                let name = self.director.config().link_name(link).to_owned();
                self.sockets.remove(&(name, channel));
            }
            Action::AddAddress { .. } | Action::RemoveAddress { .. } => {
                let request = self.director.route_request(action).unwrap();
                let (mut news, when) = (None, self.now + self.delay);
                let result = self.faulty(&action, |kernel| kernel.route(request).map(|heard| news = heard));
                if let Some((entry, there)) = news {
                    self.news.push_back((when, Coming::Address(entry, there, Source::Own)));
                }
                self.answers.push_back((due, Coming::Applied(action, result)));
            }
            Action::Routing { .. } => self.change_routing(action),
            Action::FindIpvs { .. } => {
                let found = |kernel: &mut Kernel| kernel.ipvs.as_ref().map(|_| ()).ok_or(Errno::ENOENT);
                let result = self.faulty(&action, found);
                self.answers.push_back((due, Coming::Applied(action, result)));
            }
            Action::Filter { step, .. } => self.change_filter(action, step),
            Action::Firewall { .. } => self.answers.push_back((due, Coming::Applied(action, Ok(())))),
            Action::SetTimeouts { .. }
            | Action::FlushIpvs { .. }
            | Action::Service { .. }
            | Action::Daemon { .. }
            | Action::ReadTimeouts { .. }
            | Action::Destination { .. } => {
                if matches!(action, Action::ReadTimeouts { .. }) {
                    let (tcp, fin, udp) = self.kernel.timeouts;
                    let values = [tcp.unwrap_or(900), fin.unwrap_or(120), udp.unwrap_or(300)];
                    self.answers.push_back((due, Coming::Timeouts(values)));
                }
                let request = self.director.ipvs_request(action).unwrap();
                let result = self.faulty(&action, |kernel| kernel.ipvs(request));
                self.answers.push_back((due, Coming::Applied(action, result)));
            }
            Action::Dump { epoch, what } => self.list(action, epoch, what),
            Action::Probe { epoch, slot, probe, step } => self.check((epoch, slot), probe, step),
            Action::AbortProbe { slot } => {
                self.busy_slots.remove(&slot.0);
            }
        }
    }

    fn change_routing(&mut self, action: Action) {
        let request = self.director.routing_request(action).unwrap();
        let result = match (self.fault)(&action) {
            None => self.kernel.routing(&request),
            Some(Fault::Refuse(errno)) => Err(errno),
            Some(Fault::LoseRequest) => Err(Errno::LOST),
            Some(Fault::LoseAnswer) => {
                let _ = self.kernel.routing(&request);
                Err(Errno::LOST)
            }
        };
        self.answers.push_back((self.now + self.latency, Coming::Applied(action, result)));
    }

    fn change_filter(&mut self, action: Action, step: FilterStep) {
        let (due, mut shown) = (self.now + self.latency, None);
        let transaction = self.director.filter_transaction(step).map(Asked::of);
        let result = self.faulty(&action, |kernel| match transaction {
            Some(asked) => kernel.filter(asked),
            None => kernel.show_filter(step).map(|what| shown = Some(what)),
        });
        if let Some(what) = shown {
            self.answers.push_back((due, Coming::Filtered(what)));
        }
        self.answers.push_back((due, Coming::Applied(action, result)));
    }

    /// The kernel describes a route: as one that adds it would.
    pub(crate) fn say_route(&mut self, (spec, hops): (&RouteSpec, &Hops), there: bool, source: Source) {
        let mut buffer = [0; 1_024];
        let mut writer = Writer::new(&mut buffer);
        let spec = RouteSpec { metric: spec.effective_metric(), ..*spec };
        let (change, details) = (RouteChange::Add, RouteDetails::default());
        RouteRequest { change, spec, details, hops: hops.clone() }.emit(&mut writer, 1).unwrap();
        let bytes = writer.as_bytes();
        let message = rtnetlink::parse(24, &bytes[16..]).unwrap();
        let rtnetlink::Message::NewRoute(entry) = message else { panic!("{message:?}") };
        self.handle(Event::Route { entry: &entry, there, source });
    }

    fn send(&mut self, (instance, peer, kind): (InstanceId, u16, AdvertKind), action: Action) {
        let due = self.now + self.latency;
        let mut bytes = [0; 1_500];
        let link = self.director.config().instances[instance.index()].link;
        let datagram = self.director.advert(instance, peer, kind, &mut bytes);
        let name = self.director.config().link_name(link).to_owned();
        let up = |channel| self.is_up(link) && self.sockets.contains(&(name, channel));
        match datagram.filter(|datagram| up(datagram.channel)) {
            None => self.answers.push_back((due, Coming::SendFailed(action))),
            Some(datagram) => self
                .outbox
                .push(Heard { bytes: bytes[..datagram.len].to_vec(), destination: datagram.destination }),
        }
    }

    fn list(&mut self, action: Action, epoch: Epoch, what: Dump) {
        let due = self.now + self.latency;
        let ipvs = matches!(what, Dump::Services | Dump::Destinations(_) | Dump::Daemons);
        let result = match (self.fault)(&action) {
            _ if ipvs && self.kernel.ipvs.is_none() => Err(DumpError::Failed(Errno::ENOENT)),
            Some(Fault::Refuse(errno)) => Err(DumpError::Failed(errno)),
            Some(Fault::LoseAnswer | Fault::LoseRequest) => Err(DumpError::Interrupted),
            None => Ok(()),
        };
        let running = self.dumps[usize::from(ipvs)].iter().any(|(_, coming)| {
            matches!(coming, Coming::Dump(Action::Dump { epoch: of, .. }, _)
                | Coming::Dumped(Action::Dump { epoch: of, .. }, _, _) if *of == epoch)
        });
        assert!(!running, "two dumps at once");
        let when = self.dumps[usize::from(ipvs)].back().map_or(due, |(at, _)| due.max(*at));
        self.dumps[usize::from(ipvs)].push_back((when, Coming::Dump(action, result)));
    }

    fn check(&mut self, (epoch, slot): (Epoch, SlotId), probe: ProbeId, step: u16) {
        assert!(self.busy_slots.insert(slot.0), "slot {slot:?} is busy");
        let target = self.director.probe(probe).unwrap().target();
        let verdict = match self.servers.get(&target).copied().unwrap_or(Server::Good) {
            Server::Good => Verdict::Pass { status: 200 },
            Server::Refuses => Verdict::Fail(Failure::Connect { errno: 111 }),
            Server::Urls(good) if good & (1 << step) != 0 => Verdict::Pass { status: 200 },
            Server::Urls(_) => Verdict::Fail(Failure::Status(503)),
            Server::Hindered => Verdict::Local { errno: 99 },
        };
        self.probes.push((self.now + Duration::from_millis(1), Coming::Probed(slot, epoch, verdict)));
    }

    fn faulty(
        &mut self,
        action: &Action,
        work: impl FnOnce(&mut Kernel) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        match (self.fault)(action) {
            None => work(&mut self.kernel),
            Some(Fault::Refuse(errno)) => Err(errno),
            Some(Fault::LoseRequest) => Err(Errno::LOST),
            Some(Fault::LoseAnswer) => work(&mut self.kernel).and(Err(Errno::LOST)).or(Err(Errno::LOST)),
        }
    }

    fn is_up(&self, link: LinkId) -> bool {
        let name = self.director.config().link_name(link);
        self.kernel.links.iter().any(|one| one.name.as_str() == name && one.admin_up && one.running)
    }

    /// The kernel lists what it has when it is read, not when it was asked; reading takes its time.
    pub(super) fn dump(&mut self, action: Action, result: Result<(), DumpError>) {
        let Action::Dump { epoch, what } = action else { panic!("{action:?}") };
        let kernel = &self.kernel;
        let rows: Vec<Row> = match what {
            Dump::Links => kernel.links.iter().map(|entry| Row::Link(*entry)).collect(),
            Dump::Addresses => kernel.addresses.iter().map(|entry| Row::Address(*entry)).collect(),
            Dump::Routes => {
                kernel.routes.iter().map(|(spec, hops)| Row::Route(*spec, hops.clone())).collect()
            }
            Dump::Rules => kernel.rules.iter().map(|entry| Row::Rule(*entry)).collect(),
            Dump::Services => {
                let entry = |(key, (spec, _)): (&_, &Pool)| ServiceEntry { key: *key, spec: *spec };
                kernel.ipvs.iter().flatten().map(|row| Row::Service(entry(row))).collect()
            }
            Dump::Daemons => {
                let rows = DaemonRole::ALL.into_iter().zip(kernel.daemons);
                rows.filter_map(|(role, spec)| Some(Row::Daemon(DaemonEntry { role, spec: spec? }))).collect()
            }
            Dump::Destinations(_) if epoch != self.director.epoch() => Vec::new(),
            Dump::Destinations(id) => {
                let key = self.director.config().services[id.index()].key;
                let pool = kernel.ipvs.iter().filter_map(|table| table.get(&key));
                let entry = |(key, spec): (&_, &_)| DestinationEntry {
                    key: *key,
                    spec: *spec,
                    active: kernel.active.get(key).copied().unwrap_or(0),
                    inactive: 0,
                    persistent: 0,
                };
                pool.flat_map(|(_, pool)| pool.iter().map(|row| Row::Destination(entry(row)))).collect()
            }
        };
        let generation = self.kernel.generation;
        let family = usize::from(matches!(what, Dump::Services | Dump::Destinations(_) | Dump::Daemons));
        let queue = &mut self.dumps[family];
        let mut due = self.now;
        for row in rows {
            queue.push_back((due, Coming::Row(row, epoch)));
            due = due + Duration::from_micros(7);
        }
        queue.push_back((due, Coming::Dumped(action, result, generation)));
    }
}
