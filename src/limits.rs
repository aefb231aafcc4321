//! Every capacity of the box, with its reason and what happens at it.
//!
//! A configuration that does not fit is refused when it is loaded, naming the limit; after that nothing grows.

/// Virtual routers (`vrrp_instance`): the VRID is one byte, and no director has more segments than that.
pub const MAX_INSTANCES: usize = 255;
/// Virtual addresses of all instances together. The kernel's own cost is quadratic per device beyond this.
pub const MAX_ADDRESSES: usize = 4_096;
/// Routes, virtual and static: about 150 bytes each.
pub const MAX_ROUTES: usize = 4_096;
/// Routing rules, virtual and static: the kernel looks at them one after the other for every packet.
pub const MAX_RULES: usize = 1_024;
/// Next hops of one route.
pub const MAX_NEXT_HOPS: usize = 8;
/// Routes that are tracked: each route that the kernel tells of is compared with all of them.
pub const MAX_TRACKED_ROUTES: usize = 64;
/// `track_group` blocks.
pub const MAX_TRACK_GROUPS: usize = 255;
/// Advertised addresses of one instance: the count is one byte on the wire (RFC 3768 section 5.3.5).
pub const MAX_ADVERTISED: usize = 255;
/// The same over IPv6: what fits a packet of 1,500 bytes, as the kernel splits none that we made ourselves.
pub const MAX_ADVERTISED_IPV6: usize = 90;
/// Unicast peers of one instance: each costs one datagram per advertisement interval.
pub const MAX_PEERS: usize = 64;
/// Interfaces named by a configuration, and interfaces of the kernel's that are shown: 120 bytes each meanwhile.
pub const MAX_LINKS: usize = 1_024;
/// Addresses of the kernel's that are shown, ours and as many of others: 24 bytes each meanwhile. Who asks is told
/// that there are more.
pub const MAX_KERNEL_ADDRESSES: usize = 2 * MAX_ADDRESSES;
/// Virtual services.
pub const MAX_SERVICES: usize = 4_096;
/// Real servers of all services together, the first sorry server of each not counted.
pub const MAX_REAL_SERVERS: usize = 65_536;
/// Distinct probes; equal probes of one target are made once and shared.
pub const MAX_PROBES: usize = 65_536;
/// Real servers that are checked through virtual addresses (`via_vip`): each takes a service of the kernel's.
pub const MAX_VIA: usize = 1_024;
/// Probe connections open at the same time. A probe that finds no slot waits for one; the wait is shown.
pub const MAX_SLOTS: usize = 1_024;
/// Actions taken from the director in one poll, and requests outstanding at the kernel: of more than 256
/// acknowledgements in one send the default receive buffer loses the rest.
pub const MAX_BATCH: usize = 64;
/// Records kept in memory; the oldest goes first, and every reader is told how many it missed.
pub const MAX_RECORDS: usize = 1_024;
/// Objects found in the kernel inside a service of ours that nobody configured, held until they are removed.
/// More are found again by the next audit.
pub const MAX_STRANGERS: usize = 64;
/// Bytes of one configuration text.
pub const MAX_CONFIG_BYTES: usize = 64 << 20;
/// Bytes of one line of configuration; a longer line is reported and ignored.
pub const MAX_LINE_BYTES: usize = 4_096;
/// Nesting of configuration blocks. The deepest meaningful one is five.
pub const MAX_DEPTH: usize = 16;
/// Files that one configuration includes, and names that one pattern may match.
pub const MAX_INCLUDES: usize = 256;
/// Files open at the same time because one includes the other.
pub const MAX_INCLUDE_DEPTH: usize = 8;
/// Names in one folder that a pattern is compared with: reading them is one piece of work.
pub const MAX_FOLDER_NAMES: usize = 4_096;
/// `$NAME=` of one configuration: each use looks through all of them.
pub const MAX_DEFINITIONS: usize = 1_024;
/// Variables replaced in one line; one that stands for itself ends here.
pub const MAX_SUBSTITUTIONS: usize = 256;
/// Generators and definitions of several lines inside each other; one that stands for itself ends here.
pub const MAX_NESTED_EXPANSIONS: usize = 16;
/// Lines that generators and definitions of several lines make: four for every real server.
pub const MAX_GENERATED_LINES: usize = 262_144;
/// Bytes of words that stand in no file because a variable was replaced or a line generated.
pub const MAX_EXPANDED_BYTES: usize = 16 << 20;
/// Statements of one configuration: 24 for each real server that can be. Each costs 28 bytes while it is read.
pub const MAX_STATEMENTS: usize = 24 * MAX_REAL_SERVERS;
/// Words of one configuration; each costs 8 bytes while it is read.
pub const MAX_WORDS: usize = 4 * MAX_STATEMENTS;
/// Diagnostics kept; further ones are counted.
pub const MAX_DIAGNOSTICS: usize = 100;
/// Bytes of an HTTP reply's head before the server counts as broken.
pub const MAX_HTTP_HEAD: usize = 64 << 10;
/// Bytes of the replies of another text protocol (SMTP_CHECK, SEND_EXPECT) before the server counts as broken.
pub const MAX_TALK: usize = 64 << 10;
/// States of one compiled `regex`: they bound its memory (19 KiB) and the steps of one byte.
pub const MAX_PATTERN_STATES: usize = 512;
/// Groups of a `regex` inside each other: each takes some of the stack while it is read.
pub const MAX_PATTERN_DEPTH: usize = 32;
/// Different patterns of all configurations that are held; equal ones are one.
pub const MAX_PATTERNS: usize = 256;
/// Bytes of a reply that are kept to show why a check failed.
pub const MAX_EVIDENCE: usize = 48;
/// Failed checks whose replies are kept, the latest: 4 KiB in all.
pub const MAX_EVIDENCES: usize = 64;
/// Bytes of an HTTP reply's body that a probe reads; the status judges what is longer.
pub const MAX_HTTP_BODY: usize = 8 << 20;
/// Bytes of a file of certificates: a distribution's bundle of 150 has 230,000.
pub const MAX_TLS_FILE: usize = 1 << 20;
/// TLS handshakes at the same time; further ones wait in order, before they connect. One that is stalled holds its
/// place until its deadline.
pub const MAX_TLS_HANDSHAKES: usize = 16;
/// TLS sessions at the same time, those in their handshake included: 3 MiB of memory if all servers do their worst
/// ([`MAX_TLS_SESSION_BYTES`]).
pub const MAX_TLS_SESSIONS: usize = 32;
/// Slots whose probes may connect for TLS, wait for a place, or speak it: so many that servers which do not accept hold
/// the others up for a minute at most (2,000 of them, 5 s each), and few, so that those that stall do not take the
/// slots of all other probes.
pub const MAX_TLS_SLOTS: usize = 128;
/// Bytes of a server's handshake before it counts as broken; a chain of four certificates has 6,000.
pub const MAX_TLS_HANDSHAKE: usize = 32 << 10;
/// Bytes that a session takes at most, with the longest chain of certificates and records of 16 KiB of the reply in it.
/// Measured by a test.
pub const MAX_TLS_SESSION_BYTES: usize = 96 << 10;
/// Bytes that all sessions share besides the certificates of the configuration: suites, groups, signatures. Measured by
/// a test.
pub const TLS_SHARED_BYTES: usize = 2 << 10;
/// How often our own certificates stand in memory during a step of a handshake whose server asks for them, besides once
/// in each that waits for such a server to read: as said, hashed and encrypted, and while these grow. Measured by a
/// test.
pub const TLS_OWN_COPIES: usize = 4;
/// Bytes of a certificate that is trusted besides itself and what is taken from it. Measured by a test.
pub const TLS_ANCHOR_BYTES: usize = 288;
/// Bytes that reading a file of certificates takes, of each of its own: the text, and what it says.
pub const TLS_FILE_COPIES: usize = 2;
/// Seconds since 1970 of the year in which this was written: a clock before it was never set, and says nothing about
/// whether a certificate is over.
pub const CLOCK_SET_FROM: u64 = 1_767_225_600;
/// Bytes of a virtual address with all that is known of it.
pub const ADDRESS_BYTES: usize = 160;
/// Bytes of a route or a rule with all that is known of it.
pub const ROUTE_BYTES: usize = 256;
/// Bytes of a VRRP instance with its timers, trackers, peers and sync group.
pub const INSTANCE_BYTES: usize = 1_536;
/// Bytes of an interface that is named, most of it the buffer of what reads its adverts.
pub const LINK_BYTES: usize = 3_072;
/// Bytes of what every daemon has whatever its configuration: buffers of netlink, checks, consoles and the control
/// socket, their tasks, and a dump or a table that is shown meanwhile. Measured by a test, as those above.
pub const DAEMON_BYTES: usize = 288 << 10;
/// Bytes that a step of reading a configuration may take in small pieces, which are not asked for one by one.
pub const STEP_BYTES: usize = 128 << 10;
/// Bytes that reading a configuration takes besides its text and its tables: a step, messages, names of files.
pub const READING_BYTES: usize = STEP_BYTES + (128 << 10);
/// Bytes of the program and its stack where the kernel does not say how much of it is mapped.
pub const PROGRAM_BYTES: usize = 3 << 20;
/// Bytes of log text kept in memory for the console.
pub const MAX_LOG_BYTES: usize = 64 << 10;
/// Addresses of ours that others speak for, with name and count; more are counted. An alarm line each.
pub const MAX_DUPLICATES: usize = 16;
/// Clients of the control socket served at the same time; further ones wait in the kernel's queue.
pub const MAX_CLIENTS: usize = 8;
/// Of them, those that follow the log or the changes: the others must find a place for their commands.
pub const MAX_FOLLOWERS: usize = 4;
/// Terminals that the daemon itself serves.
pub const MAX_CONSOLES: usize = 4;
/// Bytes of lines about changes of state, kept for terminals that are slow to show them.
pub const MAX_CHANGE_BYTES: usize = 4 << 10;
/// Bytes of one console command.
pub const MAX_COMMAND_BYTES: usize = 512;
/// Bytes of output that wait for a slow terminal; what comes unasked beyond them is dropped and counted.
pub const MAX_CONSOLE_OUTPUT: usize = 16 << 10;
/// Lines of a console that can be called back: 8 KiB for each terminal.
pub const MAX_HISTORY: usize = 16;
/// Addresses of one `interface` block; virtual addresses are counted apart.
pub const MAX_INTERFACE_ADDRESSES: usize = 64;
/// Rows of `sysctl`, `modules` and `console` in the `appliance` block, each: read once, at start.
pub const MAX_APPLIANCE_ROWS: usize = 256;
/// Rules of `firewall`: each part is replaced in one send, of 48 KiB with this many; each packet is compared with them.
pub const MAX_FIREWALL_RULES: usize = 64;
/// Services and destinations of which the kernel estimates rates: before Linux 6.2 one timer goes through all of them
/// every 2 s and keeps everybody waiting, 15 ms for 65,536. With more it is switched off, and rates read 0.
pub const MAX_ESTIMATORS: usize = 8_192;
/// Addresses of connected networks that the table of neighbours has room for besides the servers: 8 MB of the kernel's
/// if all of them are there.
pub const MAX_HOSTS: u32 = 16_384;
