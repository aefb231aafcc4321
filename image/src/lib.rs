//! The laboratory: what the tests and the demonstration run lvsbox in.
//!
//! A [`netns::Lan`] is a bridge in a network namespace with hosts on it; [`process::Process`] is a program in one of
//! them; [`capture::Capture`] is the observer on the wire; [`web::WebServer`] is a real server with a chosen
//! behaviour, [`secure`] one over TLS; [`machine::Machine`] boots the appliance's image ([`firmware::Firmware`], for a
//! [`board::Board`]); [`guest::Guest`] is the whole machine again under another kernel, one that has IPVS;
//! [`world::World`] is such a guest with a client and two web servers. Everything is taken down when its value is
//! dropped, also on a panic; what a killed run left behind is swept at the next start.
//!
//! This is test equipment: it fails by panicking with the name of what it waited for, and none of it enters the
//! firmware.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "test equipment of the host: it has clocks, threads and children, and fails a test by panicking"
)]

pub mod archive;
pub mod bench;
pub mod board;
pub mod capture;
pub mod cleanup;
pub mod demo;
pub mod firmware;
pub mod frames;
pub mod guest;
pub mod http;
pub mod keepalived;
pub mod kernel;
pub mod machine;
pub mod modules;
pub mod monitor;
pub mod netns;
pub mod process;
pub mod scratch;
pub mod secure;
pub mod serial;
pub mod soak;
pub mod switch;
pub mod terminal;
pub mod wait;
pub mod web;
pub mod world;

mod packet;
mod screen;
