//! All tests that are not beside the code, in one binary.
//!
//! `netns` is level 2: network namespaces, with Debian's keepalived as the peer. `guest` is level 3a: the same
//! laboratory inside a QEMU guest whose kernel has IPVS. `image` is level 3b: the appliance's image
//! on a machine of its own. All need root; `tests/run` installs what else they need.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests have clocks, threads and children, and fail by panicking"
)]

mod bad_input;
mod codes;
mod fuzz;
mod guest;
mod image;
mod layering;
mod netns;
mod readme;
mod rig;
mod sim;
mod support;
