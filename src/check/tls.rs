//! What can be wrong with a TLS connection, in words. RFC 8446 and RFC 5246; who makes these of what a server does is
//! `task/tls/`.

use core::fmt;

/// Why there is no TLS connection with a server, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFault {
    /// It sent a fatal alert (RFC 8446 section 6).
    Alert(u8),
    /// What it sends is no TLS.
    NotTls,
    /// It breaks the rules of TLS.
    Garbled,
    /// It closed the connection during the handshake.
    Closed,
    /// The handshake was not complete at the deadline.
    Deadline,
    /// Its handshake exceeds [`crate::limits::MAX_TLS_HANDSHAKE`].
    TooLong,
    /// It speaks neither TLS 1.2 nor 1.3, or has no cipher in common with us.
    Incompatible,
    /// Its certificate is of none of the trusted issuers.
    Issuer,
    /// Its certificate is over.
    Expired,
    /// Its certificate is not valid yet.
    NotYet,
    /// Its certificate is of another name.
    Name,
    /// A signature of its certificate or its handshake is wrong.
    Signature,
    /// Its certificate is bad in another way.
    Certificate,
    /// There is no connection for a reason of our own.
    Own,
}

/// The alerts of a server that says why, by their names in RFC 8446 section 6.
fn alert(number: u8) -> Option<&'static str> {
    Some(match number {
        0 => "close notify",
        10 => "unexpected message",
        20 => "bad record MAC",
        22 => "record overflow",
        40 => "handshake failure",
        42 => "bad certificate",
        43 => "unsupported certificate",
        44 => "certificate revoked",
        45 => "certificate expired",
        46 => "certificate unknown",
        47 => "illegal parameter",
        48 => "unknown CA",
        49 => "access denied",
        50 => "decode error",
        51 => "decrypt error",
        70 => "protocol version",
        71 => "insufficient security",
        80 => "internal error",
        90 => "user canceled",
        109 => "missing extension",
        112 => "unrecognized name",
        116 => "certificate required",
        120 => "no application protocol",
        _ => return None,
    })
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alert(number) => {
                return match alert(*number) {
                    Some(name) => write!(f, "TLS alert: {name}"),
                    None => write!(f, "TLS alert {number}"),
                };
            }
            Self::NotTls => "no TLS is spoken",
            Self::Garbled => "TLS not understood",
            Self::Closed => "connection closed during the TLS handshake",
            Self::Deadline => "no complete TLS handshake within the deadline",
            Self::TooLong => "TLS handshake too long",
            Self::Incompatible => "no TLS version or cipher in common",
            Self::Issuer => "certificate of an unknown issuer",
            Self::Expired => "certificate expired",
            Self::NotYet => "certificate not valid yet",
            Self::Name => "certificate of another name",
            Self::Signature => "TLS signature wrong",
            Self::Certificate => "certificate not usable",
            Self::Own => "no TLS session of our own",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Failure, Verdict};

    #[test]
    fn an_alert_has_its_name_in_the_rfc_and_a_number_without_one() {
        assert_eq!(Failure::Tls(TlsFault::Alert(70)).to_string(), "TLS alert: protocol version");
        assert_eq!(TlsFault::Alert(99).to_string(), "TLS alert 99");
    }

    #[test]
    fn reasons_of_tls_do_not_make_verdicts_larger() {
        assert_eq!(size_of::<Verdict>(), 4);
    }
}
