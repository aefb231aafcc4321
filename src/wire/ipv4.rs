//! The IPv4 header (RFC 791).
