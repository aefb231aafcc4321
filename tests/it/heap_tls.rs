//! What a session of TLS costs in memory, measured: the figures that `limits` promises. A binary of its own, since the
//! counters are of the whole process.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::VecDeque;
use std::io::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use lvsbox::check::ssl_get::Sni;
use lvsbox::config::tls::Contents;
use lvsbox::limits::{MAX_TLS_HANDSHAKE, MAX_TLS_SESSION_BYTES};
use lvsbox::observe::heap;
use lvsbox::task::tls::{Io, Need, Session, Stop, Terms};
use rustix::io::Errno;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion, version};

/// A server in the same process, whose own memory is counted apart.
struct Peer {
    server: ServerConnection,
    wire: VecDeque<u8>,
    own: usize,
    /// The most that was allocated by others at one of its calls.
    most: usize,
}

impl Peer {
    fn new(chain: usize, version: &'static SupportedProtocolVersion) -> Self {
        let certificate = CertificateDer::from_pem_slice(include_bytes!("../data/tls/server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("../data/tls/server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate; chain], key)
            .unwrap();
        let server = ServerConnection::new(Arc::new(config)).unwrap();
        let mut peer = Self { server, wire: VecDeque::new(), own: 0, most: 0 };
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
        for (place, byte) in buffer.iter_mut().zip(self.wire.drain(..length)) {
            *place = byte;
        }
        self.own = heap::live() - others;
        if length == 0 { Err(Errno::WOULDBLOCK) } else { Ok(length) }
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<usize, Errno> {
        let (others, length) = (self.others(), bytes.len());
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

#[test]
fn a_session_takes_no_more_memory_than_its_limit() {
    let contents: Rc<Contents> = Rc::default();
    let mut buffer = vec![0; 9_216];
    let before = heap::live();
    let terms = Terms::new(&contents).unwrap();
    let shared = heap::live() - before;
    let mut most = 0;
    for version in [&version::TLS12, &version::TLS13] {
        // The usual one, one just within the limit, and one beyond it.
        for chain in [2, MAX_TLS_HANDSHAKE / 460, MAX_TLS_HANDSHAKE / 200] {
            let mut peer = Peer::new(chain, version);
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
    drop(terms);
    // What a library keeps once for the process.
    assert!(heap::live() - before < 1_024, "left: {}", heap::live() - before);
}
