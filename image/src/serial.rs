//! A guest's serial line: somebody sits at a terminal on a unix socket of QEMU's
//! (`-chardev socket,id=ID,path=PATH,server=on,wait=off -serial chardev:ID`), types, and waits for what is said.
//!
//! A thread reads whatever comes. It connects as soon as the socket is there, and again after the machine has been
//! switched off and on: a [`Serial`] outlives its machine's processes, and remembers everything. While it is stalled
//! nobody reads: QEMU's end fills up (some hundred bytes), then the guest's UART does not drain any more.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::screen::Screen;
use crate::wait;

/// How often the thread tries to connect to a socket that is not there.
const RETRY: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
/// What the console says below a page begins with this; a blank turns it.
const MORE: &str = "-- more: ";
/// Bytes of the line's end that a failure shows.
const TAIL: usize = 3_000;

/// The line. Dropped, it hangs up.
#[derive(Debug)]
pub struct Serial {
    shared: Arc<Mutex<Shared>>,
    name: String,
    wake: UnixStream,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    raw: Vec<u8>,
    /// The same without carriage returns.
    text: Vec<u8>,
    screen: Screen,
    /// Up to here of `text`, [`Serial::expect`] has seen.
    expected: usize,
    prompt: String,
    stalled: bool,
    ended: bool,
    stream: Option<Arc<UnixStream>>,
}

impl Serial {
    /// A line to the socket at `path`, which need not be there yet. `name` names it in messages.
    pub fn open(name: &str, path: &Path) -> Self {
        let shared = Arc::new(Mutex::new(Shared {
            raw: Vec::new(),
            text: Vec::new(),
            screen: Screen::default(),
            expected: 0,
            prompt: "lvsbox> ".to_owned(),
            stalled: false,
            ended: false,
            stream: None,
        }));
        let (wake, woken) = UnixStream::pair().expect("a pair of sockets");
        woken.set_nonblocking(true).expect("never wait for the owner");
        let reader = Reader { shared: Arc::clone(&shared), path: path.to_owned(), woken };
        let thread = std::thread::Builder::new().name(format!("serial {name}")).spawn(move || reader.run());
        Self { shared, name: name.to_owned(), wake, thread: Some(thread.expect("start the line's thread")) }
    }

    /// True while the other end is connected. The end of a connection is not noticed while the line is stalled.
    pub fn is_connected(&self) -> bool {
        self.lock().stream.is_some()
    }

    /// Types text.
    pub fn send(&self, text: &str) {
        self.send_bytes(text.as_bytes());
    }

    /// Types bytes. What the other end does not take is waited for.
    ///
    /// # Panics
    /// If nobody is at the other end, or it takes nothing for 30 s.
    #[track_caller]
    pub fn send_bytes(&self, bytes: &[u8]) {
        self.try_send_bytes(bytes).unwrap_or_else(|why| panic!("{}: {why}", self.name));
    }

