//! One netlink socket for requests and dumps: batches out, answers back to their actions.
//!
//! It owns the socket, one buffer for sending, the table of what is outstanding and a short queue of dumps (the
//! kernel runs one per socket). Whatever cannot be sent is answered as an error at once, so that every action that
//! asks for an answer gets exactly one.

use core::cell::Cell;
use core::task::Context;
use std::rc::Rc;

use heapless::{Deque, Vec};

use super::batch::Batch;
use super::outstanding::Outstanding;
use super::reactor::{Reactor, Source};
use crate::console::view::Traffic;
use crate::director::action::Action;
use crate::director::event::Errno;
use crate::kernel::clock;
use crate::kernel::error::{self, Error};
use crate::kernel::netlink::{Incoming, NetlinkSocket, Protocol};
use crate::limits::MAX_BATCH;
use crate::time::Instant;
use crate::wire::netlink::{Full, Writer};

/// Bytes of one send: 64 requests of at most 256 bytes.
const SEND_BUFFER: usize = 16 << 10;
/// Dumps that wait for the running one. The director asks for one of a family at a time.
const MAX_DUMPS: usize = 4;

/// Actions with the error that is their answer.
pub type Refused = Vec<(Action, Errno), MAX_BATCH>;

/// The socket with its requests.
pub struct Requests {
    socket: Result<Source<NetlinkSocket>, Errno>,
    buffer: Box<[u8]>,
    batch: Batch,
    /// What was asked and not answered.
    pub outstanding: Outstanding,
    dumps: Deque<Action, MAX_DUMPS>,
    traffic: Cell<Traffic>,
}

/// What a rendered request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendered {
    /// It is in the buffer.
    Whole,
    /// It does not fit behind what is there.
    Full,
    /// There is nothing to ask: the object of the action is gone.
    Nothing,
}

impl From<Result<(), Full>> for Rendered {
    fn from(result: Result<(), Full>) -> Self {
        match result {
            Ok(()) => Self::Whole,
            Err(Full) => Self::Full,
        }
    }
}

impl Requests {
    /// Opens the socket. If the kernel refuses, every request is answered with its error.
    pub fn open(reactor: &Rc<Reactor>, protocol: Protocol) -> (Self, Result<(), Error>) {
        let opened = NetlinkSocket::open(protocol, 0).and_then(|socket| reactor.register(socket));
        let told = opened.as_ref().map(|_| ()).map_err(|error| *error);
        let requests = Self {
            socket: opened.map_err(|error| Errno(error.number())),
            buffer: vec![0; SEND_BUFFER].into_boxed_slice(),
            batch: Batch::default(),
            outstanding: Outstanding::default(),
            dumps: Deque::new(),
            traffic: Cell::default(),
        };
        (requests, told)
    }

    /// What went through the socket since the start.
    pub fn traffic(&self) -> Traffic {
        self.traffic.get()
    }

    fn count(&self, more: Traffic) {
        let Traffic { requests, sends, reads } = self.traffic.get();
        self.traffic.set(Traffic {
            requests: requests + more.requests,
            sends: sends + more.sends,
            reads: reads + more.reads,
        });
    }

    /// Requests that the next send may hold.
    pub fn room(&self) -> usize {
        self.batch.room(self.outstanding.len())
    }

    /// Answers were lost: fewer requests at a time, so that theirs fit the receive buffer.
    pub fn shrink(&mut self) {
        self.batch.shrink();
    }

    /// The port id of the socket: notifications of our own changes carry it. 0 without a socket.
    pub fn port(&self) -> u32 {
        self.socket.as_ref().map_or(0, |socket| socket.io().port())
    }

    /// Sends `actions`, each rendered by `render` under a sequence number. Returns those that were not sent.
    pub fn send(
        &mut self,
        actions: &[Action],
        mut render: impl FnMut(Action, &mut Writer<'_>, u32) -> Rendered,
    ) -> Refused {
        let (mut refused, mut sends, now) = (Refused::new(), 1, clock::now());
        let Self { socket, buffer, batch, outstanding, .. } = self;
        let mut writer = Writer::new(buffer);
        for action in actions {
            let mut ask = |writer: &mut Writer<'_>, outstanding: &mut Outstanding| {
                let Some(seq) = outstanding.begin(now, *action) else { return Rendered::Full };
                let rendered = render(*action, writer, seq);
                if rendered != Rendered::Whole {
                    outstanding.take_back();
                }
                rendered
            };
            let mut rendered = ask(&mut writer, outstanding);
            if rendered == Rendered::Full && writer.messages() > 0 {
                sends += 1;
                flush(socket, (batch, outstanding), &mut writer, &mut refused);
                rendered = ask(&mut writer, outstanding);
            }
            let problem = match rendered {
                Rendered::Whole => continue,
                Rendered::Full => Errno::ENOBUFS,
                Rendered::Nothing => Errno::EINVAL,
            };
            let _ = refused.push((*action, problem));
        }
        flush(socket, (batch, outstanding), &mut writer, &mut refused);
        self.count(Traffic { requests: actions.len() as u64, sends, reads: 0 });
        refused
    }

