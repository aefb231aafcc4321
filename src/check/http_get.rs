//! `HTTP_GET`: one request, the reply's status. RFC 9112; the request's form is keepalived's.

use core::fmt::Write;
use core::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use crate::wire::bytes::Output;

mod reply;

pub use reply::Reply;

/// Parameters of an `HTTP_GET`; probes with equal parameters share one copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpGet {
    /// The urls, asked one a round, in order; at least one.
    pub urls: Rc<[Url]>,
    /// Up again after the first success instead of a full pass.
    pub recovery: Recovery,
}

/// `fast_recovery`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// The url that failed, then every url once.
    FullPass,
    /// The url that failed.
    Fast,
}

/// One `url` block.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    /// `path`, starting with a slash.
    pub path: Box<str>,
    /// Host header (`virtualhost` of the url, the checker, the real server or the service); `None`: the target.
    pub host: Option<Box<str>>,
    /// Accepted statuses, both ends included; 200 to 299 unless configured.
    pub statuses: Box<[(u16, u16)]>,
}

impl Url {
    /// Whether a status is an accepted one.
    pub fn accepts(&self, status: u16) -> bool {
        self.statuses.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

/// Writes the request: HTTP/1.0 as keepalived sends it, so that the server closes after its reply. The length, or
/// `None` if it does not fit.
pub fn request(url: &Url, target: SocketAddr, out: &mut [u8]) -> Option<usize> {
    let mut out = Output::new(out);
    write!(out, "GET {} HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: ", url.path).ok()?;
    match (&url.host, target.ip()) {
        (Some(host), _) => out.write_str(host),
        (None, IpAddr::V4(address)) => write!(out, "{address}"),
        (None, IpAddr::V6(address)) => write!(out, "[{address}]"),
    }
    .ok()?;
    if url.host.is_none() && target.port() != 80 {
        write!(out, ":{}", target.port()).ok()?;
    }
    out.put(b"\r\n\r\n").finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(path: &str, host: Option<&str>, target: &str) -> String {
        let url = Url { path: path.into(), host: host.map(Into::into), statuses: Box::new([(200, 299)]) };
        let mut out = [0; 512];
        let length = request(&url, target.parse().unwrap(), &mut out).unwrap();
        String::from_utf8(out[..length].to_vec()).unwrap()
    }

    #[test]
    fn the_request_is_keepalived_s() {
        assert_eq!(
            sent("/index.html", None, "10.0.0.11:80"),
            "GET /index.html HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 10.0.0.11\r\n\r\n"
        );
    }

    #[test]
    fn the_host_is_the_configured_one_or_the_target_with_its_port_unless_80() {
        assert!(
            sent("/", Some("www.example.org"), "10.0.0.11:8080")
                .contains("\r\nHost: www.example.org\r\n\r\n")
        );
        assert!(sent("/", None, "10.0.0.11:8080").contains("\r\nHost: 10.0.0.11:8080\r\n\r\n"));
        assert!(sent("/", None, "[2001:db8::1]:80").contains("\r\nHost: [2001:db8::1]\r\n\r\n"));
        assert!(sent("/", None, "[2001:db8::1]:81").contains("\r\nHost: [2001:db8::1]:81\r\n\r\n"));
    }

    #[test]
    fn a_request_that_does_not_fit_is_none() {
        let url = Url { path: "/".into(), host: None, statuses: Box::default() };
        let target = "10.0.0.11:80".parse().unwrap();
        let length = request(&url, target, &mut [0; 128]).unwrap();
        assert_eq!(request(&url, target, &mut vec![0; length]), Some(length));
        assert_eq!(request(&url, target, &mut vec![0; length - 1]), None);
    }

    #[test]
    fn a_status_is_accepted_at_both_ends_of_its_range() {
        let url = Url { path: "/".into(), host: None, statuses: Box::new([(200, 204), (301, 301)]) };
        let accepted: Vec<_> = (0..999).filter(|status| url.accepts(*status)).collect();
        assert_eq!(accepted, [200, 201, 202, 203, 204, 301]);
    }
}
