//! What is asked, and what becomes of the answers.

use super::*;

fn sent(path: &str, host: Option<&str>, target: &str) -> String {
    let url = Url {
        path: path.into(),
        host: host.map(Into::into),
        statuses: Box::new([(200, 299)]),
        digest: None,
        regex: None,
    };
    let mut out = [0; 512];
    let length = request(&url, Version::V10, target.parse().unwrap(), Port::HTTP, &mut out).unwrap();
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
        sent("/", Some("www.example.org"), "10.0.0.11:8080").contains("\r\nHost: www.example.org\r\n\r\n")
    );
    assert!(sent("/", None, "10.0.0.11:8080").contains("\r\nHost: 10.0.0.11:8080\r\n\r\n"));
    assert!(sent("/", None, "[2001:db8::1]:80").contains("\r\nHost: [2001:db8::1]\r\n\r\n"));
    assert!(sent("/", None, "[2001:db8::1]:81").contains("\r\nHost: [2001:db8::1]:81\r\n\r\n"));
}

#[test]
fn a_request_that_does_not_fit_is_none() {
    let url = Url { path: "/".into(), host: None, statuses: Box::default(), digest: None, regex: None };
    let target = "10.0.0.11:80".parse().unwrap();
    let length = request(&url, Version::V10, target, Port::HTTP, &mut [0; 128]).unwrap();
    assert_eq!(request(&url, Version::V10, target, Port::HTTP, &mut vec![0; length]), Some(length));
    assert_eq!(request(&url, Version::V10, target, Port::HTTP, &mut vec![0; length - 1]), None);
}

#[test]
fn a_status_is_accepted_at_both_ends_of_its_range() {
    let url = Url {
        path: "/".into(),
        host: None,
        statuses: Box::new([(200, 204), (301, 301)]),
        digest: None,
        regex: None,
    };
    let accepted: Vec<_> = (0..999).filter(|status| url.accepts(*status)).collect();
    assert_eq!(accepted, [200, 201, 202, 203, 204, 301]);
}

fn url(path: &str, status: u16, digest: Option<[u8; 16]>) -> Url {
    Url { path: path.into(), host: None, statuses: Box::new([(status, status)]), digest, regex: None }
}

fn begin(step: usize, protocol: Version, digest: Option<[u8; 16]>) -> Dialogue {
    let urls = Rc::new([url("/a", 200, digest), url("/b", 301, None)]);
    HttpGet { urls, recovery: Recovery::FullPass, protocol }.begin(step, 0)
}

fn target() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 11], 80))
}

#[test]
fn each_step_asks_its_url_and_judges_by_its_statuses() {
    for (step, path, status) in [(0, "/a", 200), (1, "/b", 301), (2, "/a", 200)] {
        let mut dialogue = begin(step, Version::V10, None);
        assert_eq!(dialogue.talk().start(), Progress::Send);
        let mut out = [0; 128];
        let length = dialogue.talk().request(target(), &mut out).unwrap();
        assert!(out[..length].starts_with(format!("GET {path} HTTP/1.0\r\n").as_bytes()));
        let reply = format!("HTTP/1.0 {status} x\r\nContent-Length: 0\r\n\r\n");
        let progress = dialogue.talk().feed(target(), reply.as_bytes());
        assert_eq!(progress, Progress::Done(Verdict::Pass { status }));
    }
}

#[test]
fn a_status_that_is_not_accepted_fails_with_its_number() {
    let mut dialogue = begin(0, Version::V10, None);
    assert_eq!(dialogue.talk().feed(target(), b"HTTP/1.1 301 Moved\r\n\r\n"), Progress::NeedMore);
    assert_eq!(dialogue.talk().end(), Verdict::Fail(Failure::Status(301)));
}

#[test]
fn the_version_is_the_configured_one_and_says_that_the_server_shall_close() {
    for (protocol, expected) in [
        (Version::V10, "HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 10.0.0.11\r\n\r\n"),
        (
            Version::V10Close,
            "HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: 10.0.0.11\r\n\r\n",
        ),
        (
            Version::V11,
            "HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: 10.0.0.11\r\n\r\n",
        ),
    ] {
        let mut out = [0; 256];
        let length = begin(0, protocol, None).talk().request(target(), &mut out).unwrap();
        assert_eq!(core::str::from_utf8(&out[..length]).unwrap(), format!("GET /a {expected}"));
    }
}

/// `printf 'hello world' | md5sum`
const HELLO: [u8; 16] =
    [0x5e, 0xb6, 0x3b, 0xbb, 0xe0, 0x1e, 0xee, 0xd0, 0x93, 0xcb, 0x22, 0xbb, 0x8f, 0x5a, 0xcd, 0xc3];

#[test]
fn the_digest_is_of_the_body_alone_however_it_comes_and_however_it_is_cut() {
    let replies: [&[u8]; 3] = [
        b"HTTP/1.0 200 OK\r\n\r\nhello world",
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world and what follows",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x\r\n world\r\n0\r\n\r\n",
    ];
    for reply in replies {
        for cut in 0..reply.len() {
            for (digest, verdict) in
                [(HELLO, Verdict::Pass { status: 200 }), ([0; 16], Verdict::Fail(Failure::Digest))]
            {
                let mut dialogue = begin(0, Version::V10, Some(digest));
                dialogue.talk().feed(target(), &reply[..cut]);
                dialogue.talk().feed(target(), &reply[cut..]);
                assert_eq!(dialogue.talk().end(), verdict, "{cut}");
            }
        }
    }
    let mut dialogue = begin(0, Version::V10, Some(HELLO));
    dialogue.talk().feed(target(), b"HTTP/1.0 500 x\r\n\r\nhello world");
    assert_eq!(dialogue.talk().end(), Verdict::Fail(Failure::Status(500)), "the status first");
}
