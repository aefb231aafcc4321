//! Services and real servers as an operator types them: `10.0.0.11:80`, `[2001:db8::1]:80`, the form that is shown,
//! `[10.0.0.11]:tcp:80`, and `fwmark 1` or `FWM 1`.

use core::net::IpAddr;

use crate::config::Config;
use crate::config::ids::{Id, ServiceId};
use crate::wire::genl_ipvs::{DestinationKey, ServiceKey};

/// An address, a port, and the protocol if it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// The address.
    pub address: IpAddr,
    /// The port; 0 stands for all ports of a service.
    pub port: u16,
    protocol: Option<&'a str>,
}

impl<'a> Endpoint<'a> {
    /// What `word` says; `None` if it has another form.
    pub fn parse(word: &'a str) -> Option<Self> {
        let (address, rest) = match word.strip_prefix('[') {
            Some(word) => word.split_once("]:")?,
            None => word.split_once(':')?,
        };
        let (protocol, port) = rest.split_once(':').map_or((None, rest), |(name, port)| (Some(name), port));
        Some(Self { address: address.parse().ok()?, port: port.parse().ok()?, protocol })
    }

    /// The key of a real server that is called so.
    pub fn server(self) -> DestinationKey {
        DestinationKey { address: self.address, port: self.port }
    }

    /// True if a line names it as it is shown: `[10.0.0.11]:tcp:80`.
    pub(super) fn is_in(self, line: &str) -> bool {
        let names = line.match_indices('[').filter_map(|(at, _)| {
            let (address, rest) = line.get(at + 1..)?.split_once("]:")?;
            let (protocol, rest) = rest.split_once(':')?;
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            Some((address.parse().ok()?, rest.get(..digits)?.parse().ok()?, protocol))
        });
        let is_it = |(address, port, protocol): (IpAddr, u16, &str)| {
            (address, port) == (self.address, self.port) && self.protocol.is_none_or(|own| own == protocol)
        };
        names.into_iter().any(is_it)
    }

    fn is_service(self, key: ServiceKey) -> bool {
        let ServiceKey::Address { protocol, address, port } = key else { return false };
        let named = self.protocol.is_none_or(|name| is_shown(name, &protocol));
        (address, port) == (self.address, self.port) && named
    }
}

/// True if this is how `what` is shown.
fn is_shown(name: &str, what: &dyn core::fmt::Display) -> bool {
    let mut shown: heapless::String<8> = heapless::String::new();
    core::fmt::Write::write_fmt(&mut shown, format_args!("{what}")).is_ok() && shown == name
}

/// The services that `words` name: several if they differ in their protocol only.
pub fn services<'a>(words: &'a str, config: &'a Config) -> impl Iterator<Item = ServiceId> + use<'a> {
    let rows = config.services.iter().enumerate().filter(move |(_, one)| names_service(words, one.key));
    rows.map(|(row, _)| ServiceId::from_index(row))
}

/// True if `words` name the service.
pub fn names_service(words: &str, key: ServiceKey) -> bool {
    let words = words.strip_prefix("of ").unwrap_or(words);
    let mark = words.strip_prefix("fwmark ").or_else(|| words.strip_prefix("FWM "));
    let mark = mark.and_then(|mark| mark.trim().parse::<u32>().ok());
    match key {
        ServiceKey::Mark { mark: own, .. } => mark == Some(own.get()),
        ServiceKey::Address { .. } => Endpoint::parse(words).is_some_and(|endpoint| endpoint.is_service(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_servers_are_understood_as_they_are_written_and_as_they_are_shown() {
        let key = |address: &str, port| DestinationKey { address: address.parse().unwrap(), port };
        for (text, expected) in [
            ("10.0.0.11:80", Some(key("10.0.0.11", 80))),
            ("[10.0.0.11]:tcp:80", Some(key("10.0.0.11", 80))),
            ("[2001:db8::1]:443", Some(key("2001:db8::1", 443))),
            ("[2001:db8::1]:udp:53", Some(key("2001:db8::1", 53))),
            ("10.0.0.11", None),
            ("10.0.0.11:80000", None),
            ("[10.0.0.11]:tcp:", None),
            ("web", None),
        ] {
            assert_eq!(Endpoint::parse(text).map(Endpoint::server), expected, "{text}");
        }
    }

    #[test]
    fn a_line_of_the_log_is_about_what_it_names_and_not_about_its_neighbours() {
        let line = "Removing service [10.0.0.11]:tcp:80 from VS [2001:db8::1]:udp:53.";
        for (text, expected) in [
            ("10.0.0.11:80", true),
            ("[10.0.0.11]:tcp:80", true),
            ("[10.0.0.11]:udp:80", false),
            ("10.0.0.11:8", false),
            ("10.0.0.1:80", false),
            ("[2001:db8::1]:53", true),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().is_in(line), expected, "{text}");
        }
    }

    #[test]
    fn services_are_found_by_address_protocol_and_mark() {
        let services_of = |words: &str| {
            let text = "virtual_server 192.0.2.1 53 {\nlb_kind NAT\nprotocol UDP\nreal_server 10.0.0.1 53 {\n}\n}\n\
                        virtual_server 192.0.2.1 53 {\nlb_kind NAT\nprotocol TCP\nreal_server 10.0.0.1 53 {\n}\n}\n\
                        virtual_server fwmark 7 {\nlb_kind NAT\nreal_server 10.0.0.1 53 {\n}\n}\n";
            let config = crate::config::load(text, "t").config.unwrap();
            services(words, &config).map(|id| id.0).collect::<Vec<_>>()
        };
        assert_eq!(services_of("192.0.2.1:53"), [0, 1]);
        assert_eq!(services_of("of [192.0.2.1]:tcp:53"), [1]);
        assert!(services_of("of 192.0.2.1:54").is_empty());
        assert_eq!(services_of("fwmark 7"), [2]);
        assert_eq!(services_of("FWM 7"), [2]);
        assert!(services_of("FWM 8").is_empty());
    }
}
