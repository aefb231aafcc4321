//! TLS for probes: who may begin a session and when, and what all sessions share. A session itself is in `session.rs`,
//! what is said about a server's certificate in `verify.rs`; what is said inside stays `check`'s.
//!
//! A handshake is the dearest thing that a probe does, so it is rationed: at most one step of one handshake a turn of
//! the loop, whatever the number of sessions ([`Office::poll_step`]); at most [`MAX_TLS_HANDSHAKES`] at once, and
//! [`MAX_TLS_SESSIONS`] sessions, which bounds their memory. Who finds no place waits in the order of arrival, before
//! it connects, so that no server is blamed for it.

mod session;
mod verify;

#[cfg(test)]
mod tests;

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring::{default_provider, sign::any_supported_type};
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection};

pub use session::{Io, Need, Session, Stop};
use verify::{Clock, Verifier};

use crate::check::ssl_get::Sni;
use crate::check::tls::TlsFault;
use crate::config::tls::Contents;
use crate::limits::{MAX_TLS_HANDSHAKES, MAX_TLS_SESSIONS};

pub use verify::is_clock_set;

/// What all sessions of one configuration share.
pub struct Terms {
    contents: Rc<Contents>,
    /// With and without the server's name in the clear (RFC 6066 section 3).
    named: Arc<ClientConfig>,
    unnamed: Arc<ClientConfig>,
}

impl Terms {
    /// The terms that the files of an `SSL` block make.
    ///
    /// # Errors
    /// [`TlsFault::Own`] if they cannot be used, which was found when they were read.
    pub fn new(contents: &Rc<Contents>) -> Result<Self, TlsFault> {
        let provider = Arc::new(default_provider());
        let verifier = Verifier::new(&contents.trusted, provider.signature_verification_algorithms);
        let builder = ClientConfig::builder_with_details(provider, Arc::new(Clock))
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsFault::Own)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut named = match &contents.own {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let key = any_supported_type(key).map_err(|_| TlsFault::Own)?;
                let own = SingleCertAndKey::from(CertifiedKey::new(chain.clone(), key));
                builder.with_client_cert_resolver(Arc::new(own))
            }
        };
        // A check asks whether a new client is served; and tickets would be memory for each server.
        named.resumption = Resumption::disabled();
        let mut unnamed = named.clone();
        unnamed.enable_sni = false;
        Ok(Self { contents: Rc::clone(contents), named: Arc::new(named), unnamed: Arc::new(unnamed) })
    }

    /// A session with the server called `name`, or at `address`.
    ///
    /// # Errors
    /// [`TlsFault::Own`] without random numbers or memory.
    pub fn open(
        &self,
        name: Option<&str>,
        address: core::net::IpAddr,
        sni: Sni,
    ) -> Result<Session, TlsFault> {
        let named = name.and_then(|name| ServerName::try_from(name).ok());
        let name = named.map_or_else(|| ServerName::IpAddress(address.into()), |name| name.to_owned());
        let config = if sni == Sni::On { &self.named } else { &self.unnamed };
        let connection = ClientConnection::new(Arc::clone(config), name).map_err(|_| TlsFault::Own)?;
        Ok(Session::new(connection))
    }
}

/// Gives out places and turns, and keeps the terms of the configuration in force.
#[derive(Default)]
pub struct Office {
    terms: RefCell<Option<Rc<Terms>>>,
    queue: RefCell<Queue>,
    /// Sessions that wait for the next turn to make their step.
    stepping: RefCell<VecDeque<Waker>>,
    /// Somebody has made a step in this turn.
    spent: Cell<bool>,
}

#[derive(Default)]
struct Queue {
    handshakes: usize,
    sessions: usize,
    next: u64,
    /// In order of arrival.
    waiting: VecDeque<(u64, Option<Waker>)>,
}

impl Queue {
    fn has_room(&self) -> bool {
        self.handshakes < MAX_TLS_HANDSHAKES && self.sessions < MAX_TLS_SESSIONS
    }

