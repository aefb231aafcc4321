//! Whole replies, cut at every byte, and hostile ones.

use super::*;
use proptest::prelude::*;

/// What a reply in these pieces gives; `None` from `feed` at the end of the pieces is followed by a close.
fn read(pieces: &[&[u8]]) -> (Option<Outcome>, Outcome) {
    let mut reply = Reply::new();
    let mut fed = None;
    for piece in pieces {
        fed = fed.or(reply.feed(piece, &mut |_| ()));
    }
    (fed, reply.end())
}

/// Asserts what a reply gives at once and at the close, in one piece, byte by byte, and cut in two everywhere.
#[track_caller]
fn assert_reply(text: &str, fed: Option<Outcome>, end: Outcome) {
    let bytes = text.as_bytes();
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(read(&single), (fed, end), "byte by byte: {text:?}");
    for at in 0..=bytes.len() {
        let (before, after) = bytes.split_at(at);
        assert_eq!(read(&[before, after]), (fed, end), "cut at {at}: {text:?}");
    }
}

#[track_caller]
fn assert_complete(text: &str, status: u16) {
    assert_reply(text, Some(Ok(status)), Ok(status));
}

#[track_caller]
fn assert_until_close(text: &str, status: u16) {
    assert_reply(text, None, Ok(status));
}

#[track_caller]
fn assert_fails(text: &str, failure: Failure) {
    assert_reply(text, Some(Err(failure)), Err(failure));
}

#[test]
fn a_reply_is_over_with_the_last_byte_of_its_content_length() {
    let reply = "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 5\r\nX: y\r\n\r\nhello";
    assert_complete(reply, 200);
    assert_complete("HTTP/1.0 503 Service Unavailable\r\ncontent-length:0\r\n\r\n", 503);
    assert_until_close(&reply[..reply.len() - 1], 200);
    // Bytes behind the end belong to nobody.
    assert_complete(&[reply, "garbage"].concat(), 200);
}

#[test]
fn a_reply_without_a_length_is_over_when_the_server_closes() {
    assert_until_close("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", 200);
    assert_until_close("HTTP/1.0 404 Not Found\r\n\r\n", 404);
}

#[test]
fn a_chunked_reply_is_over_with_its_trailer() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = "5\r\nhello\r\n1A;name=value\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n";
    assert_complete(&[head, body, "\r\n"].concat(), 200);
    assert_complete(&[head, body, "Expires: never\r\n\r\n"].concat(), 200);
    assert_until_close(&[head, body].concat(), 200);
    // Chunked goes before Content-Length, and is the last of several codings.
    assert_complete(
        "HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: gzip, Chunked\r\nContent-Length: 900\r\n\r\n2\r\nxy\r\n0\r\n\r\n",
        200,
    );
    assert_until_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 200);
    assert_until_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: unchunked\r\n\r\n0\r\n\r\n", 200);
}

#[test]
fn a_broken_chunk_is_garbage() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in ["\r\n", "x\r\n", "2\r\nabc", "-1\r\n"] {
        assert_fails(&[head, body].concat(), Failure::Garbage);
    }
}

#[test]
fn interim_replies_are_skipped() {
    assert_complete(
        "HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        200,
    );
    assert_reply("HTTP/1.1 100 Continue\r\n\r\n", None, Err(Failure::Closed));
}

#[test]
fn a_status_that_has_no_body_ends_the_reply_whatever_its_headers_say() {
    for status in [101, 204, 304] {
        assert_complete(&format!("HTTP/1.1 {status} x\r\nContent-Length: 10\r\n\r\n"), status);
    }
}

