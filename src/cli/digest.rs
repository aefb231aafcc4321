//! `lvsbox digest ADDRESS:PORT PATH`: the MD5 of what a web server answers, for `digest` of an HTTP_GET. It asks as a
//! check does, and reads what a check reads.

use core::fmt::Write as _;
use core::net::SocketAddr;
use std::io::{Error, Read, Write as _};
use std::net::TcpStream;

use md5::{Digest as _, Md5};

use super::FAILED;
use super::arguments::Asked;
use super::output::Output;
use crate::check::Failure;
use crate::check::http_get::{Reply, Url, Version, request};

/// For connecting, and for each read.
const PATIENCE: core::time::Duration = core::time::Duration::from_secs(5);
/// Bytes of the request, and of one read.
const BUFFER: usize = 8 << 10;

/// Why there is no digest.
enum Trouble {
    Network(Error),
    Reply(Failure),
}

/// Asks and prints. A status that a check would not accept by itself is said on standard error.
pub(super) fn run(asked: &Asked) -> u8 {
    let (digest, status) = match ask(asked.target, &asked.url) {
        Ok(answer) => answer,
        Err(trouble) => {
            let mut errors = Output::errors();
            match trouble {
                Trouble::Network(error) => errors.line(format_args!("lvsbox: {}: {error}", asked.target)),
                Trouble::Reply(failure) => errors.line(format_args!("lvsbox: {}: {failure}", asked.target)),
            }
            return FAILED;
        }
    };
    if !(200..=299).contains(&status) {
        Output::errors().line(format_args!("lvsbox: HTTP status {status}"));
    }
    let mut text = String::with_capacity(32);
    for byte in digest {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    let mut output = Output::new();
    output.line(format_args!("{text}"));
    output.status()
}

fn ask(target: SocketAddr, url: &Url) -> Result<([u8; 16], u16), Trouble> {
    let mut buffer = vec![0; BUFFER];
    let length = request(url, Version::V10, target, &mut buffer).ok_or(Trouble::Reply(Failure::TooLong))?;
    let mut stream = TcpStream::connect_timeout(&target, PATIENCE).map_err(Trouble::Network)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(Trouble::Network)?;
    stream.write_all(buffer.get(..length).unwrap_or(&[])).map_err(Trouble::Network)?;
    let (mut reply, mut body) = (Reply::new(), Md5::new());
    let outcome = loop {
        let length = stream.read(&mut buffer).map_err(Trouble::Network)?;
        if length == 0 {
            break reply.end();
        }
        let bytes = buffer.get(..length).unwrap_or(&[]);
        if let Some(outcome) = reply.feed(bytes, &mut |part| body.update(part)) {
            break outcome;
        }
    };
    let status = outcome.map_err(Trouble::Reply)?;
    Ok((body.finalize().into(), status))
}
