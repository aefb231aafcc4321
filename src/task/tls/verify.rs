//! What is said about a server's certificate. Without trusted issuers: nothing, as in keepalived; with them: its chain
//! (RFC 5280 section 6), its dates and its name (RFC 9525), by webpki.
//!
//! Dates are not judged while the clock is unset, as on a box without a battery until somebody sets it: a moment is
//! taken at which the certificates were valid by their own word.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::kernel::clock;
use crate::limits::CLOCK_SET_FROM;

/// Seconds since 1970 by the wall clock.
fn seconds() -> u64 {
    clock::wall() / 1_000_000
}

/// Whether the wall clock says something about dates.
pub fn is_clock_set() -> bool {
    seconds() >= CLOCK_SET_FROM
}

/// The wall clock, for rustls.
#[derive(Debug)]
pub(super) struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(core::time::Duration::from_secs(seconds())))
    }
}

/// Verifies what there is to verify with.
#[derive(Debug)]
pub(super) struct Verifier {
    /// `None`: nothing.
    trusted: Option<Arc<RootCertStore>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(trusted: &[CertificateDer<'static>], algorithms: WebPkiSupportedAlgorithms) -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(trusted.iter().cloned());
        Self { trusted: (!trusted.is_empty()).then(|| Arc::new(store)), algorithms }
    }

    /// Without trusted issuers a certificate that webpki cannot read (version 1, odd extensions) is as good as any
    /// other, and what it signs as well: whoever could forge that could have sent a certificate of his own.
    fn signed(
        &self,
        answer: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        match answer {
            Err(Error::InvalidCertificate(why))
                if self.trusted.is_none() && why != CertificateError::BadSignature =>
            {
                Ok(HandshakeSignatureValid::assertion())
            }
            answer => answer,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        let moment = if now.as_secs() < CLOCK_SET_FROM {
            let begins = core::iter::once(end_entity).chain(intermediates).filter_map(|one| not_before(one));
            UnixTime::since_unix_epoch(core::time::Duration::from_secs(
                begins.max().unwrap_or(CLOCK_SET_FROM),
            ))
        } else {
            now
        };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            trusted,
            intermediates,
            moment,
            self.algorithms.all,
        )?;
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(verify_tls12_signature(message, certificate, signed, &self.algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(verify_tls13_signature(message, certificate, signed, &self.algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Seconds since 1970 of a certificate's `notBefore` (RFC 5280 section 4.1): the first time in its fifth or, behind an
/// explicit version, sixth field.
pub(super) fn not_before(certificate: &[u8]) -> Option<u64> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut rest, _) = element(certificate)?;
    // Version if explicit, serial number, algorithm, issuer.
    let skipped = if rest.first() == Some(&0xa0) { 4 } else { 3 };
    for _ in 0..skipped {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (kind, time, _) = element(validity)?;
    seconds_of(kind, time)
}

/// Tag, contents and what follows of a DER element (X.690 section 8.1).
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long - 0x80))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((*tag, contents, rest))
}

/// `UTCTime` (tag 23, `YYMMDDhhmmssZ`, 1950 to 2049) or `GeneralizedTime` (tag 24, `YYYYMMDDhhmmssZ`).
fn seconds_of(tag: u8, text: &[u8]) -> Option<u64> {
    let mut digits =
        text.strip_suffix(b"Z")?.iter().map(|byte| char::from(*byte).to_digit(10).map(u64::from));
    let mut two = || Some(digits.next()?? * 10 + digits.next()??);
    let first = two()?;
    let year = match tag {
        24 => first * 100 + two()?,
        _ if first < 50 => 2_000 + first,
        _ => 1_900 + first,
    };
    let (month, day, hour, minute, second) = (two()?, two()?, two()?, two()?, two()?);
    // Days of the Gregorian calendar, the year beginning in March so that the leap day is its last one.
    let (year, month) = if month < 3 { (year.checked_sub(1)?, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    let days = days.checked_sub(719_469)?;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}