    /// Starts a dump, or queues it behind the running one.
    ///
    /// # Errors
    /// Why it will not run.
    pub fn dump(
        &mut self,
        action: Action,
        render: impl FnOnce(&mut Writer<'_>, u32) -> Rendered,
    ) -> Result<(), Errno> {
        let Some(seq) = self.outstanding.begin_dump(clock::now(), action) else {
            return self.dumps.push_back(action).map_err(|_| Errno::ENOBUFS);
        };
        let mut writer = Writer::new(&mut self.buffer);
        let sent = match (render(&mut writer, seq), &self.socket) {
            (Rendered::Whole, Ok(socket)) => {
                socket.io().send(writer.as_bytes()).map_err(|errno| Errno(error::number(errno)))
            }
            (Rendered::Whole, Err(errno)) => Err(*errno),
            (Rendered::Full, _) => Err(Errno::ENOBUFS),
            (Rendered::Nothing, _) => Err(Errno::EINVAL),
        };
        if sent.is_err() {
            self.outstanding.end_dump();
        }
        self.count(Traffic { requests: 1, sends: 1, reads: 0 });
        sent
    }

    /// The next dump of the queue, if none is running.
    pub fn next_dump(&mut self) -> Option<Action> {
        if self.outstanding.is_dumping() { None } else { self.dumps.pop_front() }
    }

    /// A dump that waits, whatever is running: for giving all up.
    pub fn drop_dump(&mut self) -> Option<Action> {
        self.dumps.pop_front()
    }

    /// Reads one datagram; `context` is woken when there is another.
    pub fn receive(&self, context: &Context<'_>, buffer: &mut [u8]) -> Incoming {
        let Ok(socket) = &self.socket else { return Incoming::Empty };
        self.count(Traffic { reads: 1, ..Traffic::default() });
        match socket.io().receive(buffer) {
            Ok(Incoming::Empty) => {
                socket.wake_when_readable(context);
                Incoming::Empty
            }
            Ok(incoming) => incoming,
            // What it is we cannot know; what it means we can: answers may be lost.
            Err(_) => Incoming::Overrun,
        }
    }

    /// When something is overdue.
    pub fn next_deadline(&self) -> Instant {
        self.outstanding.next_deadline()
    }
}

/// Sends what is in the buffer, which are the newest outstanding requests; if it was not taken, they are refused.
fn flush(
    socket: &Result<Source<NetlinkSocket>, Errno>,
    (batch, outstanding): (&mut Batch, &mut Outstanding),
    writer: &mut Writer<'_>,
    refused: &mut Refused,
) {
    let count = writer.messages();
    if count > 0 {
        writer.acknowledge_last();
        // Not the time that others took the processor: smaller batches would not give it back.
        let start = clock::spent();
        let sent = match socket {
            Ok(socket) => socket.io().send(writer.as_bytes()).map_err(|errno| Errno(error::number(errno))),
            Err(errno) => Err(*errno),
        };
        batch.sent(count, clock::spent().since(start));
        if let Err(errno) = sent {
            let actions = (0..count).filter_map(|_| outstanding.take_back());
            for action in actions {
                let _ = refused.push((action, errno));
            }
        }
    }
    writer.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ids::AddressId;
    use crate::director::action::{AddressRef, Dump, Epoch};
    use crate::wire::link::LinkIndex;
    use crate::wire::netlink::{Content, NLM_F_ACK, NLM_F_REQUEST, messages};
    use crate::wire::rtnetlink::{AddressSpec, Message, Request, parse};

    fn removal(id: u32) -> Action {
        Action::RemoveAddress { epoch: Epoch(1), address: AddressRef::Configured(AddressId(id)) }
    }

    /// Asks for the removal of an address that is not there.
    fn render(action: Action, writer: &mut Writer<'_>, seq: u32) -> Rendered {
        let spec = AddressSpec::new(LinkIndex(1), "192.0.2.1".parse().unwrap(), 32);
        if action == removal(5) {
            Rendered::Nothing
        } else {
            Request::RemoveAddress(spec).emit(writer, seq).into()
        }
    }

    fn context() -> Context<'static> {
        Context::from_waker(core::task::Waker::noop())
    }

    #[test]
    fn the_kernel_answers_every_request_of_a_batch_with_its_number() {
        let reactor = Reactor::new(1, 0).unwrap();
        let (mut requests, opened) = Requests::open(&reactor, Protocol::Route);
        opened.unwrap();
        let actions: std::vec::Vec<Action> = (0..64).map(removal).collect();
        let refused = requests.send(&actions, render);
        assert_eq!(
            refused.as_slice(),
            [(removal(5), Errno::EINVAL)],
            "what asks for nothing is answered at once"
        );
        let (mut buffer, mut answered) = (vec![0; 32 << 10], 0);
        while let Incoming::Datagram(length) = requests.receive(&context(), &mut buffer) {
            for message in messages(&buffer[..length]) {
                let message = message.unwrap();
                assert_eq!(message.content, Content::Acknowledgement { errno: Errno::EADDRNOTAVAIL.0 });
                assert_eq!(requests.outstanding.pop().map(|(seq, _)| seq), Some(message.seq));
                answered += 1;
            }
        }
        assert_eq!((answered, requests.outstanding.len()), (63, 0));
    }

