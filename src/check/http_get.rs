//! `HTTP_GET`: one request, the reply's status. RFC 9112; the request's form is keepalived's.

use std::rc::Rc;

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
