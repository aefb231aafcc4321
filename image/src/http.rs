//! A client: one request, one answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::netns::Namespace;

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

/// Asks `server` for `path` from inside `namespace`, and reads until the server closes.
///
/// # Errors
/// What the connection says, or `InvalidData` for an answer without a status line. `within` bounds the connecting and
/// each read.
pub fn get(namespace: &Namespace, server: &str, path: &str, within: Duration) -> io::Result<Answer> {
    let address: SocketAddr = server.parse().expect("an address with a port");
    namespace.enter(|| {
        let mut stream = TcpStream::connect_timeout(&address, within)?;
        stream.set_read_timeout(Some(within))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        answer(&String::from_utf8_lossy(&bytes))
    })
}

fn answer(text: &str) -> io::Result<Answer> {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, head.to_owned()))?;
    Ok(Answer { status, body: body.to_owned() })
}
