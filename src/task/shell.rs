//! What the tasks share: the director, the reactor, the sockets, the slots. One thread, so cells and no locks; no
//! borrow lives across an `await`.

use core::cell::{Cell, OnceCell, RefCell};
use core::future::Future;
use core::pin::Pin;
use std::rc::{Rc, Weak};

use smol::LocalExecutor;

use super::adverts::Ports;
use super::birth::{Birth, Milestones};
use super::claims::Listeners;
use super::echo::Echo;
use super::feed::Feed;
use super::load::Found;
use super::meter::Meter;
use super::nftables::Exchange;
use super::reactor::{Reactor, Source};
use super::reload::Desk;
use super::requests::Requests;
use super::slots::Slots;
use crate::config::needs::Needs;
use crate::console::view::Stage;
use crate::director::Director;
use crate::director::event::{Event, Keep};
use crate::director::journal::Cursor;
use crate::kernel::clock;
use crate::kernel::machine::End;
use crate::kernel::netlink::NetlinkSocket;
use crate::kernel::packet::PacketSocket;
use crate::kernel::process;
use crate::limits::MAX_LINE_BYTES;
use crate::observe::{log, ring};
use crate::time::{Duration, Instant};
use crate::wire::link::LinkIndex;

/// Bytes of the buffer that every netlink socket reads into: the kernel never makes a datagram of a dump longer
/// (`NLMSG_GOODSIZE` and the 32 KiB cap of `netlink_dump`).
pub const RECEIVE_BUFFER: usize = 32 << 10;
/// Bytes of the buffer that all probes write their request and read their reply in, one after the other: a path and
/// a host, each as long as a line of configuration may be, and the rest of a request.
pub const PROBE_BUFFER: usize = 2 * MAX_LINE_BYTES + 1_024;
/// After a stop was asked for, the process ends at the latest after this time, whatever the kernel answers.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How the daemon was started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file of configuration.
    pub file: Box<std::path::Path>,
    /// What `@id` in it is compared with; the first label of the host's name if `None`.
    pub config_id: Option<Box<str>>,
    /// Abstract name of the control socket, without the `@`.
    pub control: Box<str>,
    /// Paths of the terminals it serves; at most `MAX_CONSOLES`.
    pub consoles: Box<[Box<str>]>,
    /// What stays in the kernel after a stop.
    pub keep: Keep,
    /// What is wrong with the configuration it starts with.
    pub found: Found,
    /// Bytes of memory that it may have; [`usize::MAX`] is all there is.
    pub budget: usize,
    /// Whose process it is.
    pub role: Role,
    /// How PID 1 came up.
    pub birth: Option<Birth>,
}

/// Whose process it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// One of many on a machine of somebody else's.
    Daemon,
    /// PID 1: its end is the machine's, and orphans are its children.
    Appliance,
}

/// Shared by every task.
pub struct Shell {
    /// Readiness and time.
    pub reactor: Rc<Reactor>,
    /// Every decision.
    pub director: RefCell<Director>,
    /// How the loop spends its time.
    pub meter: Meter,
    /// How the daemon was started.
    pub options: Options,
    /// When the daemon was started.
    pub started: Instant,
    /// The host's name.
    pub host: Box<str>,
    /// What is wrong with the configuration in force.
    pub found: Cell<Found>,
    /// The VRRP sockets.
    pub(super) ports: RefCell<Ports>,
    /// Who listens for those that speak for our addresses.
    pub(super) listeners: RefCell<Listeners>,
    /// Tells what happens to interfaces, addresses, routes and rules.
    pub(super) monitored: OnceCell<Source<NetlinkSocket>>,
    /// For announcements; `None` if the kernel refused it.
    pub(super) frames: Option<PacketSocket>,
    /// Addresses and interfaces: requests and dumps.
    pub(super) route: RefCell<Requests>,
    /// The interface that was told last to keep other addresses when the first one goes.
    pub(super) promoted: Cell<LinkIndex>,
    /// The IPVS table: requests and dumps.
    pub(super) ipvs: RefCell<Requests>,
    /// nf_tables, from the first request on.
    pub(super) nftables: RefCell<Option<Exchange>>,
    /// The number of the IPVS family in this kernel, once it was found.
    pub(super) ipvs_family: Cell<Option<u16>>,
    /// The probe slots.
    pub(super) slots: RefCell<Slots>,
    /// Netlink datagrams are read here; never held across an `await`.
    pub(super) datagram: RefCell<Box<[u8]>>,
    /// Replies of probes are read here; never held across an `await`.
    pub(super) reply: RefCell<Box<[u8]>>,
    /// The stages of the boot.
    pub(super) boot: RefCell<Vec<Stage>>,
    /// Those to come.
    pub(super) milestones: RefCell<Milestones>,
    /// What the configuration in force needs of the kernel.
    pub(super) needs: Cell<Needs>,
    /// Limits of the kernel that are too low for it, when they were looked at last.
    pub(super) short: Cell<usize>,
    /// Requests to read the configuration again, and what became of the last one.
    pub(super) desk: Desk,
    /// TLS of probes.
    #[cfg(feature = "tls")]
    pub(super) tls: super::tls::Office,
    /// What terminals follow.
    pub(super) feed: Feed,
    /// What `ping` and `arping` tell.
    pub(super) echo: Rc<Echo>,
    /// How far the log has read the journal.
    pub(super) journal: Cell<Cursor>,
    /// An event reached the director since the last turn: it may want to act.
    pub(super) touched: Cell<bool>,
    stop_at: Cell<Instant>,
    /// The log as it ended when a stop was asked for.
    farewell: Cell<ring::Cursor>,
    end: Cell<End>,
    urgent: Weak<LocalExecutor<'static>>,
    ordinary: Weak<LocalExecutor<'static>>,
}

