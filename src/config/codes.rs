//! The numbers of this layer's diagnostics. A number keeps its meaning for good: people search for it.

use crate::syntax::Code;

/// A text over the limit.
pub const TOO_LARGE: Code = Code(14);
/// More memory than there is.
pub const MEMORY: Code = Code(16);
/// `auth_pass` over eight bytes, or with others than ASCII.
pub const LONG_PASSWORD: Code = Code(201);
/// Keywords that need VRRP version 3, AH or HMAC.
pub const OTHER_PROTOCOL: Code = Code(202);
/// An instance lacks what it cannot run without.
pub const INCOMPLETE: Code = Code(203);
/// Two instances of one name, or of one VRID on one interface.
pub const DUPLICATE_INSTANCE: Code = Code(204);
/// A virtual address that exists already.
pub const DUPLICATE_ADDRESS: Code = Code(205);
/// A value that VRRP version 2 cannot carry.
pub const WHOLE_SECONDS: Code = Code(206);
/// `nopreempt` where it cannot work.
pub const NOPREEMPT: Code = Code(207);
/// A priority that follows from `state MASTER`.
pub const IMPLIED_OWNER: Code = Code(208);
/// Half of an authentication.
pub const NO_PASSWORD: Code = Code(209);
/// Peers that are none.
pub const PEERS: Code = Code(210);
/// A tracker that changes nothing.
pub const USELESS_TRACKER: Code = Code(211);
/// Delays and manners that change nothing or do harm.
pub const MANNERS: Code = Code(212);
/// A sync group of instances that do not exist, or are in another one.
pub const GROUP: Code = Code(216);
/// Something that is tracked and not defined, or defined twice.
pub const TRACKED: Code = Code(217);
/// `state MASTER` with `auth_type AH`.
pub const AH_STARTS_AS_BACKUP: Code = Code(219);
/// A scheduler that no kernel has.
pub const NO_SCHEDULER: Code = Code(301);
/// A route or rule that cannot mean anything, or exists already.
pub const ROUTE: Code = Code(224);
/// A `track_group` that is none.
pub const TRACK_GROUP: Code = Code(225);
/// A service or real server that exists already.
pub const DUPLICATE: Code = Code(302);
/// A service without real servers.
pub const NO_SERVERS: Code = Code(303);
/// A default that may surprise.
pub const DEFAULTED: Code = Code(304);
/// A port that the forwarding method does not allow.
pub const PORT: Code = Code(305);
/// Port 0 without persistence.
pub const PERSISTENCE: Code = Code(306);
/// Addresses of two families.
pub const FAMILY: Code = Code(307);
/// A quorum or hysteresis that cannot work.
pub const QUORUM: Code = Code(308);
/// A flag that its scheduler or protocol does not have.
pub const FLAG: Code = Code(309);
/// Thresholds that contradict each other.
pub const THRESHOLD: Code = Code(310);
/// A check without a port.
pub const NO_PORT: Code = Code(311);
/// A sync daemon that is one too many, or follows an instance that is not there.
pub const SYNC_DAEMON: Code = Code(312);
/// `ha_suspend` where it cannot work.
pub const SUSPEND: Code = Code(313);
/// A director that would forward to itself.
pub const LOOP: Code = Code(314);
/// An option of a sorry server without one.
pub const SORRY: Code = Code(315);
/// `via_vip` where there is no way through the virtual address.
pub const VIA: Code = Code(318);
/// A file of certificates or keys that is of no use.
#[cfg(feature = "tls")]
pub const TLS_FILE: Code = Code(321);
/// More objects than fit.
pub const LIMIT: Code = Code(401);
/// A second block of the same interface, or a VLAN on itself.
pub const INTERFACE: Code = Code(501);
/// A name that no kernel setting can have.
pub const SETTING: Code = Code(502);
/// A rule of the firewall that exists already, or changes nothing.
pub const FIREWALL: Code = Code(503);
