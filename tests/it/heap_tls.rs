//! What a session of TLS costs in memory, measured: the figures that `limits` promises. A binary of its own, since the
//! counters are of the whole process.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::VecDeque;
use std::io::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use lvsbox::check::ssl_get::Sni;
use lvsbox::config::counts::Counts;
use lvsbox::config::tls::Contents;
use lvsbox::config::{Config, Loader};
use lvsbox::limits::{
    MAX_TLS_FILE, MAX_TLS_HANDSHAKE, MAX_TLS_SESSION_BYTES, STEP_BYTES, TLS_OWN_COPIES, TLS_SHARED_BYTES,
};
use lvsbox::observe::heap;
use lvsbox::syntax::Want;
use lvsbox::task::tls::{Io, Need, Session, Stop, Terms};
use rustix::io::Errno;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion, version};

/// A server in the same process, whose own memory is counted apart.
struct Peer {
    server: ServerConnection,
    wire: VecDeque<u8>,
    /// It reads nothing once it has spoken.
    deaf: bool,
    has_spoken: bool,
    own: usize,
    /// The most that was allocated by others at one of its calls.
    most: usize,
}

impl Peer {
    fn new(chain: usize, version: &'static SupportedProtocolVersion, deaf: bool) -> Self {
        let certificate = CertificateDer::from_pem_slice(include_bytes!("../data/tls/server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("../data/tls/server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(asks())
            .with_single_cert(vec![certificate; chain], key)
            .unwrap();
        let server = ServerConnection::new(Arc::new(config)).unwrap();
        let mut peer = Self { server, wire: VecDeque::new(), deaf, has_spoken: false, own: 0, most: 0 };
        peer.own = heap::live();
        peer
    }

    fn say(&mut self, bytes: &[u8]) {
        let others = self.others();
        self.server.writer().write_all(bytes).unwrap();
        self.own = heap::live() - others;
    }

    /// What others have allocated.
    fn others(&mut self) -> usize {
        let others = heap::live().saturating_sub(self.own);
        self.most = self.most.max(others);
        others
    }
}

impl Io for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let others = self.others();
        while self.server.wants_write() {
            let mut bytes = Vec::new();
            self.server.write_tls(&mut bytes).unwrap();
            self.wire.extend(bytes);
        }
        let length = self.wire.len().min(buffer.len());
        self.has_spoken |= length > 0;
        for (place, byte) in buffer.iter_mut().zip(self.wire.drain(..length)) {
            *place = byte;
        }
        self.own = heap::live() - others;
        if length == 0 { Err(Errno::WOULDBLOCK) } else { Ok(length) }
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<usize, Errno> {
        let (others, length) = (self.others(), bytes.len());
        // A change of the cipher has 6 bytes (RFC 8446 appendix D.4).
        if self.deaf && self.has_spoken && length > 6 {
            return Err(Errno::WOULDBLOCK);
        }
        while !bytes.is_empty() {
            self.server.read_tls(&mut bytes).unwrap();
            let _ = self.server.process_new_packets();
        }
        self.own = heap::live() - others;
        Ok(length)
    }
}

fn shake(session: &mut Session, peer: &mut Peer, buffer: &mut [u8]) -> Result<(), Stop> {
    loop {
        match session.shake(peer, buffer)? {
            Need::Bytes => {}
            Need::Step => session.step(peer)?,
            Need::Nothing => return Ok(()),
        }
        peer.others();
    }
}

/// Asks for a certificate and needs none.
fn asks() -> Arc<dyn ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(include_bytes!("../data/tls/ca.pem")).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
    verifier.allow_unauthenticated().build().unwrap()
}

/// What a configuration makes of its files, and whether that was said before it was made.
fn contents(ca: &str, certificate: &str, key: &str) -> (Config, Counts) {
    let text = "SSL {\nca ca\ncertificate own\nkey key\n}\n";
    let mut loader = Loader::new("f", text.to_owned());
    loop {
        match loader.want() {
            Some(Want::Text(name)) => {
                let text = match name {
                    "ca" => ca,
                    "own" => certificate,
                    _ => key,
                };
                loader.give_text(Ok(text.to_owned()));
            }
            _ => {
                let (before, growth) = (heap::figures(), loader.growth());
                let is_done = loader.step();
                let after = heap::figures();
                if after.peak > before.peak {
                    let grown = after.peak - before.live;
                    println!("{grown} of {growth} bytes");
                    assert!(grown <= growth + STEP_BYTES, "{grown} of {growth}");
                }
                if is_done {
                    break;
                }
            }
        }
    }
    let loaded = loader.finish();
    (loaded.config.unwrap(), loaded.counts)
}

