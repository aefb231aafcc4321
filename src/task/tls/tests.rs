//! Sessions against a server of rustls and against odd ones, in memory; places and turns.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::pin::pin;

use rustix::io::Errno;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion, version};

use super::verify::not_before;
use super::*;
use crate::limits::MAX_TLS_HANDSHAKE;

const CA: &[u8] = include_bytes!("../../../tests/data/tls/ca.pem");
const SERVER: &[u8] = include_bytes!("../../../tests/data/tls/server.pem");
const EXPIRED: &[u8] = include_bytes!("../../../tests/data/tls/expired.pem");
const KEY: &[u8] = include_bytes!("../../../tests/data/tls/server.key");

fn certificate(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).unwrap()
}

fn trusting(pem: &[u8]) -> Rc<Contents> {
    Rc::new(Contents { trusted: vec![certificate(pem)], own: None })
}

fn server(
    chain: Vec<CertificateDer<'static>>,
    version: &'static SupportedProtocolVersion,
) -> ServerConnection {
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(KEY).unwrap())
        .unwrap();
    ServerConnection::new(Arc::new(config)).unwrap()
}

/// A server at the other end of a wire that carries so many bytes at once.
struct Peer {
    server: ServerConnection,
    wire: VecDeque<u8>,
    drip: usize,
}

impl Peer {
    fn new(server: ServerConnection) -> Self {
        Self { server, wire: VecDeque::new(), drip: usize::MAX }
    }
}

impl Io for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        while self.server.wants_write() {
            let mut bytes = Vec::new();
            self.server.write_tls(&mut bytes).unwrap();
            self.wire.extend(bytes);
        }
        let length = self.wire.len().min(buffer.len()).min(self.drip);
        let bytes: Vec<u8> = self.wire.drain(..length).collect();
        buffer[..length].copy_from_slice(&bytes);
        if length == 0 { Err(Errno::WOULDBLOCK) } else { Ok(length) }
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<usize, Errno> {
        let taken = bytes.len().min(self.drip);
        bytes = &bytes[..taken];
        while !bytes.is_empty() {
            self.server.read_tls(&mut bytes).unwrap();
            // An error is told to the other end by an alert.
            let _ = self.server.process_new_packets();
        }
        Ok(taken)
    }
}

/// A server that says these bytes, and then closes or is silent.
struct Odd(VecDeque<u8>, Errno);

impl Odd {
    fn closing(bytes: &[u8]) -> Self {
        Self(bytes.iter().copied().collect(), Errno::PIPE)
    }
}

impl Io for Odd {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let length = self.0.len().min(buffer.len());
        let bytes: Vec<u8> = self.0.drain(..length).collect();
        buffer[..length].copy_from_slice(&bytes);
        if length == 0 && self.1 == Errno::WOULDBLOCK { Err(self.1) } else { Ok(length) }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        Ok(bytes.len())
    }
}

fn open(contents: &Rc<Contents>, name: Option<&str>) -> Session {
    Terms::new(contents).unwrap().open(name, [127, 0, 0, 1].into(), Sni::On).unwrap()
}

/// The number of steps until the handshake is over.
fn shake(session: &mut Session, io: &mut dyn Io) -> Result<usize, Stop> {
    let (mut steps, mut buffer) = (0, vec![0; 9_216]);
    loop {
        match session.shake(io, &mut buffer)? {
            Need::Bytes => {}
            Need::Step => {
                session.step(io)?;
                steps += 1;
            }
            Need::Nothing => return Ok(steps),
        }
    }
}

/// Reads until there is something to say about it.
fn hear(session: &mut Session, io: &mut dyn Io, buffer: &mut [u8]) -> Result<usize, Stop> {
    loop {
        match session.read(io, buffer) {
            Err(Stop::Busy) => {}
            done => return done,
        }
    }
}

