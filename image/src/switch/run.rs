//! The switch's thread: sockets in, frames out, one poll(2) for all of it. What happens to a frame is decided in the
//! state shared with the owner; only sockets, their queues and the frames on their way are here.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Shared;

/// The longest frame QEMU sends (its NET_BUFSIZE); a longer length is not the protocol.
const MAX_FRAME: usize = 4_096 + 65_536;
/// Bytes that wait for a guest that does not read. More are lost, as in a switch's port.
const MAX_QUEUED: usize = 4 << 20;
/// Frames that are delayed at one time; more are lost.
const MAX_DELAYED: usize = 65_536;

/// The owner's word to the thread: to end.
pub(super) const END: u8 = 0;
/// To read all that was sent, and say so.
pub(super) const SETTLE: u8 = 1;

/// A frame on its way: when it is due, its number, the port it leaves by.
type Delayed = Reverse<(Instant, u64, usize, Vec<u8>)>;

/// The thread's own state.
pub(super) struct Run {
    shared: Arc<Mutex<Shared>>,
    listeners: Vec<UnixListener>,
    guests: Vec<Option<Guest>>,
    woken: UnixStream,
    delayed: BinaryHeap<Delayed>,
    next: u64,
}

/// What is connected to a port.
struct Guest {
    stream: UnixStream,
    input: Vec<u8>,
    output: VecDeque<u8>,
}

/// The guest has gone, or does not speak the protocol.
struct Gone;

impl Run {
    pub(super) fn new(shared: Arc<Mutex<Shared>>, listeners: Vec<UnixListener>, woken: UnixStream) -> Self {
        for listener in &listeners {
            listener.set_nonblocking(true).expect("never wait for a guest");
        }
        woken.set_nonblocking(true).expect("never wait for the owner");
        let guests = listeners.iter().map(|_| None).collect();
        Self { shared, listeners, guests, woken, delayed: BinaryHeap::new(), next: 0 }
    }

