//! The demonstration: two directors on a virtual LAN with a client and two web servers, for a person ([`console`]) or
//! as a story that checks itself ([`tour`]).
//!
//! [`lan`] is what both run on; [`menu`] and [`watch`] are what a person is shown. What stops a machine or a wire here
//! stops it as outside: power fails, cables are pulled, nothing is told.

pub mod console;
pub mod crash;
pub mod lan;
pub mod menu;
pub mod tour;
pub mod watch;
