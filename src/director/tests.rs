//! The director as a whole: what the kernel, the neighbours and the log see of it.

mod addresses;
mod health;
mod ipvs;
mod reload;