fn talk(session: &mut Session, peer: &mut Peer) -> Vec<u8> {
    session.say(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let (mut heard, mut buffer) = (Vec::new(), [0; 64]);
    assert_eq!(hear(session, peer, &mut buffer), Err(Stop::Socket(Errno::WOULDBLOCK)));
    let length = peer.server.reader().read(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"GET / HTTP/1.0\r\n\r\n");
    peer.server.writer().write_all(&[7; 5_000]).unwrap();
    peer.server.send_close_notify();
    loop {
        match hear(session, peer, &mut buffer).unwrap() {
            0 => return heard,
            length => heard.extend_from_slice(&buffer[..length]),
        }
    }
}

#[test]
fn both_versions_are_spoken_byte_by_byte_as_well_with_a_step_for_each_record() {
    for version in [&version::TLS12, &version::TLS13] {
        let mut steps = Vec::new();
        for drip in [1, 3, usize::MAX] {
            let mut peer = Peer { drip, ..Peer::new(server(vec![certificate(SERVER)], version)) };
            let mut session = open(&Rc::default(), None);
            steps.push(shake(&mut session, &mut peer).unwrap());
            assert_eq!(talk(&mut session, &mut peer), [7; 5_000]);
        }
        assert!(steps[0] >= 3 && steps.iter().all(|count| *count == steps[0]), "{steps:?}");
    }
}

#[test]
fn a_certificate_is_verified_by_issuer_dates_and_name_if_a_ca_is_given_and_not_at_all_without() {
    let chain = |pem| vec![certificate(pem)];
    for (trusted, pem, name, outcome) in [
        (None, EXPIRED, Some("other.example.org"), Ok(())),
        (Some(CA), SERVER, Some("www.example.org"), Ok(())),
        (Some(CA), SERVER, None, Ok(())),
        (Some(CA), SERVER, Some("other.example.org"), Err(TlsFault::Name)),
        (Some(CA), EXPIRED, Some("www.example.org"), Err(TlsFault::Expired)),
        (Some(SERVER), SERVER, Some("www.example.org"), Err(TlsFault::Issuer)),
    ] {
        for version in [&version::TLS12, &version::TLS13] {
            let contents = trusted.map_or_else(Rc::default, trusting);
            let mut peer = Peer::new(server(chain(pem), version));
            let done = shake(&mut open(&contents, name), &mut peer).map(|_| ());
            assert_eq!(done, outcome.map_err(Stop::Fault), "{name:?} {}", trusted.is_some());
        }
    }
}

#[test]
fn an_unset_clock_judges_no_dates_and_everything_else() {
    let provider = default_provider();
    let verifier = Verifier::new(&[certificate(CA)], provider.signature_verification_algorithms);
    let judge = |pem, name: &'static str, seconds| {
        let now = UnixTime::since_unix_epoch(core::time::Duration::from_secs(seconds));
        let name = ServerName::try_from(name).unwrap();
        verifier.verify_server_cert(&certificate(pem), &[], &name, &[], now).map(|_| ())
    };
    let set = 1_800_000_000;
    assert!(judge(SERVER, "www.example.org", set).is_ok());
    assert!(judge(EXPIRED, "www.example.org", set).is_err());
    assert!(judge(EXPIRED, "www.example.org", 0).is_ok());
    assert!(judge(SERVER, "www.example.org", 0).is_ok());
    assert!(judge(EXPIRED, "other.example.org", 0).is_err());
    let stranger = Verifier::new(&[certificate(SERVER)], provider.signature_verification_algorithms);
    let name = ServerName::try_from("www.example.org").unwrap();
    let now = UnixTime::since_unix_epoch(core::time::Duration::ZERO);
    assert!(stranger.verify_server_cert(&certificate(SERVER), &[], &name, &[], now).is_err());
}

