//! A raw packet socket with the kernel's time of each frame: the laboratory's only use of `libc` structures.
//!
//! packet(7), socket(7) `SO_TIMESTAMPNS`. The socket is non-blocking and sees what its interface sends and receives.
#![allow(unsafe_code, reason = "packet addresses and control messages have no safe wrapper in rustix")]

use std::cell::RefCell;
use std::ffi::CString;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Frames longer than this are cut. A veth hands over whole TCP segments of up to 64 KiB.
const MAX_FRAME: usize = 66_000;
/// Bytes asked for the receive queue: an observer must not lose frames while its test thread waits for the processor.
const QUEUE: libc::c_int = 64 << 20;

/// The socket.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    fd: OwnedFd,
    /// Where the kernel puts a frame: those that are kept take only the room they need.
    buffer: RefCell<Box<[u8]>>,
}

impl PacketSocket {
    /// Opens a socket on `interface` of the calling thread's network namespace.
    pub(crate) fn open(interface: &str) -> io::Result<Self> {
        let name = CString::new(interface)?;
        let protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or(3).to_be();
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: plain system calls; `name` is NUL-terminated and outlives the call, the address is a fully
        // initialised sockaddr_ll of the size given, and the descriptor is owned as soon as it is known to be valid.
        unsafe {
            // Protocol 0 until bound: no frame of another interface gets in between.
            let raw = check(libc::socket(libc::AF_PACKET, kind, 0))?;
            let fd = OwnedFd::from_raw_fd(raw);
            let index = libc::if_nametoindex(name.as_ptr());
            if index == 0 {
                return Err(io::Error::last_os_error());
            }
            let mut address: libc::sockaddr_ll = zeroed();
            address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
            address.sll_protocol = protocol;
            address.sll_ifindex = i32::try_from(index).unwrap_or_default();
            let socket = Self { fd, buffer: RefCell::new(vec![0; MAX_FRAME].into_boxed_slice()) };
            socket.set(libc::SO_RCVBUFFORCE, QUEUE)?;
            socket.set(libc::SO_TIMESTAMPNS, 1)?;
            let length = u32::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or_default();
            check(libc::bind(raw, (&raw const address).cast(), length))?;
            Ok(socket)
        }
    }

    /// Sets an integer option of level `SOL_SOCKET`.
    fn set(&self, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
        let length = u32::try_from(size_of::<libc::c_int>()).unwrap_or_default();
        // SAFETY: `value` lives through the call and `length` is its size.
        let result = unsafe {
            libc::setsockopt(self.fd.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const value).cast(), length)
        };
        check(result).map(|_| ())
    }

    /// The next frame and its time since the Unix epoch; `None` if there is none yet.
    pub(crate) fn receive(&self) -> io::Result<Option<(Duration, Vec<u8>)>> {
        let mut frame = self.buffer.borrow_mut();
        let mut control = [0_u64; 16];
        let mut vector = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
        // SAFETY: the header points at buffers that live through the call, with their true lengths; the control
        // message is read only where CMSG_FIRSTHDR says that there is one, and only as the type its header names.
        unsafe {
            let mut header: libc::msghdr = zeroed();
            header.msg_iov = &raw mut vector;
            header.msg_iovlen = 1;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = size_of_val(&control);
            let count = libc::recvmsg(self.fd.as_raw_fd(), &raw mut header, 0);
            let Ok(length) = usize::try_from(count) else {
                let error = io::Error::last_os_error();
                return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
            };
            let mut at = Duration::ZERO;
            let message = libc::CMSG_FIRSTHDR(&raw const header);
            if !message.is_null() && (*message).cmsg_type == libc::SCM_TIMESTAMPNS {
                let time: libc::timespec = libc::CMSG_DATA(message).cast::<libc::timespec>().read_unaligned();
                let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
                at = Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default());
            }
            Ok(Some((at, frame.get(..length).unwrap_or(&frame).to_vec())))
        }
    }

    /// Sends a whole frame, Ethernet header included. Waits while the queue is full.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        loop {
            // SAFETY: the pointer and the length are those of `frame`.
            let count = unsafe { libc::send(self.fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
            if count >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if !matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS)) {
                return Err(error);
            }
            std::thread::yield_now();
        }
    }
}

/// The result of a system call, or its error.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
