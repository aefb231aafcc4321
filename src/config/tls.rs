//! `SSL { password ca certificate key }`: what is trusted, and who we are, in checks over TLS. Files in PEM (RFC 7468).
//!
//! No file is opened here: the loader asks for their texts as it does for an `include` ([`TlsDraft::want`]), so a
//! reload reads them anew. A file that cannot be used is an error at the line that names it, and the line is left out.

use core::fmt::{self, Display};
use std::rc::Rc;

use rustls::RootCertStore;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::codes::TLS_FILE;
use super::rows::words;
use crate::limits::MAX_TLS_FILE;
use crate::syntax::{Context, Given, Keyword, Line, NodeId, Table, Walk};
use crate::wire::errno;

/// `SSL`: the files as named, and what was in them. Empty where there is no such block.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `ca`, if its certificates are in force.
    pub ca: Option<Box<str>>,
    /// `certificate` and `key`, if they are in force.
    pub own: Option<(Box<str>, Box<str>)>,
    /// What was in the files; one copy, so that a change is seen by its address.
    pub contents: Rc<Contents>,
}

/// What was in the files of an `SSL` block. It is usable: every part was tried.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Certificates of trusted issuers; none if no server's certificate is verified.
    pub trusted: Vec<CertificateDer<'static>>,
    /// Our certificate with those of its issuers, ours first, and its key.
    pub own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl Contents {
    /// Bytes of our own certificates and their key.
    pub fn own_bytes(&self) -> usize {
        let Some((chain, key)) = &self.own else { return 0 };
        let row = 2 * size_of::<CertificateDer<'static>>() + 24;
        key.secret_der().len() + chain.iter().map(|one| one.len() + row).sum::<usize>()
    }
}

/// A file that a line names, and its text or the error number of reading it.
type Named = Option<(Given<Box<str>>, Option<Result<String, u16>>)>;

/// The block as written.
#[derive(Debug, Default)]
pub(super) struct TlsDraft {
    /// `ca`, `certificate`, `key`.
    files: [Named; 3],
    password: bool,
}

const fn file(text: &'static str, set: fn(&mut TlsDraft, &mut Line<'_, '_>)) -> Keyword<TlsDraft> {
    words(text, "the path of a file in PEM", set)
}

pub(super) static SSL: Table<TlsDraft> = Table {
    name: "SSL",
    rows: &[&[
        words("password|none|of the key", "a password", |b, line| b.password |= line.word().is_some()),
        file("ca|none|file of certificates that are trusted; none are verified without", |b, line| {
            b.name(0, line)
        }),
        file("certificate|none|file of the own certificate", |b, line| b.name(1, line)),
        file("key|none|file of its key", |b, line| b.name(2, line)),
    ]],
};

pub(super) fn read(cx: &mut Context<'_>, node: NodeId, draft: &mut TlsDraft) {
    Walk::block(cx, node, &SSL, draft);
}

impl TlsDraft {
    fn name(&mut self, place: usize, line: &mut Line<'_, '_>) {
        if let (Some(word), Some(file)) = (line.word(), self.files.get_mut(place)) {
            *file = Some((Given { value: (&*word.text).into(), at: word.at }, None));
        }
    }

    fn unread(&self) -> Option<usize> {
        self.files.iter().position(|file| matches!(file, Some((_, None))))
    }

    /// The file that is to be read next.
    pub(super) fn want(&self) -> Option<&str> {
        self.files.get(self.unread()?)?.as_ref().map(|(name, _)| &*name.value)
    }

