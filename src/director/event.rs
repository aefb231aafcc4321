//! What the director is told: one value per thing that happened, already parsed. See [`super::Director::handle`].

use super::action::{Action, Epoch, SlotId};
use super::duplicate::Claim;
use super::overrides::Order;
use crate::check::{Evidence, Verdict};
use crate::config::ids::{LinkId, VariableId};
use crate::wire::genl_ipvs::{DaemonEntry, DestinationEntry, ServiceEntry, TimeoutValues};
use crate::wire::nftables::Census;
use crate::wire::nftables::firewall::{Part, PartSeen};
use crate::wire::rtnetlink::route::RouteEntry;
use crate::wire::rtnetlink::rule::RuleSpec;
use crate::wire::rtnetlink::{AddressEntry, LinkEntry};
use crate::wire::vrrp::{Channel, Malformed, Received};

/// Something happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// Nothing but the passing of time: timers that are due fire. Every other event fires them too.
    Tick,
    /// A packet arrived on one of an interface's VRRP sockets.
    Advert {
        /// The socket's interface.
        link: LinkId,
        /// Which socket.
        channel: Channel,
        /// What it says.
        packet: Result<Received<'a>, Malformed>,
    },
    /// Somebody says that an address of ours is theirs.
    Claim(Claim),
    /// The kernel describes an interface: in a dump or unasked.
    Link(&'a LinkEntry),
    /// An interface is gone.
    LinkGone(&'a LinkEntry),
    /// The kernel says that an address is there.
    Address {
        /// The address.
        entry: &'a AddressEntry,
        /// How we come to know.
        source: Source,
    },
    /// The kernel says that an address is gone.
    AddressGone {
        /// The address.
        entry: &'a AddressEntry,
        /// How we come to know.
        source: Source,
    },
    /// The kernel says that a route is there, or gone.
    Route {
        /// The route.
        entry: &'a RouteEntry<'a>,
        /// Whether it is there.
        there: bool,
        /// How we come to know.
        source: Source,
    },
    /// The kernel says that a rule is there, or gone.
    Rule {
        /// The rule.
        entry: &'a RuleSpec,
        /// Whether it is there.
        there: bool,
        /// How we come to know.
        source: Source,
    },
    /// A service in a dump. Rows of a dump of an earlier epoch are not handed over, whatever they are of: nobody could
    /// tell them from those of the dump under way.
    Service(&'a ServiceEntry),
    /// A destination in a dump of the service being dumped.
    Destination(&'a DestinationEntry),
    /// A dump ended.
    Dumped {
        /// The action that asked for it.
        action: Action,
        /// Whether it was whole; an interrupted or failed dump proves no absence.
        result: Result<(), DumpError>,
    },
    /// The kernel answered an action that changes something.
    Applied {
        /// The action.
        action: Action,
        /// Its answer.
        result: Result<(), Errno>,
    },
    /// A look at our nf_tables table showed this.
    Filtered(Filtered),
    /// A look at a table of `firewall` showed this.
    Firewall(Firewalled<'a>),
    /// A frame could not be sent.
    SendFailed {
        /// The action.
        action: Action,
        /// Why.
        errno: Errno,
    },
    /// A probe's dialogue ended.
    Probed {
        /// The slot.
        slot: SlotId,
        /// The epoch of the action that started it.
        epoch: Epoch,
        /// How.
        verdict: Verdict,
    },
    /// The operator sets a variable that instances track.
    SetVariable {
        /// Which.
        variable: VariableId,
        /// Its new value.
        value: i16,
    },
    /// The operator has seen the alarms that stay.
    ClearAlarms,
    /// The operator sets the weight of a real server, or gives it back to the configuration.
    Override(Order),
    /// A dump shows a sync daemon.
    Daemon(&'a DaemonEntry),
    /// The kernel's timeouts.
    Timeouts(TimeoutValues),
    /// The monitoring socket overran: what the kernel holds is unknown until it is dumped.
    Overrun,
    /// Take down what is installed; the shell waits until [`super::Director::is_stopped`].
    Stop {
        /// What stays.
        keep: Keep,
    },
    /// What the server said in a dialogue that failed; its end is told next.
    Seen {
        /// The slot.
        slot: SlotId,
        /// The epoch of the action that started it.
        epoch: Epoch,
        /// The bytes; none if it said nothing.
        evidence: &'a Evidence,
    },
}

/// How an address came to our knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A dump we asked for.
    Dump,
    /// The monitoring socket; the change was made by this process.
    Own,
    /// The monitoring socket; someone else made the change.
    Foreign,
}

/// What a look at nf_tables shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filtered {
    /// How often nf_tables was changed by anybody.
    Generation(u32),
    /// What our table holds.
    Census(Census),
}

/// What a look at the tables of `firewall` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firewalled<'a> {
    /// How often nf_tables was changed by anybody.
    Generation(u32),
    /// What the table of a part holds.
    Seen(Part, &'a PartSeen),
}

/// What a stop leaves in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// Virtual addresses.
    pub addresses: bool,
    /// Services and destinations, and the firewall that they need.
    pub services: bool,
}

/// A kernel's error number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Errno(pub u16);

impl Errno {
    /// Operation not permitted.
    pub const EPERM: Self = Self(1);
    /// No such file or directory; for IPVS: no such destination, scheduler or family.
    pub const ENOENT: Self = Self(2);
    /// No such process; for IPVS: no such service.
    pub const ESRCH: Self = Self(3);
    /// Permission denied.
    pub const EACCES: Self = Self(13);
    /// Exists already.
    pub const EEXIST: Self = Self(17);
    /// No such device.
    pub const ENODEV: Self = Self(19);
    /// Invalid argument.
    pub const EINVAL: Self = Self(22);
    /// Operation not supported.
    pub const EOPNOTSUPP: Self = Self(95);
    /// Protocol family not supported.
    pub const EAFNOSUPPORT: Self = Self(97);
    /// Cannot assign requested address; removing an address that is not there.
    pub const EADDRNOTAVAIL: Self = Self(99);
    /// No buffer space.
    pub const ENOBUFS: Self = Self(105);
    /// No answer came in time.
    pub const ETIMEDOUT: Self = Self(110);
    /// Not a number of the kernel's: the answer was lost (the socket overran), so that the request may have been
    /// carried out or not. It is made again at once; a request that was carried out finds its work done.
    pub const LOST: Self = Self(u16::MAX);
}

impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        crate::wire::errno::Text(self.0).fmt(f)
    }
}

/// Why a dump proves nothing about what it did not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DumpError {
    /// The table changed while it was read (`NLM_F_DUMP_INTR`).
    Interrupted,
    /// The kernel or the socket reported an error.
    Failed(Errno),
}
