//! A DNS query with one question, and what the head of a response says (RFC 1035 section 4).
//!
//! The answer records are not looked at: that the server answered this query without an error is all a check asks.

use super::bytes::{Output, array};

/// Record types that can be asked for, by their names (RFC 1035 section 3.2.2, RFC 3596 section 2.1).
pub const TYPES: [(&str, u16); 7] =
    [("A", 1), ("NS", 2), ("CNAME", 5), ("SOA", 6), ("MX", 15), ("TXT", 16), ("AAAA", 28)];

/// Bytes of a label (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;
/// Bytes of a name as text: 255 on the wire, with a length in front and the root behind.
const MAX_NAME: usize = 253;
/// The flag "this is a response", and the bits of the operation, which is 0 for a query.
const RESPONSE: u16 = 0x8000;
const OPERATION: u16 = 0x7800;
/// Recursion is desired.
const RECURSION: u16 = 0x0100;
const CLASS_IN: u16 = 1;

/// What the head of a response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// Of the query.
    pub id: u16,
    /// 0 for no error.
    pub code: u8,
}

/// The labels of a name; nothing for the root, `.`. One dot may stand at the end.
fn labels(name: &str) -> impl Iterator<Item = &str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.split('.').take(if name.is_empty() { 0 } else { usize::MAX })
}

/// True for a name that can be asked for.
pub fn is_name(name: &str) -> bool {
    let label = |label: &str| !label.is_empty() && label.len() <= MAX_LABEL;
    let length = name.strip_suffix('.').unwrap_or(name).len();
    !name.is_empty() && length <= MAX_NAME && name.is_ascii() && labels(name).all(label)
}

/// Writes a query for the records of type `kind` of `name`. Its length, or `None` if it does not fit or the name is
/// none.
pub fn emit_query(id: u16, name: &str, kind: u16, out: &mut [u8]) -> Option<usize> {
    let mut out = Output::new(out);
    for word in [id, RECURSION, 1, 0, 0, 0] {
        out.put(&word.to_be_bytes());
    }
    for label in labels(name) {
        out.put(&[u8::try_from(label.len()).ok().filter(|len| usize::from(*len) <= MAX_LABEL)?]);
        out.put(label.as_bytes());
    }
    out.put(&[0]).put(&kind.to_be_bytes()).put(&CLASS_IN.to_be_bytes()).finish()
}

/// The head of a response to a query; `None` for anything else.
pub fn parse_response(bytes: &[u8]) -> Option<Response> {
    let head: [u8; 12] = array(bytes, 0)?;
    let [a, b, c, d, ..] = head;
    let flags = u16::from_be_bytes([c, d]);
    (flags & (RESPONSE | OPERATION) == RESPONSE)
        .then_some(Response { id: u16::from_be_bytes([a, b]), code: d & 0x0f })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut out = [0; 300];
        let length = emit_query(0x1234, name, kind, &mut out).unwrap();
        out[..length].to_vec()
    }

    #[test]
    fn a_query_asks_one_question_with_recursion() {
        // RFC 1035 sections 4.1.1 and 4.1.2, by hand.
        let head = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let expected = [&head[..], &[0, 0, 6, 0, 1]].concat();
        assert_eq!(query(".", 6), expected);
        let expected = [&head[..], b"\x03www\x07example\x03org\0", &[0, 28, 0, 1]].concat();
        assert_eq!(query("www.example.org", 28), expected);
        assert_eq!(query("www.example.org.", 28), expected);
        assert_eq!(emit_query(1, "www.example.org", 1, &mut vec![0; expected.len() - 1]), None);
    }

    #[test]
    fn names_have_limits() {
        let long = |label: usize, labels: usize| vec!["a".repeat(label); labels].join(".");
        assert!([".", "a", "a.b.", "_dmarc.example.org"].into_iter().all(is_name));
        assert!(is_name(&long(63, 1)) && is_name(&long(62, 4)));
        assert!(!["", "..", "a..b", ".a", "\u{e9}.org"].into_iter().any(is_name));
        assert!(!is_name(&long(64, 1)) && !is_name(&long(63, 4)));
    }

    #[test]
    fn a_response_has_its_code_and_a_query_is_none() {
        let mut bytes = query(".", 6);
        assert_eq!(parse_response(&bytes), None);
        bytes[2] = 0x81;
        bytes[3] = 0x83;
        assert_eq!(parse_response(&bytes), Some(Response { id: 0x1234, code: 3 }));
        bytes[2] = 0xa8;
        assert_eq!(parse_response(&bytes), None, "the response to a notification");
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>, name: String, room in 0_usize..400) {
            prop_assert_eq!(parse_response(&bytes).is_some(),
                bytes.len() >= 12 && bytes[2] & 0xf8 == 0x80);
            let written = emit_query(1, &name, 1, &mut vec![0; room]);
            prop_assert!(!is_name(&name) || room < 300 || written.is_some());
        }
    }
}