    /// Who is to be told that there is a place.
    fn first(&mut self) -> Option<Waker> {
        if self.has_room() { self.waiting.front_mut()?.1.take() } else { None }
    }
}

impl Office {
    /// The terms of `contents`, made anew after a reload that read other files.
    ///
    /// # Errors
    /// As [`Terms::new`].
    pub fn terms(&self, contents: &Rc<Contents>) -> Result<Rc<Terms>, TlsFault> {
        let mut held = self.terms.borrow_mut();
        match held.as_ref().filter(|terms| Rc::ptr_eq(&terms.contents, contents)) {
            Some(terms) => Ok(Rc::clone(terms)),
            None => Ok(Rc::clone(held.insert(Rc::new(Terms::new(contents)?)))),
        }
    }

    /// Lets go of the terms: those of the next configuration are made of other files, or never.
    pub fn forget(&self) {
        *self.terms.borrow_mut() = None;
    }

    /// Waits for a place.
    pub async fn enter(&self) -> Place<'_> {
        let mut turn = Waiting { office: self, number: None };
        poll_fn(|context| turn.poll(context)).await
    }

    /// Ready once a turn, for one of all that ask; `context` is woken in the next turn otherwise.
    pub fn poll_step(&self, context: &Context<'_>) -> Poll<()> {
        if !self.spent.replace(true) {
            return Poll::Ready(());
        }
        self.stepping.borrow_mut().push_back(context.waker().clone());
        Poll::Pending
    }

    /// A turn of the loop begins.
    pub fn begin_turn(&self) {
        self.spent.set(false);
        // All of them, at most one for each handshake: who was first asks first, and some may have been given up.
        loop {
            let Some(waker) = self.stepping.borrow_mut().pop_front() else { return };
            waker.wake();
        }
    }

    /// True if somebody waits for the next turn, which then must not wait for anything.
    pub fn wants_turn(&self) -> bool {
        !self.stepping.borrow().is_empty()
    }

    /// Sessions there are, and those waiting for a place.
    pub fn load(&self) -> (usize, usize) {
        let queue = self.queue.borrow();
        (queue.sessions, queue.waiting.len())
    }

    fn wake_first(&self) {
        let first = self.queue.borrow_mut().first();
        first.into_iter().for_each(Waker::wake);
    }
}

/// Somebody who waits for a place; gives up the turn when dropped.
struct Waiting<'a> {
    office: &'a Office,
    number: Option<u64>,
}

impl<'a> Waiting<'a> {
    fn poll(&mut self, context: &Context<'_>) -> Poll<Place<'a>> {
        let mut queue = self.office.queue.borrow_mut();
        let number = *self.number.get_or_insert_with(|| {
            let number = queue.next;
            queue.next += 1;
            queue.waiting.push_back((number, None));
            number
        });
        if queue.has_room() && queue.waiting.front().is_some_and(|(first, _)| *first == number) {
            queue.waiting.pop_front();
            (queue.handshakes, queue.sessions) = (queue.handshakes + 1, queue.sessions + 1);
            self.number = None;
            drop(queue);
            self.office.wake_first();
            return Poll::Ready(Place { office: self.office, shaking: true });
        }
        if let Some((_, waker)) = queue.waiting.iter_mut().find(|(one, _)| *one == number) {
            *waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.office.queue.borrow_mut().waiting.retain(|(one, _)| *one != number);
            self.office.wake_first();
        }
    }
}

/// A place among the sessions; free again when dropped.
pub struct Place<'a> {
    office: &'a Office,
    shaking: bool,
}

impl Place<'_> {
    /// The handshake is over: another may begin.
    pub fn shaken(&mut self) {
        if core::mem::take(&mut self.shaking) {
            self.office.queue.borrow_mut().handshakes -= 1;
            self.office.wake_first();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shaken();
        self.office.queue.borrow_mut().sessions -= 1;
        self.office.wake_first();
    }
}
