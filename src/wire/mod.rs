//! Bytes to types and back, as total functions: no input makes them panic, and nothing outside looks at bytes again.
//!
//! Verbs are `parse`, `emit` and `emit_len`. One file per format, named as everywhere else: `vrrp`, `rtnetlink`, ...

#![deny(clippy::indexing_slicing)]

pub mod ah;
pub mod arp;
pub mod bytes;
pub mod dns;
pub mod errno;
pub mod ethernet;
pub mod genetlink;
pub mod genl_ipvs;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod link;
pub mod ndisc;
pub mod neighbours;
pub mod netlink;
pub mod nftables;
pub mod rtnetlink;
pub mod vrrp;