/// The parts of a [`Shell`] that are opened before it.
pub(super) struct Parts {
    pub(super) reactor: Rc<Reactor>,
    pub(super) director: Director,
    pub(super) options: Options,
    pub(super) frames: Option<PacketSocket>,
    pub(super) route: Requests,
    pub(super) ipvs: Requests,
    pub(super) needs: Needs,
    pub(super) short: usize,
    pub(super) urgent: Weak<LocalExecutor<'static>>,
    pub(super) ordinary: Weak<LocalExecutor<'static>>,
}

/// Which tasks go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priority {
    /// Adverts, and what the kernel answers, half a millisecond at a time.
    Urgent,
    /// Everything else.
    Ordinary,
}

impl Options {
    /// As PID 1 runs `file`: everything is taken down before the machine ends. The first of `consoles` is standard
    /// error's.
    pub fn appliance(file: &std::path::Path, found: Found, consoles: Box<[Box<str>]>, birth: Birth) -> Self {
        let keep = Keep { addresses: false, services: false };
        let birth = Some(birth);
        Self {
            config_id: None,
            file: file.into(),
            control: "lvsbox".into(),
            keep,
            found,
            budget: usize::MAX,
            role: Role::Appliance,
            consoles,
            birth,
        }
    }
}

impl Shell {
    pub(super) fn new(parts: Parts) -> Rc<Self> {
        Rc::new(Self {
            reactor: parts.reactor,
            director: RefCell::new(parts.director),
            meter: Meter::default(),
            found: Cell::new(parts.options.found),
            boot: RefCell::new(parts.options.birth.iter().flat_map(|birth| birth.stages.clone()).collect()),
            milestones: RefCell::new(Milestones::of(parts.options.birth.as_ref())),
            options: parts.options,
            started: clock::now(),
            host: process::host_name(),
            ports: RefCell::default(),
            listeners: RefCell::default(),
            monitored: OnceCell::new(),
            frames: parts.frames,
            route: RefCell::new(parts.route),
            promoted: Cell::default(),
            ipvs: RefCell::new(parts.ipvs),
            nftables: RefCell::new(None),
            ipvs_family: Cell::new(None),
            slots: RefCell::default(),
            datagram: RefCell::new(vec![0; RECEIVE_BUFFER].into_boxed_slice()),
            reply: RefCell::new(vec![0; PROBE_BUFFER].into_boxed_slice()),
            needs: Cell::new(parts.needs),
            short: Cell::new(parts.short),
            desk: Desk::default(),
            #[cfg(feature = "tls")]
            tls: super::tls::Office::default(),
            feed: Feed::default(),
            echo: Rc::default(),
            journal: Cell::default(),
            touched: Cell::new(true),
            stop_at: Cell::new(Instant::NEVER),
            farewell: Cell::default(),
            end: Cell::new(End::Reboot),
            urgent: parts.urgent,
            ordinary: parts.ordinary,
        })
    }

    /// Tells the director.
    pub(super) fn handle(&self, event: Event<'_>) {
        self.handle_at(clock::now(), event);
    }

    /// The same for many events that are known at the same time.
    pub(super) fn handle_at(&self, now: Instant, event: Event<'_>) {
        self.touched.set(true);
        self.director.borrow_mut().handle(now, event);
    }

    /// Starts a task that lives as long as the process. To be called while a configuration is loaded.
    pub(super) fn spawn(&self, priority: Priority, task: impl Future<Output = ()> + 'static) {
        self.start(priority, Box::pin(task));
    }

    /// Tasks are one type: the executor's code for a type, 800 bytes, is not made for each of them.
    fn start(&self, priority: Priority, task: Pin<Box<dyn Future<Output = ()>>>) {
        let executor = match priority {
            Priority::Urgent => &self.urgent,
            Priority::Ordinary => &self.ordinary,
        };
        if let Some(executor) = executor.upgrade() {
            executor.spawn(task).detach();
        }
    }

    /// Takes everything down; a second call ends the process at once.
    pub fn stop(&self) {
        let now = clock::now();
        if self.stop_at.get() == Instant::NEVER {
            self.stop_at.set(now + STOP_PATIENCE);
            self.farewell.set(log::end(log::Topic::Log));
            self.handle(Event::Stop { keep: self.options.keep });
        } else {
            self.stop_at.set(now);
        }
    }

    /// Takes everything down, and then the machine. For the appliance only.
    pub fn stop_machine(&self, end: End) {
        self.end.set(end);
        self.stop();
    }

    /// Where the log stood when a stop was asked for; `None` as long as it was not.
    pub(super) fn farewell(&self) -> Option<ring::Cursor> {
        (self.stop_at.get() != Instant::NEVER).then(|| self.farewell.get())
    }

    /// How the machine is to end when the loop does; `None` if it is not ours to end.
    pub(super) fn end(&self) -> Option<End> {
        (self.options.role == Role::Appliance).then(|| self.end.get())
    }

    /// When the process ends whatever happens; [`Instant::NEVER`] unless a stop was asked for.
    pub(super) fn stop_at(&self) -> Instant {
        self.stop_at.get()
    }

    /// True when nothing is left to be done.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop_at.get() <= clock::now()
            || (self.stop_at.get() != Instant::NEVER && self.director.borrow().is_stopped())
    }
}
