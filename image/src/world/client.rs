//! The client: a new TCP connection and a request every [`PERIOD`], on its own schedule, whatever became of the one
//! before.
//!
//! Each request has a thread for the at most [`PATIENCE`] it lives, so that a server that says nothing delays nobody;
//! the threads are born in the namespace of the one that calls [`run`].

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use super::Answer;
use super::line::Said;

/// From one request to the next.
pub const PERIOD: Duration = Duration::from_millis(100);
/// How long a request may take, connecting included.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// Requests under way at most; with the two times above 10 or 11 are possible, more only on a machine that stalls.
const MAX_PENDING: usize = 16;

/// Asks `target` until the process ends. Times are counted from `start`.
pub(super) fn run(target: SocketAddr, start: Instant, said: &Sender<Said>) {
    let pending = Arc::new(AtomicUsize::new(0));
    let mut next_at = start;
    loop {
        if pending.fetch_add(1, Ordering::Relaxed) < MAX_PENDING {
            let (said, pending) = (said.clone(), Arc::clone(&pending));
            thread::spawn(move || {
                let answer = request(target, start);
                pending.fetch_sub(1, Ordering::Relaxed);
                // The world is at its end if nobody listens.
                said.send(Said::Answer(answer)).ok();
            });
        } else {
            pending.fetch_sub(1, Ordering::Relaxed);
        }
        // What a stall has made late is left out: a burst would be no request every 100 ms.
        next_at = (next_at + PERIOD).max(Instant::now());
        thread::sleep(next_at.saturating_duration_since(Instant::now()));
    }
}

fn request(target: SocketAddr, start: Instant) -> Answer {
    let asked = Instant::now();
    let outcome = ask(target, asked + PATIENCE).map_err(|error| reason(&error));
    Answer { at: start.elapsed(), took: asked.elapsed(), outcome }
}

/// The first word of the body.
fn ask(target: SocketAddr, end: Instant) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&target, left(end)?)?;
    stream.set_write_timeout(Some(left(end)?))?;
    write!(stream, "GET / HTTP/1.0\r\nHost: {target}\r\n\r\n")?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 2_048];
    // The body is one word: what is longer is not read to its end.
    while bytes.len() < 8_192 {
        stream.set_read_timeout(Some(left(end)?))?;
        match stream.read(&mut chunk)? {
            0 => break,
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
    who(&String::from_utf8_lossy(&bytes)).map_err(|why| io::Error::new(ErrorKind::InvalidData, why))
}

fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Who answers, from the whole of an answer, or what is wrong with it.
fn who(text: &str) -> Result<String, String> {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Err("closed without answer".to_owned());
    };
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        return Err(format!("status {status}"));
    }
    let name: String = body.split_whitespace().next().unwrap_or_default().to_owned();
    let fits = (1..=32).contains(&name.len()) && name.chars().all(|letter| letter.is_ascii_alphanumeric());
    if fits { Ok(name) } else { Err("body without name".to_owned()) }
}

/// Why there was no answer, in an operator's words.
fn reason(error: &io::Error) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of the standard library are not closed")]
    match error.kind() {
        // A read's timeout is EAGAIN.
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "timed out".to_owned(),
        ErrorKind::ConnectionRefused => "refused".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "reset".to_owned(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "no route".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn body_says_who_answered() {
        assert_eq!(who("HTTP/1.0 200 OK\r\nA: b\r\n\r\nweb1\n"), Ok("web1".to_owned()));
        for (text, why) in [
            ("", "closed without answer"),
            ("HTTP/1.0 404 Not Found\r\n\r\nno", "status 404"),
            ("HTTP/1.0 200 OK\r\n\r\n", "body without name"),
            ("HTTP/1.0 200 OK\r\n\r\n<html>", "body without name"),
        ] {
            assert_eq!(who(text), Err(why.to_owned()));
        }
    }

    #[test]
    fn port_where_nobody_listens_refuses_and_a_silent_one_times_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = request(address, Instant::now());
        assert_eq!(answer.outcome, Err("timed out".to_owned()));
        assert!(answer.took >= PATIENCE, "{answer:?}");
        drop(listener);
        assert_eq!(request(address, Instant::now()).outcome, Err("refused".to_owned()));
    }

    #[test]
    fn silent_server_does_not_delay_the_next_request() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (said, heard) = channel();
        thread::spawn(move || run(address, Instant::now(), &said));
        let connections: Vec<_> = listener.incoming().take(5).collect();
        assert!(connections.iter().all(Result::is_ok));
        assert!(heard.try_recv().is_err(), "five came before the first had failed");
    }
}
