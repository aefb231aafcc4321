//! What `lvsbox help E0107` says: the meaning of every code, and of the commonest a wrong and a right example, which
//! the tests load.

use core::fmt::Write as _;

/// A code explained at length.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// Its number.
    pub code: u16,
    /// The block that the lines stand in; empty for the top level. A test knows what else that block needs.
    pub block: &'static str,
    /// What it means and what happens.
    pub text: &'static str,
    /// Lines that give this message and no other.
    pub wrong: &'static str,
    /// Lines that give none.
    pub right: &'static str,
}

/// Every code with its meaning.
pub const CODES: &[(u16, &str)] = &[
    (1, "a block is never closed"),
    (2, "a quote is never closed"),
    (3, "a `}` closes nothing"),
    (4, "a `{` stands behind no keyword"),
    (5, "a line is too long and is left out"),
    (6, "a line holds a NUL byte and is left out"),
    (7, "blocks are nested too deep"),
    (8, "an included file that cannot be read, or is not there"),
    (9, "a definition (`$NAME=value`) that is none, or one too many"),
    (10, "a variable that is not defined; it stays as text"),
    (11, "a generator (`~SEQ`, `~LST`) that is none"),
    (12, "variables or generators make too much text, or never end"),
    (13, "a block is opened in one file and closed in another"),
    (14, "the configuration is too large"),
    (15, "more statements or words than fit"),
    (16, "it needs more memory than there is, and is not loaded"),
    (101, "a word is no keyword"),
    (102, "a keyword of another block"),
    (103, "a keyword lacks its value, or a block what it must have"),
    (104, "a value is of another kind than expected"),
    (105, "a number or a time is out of its range"),
    (106, "a keyword opens a block and its `{` is missing"),
    (107, "a keyword that has no block is followed by `{`"),
    (108, "known, and not supported by this version"),
    (110, "two keywords on one line"),
    (111, "words behind a value are ignored"),
    (112, "a keyword that changes nothing here"),
    (113, "an old spelling"),
    (114, "a keyword given twice"),
    (115, "a time was rounded to microseconds"),
    (201, "a password has more than the 8 characters that count, or others than ASCII"),
    (202, "the instance needs a protocol other than VRRP version 2, and is left out"),
    (203, "an instance lacks what it cannot run without, and is left out"),
    (204, "two instances of one name, or of one VRID on one interface"),
    (205, "a virtual address exists already"),
    (206, "VRRP version 2 has no such advertisement interval"),
    (207, "nopreempt where it cannot work"),
    (208, "a priority that follows from `state MASTER`"),
    (209, "authentication lacks its type or its password"),
    (210, "peers that cannot be used"),
    (211, "a tracker that changes nothing"),
    (212, "a delay or a pause that changes nothing or does harm"),
    (216, "a sync group without members, or with members that are none"),
    (217, "something that is tracked is not defined, or defined twice"),
    (219, "`state MASTER` has no meaning with `auth_type AH`"),
    (224, "a route or a rule that cannot be, or that exists already"),
    (225, "a track_group, or an instance of it, that is not there"),
    (301, "a scheduler that no kernel has"),
    (302, "a service or a real server exists already"),
    (303, "a service without real servers is left out"),
    (304, "a default that may surprise"),
    (305, "a port that the forwarding method does not allow"),
    (306, "a service for every port without persistence"),
    (307, "addresses of two families"),
    (308, "a quorum or a hysteresis that cannot work"),
    (309, "a flag that its scheduler or protocol does not have"),
    (310, "thresholds that contradict each other"),
    (311, "a check without a port"),
    (312, "a second sync daemon, or one of an instance that is not there"),
    (313, "`ha_suspend` that cannot work"),
    (314, "a director that may balance to itself in a circle"),
    (315, "an option of a sorry server stands before it"),
    (318, "via_vip where there is no way through the virtual address"),
    (321, "a file of the `SSL` block that is of no use; its line is left out"),
    (401, "more than this box can hold"),
    (501, "a second block of an interface, or a VLAN on itself"),
    (502, "no kernel setting can have this name"),
    (503, "a firewall rule that exists already, or a mark that nothing uses"),
];

const fn example(
    code: u16,
    block: &'static str,
    text: &'static str,
    wrong: &'static str,
    right: &'static str,
) -> Example {
    Example { code, block, text, wrong, right }
}

const INSTANCE: &str = "vrrp_instance";
const SERVICE: &str = "virtual_server";
const SERVER: &str = "real_server";
const GLOBAL: &str = "global_defs";

