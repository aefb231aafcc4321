//! `HTTP_GET`: one request, the reply's status. RFC 9112; the request's form is keepalived's.

use core::fmt::Write;
use core::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use md5::{Digest, Md5};

use super::form::{Check, Form, Recheck, Talk, Transport};
use super::keywords::{Draft, HTTP_GET, has_url};
use super::registry::{Checker, Dialogue};
use super::{Evidence, Failure, Progress, Verdict, text};
use crate::time::Duration;
use crate::wire::bytes::Output;
use regex::Looking;

pub mod regex;
mod reply;

pub use regex::Regex;
pub use reply::Reply;

/// Its facts. keepalived's pause before a retry is three seconds here, and its name in logs is another than in the
/// file.
pub static FORM: Form = Form {
    keyword: "HTTP_GET",
    help: "HTTP_GET|none|up if all URLs answer as they should",
    name: "HTTP_CHECK",
    transport: Transport::Stream { reply: true },
    port: 0,
    retry: 1,
    pause: Some(Duration::from_secs(3)),
    recheck: Recheck::Longer,
    success: ("Remote Web server ", " succeed on service."),
    table: &HTTP_GET,
    new: || Checker::Http(nothing()),
    complete: has_url,
    build: |draft, host| Checker::Http(of(draft, host)),
};

/// Parameters of an `HTTP_GET`; probes with equal parameters share one copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpGet {
    /// The urls, asked one a round, in order; at least one.
    pub urls: Rc<[Url]>,
    /// Up again after the first success instead of a full pass.
    pub recovery: Recovery,
    /// How the request is written.
    pub protocol: Version,
}

/// The port that goes without saying in a Host header (RFC 9110 section 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port(u16);

impl Port {
    /// Of `http`.
    pub const HTTP: Self = Self(80);
    /// Of `https`.
    pub const HTTPS: Self = Self(443);
}

/// `http_protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// `1.0`
    V10,
    /// `1.0C`: with `Connection: close`.
    V10Close,
    /// `1.1`, with `Connection: close`.
    V11,
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
    /// `digest`: MD5 of the whole body.
    pub digest: Option<[u8; 16]>,
    /// `regex` and `regex_no_match`: what is looked for in the body.
    pub regex: Option<Regex>,
}

impl Url {
    /// Whether a status is an accepted one.
    pub fn accepts(&self, status: u16) -> bool {
        self.statuses.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

/// Writes the request as keepalived sends it: the server closes after its reply. The length, or `None` if it does not
/// fit.
pub fn request(
    url: &Url,
    protocol: Version,
    target: SocketAddr,
    usual: Port,
    out: &mut [u8],
) -> Option<usize> {
    let mut out = Output::new(out);
    let (minor, close) = match protocol {
        Version::V10 => ("0", ""),
        Version::V10Close => ("0", "Connection: close\r\n"),
        Version::V11 => ("1", "Connection: close\r\n"),
    };
    write!(out, "GET {} HTTP/1.{minor}\r\nUser-Agent: KeepAliveClient\r\n{close}Host: ", url.path).ok()?;
    match (&url.host, target.ip()) {
        (Some(host), _) => out.write_str(host),
        (None, IpAddr::V4(address)) => write!(out, "{address}"),
        (None, IpAddr::V6(address)) => write!(out, "[{address}]"),
    }
    .ok()?;
    if url.host.is_none() && target.port() != usual.0 {
        write!(out, ":{}", target.port()).ok()?;
    }
    out.put(b"\r\n\r\n").finish()
}

/// The parameters of an empty block.
pub(super) fn nothing() -> HttpGet {
    HttpGet { urls: Rc::new([]), recovery: Recovery::FullPass, protocol: Version::V10 }
}

/// The parameters of a block; the text is `virtualhost` of the real server or the service.
pub(super) fn of(draft: &Draft, host: Option<&str>) -> HttpGet {
    let host = draft.host.as_deref().or(host);
    let urls = draft.urls.iter().map(|url| Url {
        path: url.path.clone().unwrap_or_else(|| "/".into()),
        host: url.host.as_deref().or(host).map(Into::into),
        statuses: if url.statuses.is_empty() { [(200, 299)].into() } else { url.statuses.as_slice().into() },
        digest: url.digest,
        regex: url.body.clone(),
    });
    HttpGet { urls: urls.collect(), recovery: draft.recovery, protocol: draft.protocol }
}

impl HttpGet {
    /// Starts dialogue `step` with a server whose usual port is `usual`.
    pub(super) fn ask(&self, step: usize, usual: Port) -> Asking {
        let step = step.checked_rem(self.urls.len()).unwrap_or(0);
        let step = u16::try_from(step).unwrap_or(0);
        let looks = self.urls.get(usize::from(step)).is_some_and(|url| url.regex.is_some());
        Asking {
            urls: Rc::clone(&self.urls),
            step,
            protocol: self.protocol,
            usual,
            reply: Reply::new(),
            body: Md5::new(),
            looking: looks.then(Box::default),
        }
    }
}

impl Check for HttpGet {
    fn form(&self) -> &'static Form {
        &FORM
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let protocol = match self.protocol {
            Version::V10 => "1.0",
            Version::V10Close => "1.0C",
            Version::V11 => "1.1",
        };
        let recovery = if self.recovery == Recovery::Fast { "on" } else { "off" };
        vec![("http_protocol", protocol.to_owned()), ("fast_recovery", recovery.to_owned())]
    }

    fn begin(&self, step: usize, _: u32) -> Dialogue {
        Dialogue::Http(self.ask(step, Port::HTTP))
    }

    fn steps(&self) -> usize {
        self.urls.len()
    }

    /// The url that failed, and every url once.
    fn recovery(&self) -> usize {
        match self.recovery {
            Recovery::FullPass => self.urls.len() + 1,
            Recovery::Fast => 1,
        }
    }

    fn urls(&self) -> &[Url] {
        &self.urls
    }
}

/// One request and its reply.
#[derive(Debug, Clone)]
pub struct Asking {
    urls: Rc<[Url]>,
    body: Md5,
    /// For a pattern; on the heap because few have one, gone with the run.
    looking: Option<Box<Looking>>,
    reply: Reply,
    step: u16,
    protocol: Version,
    usual: Port,
}

impl Asking {
    fn url(&self) -> Option<&Url> {
        self.urls.get(usize::from(self.step))
    }