#[test]
fn bare_line_feeds_and_a_missing_reason_are_accepted() {
    assert_complete("HTTP/1.0 200 OK\nContent-Length: 2\n\nok", 200);
    assert_complete("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200);
    assert_complete("HTTP/1.1 200\nTransfer-Encoding: chunked\n\n2\nok\n0\n\n", 200);
    assert_until_close("HTTP/1.1 200\n\n", 200);
}

#[test]
fn a_useless_content_length_leaves_the_end_to_the_server() {
    for value in ["", "x", "5x", "1 2", "-1", "1\r\nContent-Length: 2"] {
        assert_until_close(&format!("HTTP/1.1 200 OK\r\nContent-Length: {value}\r\n\r\nabc"), 200);
    }
    assert_complete("HTTP/1.1 200 OK\r\nContent-Length: 2 \r\nContent-Length:\t2\r\n\r\nok", 200);
    assert_until_close("HTTP/1.1 200 OK\r\nContent-Lengthy: 2\r\nX-Content-Length: 2\r\n\r\nok", 200);
    assert_until_close(
        "HTTP/1.1 200 OK\r\nno colon\r\n: no name\r\n folded: Content-Length: 2\r\n\r\nok",
        200,
    );
}

#[test]
fn what_cannot_be_a_status_line_is_garbage_at_once() {
    for text in [
        "SSH-2.0-OpenSSH_9.2",
        "X",
        "HTTP 200",
        "HTTP/11 200",
        "HTTP/1.1  200",
        "HTTP/1.1 2x0",
        "HTTP/1.1 2000",
        "\r\nHTTP/1.1 200 OK",
        "http/1.1 200 OK",
        "HTTP/1.1 200OK",
    ] {
        assert_fails(text, Failure::Garbage);
    }
}

#[test]
fn a_close_before_the_head_is_complete_is_a_close() {
    let head = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n";
    for at in 0..head.len() {
        assert_eq!(read(&[&head.as_bytes()[..at]]), (None, Err(Failure::Closed)), "{at}");
    }
}

/// Feeds `piece` until the reply is over or `limit` bytes went in; how many did.
fn endless(start: &str, piece: &[u8], limit: usize) -> (usize, Option<Outcome>) {
    let mut reply = Reply::new();
    let mut total = start.len();
    let mut outcome = reply.feed(start.as_bytes(), &mut |_| ());
    while outcome.is_none() && total < limit {
        outcome = reply.feed(piece, &mut |_| ());
        total += piece.len();
    }
    (total, outcome)
}

#[test]
fn a_head_of_the_limit_passes_and_one_byte_more_is_too_long() {
    let start = "HTTP/1.1 204 x\r\n";
    for (extra, outcome) in [(0, Ok(204)), (1, Err(Failure::TooLong))] {
        let filler = "a".repeat(MAX_HTTP_HEAD - start.len() - 4 + extra);
        let text = [start, &filler, "\r\n\r\n"].concat();
        assert_eq!(text.len(), MAX_HTTP_HEAD + extra);
        assert_eq!(Reply::new().feed(text.as_bytes(), &mut |_| ()), Some(outcome));
    }
}

#[test]
fn endless_headers_and_interim_replies_end_at_the_limit() {
    let too_long = Some(Err(Failure::TooLong));
    assert_eq!(endless("HTTP/1.1 200 OK\r\n", b"a", 1 << 20), (MAX_HTTP_HEAD, too_long));
    assert_eq!(endless("HTTP/1.1 200 OK\r\n", b"a: b\r\n", 1 << 20).1, too_long);
    assert_eq!(endless("", b"HTTP/1.1 100 x\r\n\r\n", 1 << 20).1, too_long);
}

#[test]
fn endless_bodies_are_judged_by_their_status_at_the_limit() {
    let judged = Some(Ok(200));
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    let (total, outcome) = endless(head, &[0; 4096], 1 << 25);
    assert_eq!(outcome, judged);
    assert!((MAX_HTTP_BODY..MAX_HTTP_BODY + 2 * 4096).contains(&(total - head.len())), "{total}");
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n";
    assert_eq!(endless(sized, &[0; 4096], 1 << 25).1, judged);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(endless(chunked, b"1\r\nx\r\n", 1 << 25).1, judged);
    assert_eq!(endless(&[chunked, "fffffffffffffffff\r\n"].concat(), &[0; 4096], 1 << 25).1, judged);
    assert_eq!(endless(&[chunked, "0\r\n"].concat(), b"a: b\r\n", 1 << 25).1, judged);
    assert_eq!(endless(&[chunked, "0;"].concat(), b"extension", 1 << 25).1, judged);
}

#[test]
fn a_reply_that_is_over_stays_over() {
    let mut reply = Reply::new();
    assert_eq!(reply.feed(b"nonsense", &mut |_| ()), Some(Err(Failure::Garbage)));
    assert_eq!(reply.feed(b"HTTP/1.1 204 x\r\n\r\n", &mut |_| ()), Some(Err(Failure::Garbage)));
    assert_eq!(reply.end(), Err(Failure::Garbage));
}

/// Pieces of replies in any order: what random bytes never reach.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 C\r\n",
        "HTTP/1.",
        "Content-Length: 3\r\n",
        "Content-Length: 3\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: x,",
        "\r\n",
        "\n",
        "\r",
        "3\r\nabc\r\n",
        "0\r\n",
        ":",
        " ",
        "ffffffff",
        "Content-",
        "a: b\r\n",
    ]);
    prop::collection::vec(fragment, 0..24).prop_map(|list| list.concat().into_bytes())
}

proptest! {
    #[test]
    fn how_a_reply_is_cut_changes_nothing(bytes in fragments(), cuts in prop::collection::vec(0..200_usize, 0..6)) {
        let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut <= bytes.len()).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for cut in cuts {
            pieces.push(&bytes[start..cut]);
            start = cut;
        }
        pieces.push(&bytes[start..]);
        prop_assert_eq!(read(&pieces), read(&[&bytes]));
    }

    #[test]
    fn no_reply_panics(bytes: Vec<u8>, prefix in fragments()) {
        let _ = read(&[&bytes]);
        let _ = read(&[&prefix, &bytes]);
        let _ = read(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &bytes]);
    }
}
