use std::cell::Cell;
use std::future::Future;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream as Std};
use std::rc::Rc;

use smol::LocalExecutor;

use super::*;
use crate::check::Checker;
use crate::check::http_get::{HttpGet, Recovery, Url, Version};
use crate::check::tcp_check::TcpCheck;
use crate::config::model::{Assumption, Bind, Terms};
use crate::observe::heap;
use crate::time::Duration;

fn http() -> Checker {
    let url =
        Url { path: "/".into(), host: None, statuses: Box::new([(200, 299)]), digest: None, regex: None };
    Checker::Http(HttpGet { urls: Rc::new([url]), recovery: Recovery::FullPass, protocol: Version::V10 })
}

fn probe(target: SocketAddr, checker: Checker) -> Probe {
    Probe {
        address: target.ip(),
        port: target.port(),
        terms: Rc::new(Terms {
            interval: Duration::from_secs(60),
            timeout: Duration::from_millis(150),
            retry: 0,
            rise: 1,
            retry_delay: Duration::ZERO,
            warmup: Duration::ZERO,
            assumption: Assumption::Up,
            bind: None,
            checker,
        }),
    }
}

/// Runs one check while `server` is called after every turn with the connections accepted so far. Returns the verdict
/// and how long it took.
fn run(listener: &TcpListener, probe: &Probe, mut server: impl FnMut(&mut Std)) -> (Verdict, Duration) {
    let reactor = Reactor::new(4, 2).unwrap();
    let (timer, beat) = (reactor.timer().unwrap(), reactor.timer().unwrap());
    let (meter, buffer) = (Meter::default(), RefCell::new(vec![0; 4_096].into_boxed_slice()));
    let source = probe.bind.as_ref().and_then(|bind| bind.source);
    #[cfg(feature = "tls")]
    let (office, contents) = (tls::Office::default(), Rc::default());
    let around = Surroundings {
        reactor: &reactor,
        meter: &meter,
        buffer: &buffer,
        source,
        #[cfg(feature = "tls")]
        tls: (&office, &contents),
    };
    let evidence = Cell::default();
    let executor = LocalExecutor::new();
    let start = clock::now();
    let check = executor.spawn(check(around, probe, 0, &timer, &evidence));
    listener.set_nonblocking(true).unwrap();
    executor
        .spawn(async {
            let mut accepted = None;
            loop {
                beat.until(clock::now() + Duration::from_millis(1)).await;
                if let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true).unwrap();
                    accepted = Some(stream);
                }
                accepted.iter_mut().for_each(&mut server);
            }
        })
        .detach();
    while !check.is_finished() {
        assert!(clock::now().since(start) < Duration::from_secs(5), "the check never ends");
        while executor.try_tick() {}
        if !check.is_finished() {
            reactor.wait(Instant::NEVER).unwrap();
        }
    }
    let mut context = Context::from_waker(std::task::Waker::noop());
    let mut check = Box::pin(check);
    let Poll::Ready(verdict) = check.as_mut().poll(&mut context) else { panic!("a finished task is ready") };
    (verdict, clock::now().since(start))
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The deadline of an HTTP check is twice the timeout of connecting.
fn assert_at_deadline((verdict, took): (Verdict, Duration)) {
    assert_eq!(verdict, Verdict::Fail(Failure::Deadline));
    assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(600), "{took:?}");
}

