//! Each checker as it is written, with its defaults.

use super::*;
use crate::check::http_get::Version;
use crate::check::{Check as _, Progress, Verdict};
use crate::config::model::{Assumption, Probe};

/// A service whose one real server has these lines, and the lines of the service.
fn with(lines: &str) -> String {
    service(&format!("delay_loop 7\nreal_server 192.0.2.1 80 {{\n{lines}\n}}"))
}

fn probes(lines: &str) -> Vec<Probe> {
    clean(&with(lines)).probes.into_vec()
}

fn one(lines: &str) -> Probe {
    let mut probes = probes(lines);
    assert_eq!(probes.len(), 1);
    probes.remove(0)
}

/// What a probe says first.
fn request(probe: &Probe) -> Vec<u8> {
    let mut dialogue = probe.checker.begin(0, 0x1234_0000);
    let mut out = [0; 600];
    let length = dialogue.talk().request(probe.target(), &mut out).unwrap();
    out[..length].to_vec()
}

fn passes(probe: &Probe, reply: &[u8]) -> bool {
    let progress = probe.checker.begin(0, 0).talk().feed(probe.target(), reply);
    matches!(progress, Progress::Done(Verdict::Pass { .. }))
}

#[test]
fn an_empty_block_has_the_defaults_of_its_checker() {
    for (block, name, target, retry, pause) in [
        ("TCP_CHECK {\n}", "TCP_CHECK", "192.0.2.1:80", 1, 1),
        ("HTTP_GET {\nurl {\npath /\n}\n}", "HTTP_CHECK", "192.0.2.1:80", 1, 3),
        ("SMTP_CHECK {\n}", "SMTP_CHECK", "192.0.2.1:25", 1, 1),
        ("DNS_CHECK {\n}", "DNS_CHECK", "192.0.2.1:80", 3, 7),
        ("UDP_CHECK {\n}", "UDP_CHECK", "192.0.2.1:80", 1, 1),
        ("PING_CHECK {\n}", "PING_CHECK", "192.0.2.1:0", 1, 1),
        ("SEND_EXPECT {\nexpect 220\n}", "SEND_EXPECT", "192.0.2.1:80", 1, 1),
    ] {
        let probe = one(block);
        assert_eq!((probe.checker.name(), &*probe.target().to_string()), (name, target), "{block}");
        assert_eq!((probe.retry, probe.retry_delay), (retry, Duration::from_secs(pause)), "{block}");
        assert_eq!((probe.interval, probe.timeout), (Duration::from_secs(7), Duration::from_secs(5)));
        assert_eq!((probe.warmup, probe.bind.clone()), (Duration::from_secs(1), None), "{block}");
        assert_eq!(probe.assumption, Assumption::Up, "{block}");
    }
}

#[test]
fn what_all_checkers_share_is_taken_from_the_block_then_the_server_then_the_service() {
    let lines = "connect_ip 192.0.2.9\nconnect_port 8080\nbindto 192.0.2.11\nbind_port 1024\nbind_if eth1\n\
                 fwmark 4294967295\nconnect_timeout 2\nwarmup 3\nalpha\nretry 4\ndelay_before_retry 5\ndelay_loop 6";
    for word in ["TCP_CHECK", "UDP_CHECK", "DNS_CHECK", "SMTP_CHECK"] {
        let probe = one(&format!("{word} {{\n{lines}\n}}"));
        assert_eq!(probe.target().to_string(), "192.0.2.9:8080");
        let bind = probe.bind.clone().unwrap();
        assert_eq!(bind.source, Some("192.0.2.11:1024".parse().unwrap()));
        assert_eq!((bind.link.unwrap().as_str(), bind.mark), ("eth1", u32::MAX));
        let times = [probe.timeout, probe.warmup, probe.retry_delay, probe.interval].map(Duration::as_secs);
        assert_eq!((times, probe.retry, probe.assumption), ([2, 3, 5, 6], 4, Assumption::Down));
    }
    let probe = one("alpha\nretry 9\nwarmup 0\nTCP_CHECK {\nalpha off\nbind_if eth1\n}");
    assert_eq!((probe.assumption, probe.retry, probe.warmup), (Assumption::Up, 9, Duration::ZERO));
    assert_eq!(probe.bind.as_ref().unwrap().source, None);
    let text = with("TCP_CHECK {\n}").replacen("delay_loop 7", "delay_loop 7\nalpha", 1);
    assert_eq!(clean(&text).probes[0].assumption, Assumption::Down);
}