    /// The same for whom a machine that is off is no failure.
    ///
    /// # Errors
    /// Why not everything was typed.
    pub fn try_send_bytes(&self, mut bytes: &[u8]) -> Result<(), String> {
        let Some(stream) = self.lock().stream.clone() else { return Err("nobody is on the line".to_owned()) };
        while !bytes.is_empty() {
            match (&*stream).write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut fds = [PollFd::new(&*stream, PollFlags::OUT)];
                    let count = poll(&mut fds, Some(&Timespec { tv_sec: 30, tv_nsec: 0 }));
                    if count == Ok(0) {
                        return Err("nobody takes what is typed".to_owned());
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("type: {error}")),
            }
        }
        Ok(())
    }

    /// Everything that was said so far, as bytes.
    pub fn raw(&self) -> Vec<u8> {
        self.lock().raw.clone()
    }

    /// The bytes that came after the first `position` of them.
    pub fn raw_from(&self, position: usize) -> Vec<u8> {
        self.lock().raw.get(position..).unwrap_or_default().to_vec()
    }

    /// Everything that was said so far, without carriage returns.
    pub fn text(&self) -> String {
        self.text_from(0)
    }

    /// How much was said so far: a position for [`Self::text_from`].
    pub fn position(&self) -> usize {
        self.lock().text.len()
    }

    /// What was said after `position`, without carriage returns.
    pub fn text_from(&self, position: usize) -> String {
        String::from_utf8_lossy(self.lock().text.get(position..).unwrap_or_default()).into_owned()
    }

    /// The rows that a terminal showed so far: without escape sequences, repainted ones as they were when they ended.
    pub fn rows(&self) -> Vec<String> {
        self.lock().screen.rows().to_vec()
    }

    /// How many rows were ended so far: a position for [`Self::shown_from`].
    pub fn row_count(&self) -> usize {
        self.lock().screen.rows().len()
    }

    /// The rows from number `first` on, each with its end, and what stands before the cursor.
    pub fn shown_from(&self, first: usize) -> String {
        let shared = self.lock();
        let rows = shared.screen.rows().get(first..).unwrap_or_default();
        rows.iter().flat_map(|row| [&**row, "\n"]).chain([&*shared.screen.before_cursor()]).collect()
    }

    /// The last `count` rows and what stands before the cursor, each row with its end, and how many bytes were said up
    /// to there, for [`Self::raw_from`].
    pub fn view(&self, count: usize) -> (String, usize) {
        let shared = self.lock();
        let rows = shared.screen.rows();
        let rows = rows.get(rows.len().saturating_sub(count)..).unwrap_or_default();
        let rows = rows.iter().flat_map(|row| [&**row, "\n"]);
        (rows.chain([&*shared.screen.before_cursor()]).collect(), shared.raw.len())
    }

    /// Forgets for [`Self::expect`] what was said so far, and returns the [`Self::position`].
    pub fn mark(&self) -> usize {
        let mut shared = self.lock();
        shared.expected = shared.text.len();
        shared.expected
    }

    /// Waits for `needle` after what was expected last, and returns what was said up to its end, without carriage
    /// returns.
    ///
    /// # Panics
    /// If it does not come `within`; the message names it and shows the end of what was said.
    #[track_caller]
    pub fn expect(&self, needle: &str, within: Duration) -> String {
        self.expect_any(&[needle], within).1
    }

    /// The same for the first of several to come: its index, and what was said up to its end.
    ///
    /// # Panics
    /// As [`Self::expect`].
    #[track_caller]
    pub fn expect_any(&self, needles: &[&str], within: Duration) -> (usize, String) {
        let found = wait::maybe(within, || self.take(needles));
        found.unwrap_or_else(|| self.fail(&format!("any of {needles:?}"), within))
    }

    /// As [`Self::expect`], but `None` if it does not come `within`; nothing is passed over then.
    pub fn try_expect(&self, needle: &str, within: Duration) -> Option<String> {
        wait::maybe(within, || self.take(&[needle])).map(|(_, text)| text)
    }

    /// Waits for a whole row of the terminal, from the first on, that contains `needle`.
    ///
    /// # Panics
    /// As [`Self::expect`].
    #[track_caller]
    pub fn wait_row(&self, needle: &str, within: Duration) -> String {
        let find = || self.lock().screen.rows().iter().find(|row| row.contains(needle)).cloned();
        wait::maybe(within, find).unwrap_or_else(|| self.fail(&format!("a row with {needle:?}"), within))
    }

    /// What the console's prompt is from now on; `lvsbox> ` at first. Its blank at the end belongs to it.
    pub fn set_prompt(&self, prompt: &str) {
        prompt.clone_into(&mut self.lock().prompt);
    }

    /// Waits until the prompt stands in the cursor's row, and nothing behind it.
    ///
    /// # Panics
    /// As [`Self::expect`].
    #[track_caller]
    pub fn wait_prompt(&self, within: Duration) {
        let found = wait::maybe(within, || self.lock().at_prompt().then_some(()));
        found.unwrap_or_else(|| self.fail("the prompt", within));
    }

    /// Types `line` and Enter at the console, and returns the rows between its echo and the next prompt, as a terminal
    /// shows them, page after page. A line that came unasked meanwhile is among them. The prompt must stand there: the
    /// last command has returned, or [`Self::wait_prompt`]. [`Self::expect`] goes on behind it.
    ///
    /// # Panics
    /// If echo and prompt do not come `within`; the message shows the end of what was said.
    #[track_caller]
    pub fn command(&self, line: &str, within: Duration) -> String {
        let (first, before) = {
            let shared = self.lock();
            (shared.screen.rows().len(), shared.screen.before_cursor())
        };
        // The prompt of before may still be another one.
        let echoes = [format!("{before}{line}"), format!("{}{line}", self.lock().prompt), line.to_owned()];
        self.send(&format!("{line}\r"));
        let mut paged_at = 0;
        let answer = wait::maybe(within, || {
            let mut shared = self.lock();
            if shared.screen.before_cursor().starts_with(MORE) && shared.raw.len() != paged_at {
                paged_at = shared.raw.len();
                drop(shared);
                self.send(" ");
                return None;
            }
            let answer = shared.answer(first, &echoes)?;
            shared.expected = shared.text.len();
            Some(answer)
        });
        answer.unwrap_or_else(|| self.fail(&format!("the prompt after {line:?}"), within))
    }

    /// Stops reading.
    pub fn stall(&self) {
        self.lock().stalled = true;
    }

    /// Reads again.
    pub fn resume(&self) {
        self.lock().stalled = false;
        self.wake();
    }

    fn wake(&self) {
        // Its bytes are only there to be noticed; when they fill the socket, they are.
        (&self.wake).write_all(&[0]).ok();
    }

    fn take(&self, needles: &[&str]) -> Option<(usize, String)> {
        let mut shared = self.lock();
        let rest = shared.text.get(shared.expected..).unwrap_or_default();
        let ends = needles
            .iter()
            .enumerate()
            .filter_map(|(index, needle)| Some((find(rest, needle.as_bytes())? + needle.len(), index)));
        let (end, index) = ends.min()?;
        let text = String::from_utf8_lossy(&rest[..end]).into_owned();
        shared.expected += end;
        Some((index, text))
    }

    #[track_caller]
    fn fail(&self, what: &str, within: Duration) -> ! {
        let text = self.text();
        let mut start = text.len().saturating_sub(TAIL);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        panic!("{}: waited {within:?} in vain for {what}; it said last:\n{}", self.name, &text[start..]);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("the line's thread has not panicked")
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        if let Ok(mut shared) = self.shared.lock() {
            shared.ended = true;
        }
        self.wake();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    fn at_prompt(&self) -> bool {
        self.screen.before_cursor() == self.prompt
    }

    /// What stands between the echo of a command, in the row `first` or below it, and the prompt.
    fn answer(&self, first: usize, echoes: &[String]) -> Option<String> {
        let rows = self.screen.rows().get(first..)?;
        let echo = rows.iter().position(|row| echoes.iter().any(|echo| echo.trim_end() == row))?;
        self.at_prompt().then(|| rows[echo + 1..].iter().flat_map(|row| [row, "\n"]).collect())
    }

    fn add(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        self.text.extend(bytes.iter().filter(|byte| **byte != b'\r'));
        self.screen.write(bytes);
    }
}

