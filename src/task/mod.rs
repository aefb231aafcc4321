//! The shell around the director: the loop, the reactor, one event source per file, and `apply`, which carries out
//! actions. Nothing here decides; everything is bounded and spawned when a configuration is loaded.
//!
//! Read `run` first: it says in which order a turn does things. `shell` is the state that tasks share.

mod adverts;
pub mod answer;
mod answers;
mod apply;
pub mod batch;
pub mod birth;
mod claims;
mod console;
pub mod control;
mod dump;
mod echo;
pub mod feed;
mod ipvs;
mod ipvs_views;
mod journal;
mod kernel_tables;
pub mod load;
pub mod meter;
mod monitor;
pub mod need;
mod neighbours;
mod nftables;
pub mod outstanding;
mod probe;
pub mod reactor;
mod real;
pub mod reload;
pub mod requests;
mod route;
pub mod run;
pub mod settings;
pub mod shell;
mod signals;
mod slots;
mod snapshot;
#[cfg(feature = "tls")]
pub mod tls;
mod via;
mod watch;
