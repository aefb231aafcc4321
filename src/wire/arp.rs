//! Gratuitous ARP (RFC 826, RFC 5227 section 3).