    #[test]
    fn of_a_batch_only_the_last_request_and_those_that_fail_are_acknowledged() {
        let reactor = Reactor::new(1, 0).unwrap();
        let (mut requests, _) = Requests::open(&reactor, Protocol::Route);
        // `RTM_GETLINK` of the loopback interface, and of one that is not there.
        let render = |action, writer: &mut Writer<'_>, seq| {
            let index: i32 = if action == removal(3) { 999_999 } else { 1 };
            writer.begin(18, NLM_F_REQUEST | NLM_F_ACK, seq);
            let mut head = [0; 16];
            head[4..8].copy_from_slice(&index.to_ne_bytes());
            writer.raw(&head);
            writer.finish().into()
        };
        let actions: std::vec::Vec<Action> = (0..6).map(removal).collect();
        assert!(requests.send(&actions, render).is_empty());
        let (mut buffer, mut shown, mut answers) = (vec![0; 32 << 10], 0, std::vec::Vec::new());
        while let Incoming::Datagram(length) = requests.receive(&context(), &mut buffer) {
            for message in messages(&buffer[..length]).map(Result::unwrap) {
                match message.content {
                    Content::Acknowledgement { errno } => answers.push((message.seq, errno)),
                    Content::Noop | Content::Done { .. } | Content::Overrun | Content::Data(_) => shown += 1,
                }
            }
        }
        let seqs: std::vec::Vec<u32> =
            core::iter::from_fn(|| requests.outstanding.pop()).map(|one| one.0).collect();
        assert_eq!((shown, seqs.len()), (5, 6));
        assert_eq!(answers, [(seqs[3], Errno::ENODEV.0), (seqs[5], 0)]);
    }

    #[test]
    fn one_dump_runs_and_the_next_waits_for_it() {
        let reactor = Reactor::new(1, 0).unwrap();
        let (mut requests, _) = Requests::open(&reactor, Protocol::Route);
        let dump = |what| Action::Dump { epoch: Epoch(1), what };
        let emit = |writer: &mut Writer<'_>, seq| Request::DumpLinks.emit(writer, seq).into();
        requests.dump(dump(Dump::Links), emit).unwrap();
        requests.dump(dump(Dump::Addresses), emit).unwrap();
        assert_eq!(requests.next_dump(), None);
        let (mut buffer, mut loopback, mut done) = (vec![0; 32 << 10], false, false);
        while let Incoming::Datagram(length) = requests.receive(&context(), &mut buffer) {
            for message in messages(&buffer[..length]) {
                let message = message.unwrap();
                assert!(requests.outstanding.dump(message.seq).is_some());
                match message.content {
                    Content::Data(payload) => {
                        let Message::NewLink(link) = parse(message.kind, payload).unwrap() else { continue };
                        loopback |= link.loopback && link.name.as_str() == "lo";
                    }
                    Content::Done { errno } => done = errno == 0,
                    Content::Noop | Content::Acknowledgement { .. } | Content::Overrun => {
                        panic!("{message:?}")
                    }
                }
            }
        }
        assert!(loopback && done);
        assert!(requests.outstanding.end_dump().is_some());
        assert_eq!(requests.next_dump(), Some(dump(Dump::Addresses)));
    }

    #[test]
    fn without_a_socket_every_request_is_answered_by_its_error() {
        let requests = Requests {
            socket: Err(Errno::EAFNOSUPPORT),
            buffer: vec![0; SEND_BUFFER].into_boxed_slice(),
            batch: Batch::default(),
            outstanding: Outstanding::default(),
            dumps: Deque::new(),
            traffic: Cell::default(),
        };
        let mut requests = requests;
        let refused = requests.send(&[removal(1)], render);
        assert_eq!(refused.as_slice(), [(removal(1), Errno::EAFNOSUPPORT)]);
        assert!(requests.outstanding.is_empty());
        let dump = Action::Dump { epoch: Epoch(1), what: Dump::Links };
        assert_eq!(requests.dump(dump, |_, _| Rendered::Whole), Err(Errno::EAFNOSUPPORT));
        assert!(!requests.outstanding.is_dumping());
    }

    #[test]
    fn requests_larger_than_the_buffer_go_out_in_several_sends() {
        let reactor = Reactor::new(1, 0).unwrap();
        let (mut requests, _) = Requests::open(&reactor, Protocol::Route);
        requests.buffer = vec![0; 200].into_boxed_slice();
        let actions: std::vec::Vec<Action> = (10..20).map(removal).collect();
        assert!(requests.send(&actions, render).is_empty());
        let (mut buffer, mut answered) = (vec![0; 32 << 10], 0);
        while let Incoming::Datagram(length) = requests.receive(&context(), &mut buffer) {
            answered += messages(&buffer[..length]).count();
        }
        assert_eq!(answered, 10);
    }
}
