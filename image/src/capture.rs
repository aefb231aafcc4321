//! The observer on the wire: every frame of an interface with the kernel's time, and frames of our own put on it.

use std::cell::RefCell;
use std::time::Duration;

use crate::frames::{Advert, Frame};
use crate::netns::Namespace;
use crate::packet::PacketSocket;
use crate::wait;

/// A capture, running since it was opened.
#[derive(Debug)]
pub struct Capture {
    socket: PacketSocket,
    seen: RefCell<Vec<Frame>>,
}

impl Capture {
    /// Starts to capture on `interface` of `namespace`.
    pub fn open(namespace: &Namespace, interface: &str) -> Self {
        let socket = namespace.enter(|| PacketSocket::open(interface)).expect("open a packet socket");
        Self { socket, seen: RefCell::default() }
    }

    /// Everything seen so far.
    pub fn frames(&self) -> Vec<Frame> {
        self.read();
        self.seen.borrow().clone()
    }

    /// Everything seen so far, which is forgotten.
    pub fn take(&self) -> Vec<Frame> {
        self.read();
        self.seen.take()
    }

    fn read(&self) {
        let mut seen = self.seen.borrow_mut();
        while let Some((at, bytes)) = self.socket.receive().expect("read the packet socket") {
            seen.push(Frame { at, bytes });
        }
    }

    /// The adverts seen so far, of any version, well formed or not.
    pub fn adverts(&self) -> Vec<Advert> {
        self.frames().iter().filter_map(Frame::advert).collect()
    }

    /// Forgets what was seen so far.
    pub fn clear(&self) {
        self.take();
    }

    /// Waits for the first frame of which `pick` makes something.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, within: Duration, pick: impl Fn(&Frame) -> Option<T>) -> T {
        wait::until(what, within, || self.frames().iter().find_map(&pick))
    }

    /// Waits for the first advert that fits.
    #[track_caller]
    pub fn wait_advert(&self, what: &str, within: Duration, fits: impl Fn(&Advert) -> bool) -> Advert {
        self.wait(what, within, |frame| frame.advert().filter(&fits))
    }

    /// Puts a frame on the wire.
    pub fn send(&self, frame: &[u8]) {
        self.socket.send(frame).expect("send a frame");
    }
}
