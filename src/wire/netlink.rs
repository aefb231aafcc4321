//! netlink framing (`linux/netlink.h`) and generic netlink (`linux/genetlink.h`).