    /// Forwards until the owner wakes it.
    pub(super) fn run(mut self) {
        loop {
            let (called, accepting, ready) = self.wait();
            // Who connected before a frame was sent is there when it is forwarded.
            for port in accepting {
                self.accept(port);
            }
            if called && self.obey() {
                return;
            }
            for (port, flags) in ready {
                if flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                    self.read(port);
                }
                self.flush(port);
            }
            self.release();
        }
    }

    /// Does what the owner asks for; true if that is to end. What was sent before the question is in the sockets: a
    /// unix socket has no way on which a frame could still be.
    fn obey(&mut self) -> bool {
        let asked = self.lock().asked;
        let mut words = [0; 64];
        let count = self.woken.read(&mut words).unwrap_or_default();
        for port in 0..self.guests.len() {
            while !self.read(port) {}
        }
        self.lock().settled = asked;
        words.iter().take(count).any(|word| *word == END)
    }

    /// Waits until there is something to do: whether the owner calls, ports with a new guest, ports that are ready.
    fn wait(&self) -> (bool, Vec<usize>, Vec<(usize, PollFlags)>) {
        let mut fds = vec![PollFd::new(&self.woken, PollFlags::IN)];
        let mut ports = Vec::new();
        for (port, guest) in self.guests.iter().enumerate() {
            let Some(guest) = guest else { continue };
            let out = if guest.output.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            fds.push(PollFd::new(&guest.stream, PollFlags::IN | out));
            ports.push(port);
        }
        // Behind the guests: poll(2) looks at them in this order, so a guest that connected before another one sent
        // a frame that is seen is seen too.
        fds.extend(self.listeners.iter().map(|listener| PollFd::new(listener, PollFlags::IN)));
        let left =
            self.delayed.peek().map(|Reverse((due, ..))| due.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("wait for a frame: {error}"),
        }
        let mut flags = fds.iter().map(PollFd::revents);
        let called = flags.next().is_some_and(|flags| !flags.is_empty());
        let ready = ports.into_iter().zip(flags.by_ref()).filter(|(_, flags)| !flags.is_empty()).collect();
        let accepting = flags.enumerate().filter(|(_, flags)| !flags.is_empty()).map(|(port, _)| port);
        (called, accepting.collect(), ready)
    }

    /// The new guest replaces one that is still there: two cables do not fit into one port.
    fn accept(&mut self, port: usize) {
        let Ok((stream, _)) = self.listeners[port].accept() else { return };
        stream.set_nonblocking(true).expect("never wait for a guest");
        self.guests[port] = Some(Guest { stream, input: Vec::new(), output: VecDeque::new() });
        self.lock().ports[port].plugged = true;
    }

    /// Forwards what a guest sent, at most some frames of it; true if that was all there is.
    fn read(&mut self, port: usize) -> bool {
        let Some(guest) = &mut self.guests[port] else { return true };
        let filled = guest.fill();
        loop {
            let Some(guest) = &mut self.guests[port] else { return true };
            match (guest.frame(), &filled) {
                (Ok(Some(frame)), _) => self.forward(port, &frame),
                (Ok(None), Ok(whole)) => return *whole,
                (Ok(None), Err(Gone)) | (Err(Gone), _) => {
                    self.unplug(port);
                    return true;
                }
            }
        }
    }

    fn forward(&mut self, port: usize, frame: &[u8]) {
        let ways = self.lock().enter(port, frame);
        for (out, delay) in ways {
            if delay.is_zero() {
                self.send(out, frame);
            } else if self.delayed.len() < MAX_DELAYED {
                self.next += 1;
                self.delayed.push(Reverse((Instant::now() + delay, self.next, out, frame.to_vec())));
            } else {
                self.lock().lost_total += 1;
            }
        }
    }

    /// Sends what is due.
    fn release(&mut self) {
        let now = Instant::now();
        while self.delayed.peek().is_some_and(|Reverse((due, ..))| *due <= now) {
            if let Some(Reverse((_, _, port, frame))) = self.delayed.pop() {
                self.send(port, &frame);
            }
        }
    }

    /// Queues a frame behind its length. A port without a guest loses nothing: nobody is there.
    fn send(&mut self, port: usize, frame: &[u8]) {
        let is_cut = self.lock().ports[port].cut;
        let Some(guest) = &mut self.guests[port] else { return };
        if is_cut || guest.output.len() + 4 + frame.len() > MAX_QUEUED {
            self.lock().lost_total += 1;
            return;
        }
        guest.output.extend(u32::try_from(frame.len()).unwrap_or_default().to_be_bytes());
        guest.output.extend(frame);
        self.flush(port);
    }

    fn flush(&mut self, port: usize) {
        if self.guests[port].as_mut().is_some_and(|guest| guest.flush().is_err()) {
            self.unplug(port);
        }
    }

    fn unplug(&mut self, port: usize) {
        self.guests[port] = None;
        let mut shared = self.lock();
        shared.ports[port].plugged = false;
        shared.addresses.retain(|(_, known)| *known != port);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("the switch's owner has not panicked with the lock")
    }
}

impl Guest {
    /// Reads what is there, at most a frame's length at a time, so that nobody else waits; true if that was all.
    fn fill(&mut self) -> Result<bool, Gone> {
        let mut chunk = [0; 16_384];
        while self.input.len() < 4 + MAX_FRAME {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Gone),
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone),
            }
        }
        Ok(false)
    }

    /// The next whole frame that was read.
    fn frame(&mut self) -> Result<Option<Vec<u8>>, Gone> {
        let Some((head, rest)) = self.input.split_first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if length > MAX_FRAME {
            return Err(Gone);
        }
        let Some(frame) = rest.get(..length).map(<[u8]>::to_vec) else { return Ok(None) };
        self.input.drain(..4 + length);
        Ok(Some(frame))
    }

    /// Writes what the guest takes.
    fn flush(&mut self) -> Result<(), Gone> {
        while !self.output.is_empty() {
            match self.stream.write(self.output.as_slices().0) {
                Ok(0) => return Err(Gone),
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }
}
