//! What tests of the director share: configurations without a file, and a box in virtual time.
//!
//! Used by the tests beside the code and by the simulation; each uses a part of it.

#![allow(dead_code, unused_imports, reason = "each user takes a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod build;
mod kernel;
mod node;
mod world;

pub(crate) use build::{Builder, Rs, Vr, Vs, ip, tcp_key};
pub(crate) use kernel::{Fault, Kernel};
pub(crate) use node::{Heard, Node, Server, at};
pub(crate) use world::{Lan, World};

/// A small generator of pseudo-random numbers: a seed tells the whole story.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    /// True `percent` times of a hundred.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