/// Where `needle` begins in `bytes`.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len().max(1)).position(|window| window == needle)
}

/// The thread.
struct Reader {
    shared: Arc<Mutex<Shared>>,
    path: PathBuf,
    woken: UnixStream,
}

impl Reader {
    fn run(self) {
        while !self.lock().ended {
            let Ok(stream) = UnixStream::connect(&self.path) else {
                poll(&mut [PollFd::new(&self.woken, PollFlags::IN)], Some(&RETRY)).ok();
                self.forget_wakes();
                continue;
            };
            stream.set_nonblocking(true).expect("never wait in a read");
            let stream = Arc::new(stream);
            self.lock().stream = Some(Arc::clone(&stream));
            self.listen(&stream);
            let mut shared = self.lock();
            shared.screen.end_row();
            shared.stream = None;
        }
    }

    /// Reads until the other end hangs up or the owner does.
    fn listen(&self, stream: &UnixStream) {
        loop {
            let stalled = self.lock().stalled;
            let mut fds = vec![PollFd::new(&self.woken, PollFlags::IN)];
            if !stalled {
                fds.push(PollFd::new(stream, PollFlags::IN));
            }
            poll(&mut fds, None).ok();
            self.forget_wakes();
            let mut shared = self.lock();
            if shared.ended {
                return;
            }
            // Under the lock: once `stall` has returned, nothing is read.
            if !shared.stalled {
                let mut chunk = [0; 4_096];
                let mut stream = stream;
                match stream.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(count) => shared.add(&chunk[..count]),
                    Err(error) if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) => {
                    }
                    Err(_) => return,
                }
            }
        }
    }

    /// What wakes the thread has no meaning of its own; a byte that stays wakes it once more.
    fn forget_wakes(&self) {
        let _count = (&self.woken).read(&mut [0; 16]);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("the line's owner has not panicked with the lock")
    }
}

#[cfg(test)]
mod tests;