#[test]
fn tcp_check_passes_when_the_kernel_accepts_and_leaves_no_time_wait() {
    let (listener, address) = listener();
    let mut ends = Vec::new();
    let (verdict, _) = run(&listener, &probe(address, Checker::Tcp(TcpCheck)), |_| {});
    assert_eq!(verdict, Verdict::Pass { status: 0 });
    listener.set_nonblocking(false).unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    let reset = accepted.read_to_end(&mut ends).unwrap_err();
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_refused_connection_fails_at_once_with_its_error() {
    let (listener, address) = listener();
    drop(listener);
    let (other, _) = self::listener();
    let (verdict, took) = run(&other, &probe(address, Checker::Tcp(TcpCheck)), |_| {});
    assert_eq!(verdict, Verdict::Fail(Failure::Connect { errno: 111 }));
    assert!(took < Duration::from_millis(100));
}

#[test]
fn a_connection_that_nobody_answers_ends_at_connect_timeout() {
    // A listener whose queue is full drops further SYNs.
    let (listener, address) = listener();
    rustix::net::listen(&listener, 0).unwrap();
    let _queued: Vec<_> = (0..2)
        .map(|_| {
            let stream = ProbeSocket::open(Kind::Stream, address, Origin::default()).unwrap();
            let _ = stream.connect(address).unwrap();
            stream
        })
        .collect();
    let (other, _) = self::listener();
    let (verdict, took) = run(&other, &probe(address, http()), |_| {});
    assert_eq!(verdict, Verdict::Fail(Failure::ConnectTimeout));
    assert!(took >= Duration::from_millis(150) && took < Duration::from_millis(400), "{took:?}");
}

#[test]
fn a_server_that_answers_passes() {
    let (listener, address) = listener();
    let mut asked = Vec::new();
    let (verdict, _) = run(&listener, &probe(address, http()), |stream| {
        let mut chunk = [0; 512];
        if let Ok(length) = stream.read(&mut chunk) {
            asked.extend_from_slice(&chunk[..length]);
            if asked.ends_with(b"\r\n\r\n") {
                stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello").unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            }
        }
    });
    assert_eq!(verdict, Verdict::Pass { status: 200 });
    assert!(asked.starts_with(b"GET / HTTP/1.0\r\n"));
}

#[test]
fn a_server_that_accepts_and_says_nothing_fails_at_the_deadline() {
    let (listener, address) = listener();
    assert_at_deadline(run(&listener, &probe(address, http()), |_| {}));
}

#[test]
fn a_server_that_drips_does_not_extend_its_deadline() {
    let (listener, address) = listener();
    let mut reply = b"HTTP/1.0 200 OK\r\nX: ".iter().chain(core::iter::repeat(&b'x'));
    assert_at_deadline(run(&listener, &probe(address, http()), |stream| {
        let _ = stream.write(&[*reply.next().unwrap()]);
    }));
}

#[test]
fn endless_headers_fail_and_cost_no_memory() {
    let (listener, address) = listener();
    let before = heap::live();
    let line = b"X-Endless: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(64);
    let mut started = false;
    let (verdict, _) = run(&listener, &probe(address, http()), |stream| {
        if !core::mem::replace(&mut started, true) {
            stream.write_all(b"HTTP/1.0 200 OK\r\n").unwrap();
        }
        let _ = stream.write(&line);
    });
    assert_eq!(verdict, Verdict::Fail(Failure::TooLong));
    assert!(heap::live() < before + (32 << 20), "other tests allocate too, but not as much as a reply could");
}

#[test]
fn a_server_that_resets_during_the_dialogue_is_broken_and_not_silent() {
    let (listener, address) = listener();
    let (verdict, _) = run(&listener, &probe(address, http()), |stream| {
        let linger = Some(core::time::Duration::ZERO);
        rustix::net::sockopt::set_socket_linger(&*stream, linger).unwrap();
        // A second descriptor of the socket would keep it open, so it is disconnected instead of closed.
        rustix::net::connect_unspec(&*stream).unwrap();
    });
    assert_eq!(verdict, Verdict::Fail(Failure::Broken { errno: 104 }));
}

#[test]
fn a_source_address_that_is_not_ours_is_our_fault() {
    let (listener, address) = listener();
    let bind =
        Some(Rc::new(Bind { source: Some("192.0.2.77:0".parse().unwrap()), link: None, mark: 0, via: None }));
    let mut probe = probe(address, Checker::Tcp(TcpCheck));
    Rc::get_mut(&mut probe.terms).unwrap().bind = bind;
    let (verdict, _) = run(&listener, &probe, |_| {});
    assert_eq!(verdict, Verdict::Local { errno: 99 });
}

/// One check of a UDP service: a socket that answers what `answer` makes of the datagram.
fn run_udp(checker: Checker, answer: impl Fn(&[u8]) -> Option<Vec<u8>>) -> (Verdict, Duration) {
    let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let reactor = Reactor::new(4, 2).unwrap();
    let (timer, beat) = (reactor.timer().unwrap(), reactor.timer().unwrap());
    let (meter, buffer) = (Meter::default(), RefCell::new(vec![0; 4_096].into_boxed_slice()));
    #[cfg(feature = "tls")]
    let (office, contents) = (tls::Office::default(), Rc::default());
    let around = Surroundings {
        reactor: &reactor,
        meter: &meter,
        buffer: &buffer,
        source: None,
        #[cfg(feature = "tls")]
        tls: (&office, &contents),
    };
    let probe = probe(server.local_addr().unwrap(), checker);
    let evidence = Cell::default();
    let executor = LocalExecutor::new();
    let start = clock::now();
    let check = executor.spawn(check(around, &probe, 0, &timer, &evidence));
    let serve = async {
        loop {
            let mut bytes = [0; 512];
            if let Ok((length, from)) = server.recv_from(&mut bytes)
                && let Some(reply) = answer(&bytes[..length])
            {
                server.send_to(&reply, from).unwrap();
            }
            beat.until(clock::now() + Duration::from_millis(1)).await;
        }
    };
    executor.spawn(serve).detach();
    while !check.is_finished() {
        assert!(clock::now().since(start) < Duration::from_secs(5), "the check never ends");
        while executor.try_tick() {}
        if !check.is_finished() {
            reactor.wait(Instant::NEVER).unwrap();
        }
    }
    let mut context = Context::from_waker(std::task::Waker::noop());
    let Poll::Ready(verdict) = Box::pin(check).as_mut().poll(&mut context) else { panic!("it is finished") };
    (verdict, clock::now().since(start))
}

fn of(keyword: &str) -> Checker {
    (crate::check::FORMS.iter().find(|form| form.keyword == keyword).unwrap().new)()
}

#[test]
fn a_closed_udp_port_fails_at_once_and_a_silent_one_passes_at_the_timeout() {
    let (listener, _) = listener();
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (verdict, took) = run(&listener, &probe(closed, of("UDP_CHECK")), |_| {});
    assert_eq!(verdict, Verdict::Fail(Failure::Connect { errno: 111 }));
    assert!(took < Duration::from_millis(100), "{took:?}");
    let (verdict, took) = run_udp(of("UDP_CHECK"), |_| None);
    assert_eq!(verdict, Verdict::Pass { status: crate::check::SILENT });
    assert!(took >= Duration::from_millis(150) && took < Duration::from_millis(400), "{took:?}");
}

#[test]
fn an_empty_datagram_is_no_end() {
    let (verdict, _) = run_udp(of("DNS_CHECK"), |_| Some(Vec::new()));
    assert_eq!(verdict, Verdict::Fail(Failure::Deadline));
    let (verdict, _) = run_udp(of("DNS_CHECK"), |query| {
        let mut reply = query.to_vec();
        reply[2] |= 0x80;
        Some(reply)
    });
    assert_eq!(verdict, Verdict::Pass { status: crate::check::ANSWERED });
}

/// Needs `CAP_NET_RAW`, as the daemon does.
#[test]
fn this_host_answers_a_ping_over_both_protocols() {
    let (listener, _) = listener();
    for target in ["127.0.0.1:0", "[::1]:0"] {
        let (verdict, _) = run(&listener, &probe(target.parse().unwrap(), of("PING_CHECK")), |_| {});
        assert_eq!(verdict, Verdict::Pass { status: crate::check::ANSWERED }, "{target}");
    }
}

#[test]
fn a_mail_server_is_greeted_and_told_farewell() {
    let (listener, address) = listener();
    let (mut heard, mut said) = (Vec::new(), 0);
    let (verdict, _) = run(&listener, &probe(address, of("SMTP_CHECK")), |stream| {
        let mut chunk = [0; 512];
        if said == 0 {
            stream.write_all(b"220-a\r\n220 b\r\n").unwrap();
            said = 1;
        }
        if let Ok(length) = stream.read(&mut chunk) {
            heard.extend_from_slice(&chunk[..length]);
            stream.write_all(b"250 ok\r\n").unwrap();
        }
    });
    assert_eq!(verdict, Verdict::Pass { status: crate::check::ANSWERED });
    assert_eq!(String::from_utf8(heard).unwrap(), "HELO smtpchecker.keepalived.org\r\nQUIT\r\n");
}
