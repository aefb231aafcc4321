//! rtnetlink (`linux/rtnetlink.h`): interfaces and addresses.

use core::net::{IpAddr, Ipv4Addr};

use super::link::{LinkIndex, LinkName, MacAddress};

/// An interface as the kernel describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkEntry {
    /// Index.
    pub index: LinkIndex,
    /// Name.
    pub name: LinkName,
    /// Administratively up (`IFF_UP`).
    pub admin_up: bool,
    /// Carrier and operational state (`IFF_RUNNING`).
    pub running: bool,
    /// `IFF_LOOPBACK`.
    pub loopback: bool,
    /// Hardware address; zero for a device without one.
    pub mac: MacAddress,
    /// MTU in bytes.
    pub mtu: u32,
}

/// An address on an interface as the kernel describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressEntry {
    /// The interface.
    pub link: LinkIndex,
    /// The local address (`IFA_LOCAL` where there is one, else `IFA_ADDRESS`).
    pub address: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// `RT_SCOPE_*`.
    pub scope: u8,
    /// `IFA_F_SECONDARY`: not the first address of its IPv4 subnet (for IPv6: temporary).
    pub secondary: bool,
}

/// An address to add or remove.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressSpec {
    /// The interface.
    pub link: LinkIndex,
    /// The local address.
    pub address: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// `RT_SCOPE_*`.
    pub scope: u8,
    /// Broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// Other end of a point-to-point address.
    pub peer: Option<IpAddr>,
    /// `IFA_LABEL`, IPv4 only.
    pub label: Option<LabelName>,
}

/// An address label: 1 to 15 bytes. By the kernel's custom it starts with the interface's name, and may hold a colon.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LabelName {
    pub(super) bytes: [u8; 15],
    pub(super) len: u8,
}

/// A request to the routing socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// List interfaces.
    DumpLinks,
    /// List addresses of both families.
    DumpAddresses,
    /// Add an address: no duplicate address detection for IPv6, and a preferred lifetime of 0 for a /128, so that it
    /// is never chosen as a source.
    AddAddress(AddressSpec),
    /// Remove an address.
    RemoveAddress(AddressSpec),
}

/// What a routing socket says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// `RTM_NEWLINK`.
    NewLink(LinkEntry),
    /// `RTM_DELLINK`.
    DelLink(LinkEntry),
    /// `RTM_NEWADDR`.
    NewAddress(AddressEntry),
    /// `RTM_DELADDR`.
    DelAddress(AddressEntry),
    /// Something this program does not follow.
    Other,
}
