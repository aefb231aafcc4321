//! Unsolicited neighbour advertisements (RFC 4861 section 4.4).