/// The commonest.
pub const EXAMPLES: &[Example] = &[
    example(
        1,
        "",
        "The message stands where the block was opened. Where it should end is unknown, so that the file is not used.",
        "global_defs {\n    router_id LB1",
        "global_defs {\n    router_id LB1\n}",
    ),
    example(
        3,
        "",
        "Often a comment sign before a line took the `{` with it, or there is one `}` too many above.",
        "# global_defs {\n}",
        "# global_defs {\n# }",
    ),
    example(
        101,
        INSTANCE,
        "The line or the whole block is left out. `lvsbox help keyword` lists all keywords.",
        "prioritty 150",
        "priority 150",
    ),
    example(
        102,
        INSTANCE,
        "The keyword exists, and the message says in which block. Often a `}` above is one too many or too few.",
        "delay_loop 5",
        "advert_int 1",
    ),
    example(
        103,
        INSTANCE,
        "The value must stand on the line of its keyword. The line is left out.",
        "advert_int",
        "advert_int 1",
    ),
    example(
        104,
        INSTANCE,
        "The message says what was expected. Words are written as shown: MASTER is not Master.",
        "state Master",
        "state BACKUP",
    ),
    example(
        105,
        INSTANCE,
        "The line is left out and the default counts. `lvsbox help keyword NAME` shows range and default.",
        "priority 300",
        "priority 254",
    ),
    example(
        106,
        INSTANCE,
        "The `{` may stand at the end of the line or on a line of its own.",
        "track_interface eth1",
        "track_interface {\n    eth1\n}",
    ),
    example(
        108,
        INSTANCE,
        "lvsbox knows the keyword and cannot do it; the message says what happens instead or what to write.",
        "track_process {\n    sshd\n}",
        "track_interface {\n    eth1\n}",
    ),
    example(
        110,
        INSTANCE,
        "There is one keyword per line, and the second one is left out. Braces may share a line with others.",
        "state BACKUP priority 150",
        "state BACKUP\npriority 150",
    ),
    example(
        111,
        INSTANCE,
        "Nothing is lost unless these words were meant to count.",
        "priority 150 the highest",
        "priority 150 # the highest",
    ),
    example(
        112,
        GLOBAL,
        "The message says why nothing changes. The line can be removed or stay.",
        "enable_script_security",
        "# enable_script_security",
    ),
    example(
        113,
        GLOBAL,
        "It works as before; the message says the word that is used today.",
        "lvs_id LB1",
        "router_id LB1",
    ),
    example(114, INSTANCE, "The last line counts.", "priority 100\npriority 150", "priority 150"),
    example(
        201,
        INSTANCE,
        "VRRP carries 8 characters. Another program may cut elsewhere, and then both routers become MASTER.",
        "authentication {\n    auth_type PASS\n    auth_pass ninechars\n}",
        "authentication {\n    auth_type PASS\n    auth_pass eightchr\n}",
    ),
    example(
        203,
        "",
        "An instance needs `interface`, `virtual_router_id` and `virtual_ipaddress`, each valid.",
        "vrrp_instance VI_1 {\n    interface eth0\n    virtual_ipaddress {\n        192.0.2.100\n    }\n}",
        "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n    virtual_ipaddress {\n        \
         192.0.2.100\n    }\n}",
    ),
    example(
        207,
        INSTANCE,
        "nopreempt needs `state BACKUP` on all routers and a priority below 255; here it is cancelled.",
        "state MASTER\npriority 150\nnopreempt",
        "state BACKUP\npriority 150\nnopreempt",
    ),
    example(301, SERVICE, "The line is left out, and the scheduler is wlc.", "lb_algo rrw", "lb_algo wrr"),
    example(
        302,
        SERVICE,
        "A real server is known by address and port, a service by these and its protocol. The second is left out.",
        "real_server 192.0.2.7 80 { }\nreal_server 192.0.2.7 80 { }",
        "real_server 192.0.2.7 80 { }\nreal_server 192.0.2.8 80 { }",
    ),
    example(
        308,
        SERVICE,
        "quorum plus hysteresis must not exceed the weights of all real servers: the sorry server would stay for ever.",
        "quorum 1\nhysteresis 5",
        "quorum 1",
    ),
    example(
        310,
        SERVER,
        "A server that reached uthreshold gets new connections again below lthreshold, which must be the smaller one.",
        "uthreshold 100\nlthreshold 200",
        "uthreshold 200\nlthreshold 100",
    ),
];

/// The number of a code as people write it: `E0107`, `w0107`.
pub fn number(text: &str) -> Option<u16> {
    let digits = text.strip_prefix(['E', 'e', 'W', 'w'])?;
    if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// What a code means, at most 80 columns wide and without a newline at its end; nothing if there is no such code.
#[inline(never)]
pub fn code(number: u16) -> Option<String> {
    let (_, meaning) = CODES.iter().find(|(code, _)| *code == number)?;
    let mut text = format!("{number:04}: {meaning}\n");
    if let Some(example) = EXAMPLES.iter().find(|example| example.code == number) {
        super::help::paragraph(&mut text, "  ", 2, example.text);
        let place = if example.block.is_empty() { String::new() } else { format!(" in `{}`", example.block) };
        for (label, lines) in [("Wrong", example.wrong), ("Right", example.right)] {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {label}{place}:");
            for line in lines.lines() {
                let _ = writeln!(text, "      {line}");
            }
        }
    }
    text.truncate(text.trim_end().len());
    Some(text)
}