#[test]
fn the_beginning_of_a_certificate_is_read_from_both_forms_of_time_and_from_no_garbage() {
    // `date -u -d 2020-01-01 +%s`
    let der = certificate(EXPIRED);
    assert_eq!(not_before(&der), Some(1_577_836_800));
    for end in 0..der.len().min(200) {
        assert_eq!(not_before(&der[..end]), None, "{end}");
    }
    // A certificate without a version, of empty fields, and a validity.
    let made = |kind: u8, time: &[u8]| {
        let one =
            |tag: u8, contents: &[u8]| [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat();
        let fields = [one(2, &[1]), one(0x30, &[]), one(0x30, &[]), one(0x30, &one(kind, time))].concat();
        one(0x30, &one(0x30, &fields))
    };
    assert_eq!(not_before(&made(24, b"20000229235959Z")), Some(951_868_799));
    assert_eq!(not_before(&made(23, b"700101000000Z")), Some(0));
    assert_eq!(not_before(&made(23, b"690101000000Z")), None);
    assert_eq!(not_before(&made(23, b"7001010000Z")), None);
    assert_eq!(not_before(&made(23, b"7001xx000000Z")), None);
}

#[test]
fn odd_servers_fail_with_their_reason() {
    let alert = [0x15, 3, 3, 0, 2, 2, 40];
    let nonsense = [&[0x16, 3, 3, 0, 8][..], &[9; 8]].concat();
    let long = [0x16, 3, 3, 0xff, 0xff];
    for (bytes, fault) in [
        (&alert[..], TlsFault::Alert(40)),
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", TlsFault::NotTls),
        (b"\x16\x02", TlsFault::NotTls),
        (&nonsense, TlsFault::Garbled),
        (&long, TlsFault::Garbled),
        (b"", TlsFault::Closed),
        (&[0x16, 3, 3, 0], TlsFault::Closed),
    ] {
        let done = shake(&mut open(&Rc::default(), None), &mut Odd::closing(bytes));
        assert_eq!(done, Err(Stop::Fault(fault)), "{bytes:?}");
    }
    let mut stalled = Odd(alert[..3].iter().copied().collect(), Errno::WOULDBLOCK);
    assert_eq!(shake(&mut open(&Rc::default(), None), &mut stalled), Err(Stop::Socket(Errno::WOULDBLOCK)));
}

/// Certificates of 590 bytes each: enough of them are longer than any handshake may be.
#[test]
fn a_huge_chain_ends_at_the_limit_and_costs_no_more_than_it() {
    let chain = vec![certificate(SERVER); 2 * MAX_TLS_HANDSHAKE / 400];
    for version in [&version::TLS12, &version::TLS13] {
        let mut peer = Peer::new(server(chain.clone(), version));
        let mut session = open(&Rc::default(), None);
        assert_eq!(shake(&mut session, &mut peer), Err(Stop::Fault(TlsFault::TooLong)));
    }
}

#[test]
fn a_reply_ends_with_the_connection_although_nobody_said_so() {
    struct Cut(Peer);
    impl Io for Cut {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
            self.0.read(buffer).or(Ok(0))
        }
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
            self.0.write(bytes)
        }
    }
    let mut peer = Peer::new(server(vec![certificate(SERVER)], &version::TLS13));
    let mut session = open(&Rc::default(), None);
    shake(&mut session, &mut peer).unwrap();
    peer.server.writer().write_all(b"abc").unwrap();
    let (mut cut, mut buffer) = (Cut(peer), [0; 64]);
    assert_eq!(hear(&mut session, &mut cut, &mut buffer), Ok(3));
    assert_eq!(hear(&mut session, &mut cut, &mut buffer), Ok(0));
}

