//! Real servers: tiny HTTP servers that behave well or badly, in a namespace, with everything they saw counted.
//!
//! They run as threads of the test: a listening socket belongs to the namespace it was made in, whoever accepts.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::netns::Namespace;

/// How a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Status 200, its name as the body.
    Normal,
    /// Status 503.
    Unavailable,
    /// Accepts and says nothing.
    Silent,
    /// A good answer, one byte a second.
    Drip,
    /// Header lines without end, as fast as they are taken.
    EndlessHeaders,
    /// A good head, then a body without end.
    EndlessBody,
    /// Bytes that are no HTTP, without end.
    Garbage,
}

impl Behaviour {
    /// All of them, by the name they have on a command line.
    pub const ALL: [(&'static str, Self); 7] = [
        ("normal", Self::Normal),
        ("unavailable", Self::Unavailable),
        ("silent", Self::Silent),
        ("drip", Self::Drip),
        ("endless-headers", Self::EndlessHeaders),
        ("endless-body", Self::EndlessBody),
        ("garbage", Self::Garbage),
    ];

    /// The behaviour called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|row| row.0 == name).map(|row| row.1)
    }
}

/// What the threads of a server share.
#[derive(Debug)]
struct Shared {
    name: String,
    behaviour: Mutex<Behaviour>,
    stopped: AtomicBool,
    connections: AtomicU64,
    paths: Mutex<BTreeMap<String, u64>>,
}

/// A server, listening. Dropped, it refuses connections.
#[derive(Debug)]
pub struct WebServer {
    shared: Arc<Shared>,
    listener: Arc<TcpListener>,
    thread: Option<JoinHandle<()>>,
}

impl WebServer {
    /// Starts a server in `namespace` on `address` (`A.B.C.D:PORT`); `name` is what its body says.
    pub fn start(namespace: &Namespace, address: &str, behaviour: Behaviour, name: &str) -> Self {
        let address: SocketAddr = address.parse().expect("an address with a port");
        let listener = namespace.enter(|| TcpListener::bind(address)).expect("listen");
        Self::serve(listener, behaviour, name)
    }

    /// Starts a server on a socket that listens already.
    pub fn serve(listener: TcpListener, behaviour: Behaviour, name: &str) -> Self {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            behaviour: Mutex::new(behaviour),
            stopped: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            paths: Mutex::default(),
        });
        let listener = Arc::new(listener);
        let (accepting, seen) = (Arc::clone(&listener), Arc::clone(&shared));
        let thread = thread::spawn(move || accept(&accepting, &seen));
        Self { shared, listener, thread: Some(thread) }
    }

    /// Behaves differently from the next connection on.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().unwrap() = behaviour;
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Requests for `path` so far.
    pub fn requests(&self, path: &str) -> u64 {
        self.shared.paths.lock().unwrap().get(path).copied().unwrap_or_default()
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts: on Linux accept(2) then fails with EINVAL.
        rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Both).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.stopped.load(Ordering::Relaxed) {
            return;
        }
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(shared);
        // A client that goes away in the middle is the normal end of a hostile behaviour.
        thread::spawn(move || converse(&stream, &shared).ok());
    }
}

fn converse(mut stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let behaviour = *shared.behaviour.lock().unwrap();
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let Some(path) = request.split(' ').nth(1) else { return Ok(()) };
    *shared.paths.lock().unwrap().entry(path.to_owned()).or_default() += 1;
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let head = "HTTP/1.0 200 OK\r\nServer: lab\r\n";
    let whole = format!("{head}Content-Length: {}\r\n\r\n{}\n", shared.name.len() + 1, shared.name);
    match behaviour {
        Behaviour::Normal => stream.write_all(whole.as_bytes()),
        Behaviour::Unavailable => {
            stream.write_all(b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        }
        Behaviour::Silent => lines.next().transpose().map(|_| ()),
        Behaviour::Drip => drip(stream, whole.as_bytes(), shared),
        Behaviour::EndlessHeaders => endless(stream, head, "X-More: of the same\r\n", shared),
        Behaviour::EndlessBody => endless(stream, &format!("{head}\r\n"), "and so on\n", shared),
        Behaviour::Garbage => endless(stream, "", "\u{1}\u{7f}\0garbage", shared),
    }
}

fn drip(mut stream: &TcpStream, bytes: &[u8], shared: &Shared) -> io::Result<()> {
    for byte in bytes {
        if shared.stopped.load(Ordering::Relaxed) {
            break;
        }
        stream.write_all(&[*byte])?;
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn endless(mut stream: &TcpStream, start: &str, more: &str, shared: &Shared) -> io::Result<()> {
    stream.write_all(start.as_bytes())?;
    let chunk = more.repeat(100);
    while !shared.stopped.load(Ordering::Relaxed) {
        stream.write_all(chunk.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn ask(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(b"GET /x HTTP/1.0\r\n\r\n").unwrap();
        let mut text = [0; 4096];
        let count = stream.read(&mut text).unwrap();
        String::from_utf8_lossy(&text[..count]).into_owned()
    }

    #[test]
    fn a_server_behaves_as_told_counts_and_refuses_when_dropped() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = WebServer::serve(listener, Behaviour::Normal, "web1");
        assert!(ask(address).ends_with("\r\n\r\nweb1\n"));
        server.behave(Behaviour::Unavailable);
        assert!(ask(address).starts_with("HTTP/1.0 503 "));
        assert_eq!((server.requests("/x"), server.connections()), (2, 2));
        drop(server);
        assert!(TcpStream::connect(address).is_err());
    }
}