/// Files as large as they may be, and one that is all certificates of nothing.
fn reading_files_takes_what_is_said() {
    let (ca, own, key) = (
        include_str!("../data/tls/ca.pem"),
        include_str!("../data/tls/server.pem"),
        include_str!("../data/tls/server.key"),
    );
    let full = |text: &str| text.repeat(MAX_TLS_FILE / text.len());
    let empty = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let before = heap::live();
    for (ca, own) in [(empty, own), (ca, own), (ca, empty)] {
        drop(contents(&full(ca), &full(own), key));
    }
    assert!(heap::live() - before < 1_024);
    for times in [1, 1_000] {
        let (ca, own) = (ca.repeat(times), own.repeat(times));
        let before = heap::live();
        let (config, counts) = contents(&ca, &own, key);
        let terms = Terms::new(&config.tls.contents).unwrap();
        let (taken, said) = (heap::live() - before, counts.parameters + TLS_SHARED_BYTES);
        println!("{times} certificates: {taken} of {said} bytes with the empty configuration");
        assert!(taken <= said, "{times} certificates: {taken} of {said}");
        drop((terms, config));
    }
}

/// Bytes of a session of a client that was asked for its certificates and whom nobody listens to.
fn unheard(terms: &Terms, version: &'static SupportedProtocolVersion, buffer: &mut [u8]) -> usize {
    let mut peer = Peer::new(2, version, true);
    let mut session = terms.open(None, [127, 0, 0, 1].into(), Sni::Off).unwrap();
    let done = shake(&mut session, &mut peer, buffer);
    assert_eq!(done, Err(Stop::Socket(Errno::WOULDBLOCK)));
    peer.others();
    peer.most
}

fn own_certificates_in_handshakes_take_what_is_said(buffer: &mut [u8]) {
    let key = include_str!("../data/tls/server.key");
    let own = include_str!("../data/tls/server.pem").repeat(200);
    let (config, counts) = contents(include_str!("../data/tls/ca.pem"), &own, key);
    let contents = Contents {
        own: config.tls.contents.own.as_ref().map(|(chain, key)| (chain.clone(), key.clone_key())),
        trusted: Vec::new(),
    };
    let terms = Terms::new(&Rc::new(contents)).unwrap();
    for version in [&version::TLS12, &version::TLS13] {
        let before = heap::live();
        let most = unheard(&terms, version, buffer);
        let peak = heap::figures().peak - before;
        println!("own certificates of {} bytes: {most} in a session, {peak} at its worst", counts.own);
        assert!(most > counts.own * 3 / 4, "they were sent");
        assert!(most <= MAX_TLS_SESSION_BYTES + counts.own, "{most}");
        assert!(peak <= MAX_TLS_SESSION_BYTES + (1 + TLS_OWN_COPIES) * counts.own, "{peak}");
    }
}

#[test]
fn a_session_takes_no_more_memory_than_its_limit() {
    let mut buffer = vec![0; 9_216];
    own_certificates_in_handshakes_take_what_is_said(&mut buffer);
    reading_files_takes_what_is_said();
    let contents: Rc<Contents> = Rc::default();
    let before = heap::live();
    let terms = Terms::new(&contents).unwrap();
    let shared = heap::live() - before;
    let mut most = 0;
    for version in [&version::TLS12, &version::TLS13] {
        // The usual one, one just within the limit, and one beyond it.
        for chain in [2, MAX_TLS_HANDSHAKE / 460, MAX_TLS_HANDSHAKE / 200] {
            let mut peer = Peer::new(chain, version, false);
            let mut session = terms.open(None, [127, 0, 0, 1].into(), Sni::Off).unwrap();
            let done = shake(&mut session, &mut peer, &mut buffer);
            assert_eq!(done.is_ok(), chain * 420 < MAX_TLS_HANDSHAKE, "{chain} {done:?}");
            if done.is_ok() {
                peer.say(&[7; 32 << 10]);
                while matches!(session.read(&mut peer, &mut buffer), Ok(1..) | Err(Stop::Busy)) {
                    peer.others();
                }
            }
            most = most.max(peer.most);
        }
    }
    println!("all of them share {shared} bytes, a session takes at most {most}");
    assert!(most <= MAX_TLS_SESSION_BYTES, "any session: {most}");
    assert!(shared <= TLS_SHARED_BYTES, "shared: {shared}");
    drop(terms);
    // What a library keeps once for the process.
    assert!(heap::live() - before < 1_024, "left: {}", heap::live() - before);
}
