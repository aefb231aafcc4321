//! The director as a whole: what the kernel and the neighbours see of it.

mod addresses;