/// Tickets are no plaintext: who sends many must not keep the loop. (rustls takes 18 KiB of them in a row.)
#[test]
fn a_server_that_sends_records_without_a_reply_is_read_for_one_record_a_call() {
    struct Counted(Peer, usize);
    impl Io for Counted {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
            self.1 += 1;
            self.0.read(buffer)
        }
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
            self.0.write(bytes)
        }
    }
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate(SERVER)], PrivateKeyDer::from_pem_slice(KEY).unwrap());
    let mut config = config.unwrap();
    config.send_tls13_tickets = 150;
    let mut server = ServerConnection::new(Arc::new(config)).unwrap();
    server.set_buffer_limit(None);
    let mut peer = Counted(Peer::new(server), 0);
    let mut session = open(&Rc::default(), None);
    shake(&mut session, &mut peer).unwrap();
    peer.0.server.writer().write_all(b"abc").unwrap();
    let (mut buffer, mut calls) = (vec![0; 9_216], 0);
    let read = loop {
        peer.1 = 0;
        calls += 1;
        match session.read(&mut peer, &mut buffer) {
            // A header, and a record of 16 KiB by a buffer of 9.
            Err(Stop::Busy) => assert!(peer.1 <= 4, "{} reads a call", peer.1),
            other => break other,
        }
    };
    assert_eq!(read, Ok(3));
    assert!(calls > 1);
}

/// Records of full length do not lie in pieces as long as the buffer.
#[test]
fn a_long_reply_is_read_whatever_the_length_of_buffer_and_pieces() {
    for version in [&version::TLS12, &version::TLS13] {
        for (size, drip) in [(64, usize::MAX), (9_216, usize::MAX), (9_216, 4_000), (40_000, usize::MAX)] {
            let mut peer = Peer::new(server(vec![certificate(SERVER)], version));
            peer.server.set_buffer_limit(None);
            let mut session = open(&Rc::default(), None);
            shake(&mut session, &mut peer).unwrap();
            peer.drip = drip;
            peer.server.writer().write_all(&[7; 300_000]).unwrap();
            let (mut heard, mut buffer) = (0, vec![0; size]);
            while heard < 300_000 {
                match hear(&mut session, &mut peer, &mut buffer) {
                    Ok(length @ 1..) => heard += length,
                    other => panic!("{other:?} behind {heard} bytes, {size} {drip}"),
                }
            }
        }
    }
}

fn enter(office: &Office) -> Place<'_> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(office.enter()).poll(&mut context) {
        Poll::Ready(place) => place,
        Poll::Pending => panic!("no place"),
    }
}

#[test]
fn places_are_given_in_order_and_those_who_give_up_hold_nobody_up() {
    let office = Office::default();
    let mut context = Context::from_waker(Waker::noop());
    let mut places: Vec<_> = (0..MAX_TLS_HANDSHAKES).map(|_| enter(&office)).collect();
    let (mut second, mut third) = (Box::pin(office.enter()), Box::pin(office.enter()));
    let mut first = Box::pin(office.enter());
    for waiting in [&mut first, &mut second, &mut third] {
        assert!(waiting.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(office.load(), (MAX_TLS_HANDSHAKES, 3));
    places[0].shaken();
    assert!(second.as_mut().poll(&mut context).is_pending(), "it is the turn of another");
    drop(first);
    let Poll::Ready(place) = second.as_mut().poll(&mut context) else { panic!("its turn has come") };
    assert!(third.as_mut().poll(&mut context).is_pending());
    drop(place);
    assert!(third.as_mut().poll(&mut context).is_ready());
    drop((second, third, places));
    assert_eq!(office.load(), (0, 0));
}

#[test]
fn there_are_so_many_sessions_and_no_more() {
    let office = Office::default();
    let places: Vec<_> = (0..MAX_TLS_SESSIONS)
        .map(|_| {
            let mut place = enter(&office);
            place.shaken();
            place
        })
        .collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting = Box::pin(office.enter());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    drop(places);
    assert!(waiting.as_mut().poll(&mut context).is_ready());
}

#[test]
fn one_step_is_made_in_a_turn_and_the_others_want_the_next() {
    let office = Office::default();
    let context = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        office.begin_turn();
        assert!(!office.wants_turn());
        assert!(office.poll_step(&context).is_ready());
        assert!(!office.wants_turn());
        assert!(office.poll_step(&context).is_pending());
        assert!(office.wants_turn());
    }
}
