//! Socket filters in classic BPF (`linux/filter.h`), and reading a frame together with its interface (packet(7)).

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

/// An instruction, of the few that are needed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instruction {
    /// Loads the byte at this offset; a frame that ends before is refused.
    LoadByte(u32),
    /// Loads the four bytes at this offset, in network order.
    LoadWord(u32),
    /// Passes over the next instruction if what was loaded is this.
    SkipIf(u32),
    /// Passes over the next instruction unless what was loaded is this.
    SkipUnless(u32),
    /// The whole frame is delivered.
    Accept,
    /// Nothing is delivered.
    Refuse,
}

impl Instruction {
    const fn raw(self) -> libc::sock_filter {
        /// `BPF_LD | BPF_B | BPF_ABS`, `BPF_LD | BPF_W | BPF_ABS`, `BPF_JMP | BPF_JEQ | BPF_K`, `BPF_RET | BPF_K`.
        const LOAD_BYTE: u16 = 0x30;
        const LOAD_WORD: u16 = 0x20;
        const JUMP_IF_EQUAL: u16 = 0x15;
        const RETURN: u16 = 0x06;
        let (code, jt, jf, k) = match self {
            Self::LoadByte(at) => (LOAD_BYTE, 0, 0, at),
            Self::LoadWord(at) => (LOAD_WORD, 0, 0, at),
            Self::SkipIf(value) => (JUMP_IF_EQUAL, 1, 0, value),
            Self::SkipUnless(value) => (JUMP_IF_EQUAL, 0, 1, value),
            Self::Accept => (RETURN, 0, 0, u32::MAX),
            Self::Refuse => (RETURN, 0, 0, 0),
        };
        libc::sock_filter { code, jt, jf, k }
    }
}

/// Delivers only what `program` accepts from now on (`SO_ATTACH_FILTER`); it replaces one that was set before.
///
/// # Errors
/// `INVAL` for a program that does not end or is longer than 4,096; `NOMEM` beyond `net.core.optmem_max`.
pub fn set_filter(socket: impl AsFd, program: &[Instruction]) -> Result<(), Errno> {
    const LEN: libc::socklen_t = 16;
    const { assert!(size_of::<libc::sock_fprog>() <= 16, "LEN is the structure's size at most") };
    let mut raw: Vec<libc::sock_filter> = program.iter().map(|one| one.raw()).collect();
    let len = u16::try_from(raw.len()).map_err(|_| Errno::INVAL)?;
    let program = libc::sock_fprog { len, filter: raw.as_mut_ptr() };
    let size = libc::socklen_t::try_from(size_of::<libc::sock_fprog>()).unwrap_or(LEN);
    // SAFETY: `program` and the instructions it points to live through the call; the kernel only reads them.
    super::check(unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size,
        )
    })?;
    Ok(())
}

/// Reads one frame of a packet socket; what is longer than `buffer` is cut. The interface's index and the length.
///
/// # Errors
/// The kernel's.
pub fn receive_frame(socket: impl AsFd, buffer: &mut [u8]) -> Result<(u32, usize), Errno> {
    // SAFETY: a plain structure for which all zeros are a valid value.
    let mut from: libc::sockaddr_ll = unsafe { core::mem::zeroed() };
    let mut size = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(|_| Errno::INVAL)?;
    // SAFETY: buffer and address are valid for the lengths beside them and outlive the call.
    let received = unsafe {
        libc::recvfrom(
            socket.as_fd().as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            0,
            (&raw mut from).cast(),
            &raw mut size,
        )
    };
    let length = usize::try_from(received).map_err(|_| super::last_error())?;
    Ok((u32::try_from(from.sll_ifindex).unwrap_or(0), length))
}
