//! A learning Ethernet switch between QEMU guests: one thread, a unix socket per port, and the cables in our hands.
//!
//! A guest's card is plugged in with `-netdev stream,id=ID,server=off,addr.type=unix,addr.path=SOCKET`: each frame
//! goes over the socket behind its length in four bytes, big-endian (QEMU's net/stream.c). The sockets listen as soon
//! as the switch exists, and so before the guests start. A guest may go, and another one take its port.
//!
//! Frames to a group and to nobody known are repeated to every other port (IEEE 802.1D-2004 7.7); the rest goes where
//! its destination was last heard. What a guest does not read is queued up to a bound, and then lost.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crate::frames::{Advert, Frame};
use crate::scratch::Scratch;
use crate::wait;
use run::Run;

mod run;

/// Frames that are remembered; the oldest goes first. At most 25 MB of ordinary frames, some minutes of a busy LAN.
pub const MAX_SEEN: usize = 16_384;
/// Ethernet addresses that are remembered; a frame to any other is repeated.
const MAX_ADDRESSES: usize = 1_024;

/// A frame that came in, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The port, from 0.
    pub port: usize,
    /// The frame, with the time since the Unix epoch at which the switch read it.
    pub frame: Frame,
}

/// The switch. Dropped, every guest loses its peer.
#[derive(Debug)]
pub struct Switch {
    shared: Arc<Mutex<Shared>>,
    wires: Vec<PathBuf>,
    wake: UnixStream,
    thread: Option<JoinHandle<()>>,
    _scratch: Scratch,
}

/// What the thread and the switch's owner both see.
#[derive(Debug)]
struct Shared {
    ports: Vec<Port>,
    addresses: Vec<([u8; 6], usize)>,
    seen: VecDeque<Seen>,
    capture: Option<File>,
    lost_total: u64,
    /// How often the thread was asked for all there is to read, and how often it has read it.
    asked: u64,
    settled: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Port {
    cut: bool,
    plugged: bool,
    delay: Duration,
    /// Every so many frames one is lost; 0 for none.
    drop_every: u64,
    entered_total: u64,
}

impl Switch {
    /// A switch of `ports` ports, all joined.
    pub fn new(ports: usize) -> Self {
        let scratch = Scratch::new("switch");
        let wires: Vec<PathBuf> = (0..ports).map(|port| scratch.join(&format!("port{port}"))).collect();
        let listeners: Vec<UnixListener> = wires
            .iter()
            .map(|path| UnixListener::bind(path).expect("listen on a port of the switch"))
            .collect();
        let shared = Arc::new(Mutex::new(Shared {
            ports: vec![Port::default(); ports],
            addresses: Vec::new(),
            seen: VecDeque::new(),
            capture: None,
            lost_total: 0,
            asked: 0,
            settled: 0,
        }));
        let (wake, woken) = UnixStream::pair().expect("a pair of sockets");
        let run = Run::new(Arc::clone(&shared), listeners, woken);
        let thread = std::thread::Builder::new().name("switch".to_owned()).spawn(move || run.run());
        Self {
            shared,
            wires,
            wake,
            thread: Some(thread.expect("start the switch's thread")),
            _scratch: scratch,
        }
    }

    /// The socket of `port`, for the guest's `addr.path=`.
    pub fn wire(&self, port: usize) -> &Path {
        &self.wires[port]
    }

    /// True while a guest is connected to `port`.
    pub fn is_plugged(&self, port: usize) -> bool {
        self.lock().ports[port].plugged
    }

    /// Loses every frame from and to `port`, those on their way included. The guest keeps its carrier.
    pub fn cut(&self, port: usize) {
        let mut shared = self.lock();
        shared.ports[port].cut = true;
        shared.addresses.retain(|(_, known)| *known != port);
    }

    /// Waits until every frame that a guest sent before now has come in: only then a frame that comes in was sent
    /// afterwards.
    ///
    /// # Panics
    /// If the thread does not run.
    #[track_caller]
    pub fn settle(&self) {
        let asked = {
            let mut shared = self.lock();
            shared.asked += 1;
            shared.asked
        };
        (&self.wake).write_all(&[run::SETTLE]).expect("wake the switch's thread");
        wait::until("the switch to read what was sent", wait::secs(30), || {
            (self.lock().settled >= asked).then_some(())
        });
    }

    /// Forwards them again.
    pub fn join(&self, port: usize) {
        self.lock().ports[port].cut = false;
    }

    /// Makes every frame from `port`, and every frame to it, this much later than it was. Frames already on their way
    /// keep their time, so that one sent after the delay was made shorter may overtake them.
    pub fn delay(&self, port: usize, delay: Duration) {
        self.lock().ports[port].delay = delay;
    }

