//! `SSL_GET`: an HTTP_GET over TLS (RFC 9110 section 4.2.2). The dialogue is HTTP_GET's; only what TLS is told about
//! the server's name is of its own, and the session is the task's that runs it.

use std::rc::Rc;

use super::form::{Check, Form};
use super::http_get::{self, HttpGet, Port, Url};
use super::keywords::{Draft, SSL_GET, has_url};
use super::registry::{Checker, Dialogue};

/// Its facts: HTTP_GET's but for its keywords. keepalived's name of both in logs is the same.
pub static FORM: Form = Form {
    keyword: "SSL_GET",
    help: "SSL_GET|none|up if all URLs answer as they should over TLS",
    table: &SSL_GET,
    new: || Checker::Ssl(SslGet(Rc::new(Secure { http: http_get::nothing(), sni: Sni::Off, name: None }))),
    complete: has_url,
    build,
    ..http_get::FORM
};

/// Parameters of an `SSL_GET`; probes with equal parameters share one copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SslGet(Rc<Secure>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Secure {
    http: HttpGet,
    sni: Sni,
    name: Option<Box<str>>,
}

/// Whether the server is told its name (RFC 6066 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sni {
    /// It is not, as keepalived does unless told to.
    Off,
    /// `enable_sni`, or a `sni_name`.
    On,
}

fn build(draft: &Draft, host: Option<&str>) -> Checker {
    let sni = if draft.sni || draft.sni_name.is_some() { Sni::On } else { Sni::Off };
    Checker::Ssl(SslGet(Rc::new(Secure {
        http: http_get::of(draft, host),
        sni,
        name: draft.sni_name.clone(),
    })))
}

impl SslGet {
    /// The name of the server in dialogue `step`, for SNI and for its certificate: `sni_name`, else the Host header
    /// without its port; `None` if it has its address only.
    pub fn name(&self, step: usize) -> Option<&str> {
        let host = || {
            let urls = &self.0.http.urls;
            let host = urls.get(step.checked_rem(urls.len()).unwrap_or(0))?.host.as_deref()?;
            let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            Some(host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name))
        };
        self.0.name.as_deref().or_else(host)
    }

    /// Whether the server is told its name.
    pub fn sni(&self) -> Sni {
        self.0.sni
    }
}

impl Check for SslGet {
    fn form(&self) -> &'static Form {
        &FORM
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = self.0.http.lines();
        lines.push(("enable_sni", if self.0.sni == Sni::On { "on" } else { "off" }.to_owned()));
        lines.extend(self.0.name.iter().map(|name| ("sni_name", name.to_string())));
        lines
    }

    fn begin(&self, step: usize, _: u32) -> Dialogue {
        Dialogue::Ssl(self.0.http.ask(step, Port::HTTPS))
    }

    fn steps(&self) -> usize {
        self.0.http.steps()
    }

    fn recovery(&self) -> usize {
        self.0.http.recovery()
    }

    fn urls(&self) -> &[Url] {
        &self.0.http.urls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::http_get::{Recovery, Version};

    fn named(name: Option<&str>, hosts: [Option<&str>; 2]) -> SslGet {
        let url = |host: Option<&str>| Url {
            path: "/".into(),
            host: host.map(Into::into),
            statuses: Box::new([(200, 299)]),
            digest: None,
            regex: None,
        };
        let http = HttpGet {
            urls: hosts.map(url).into_iter().collect(),
            recovery: Recovery::FullPass,
            protocol: Version::V10,
        };
        SslGet(Rc::new(Secure { http, sni: Sni::On, name: name.map(Into::into) }))
    }

    #[test]
    fn the_name_is_sni_name_or_the_host_of_the_url_without_its_port() {
        let checker = named(None, [Some("a.example:8443"), None]);
        assert_eq!([0, 1, 2].map(|step| checker.name(step)), [Some("a.example"), None, Some("a.example")]);
        assert_eq!(named(Some("b.example"), [Some("a.example"), None]).name(1), Some("b.example"));
        assert_eq!(named(None, [Some("2001:db8::"), None]).name(0), Some("2001:db8::"));
    }

    #[test]
    fn the_port_stands_in_the_request_unless_it_is_443() {
        let asked = |port| {
            let mut dialogue = Check::begin(&named(None, [None, None]), 0, 0);
            let mut out = [0; 256];
            let length = dialogue.talk().request(([10, 0, 0, 11], port).into(), &mut out).unwrap();
            String::from_utf8(out[..length].to_vec()).unwrap()
        };
        assert!(asked(443).contains("Host: 10.0.0.11\r\n"));
        assert!(asked(80).contains("Host: 10.0.0.11:80\r\n"));
    }
}
