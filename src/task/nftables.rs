//! nf_tables: transactions and looks, each with its answer at once.
//!
//! The kernel works on both inside our send, and has answered when it returns; so there is no task and no queue. The
//! socket and its buffers are there from the first request on: a box whose addresses all answer never has them.

use super::meter::Work;
use super::shell::{Role, Shell};
use crate::director::action::{Action, FilterStep};
use crate::director::event::{Errno, Event, Filtered, Firewalled};
use crate::kernel::error;
use crate::kernel::netlink::{Incoming, NetlinkSocket, Protocol};
use crate::wire::netlink::{Content, Full, Message, Writer, messages};
use crate::wire::nftables::firewall::{self, Part, PartSeen};
use crate::wire::nftables::{Census, Question, TABLE, forget, parse_generation};

/// Bytes of the largest batch, and of one with the rules of a firewall.
const SEND_BUFFER: usize = 16 << 10;
const FIREWALL_BUFFER: usize = 48 << 10;
/// Nothing to read although an answer is due.
const NO_ANSWER: Errno = Errno::LOST;
/// The table changed while it was listed.
const EAGAIN: Errno = Errno(11);

/// Takes a message of an answer and its payload.
type Take<'a> = &'a mut dyn FnMut(&Message<'_>, &[u8]) -> Result<(), Errno>;

/// The socket.
pub(super) struct Exchange {
    socket: NetlinkSocket,
    buffer: Box<[u8]>,
    seq: u32,
}

/// Carries out a step and tells the director.
pub(super) fn apply(shell: &Shell, action: Action, step: FilterStep) {
    let result = shell.meter.measure(Work::Route, || carry_out(shell, step));
    shell.handle(Event::Applied { action, result });
}

/// The same for a table of `firewall`.
pub(super) fn apply_firewall(shell: &Shell, action: Action, (part, step): (Part, FilterStep)) {
    let result = shell.meter.measure(Work::Route, || carry_out_firewall(shell, (part, step)));
    shell.handle(Event::Applied { action, result });
}

/// Has the director look at all tables of `firewall` now: their counters are shown.
pub(super) fn look(shell: &Shell) {
    for part in Part::ALL {
        if shell.director.borrow().firewall_plan().is_built(part) {
            // What does not work now is the next look's to report.
            let _ = carry_out_firewall(shell, (part, FilterStep::Verify));
        }
    }
}

/// Removes what a run that was killed left and the configuration does not have: a table of `no_accept` would drop what
/// is sent to addresses that shall answer, and nobody would know why. To be called at the start, before the first
/// request.
pub(super) fn sweep(shell: &Shell) {
    // A machine that has just booted has none.
    if matches!(shell.options.role, Role::Appliance) {
        return;
    }
    let director = shell.director.borrow();
    let rules = &director.config().firewall;
    let unwanted = Part::ALL.iter().filter(|part| rules.iter().all(|rule| rule.part() != **part));
    let silent = Some(TABLE).filter(|_| !director.nftables_plan().is_used());
    let mut place = shell.nftables.borrow_mut();
    for name in unwanted.map(|part| part.table()).chain(silent) {
        let Ok(exchange) = open(&mut place, SEND_BUFFER) else { return };
        let seq = exchange.next();
        let mut writer = Writer::new(&mut exchange.buffer);
        let sent = forget(name, &mut writer, seq).map_err(|_| Errno::ENOBUFS);
        let sent = sent.and_then(|()| send(&exchange.socket, &writer));
        if sent.and_then(|()| exchange.listen(shell, &mut |_, _| Ok(()))).is_ok() {
            log::warn!("nf_tables table {name} of an earlier run is removed");
        }
    }
    // Most boxes never need it again.
    *place = None;
}

fn open(place: &mut Option<Exchange>, buffer: usize) -> Result<&mut Exchange, Errno> {
    let exchange = match place {
        Some(exchange) => exchange,
        None => place.insert(Exchange::open()?),
    };
    if exchange.buffer.len() < buffer {
        exchange.buffer = vec![0; buffer].into_boxed_slice();
    }
    Ok(exchange)
}

fn carry_out_firewall(shell: &Shell, (part, step): (Part, FilterStep)) -> Result<(), Errno> {
    let mut place = shell.nftables.borrow_mut();
    let exchange = open(&mut place, FIREWALL_BUFFER)?;
    match step {
        FilterStep::Build | FilterStep::Change | FilterStep::Remove => {
            let seq = exchange.next();
            let mut writer = Writer::new(&mut exchange.buffer);
            let written = if step == FilterStep::Build {
                firewall::build(part, &shell.director.borrow().config().firewall, &mut writer, seq)
            } else {
                firewall::remove(part, &mut writer, seq)
            };
            written.map_err(|_| Errno::ENOBUFS)?;
            send(&exchange.socket, &writer)?;
            exchange.listen(shell, &mut |_, _| Ok(()))
        }
        FilterStep::Look => {
            let generation = exchange.generation(shell)?;
            shell.handle(Event::Firewall(Firewalled::Generation(generation)));
            Ok(())
        }
        FilterStep::Verify => {
            let mut seen = PartSeen::default();
            exchange.ask(
                shell,
                |writer, seq| firewall::ask(part, writer, seq),
                &mut |message, payload| {
                    if message.is_interrupted() {
                        return Err(EAGAIN);
                    }
                    seen.take(part, payload).map_err(|_| NO_ANSWER)
                },
            )?;
            shell.handle(Event::Firewall(Firewalled::Seen(part, &seen)));
            Ok(())
        }
    }
}

fn carry_out(shell: &Shell, step: FilterStep) -> Result<(), Errno> {
    let mut place = shell.nftables.borrow_mut();
    let exchange = open(&mut place, SEND_BUFFER)?;
    match step {
        FilterStep::Build | FilterStep::Change | FilterStep::Remove => {
            let seq = exchange.next();
            let mut writer = Writer::new(&mut exchange.buffer);
            shell
                .director
                .borrow()
                .filter_transaction(step)
                .ok_or(Errno::EINVAL)?
                .emit(&mut writer, seq)
                .map_err(|_| Errno::ENOBUFS)?;
            send(&exchange.socket, &writer)?;
            exchange.listen(shell, &mut |_, _| Ok(()))
        }
        FilterStep::Look => {
            let generation = exchange.generation(shell)?;
            shell.handle(Event::Filtered(Filtered::Generation(generation)));
            Ok(())
        }
        FilterStep::Verify => {
            let mut census = Census::default();
            let sets = (0..Question::SETS).map(Question::Elements);
            for question in core::iter::once(Question::Rules).chain(sets) {
                exchange.ask(shell, |writer, seq| question.emit(writer, seq), &mut |message, payload| {
                    if message.is_interrupted() {
                        return Err(EAGAIN);
                    }
                    census.count(question, payload).map_err(|_| NO_ANSWER)
                })?;
            }
            shell.handle(Event::Filtered(Filtered::Census(census)));
            Ok(())
        }
    }
}

fn send(socket: &NetlinkSocket, writer: &Writer<'_>) -> Result<(), Errno> {
    socket.send(writer.as_bytes()).map_err(|errno| Errno(error::number(errno)))
}

impl Exchange {
    fn open() -> Result<Self, Errno> {
        let socket = NetlinkSocket::open(Protocol::Netfilter, 0).map_err(|error| Errno(error.number()))?;
        Ok(Self { socket, buffer: vec![0; SEND_BUFFER].into_boxed_slice(), seq: 0 })
    }

    fn next(&mut self) -> u32 {
        self.seq = self.seq.wrapping_add(1);
        self.seq
    }

    fn generation(&mut self, shell: &Shell) -> Result<u32, Errno> {
        let mut generation = None;
        self.ask(shell, |writer, seq| Question::Generation.emit(writer, seq), &mut |message, payload| {
            generation = parse_generation(message.kind, payload).ok();
            Ok(())
        })?;
        generation.ok_or(NO_ANSWER)
    }

    fn ask(
        &mut self,
        shell: &Shell,
        question: impl FnOnce(&mut Writer<'_>, u32) -> Result<(), Full>,
        take: Take<'_>,
    ) -> Result<(), Errno> {
        let seq = self.next();
        let mut writer = Writer::new(&mut self.buffer);
        question(&mut writer, seq).map_err(|_| Errno::ENOBUFS)?;
        send(&self.socket, &writer)?;
        self.listen(shell, take)
    }

    /// Reads until the last request is answered. What is left of an earlier one is passed over.
    fn listen(&self, shell: &Shell, take: Take<'_>) -> Result<(), Errno> {
        let mut datagram = shell.datagram.borrow_mut();
        loop {
            let received = self.socket.receive(&mut datagram);
            let length = match received.map_err(|errno| Errno(error::number(errno)))? {
                Incoming::Datagram(length) => length,
                Incoming::Stranger => continue,
                Incoming::Empty | Incoming::Cut | Incoming::Overrun => return Err(NO_ANSWER),
            };
            for message in messages(datagram.get(..length).unwrap_or(&[])) {
                let message = message.map_err(|_| NO_ANSWER)?;
                if message.seq != self.seq {
                    continue;
                }
                match message.content {
                    Content::Acknowledgement { errno: 0 } | Content::Done { errno: 0 } => {
                        return if message.is_interrupted() { Err(EAGAIN) } else { Ok(()) };
                    }
                    Content::Acknowledgement { errno } | Content::Done { errno } => return Err(Errno(errno)),
                    Content::Overrun => return Err(NO_ANSWER),
                    Content::Noop => {}
                    Content::Data(payload) => take(&message, payload)?,
                }
            }
        }
    }
}
