//! What instances and interfaces do beyond the protocol: manners, peers and how far they may be, paces and delays.

use core::net::IpAddr;

use crate::config::ids::LinkId;
use crate::time::Duration;

/// Another router that gets adverts by unicast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Which times to live its adverts may arrive with; `None`: any.
    pub ttls: Option<Ttls>,
}

/// `min_ttl` and `max_ttl`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttls {
    /// The least one.
    pub min: u8,
    /// The greatest one.
    pub max: u8,
}

/// How an instance behaves beyond what the protocol prescribes. The default is keepalived's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    /// `preempt_delay`: adverts of a lesser router are followed for so long before it is preempted; zero: not at all.
    pub preempt_delay: Duration,
    /// `down_timer_adverts`: missed adverts after which a MASTER is given up, 1 to 100.
    pub down_adverts: u8,
    /// `unicast_ttl`: time to live or hop limit of adverts to peers.
    pub unicast_ttl: u8,
    /// A MASTER answers an advert of lower priority with one of its own (not `lower_prio_no_advert`).
    pub answers_lesser: bool,
    /// A MASTER that gives way sends one advert more (`higher_prio_send_advert`).
    pub last_word: bool,
    /// The address owner ignores adverts (`owner_ignore_adverts`).
    pub owner_ignores: bool,
    /// The MASTER answers for its addresses (not `no_accept`); an owner always does.
    pub accepts: bool,
    /// FAULT while the configured source address is not on the interface (`track_src_ip`).
    pub track_source: bool,
    /// FAULT while the interface of the adverts is down (not `dont_track_primary`).
    pub track_primary: bool,
    /// The kernel keeps other addresses of a network when its first one is removed (`promote_secondaries`).
    pub promotes: bool,
    /// A MASTER that shows itself later than so many intervals after the last time becomes BACKUP instead
    /// (`timer_expired_backup`); 0: never.
    pub late_adverts: u8,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            preempt_delay: Duration::ZERO,
            down_adverts: 3,
            unicast_ttl: 255,
            answers_lesser: true,
            last_word: false,
            owner_ignores: false,
            accepts: true,
            track_source: false,
            track_primary: true,
            promotes: false,
            late_adverts: 0,
        }
    }
}

/// What is configured for an interface beyond its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkRules {
    /// Whose pace its announcements go by: the first interface of its `garp_group`, or itself.
    pub pace: LinkId,
    /// Pause between two gratuitous ARPs; zero: none.
    pub arp_pause: Duration,
    /// Pause between two unsolicited neighbour advertisements; zero: none.
    pub na_pause: Duration,
    /// How long it must be down before that counts.
    pub down_delay: Duration,
    /// How long it must be up again before that counts.
    pub up_delay: Duration,
}

impl LinkRules {
    /// Nothing is said of the interface.
    pub const fn of(link: LinkId) -> Self {
        let none = Duration::ZERO;
        Self { pace: link, arp_pause: none, na_pause: none, down_delay: none, up_delay: none }
    }
}

impl super::Instance {
    /// What is sent to its addresses is dropped: `no_accept`, but for an owner (RFC 9568 6.1, Accept_Mode).
    pub fn is_silent(&self) -> bool {
        !self.manners.accepts && self.priority != u8::MAX
    }
}