    fn body_fails(&self) -> Option<Failure> {
        let url = self.url()?;
        if url.digest.is_some_and(|digest| self.body.clone().finalize()[..] != digest) {
            return Some(Failure::Digest);
        }
        self.looking.as_ref()?.end(url.regex.as_ref()?)
    }

    fn judge(&self, outcome: Result<u16, Failure>) -> Verdict {
        let url = self.url();
        match outcome {
            Err(failure) => Verdict::Fail(failure),
            Ok(status) if !url.is_some_and(|url| url.accepts(status)) => {
                Verdict::Fail(Failure::Status(status))
            }
            Ok(status) => match self.body_fails() {
                Some(failure) => Verdict::Fail(failure),
                None => Verdict::Pass { status },
            },
        }
    }
}

impl Talk for Asking {
    fn request(&self, target: SocketAddr, out: &mut [u8]) -> Option<usize> {
        request(self.url()?, self.protocol, target, self.usual, out)
    }

    fn feed(&mut self, _: SocketAddr, bytes: &[u8]) -> Progress {
        let url = self.urls.get(usize::from(self.step));
        let digested = url.is_some_and(|url| url.digest.is_some());
        let mut looking = self.looking.as_deref_mut().zip(url.and_then(|url| url.regex.as_ref()));
        let body = &mut self.body;
        let outcome = self.reply.feed(bytes, &mut |part| {
            if digested {
                body.update(part)
            }
            if let Some((looking, regex)) = &mut looking {
                looking.feed(regex, part);
            }
        });
        outcome.map_or(Progress::NeedMore, |outcome| Progress::Done(self.judge(outcome)))
    }

    fn appetite(&self) -> usize {
        let looking = self.looking.as_deref().zip(self.url().and_then(|url| url.regex.as_ref()));
        looking.map_or(usize::MAX, |(looking, regex)| looking.appetite(regex))
    }

    fn evidence(&self, failure: Failure) -> Option<Evidence> {
        if failure == Failure::Digest {
            let mut digest = Evidence::default();
            digest.add(text::digits(&self.body.clone().finalize()).as_bytes());
            return Some(digest);
        }
        let looking = self.looking.as_ref()?;
        matches!(failure, Failure::Matched | Failure::Unmatched).then_some(looking.head)
    }

    fn end(&mut self) -> Verdict {
        let outcome = self.reply.end();
        self.judge(outcome)
    }
}

#[cfg(test)]
mod tests;