    /// Loses every `n`th frame from `port`, counted from now; 0 loses none, 1 all.
    pub fn drop_every(&self, port: usize, n: u64) {
        let mut shared = self.lock();
        shared.ports[port].drop_every = n;
        shared.ports[port].entered_total = 0;
    }

    /// Writes every frame that comes in from now on to a new file at `path`, in the format of pcap-savefile(5). The
    /// file is complete after each frame. Frames lost at a cut port or by [`Self::drop_every`] did not come in.
    pub fn capture(&self, path: &Path) {
        let mut file = File::create(path).expect("create the capture's file");
        file.write_all(&pcap_header()).expect("write the capture's header");
        self.lock().capture = Some(file);
    }

    /// The frames that came in, oldest first: the last [`MAX_SEEN`] since the last [`Self::clear`].
    pub fn frames(&self) -> Vec<Frame> {
        self.lock().seen.iter().map(|seen| seen.frame.clone()).collect()
    }

    /// The same with their ports.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().seen.iter().cloned().collect()
    }

    /// The adverts among them.
    pub fn adverts(&self) -> Vec<Advert> {
        self.lock().seen.iter().filter_map(|seen| seen.frame.advert()).collect()
    }

    /// Forgets the frames seen so far.
    pub fn clear(&self) {
        self.lock().seen.clear();
    }

    /// Frames lost for any reason: a cut port, [`Self::drop_every`], a guest that does not read.
    pub fn lost_total(&self) -> u64 {
        self.lock().lost_total
    }

    /// Waits for the first frame seen of which `pick` makes something.
    ///
    /// # Panics
    /// If none comes `within`; the message names `what`.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, within: Duration, pick: impl Fn(&Seen) -> Option<T>) -> T {
        wait::until(what, within, || self.lock().seen.iter().find_map(&pick))
    }

    /// Waits for the first advert seen that fits; `fits` is given its port as well.
    ///
    /// # Panics
    /// If none comes `within`; the message names `what`.
    #[track_caller]
    pub fn wait_advert(&self, what: &str, within: Duration, fits: impl Fn(usize, &Advert) -> bool) -> Advert {
        self.wait(what, within, |seen| seen.frame.advert().filter(|advert| fits(seen.port, advert)))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("the switch's thread has not panicked")
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.wake.write_all(&[run::END]).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    /// Takes a frame that came in at `port`, and says which ports it leaves by and after which delay.
    fn enter(&mut self, port: usize, bytes: &[u8]) -> Vec<(usize, Duration)> {
        let (Some(destination), Some(source)) = (address(bytes, 0), address(bytes, 6)) else {
            self.lost_total += 1;
            return Vec::new();
        };
        let state = &mut self.ports[port];
        state.entered_total += 1;
        let is_dropped = state.drop_every > 0 && state.entered_total.is_multiple_of(state.drop_every);
        if state.cut || is_dropped {
            self.lost_total += 1;
            return Vec::new();
        }
        self.remember(port, bytes);
        self.learn(source, port);
        let known = self.addresses.iter().find(|(known, _)| *known == destination).map(|(_, port)| *port);
        let delay = self.ports[port].delay;
        let ways = self.ports.iter().enumerate().filter(|(out, _)| *out != port);
        ways.filter(|(out, _)| known.is_none_or(|known| known == *out))
            .map(|(out, state)| (out, delay + state.delay))
            .collect()
    }

    /// A group is nobody's source (IEEE 802.1D-2004 7.8).
    fn learn(&mut self, source: [u8; 6], port: usize) {
        if source[0] & 1 == 1 {
            return;
        }
        if let Some((_, known)) = self.addresses.iter_mut().find(|(known, _)| *known == source) {
            *known = port;
        } else if self.addresses.len() < MAX_ADDRESSES {
            self.addresses.push((source, port));
        }
    }

    fn remember(&mut self, port: usize, bytes: &[u8]) {
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if let Some(file) = &mut self.capture {
            file.write_all(&pcap_record(at, bytes)).expect("write to the capture's file");
        }
        if self.seen.len() == MAX_SEEN {
            self.seen.pop_front();
        }
        self.seen.push_back(Seen { port, frame: Frame { at, bytes: bytes.to_vec() } });
    }
}

fn address(bytes: &[u8], offset: usize) -> Option<[u8; 6]> {
    bytes.get(offset..offset + 6)?.try_into().ok()
}

/// pcap-savefile(5): magic number, version 2.4, two reserved words, the longest frame, link type 1 (Ethernet).
fn pcap_header() -> Vec<u8> {
    [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 0x4_0000, 1_u32].map(u32::to_le_bytes).concat()
}

/// Seconds, microseconds, captured and true length, the frame.
fn pcap_record(at: Duration, bytes: &[u8]) -> Vec<u8> {
    let seconds = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut record = [seconds, at.subsec_micros(), length, length].map(u32::to_le_bytes).concat();
    record.extend_from_slice(bytes);
    record
}

#[cfg(test)]
mod tests;