    /// Bytes of the texts that were read.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.files.iter().flatten().filter_map(|(_, text)| text.as_ref()?.as_ref().ok());
        texts.map(String::len).sum()
    }

    /// The answer to [`Self::want`]: the file's text, or an error number of errno.h.
    pub(super) fn give(&mut self, text: Result<String, u16>) {
        if let Some((_, answer)) =
            self.unread().and_then(|place| self.files.get_mut(place)).and_then(Option::as_mut)
        {
            *answer = Some(text);
        }
    }

    /// Makes of the texts what can be made. A file that nobody has read counts as missing.
    pub(super) fn finish(self, cx: &mut Context<'_>) -> Tls {
        let [ca, certificate, key] = self.files;
        let (mut tls, mut contents) = (Tls::default(), Contents::default());
        if let Some(found) = take(ca, cx, &"no certificate is verified", trusted) {
            (tls.ca, contents.trusted) = (Some(found.0), found.1);
        }
        const UNNAMED: &str = "no certificate of our own is shown to servers";
        let at = certificate.as_ref().or(key.as_ref()).map(|(name, _)| name.at);
        let whole = certificate.is_some() == key.is_some();
        let key = take(key, cx, &UNNAMED, |text| private(text, self.password));
        let certificate = take(certificate, cx, &UNNAMED, certificates);
        match (certificate, key, at) {
            (Some((file, chain)), Some((key_file, key)), Some(at)) => match matching(&chain, &key) {
                Ok(()) => {
                    tls.own = Some((file, key_file));
                    contents.own = Some((chain, key));
                }
                Err(why) => report(cx, at, &file, &why, &UNNAMED),
            },
            (_, _, Some(at)) if !whole => {
                report(cx, at, "SSL", &"`certificate` and `key` belong together", &UNNAMED);
            }
            _ => {}
        }
        tls.contents = Rc::new(contents);
        tls
    }
}

/// What `make` makes of a file, and the file's name.
fn take<T>(
    file: Named,
    cx: &mut Context<'_>,
    then: &dyn Display,
    make: impl FnOnce(&str) -> Result<T, &'static str>,
) -> Option<(Box<str>, T)> {
    let (name, text) = file?;
    let made = match text {
        None => Err(Wrong::Errno(2)),
        Some(Err(number)) => Err(Wrong::Errno(number)),
        Some(Ok(text)) if text.len() > MAX_TLS_FILE => Err(Wrong::Text("it is too large")),
        Some(Ok(text)) => make(&text).map_err(Wrong::Text),
    };
    match made {
        Ok(made) => Some((name.value, made)),
        Err(why) => {
            report(cx, name.at, &name.value, &why, then);
            None
        }
    }
}

/// Why a file is of no use.
enum Wrong {
    Errno(u16),
    Text(&'static str),
}

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(number) => errno::Text(*number).fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

fn report(
    cx: &mut Context<'_>,
    at: crate::syntax::Position,
    name: &str,
    why: &dyn Display,
    then: &dyn Display,
) {
    cx.error(
        TLS_FILE,
        at,
        format_args!("{name}: {why}"),
        format_args!("write the path of a file in PEM; {then} now"),
    );
}

/// All certificates of a text; at least one.
fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let found = found.map_err(|_| "it is damaged: no PEM")?;
    if found.is_empty() { Err("no certificate in PEM is in it") } else { Ok(found) }
}

fn trusted(text: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let mut found = certificates(text)?;
    // Bundles of distributions have one now and then that webpki cannot use: the others count, as everywhere.
    found.retain(|one| RootCertStore::empty().add(one.clone()).is_ok());
    if found.is_empty() { Err("no usable certificate is in it") } else { Ok(found) }
}

fn private(text: &str, password: bool) -> Result<PrivateKeyDer<'static>, &'static str> {
    // RFC 7468 section 11, and the header of RFC 1421 that older keys have.
    if text.contains("ENCRYPTED") {
        return Err(if password {
            "an encrypted key is not supported: `openssl pkey` writes it without its password"
        } else {
            "the key is encrypted: `openssl pkey` writes it without its password"
        });
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| "no private key in PEM is in it")
}

fn matching(chain: &[CertificateDer<'static>], key: &PrivateKeyDer<'static>) -> Result<(), &'static str> {
    let key = any_supported_type(key).map_err(|_| "the key is of a kind that is not supported")?;
    match CertifiedKey::new(chain.to_vec(), key).keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err("the key is not this certificate's"),
        Err(_) => Err("the certificate is not usable"),
    }
}

#[cfg(test)]
mod tests;