#[test]
fn http_get_has_a_version_and_urls_have_digests() {
    let probe =
        one("HTTP_GET {\nhttp_protocol 1.1\nurl {\npath /\ndigest 5eb63bbbe01eeed093cb22bb8f5acdc3\n}\n}");
    let Checker::Http(http) = &probe.checker else { panic!() };
    assert_eq!((http.protocol, http.steps()), (Version::V11, 1));
    let reply = |body: &str| format!("HTTP/1.1 200 x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert!(passes(&probe, reply("hello world").as_bytes()));
    assert!(!passes(&probe, reply("hello worlds").as_bytes()));
    for (line, message) in [
        ("http_protocol 2", "http_protocol: `2` is not 1.0, 1.0C or 1.1"),
        ("url {\npath /\ndigest 5eb6\n}", "digest: `5eb6` is not an MD5 in 32 hexadecimal digits"),
    ] {
        let (config, messages) = loaded(&with(&format!("HTTP_GET {{\n{line}\nurl {{\npath /b\n}}\n}}")));
        assert!(messages.len() == 1 && messages[0].contains(message), "{messages:?}");
        assert_eq!(config.probes.len(), 1, "the line alone is left out");
    }
}

#[test]
fn regex_is_looked_for_in_the_decoded_body() {
    let get = |lines: &str| one(&format!("HTTP_GET {{\nurl {{\npath /\n{lines}\n}}\n}}"));
    let plain = |body: &str| format!("HTTP/1.1 200 x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let chunked = "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    let probe = get("regex \"^h.l+o$\"");
    assert!(passes(&probe, plain("hello").as_bytes()) && passes(&probe, chunked.as_bytes()));
    assert!(!passes(&probe, plain("helo!").as_bytes()) && !passes(&probe, plain("").as_bytes()));
    let probe = get("regex 'e r'\nregex_no_match\nregex_options caseless");
    assert!(passes(&probe, plain("fine").as_bytes()) && !passes(&probe, plain("FIRE Risk").as_bytes()));
    let probe = get("regex o\nregex_min_offset 2\nregex_max_offset 3");
    assert!(passes(&probe, plain("--o").as_bytes()) && passes(&probe, plain("---o").as_bytes()));
    assert!(!passes(&probe, plain("-o--o").as_bytes()));
}

#[test]
fn a_regex_that_cannot_be_obeyed_is_named_with_its_place() {
    for (lines, message) in [
        ("regex \"ab(?=c)\"", "regex: look-around is not supported (byte 2 of the pattern)"),
        (r"regex (a)\\1", "regex: a back-reference is not supported (byte 3 of the pattern)"),
        ("regex a(b", "regex: a `(` without its `)`"),
        ("regex a\nregex_min_offset 9\nregex_max_offset 8", "regex_min_offset is beyond regex_max_offset"),
        ("regex_no_match", "regex parameters without a `regex` change nothing"),
        ("regex a\nregex_options ucp", "regex_options: `ucp` changes nothing here"),
        (r"regex \d", "this backslash is gone before the pattern is read"),
        ("regex a b", "what follows the value of `regex` is ignored"),
    ] {
        let (config, messages) = loaded(&with(&format!("HTTP_GET {{\nurl {{\npath /\n{lines}\n}}\n}}")));
        assert!(messages.len() == 1 && messages[0].contains(message), "{lines}: {messages:?}");
        assert_eq!(config.probes.len(), 1, "the pattern alone is left out");
    }
}

#[test]
fn smtp_check_says_its_name_and_checks_each_host() {
    let probe = one("SMTP_CHECK {\nhelo_name lb.example.org\n}");
    let mut dialogue = probe.checker.begin(0, 0);
    assert_eq!(dialogue.talk().feed(probe.target(), b"220 x\r\n"), Progress::Send);
    let mut out = [0; 64];
    let length = dialogue.talk().request(probe.target(), &mut out).unwrap();
    assert_eq!(&out[..length], b"HELO lb.example.org\r\n");
    let lines = "retry 5\nconnect_timeout 2\nhost {\nconnect_ip 192.0.2.7\n}\nhost {\nconnect_port 587\nbindto \
                 192.0.2.11\nconnect_timeout 3\n}\nhelo_name x";
    let probes = probes(&format!("SMTP_CHECK {{\n{lines}\n}}"));
    let targets: Vec<_> =
        probes.iter().map(|it| (it.target().to_string(), it.timeout.as_secs(), it.retry)).collect();
    assert_eq!(targets, [("192.0.2.7:25".to_owned(), 2, 5), ("192.0.2.1:587".to_owned(), 3, 5)]);
    assert!(probes[0].bind.is_none() && probes[1].bind.is_some());
    assert_eq!(probes[0].checker, probes[1].checker);
}

#[test]
fn dns_check_asks_soa_of_the_root_or_what_it_is_told() {
    let tail = |lines: &str| request(&one(&format!("DNS_CHECK {{\n{lines}\n}}")))[12..].to_vec();
    assert_eq!(tail(""), [0, 0, 6, 0, 1]);
    assert_eq!(tail("name a.b\ntype aaaa"), [&b"\x01a\x01b\0"[..], &[0, 28, 0, 1]].concat());
    for (line, message) in
        [("type SRV", "type: `SRV` is not A, NS, CNAME"), ("name a..b", "name: `a..b` is not a name")]
    {
        let (_, messages) = loaded(&with(&format!("DNS_CHECK {{\n{line}\n}}")));
        assert!(messages.len() == 1 && messages[0].contains(message), "{messages:?}");
    }
}

#[test]
fn udp_check_sends_and_requires_what_it_is_told() {
    let probe = one("UDP_CHECK {\n}");
    assert_eq!(request(&probe).len(), 32);
    assert!(matches!(probe.checker.begin(0, 0).talk().expire(), Verdict::Pass { .. }));
    let lines = "payload 00 ff 10\nrequire_reply 1x ff\nmin_reply_length 2\nmax_reply_length 4";
    let probe = one(&format!("UDP_CHECK {{\n{lines}\n}}"));
    assert_eq!(request(&probe), [0, 0xff, 0x10]);
    assert!(passes(&probe, &[0x17, 0xff, 1, 1]) && !passes(&probe, &[0x27, 0xff]));
    assert!(!passes(&probe, &[0x17]) && !passes(&probe, &[0x17, 0xff, 1, 1, 1]));
    assert!(matches!(probe.checker.begin(0, 0).talk().expire(), Verdict::Fail(_)));
    for (lines, message, left) in [
        ("payload 0", "payload: `0` is not pairs of hexadecimal digits", 1),
        ("require_reply zz", "require_reply: `zz` is not pairs of hexadecimal digits, `x`", 1),
        ("min_reply_length 300", "no reply is as long as min_reply_length", 0),
    ] {
        let (config, messages) = loaded(&with(&format!("UDP_CHECK {{\n{lines}\n}}")));
        assert!(messages.len() == 1 && messages[0].contains(message), "{messages:?}");
        assert_eq!(config.probes.len(), left);
    }
}

#[test]
fn ping_check_has_no_port_so_that_one_host_is_asked_once() {
    let text = "virtual_server fwmark 1 {\nlb_kind DR\nreal_server 192.0.2.1 {\nPING_CHECK {\n}\n}\n}\n";
    let config = clean(&format!("{text}{}", with("PING_CHECK {\ndelay_loop 60\n}")));
    assert_eq!((config.probes.len(), config.probe_uses.len()), (1, 2));
    assert_eq!(request(&config.probes[0]).len(), 128);
}

#[test]
fn send_expect_reads_escapes_and_needs_an_expectation() {
    let probe = one("SEND_EXPECT {\nsend \"A\\x20B C\\r\\n\"\nexpect OK\n}");
    assert_eq!(request(&probe), b"A B C\r\n");
    assert!(passes(&probe, b"* OK ready\r\n") && !passes(&probe, b"* NO\r\n"));
    let (config, messages) = loaded(&with("SEND_EXPECT {\nsend x\n}"));
    assert!(messages[0].contains("SEND_EXPECT has no valid `expect` and is left out"), "{messages:?}");
    assert_eq!((config.probes.len(), messages.len()), (0, 1));
}
