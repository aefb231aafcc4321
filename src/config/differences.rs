//! The closed list of intended differences to keepalived. Whatever else differs is a bug.
//!
//! Shown by `lvsbox help differences`. Each entry has a test where it is implemented.

use core::fmt::Write;

/// Columns of a serial console.
const COLUMNS: usize = 80;

/// One intended difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// A few words.
    pub title: &'static str,
    /// What keepalived does.
    pub keepalived: &'static str,
    /// What lvsbox does.
    pub lvsbox: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// All of them.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        title: "no program is started",
        keepalived: "runs notify and check scripts, and sends mail",
        lvsbox: "warns of notify_* and passes them over; a vrrp_script or MISC_CHECK is an error",
        reason: "the box has no shell, and the loop waits for nobody; `log changes` says what happens",
    },
    Difference {
        title: "a track_file is set on the console",
        keepalived: "reads the number from the file, whenever it is written",
        lvsbox: "reads no file: `set track NAME VALUE` sets the number, a reload keeps it",
        reason: "the box has no shell that could write a file",
    },
    Difference {
        title: "the first check is made at once",
        keepalived: "checks a real server for the first time up to a whole delay_loop after the start",
        lvsbox: "spreads first checks over delay_loop or one second, whichever is shorter, unless `warmup` is given",
        reason: "clients are sent to a dead server for up to a minute otherwise",
    },
    Difference {
        title: "one deadline for a whole HTTP check",
        keepalived: "starts its timeout again with every read, so that a reply in drips never ends",
        lvsbox: "ends a check after twice its connect_timeout",
        reason: "a server that drips is down for its users",
    },
    Difference {
        title: "a virtual address deleted by hand is put back",
        keepalived: "gives up being MASTER, is elected again and adds all addresses",
        lvsbox: "adds the address again and announces it, and stays MASTER",
        reason: "an outage of all addresses repairs nothing",
    },
    Difference {
        title: "an advert with other addresses is accepted",
        keepalived: "before 2.3.3 drops it, so that both routers become MASTER; later accepts it",
        lvsbox: "accepts it, says so once and counts it (`show vrrp`)",
        reason: "addresses can be added to one router after the other",
    },
    Difference {
        title: "an unknown block is skipped as a whole",
        keepalived: "reads its lines as lines of the block around it, and its `}` closes that block",
        lvsbox: "leaves out everything down to its `}`",
        reason: "an instance without addresses is worse than one without an option",
    },
    Difference {
        title: "no random numbers in a configuration",
        keepalived: "replaces ${_RANDOM} by another number at every load",
        lvsbox: "reports it as an error and leaves it as it is written",
        reason: "each reload would change what is configured, and a check would judge another file than runs",
    },
    Difference {
        title: "a generator inside a line ends before the block's `}`",
        keepalived: "repeats the `}` behind `list { ~SEQ(i,1,3) item }` with the item",
        lvsbox: "repeats the item only",
        reason: "the `}` closes the block once",
    },
    Difference {
        title: "an included file may be executable",
        keepalived: "passes over a file that somebody may execute, without a word",
        lvsbox: "reads it",
        reason: "on some file systems every file is executable",
    },
    Difference {
        title: "a reload with an error changes nothing",
        keepalived: "applies what it understood",
        lvsbox: "refuses the file as a whole and keeps running with the old one",
        reason: "half of a configuration is one that nobody wrote",
    },
    Difference {
        title: "IPVS is compared with the kernel",
        keepalived: "compares a new configuration with its old one and never looks at the kernel again",
        lvsbox: "compares with the kernel's table, repairs what differs and says so in the log",
        reason: "a table flushed by hand is whole again, and nothing is left over after a reload",
    },
    Difference {
        title: "the sorry server comes before the real servers go",
        keepalived: "removes the real servers first, so that the service is empty for an instant",
        lvsbox: "adds before it removes, in both directions",
        reason: "no connection is refused in between",
    },
    Difference {
        title: "there may be several sorry servers, and checks of them",
        keepalived: "uses the last `sorry_server` line of a service and never checks it",
        lvsbox: "uses all that are alive: one may have a block like a real_server's; if none is, the living real servers go on",
        reason: "a sorry server that is down helps nobody",
    },
    Difference {
        title: "a reload finds what a sorry server had set aside",
        keepalived: "forgets living servers that are set aside if a reload drops the sorry server or changes inhibit_on_failure",
        lvsbox: "has them as if it had started with the new file",
        reason: "a living server would be missing until it fails once more",
    },
    Difference {
        title: "a server may come and go slowly",
        keepalived: "gives a returned server all of its weight, and cuts its connections when a reload removes it",
        lvsbox: "does so, too, unless `slow_start` or `drain_time` gives it time, words that keepalived does not know",
        reason: "a cold server is not flooded, and a removal need not be felt",
    },
    Difference {
        title: "there are blocks for the rest of the machine",
        keepalived: "leaves marks, masquerading and a real server's virtual address to the distribution",
        lvsbox: "has `firewall`, `real_server_role`, `interface` and `appliance`, blocks that keepalived does not know",
        reason: "on the box nothing else could do it",
    },
    Difference {
        title: "answers to a lesser router are limited",
        keepalived: "answers each of its adverts with an advert and announcements of all addresses",
        lvsbox: "answers one in half an advertisement interval",
        reason: "a flood of forged adverts would become a larger one of ours",
    },
    Difference {
        title: "adverts to peers over IPv6 have a hop limit of 255",
        keepalived: "leaves it to the kernel, whose default is 64, unless `unicast_ttl` is given",
        lvsbox: "sends 255 unless `unicast_ttl` is given, as over IPv4",
        reason: "a router that keeps to the RFC drops anything less",
    },
    Difference {
        title: "a pause between announcements loses none",
        keepalived: "with `vrrp_garp_interval` sends each address once more after a pause, whatever is configured",
        lvsbox: "sends as many as are configured, in rounds over all addresses, with the pause between them",
        reason: "one announcement that is lost must not cut an address off",
    },
    Difference {
        title: "a page of more than 8 MiB is not read to its end",
        keepalived: "reads a page to its end, however long",
        lvsbox: "judges by the status after 8 MiB; `digest` is another one then",
        reason: "a check is not a download",
    },
    Difference {
        title: "a web server's reply counts when it is whole",
        keepalived: "fails a 100 before the 200, line feeds alone, a reset behind the reply",
        lvsbox: "takes these three; fails broken chunks and endless interim replies",
        reason: "RFC 9112 says what a whole reply is; keepalived waits for the close",
    },
    Difference {
        title: "a `regex` is matched while the page arrives",
        keepalived: "matches with PCRE2, look-around and back-references included",
        lvsbox: "refuses what needs backtracking, and says where it stands; matches bytes",
        reason: "no page makes a check slow, and none is kept in memory",
    },
    Difference {
        title: "the length of a reply to UDP_CHECK counts without a pattern, too",
        keepalived: "looks at min_reply_length and max_reply_length only if require_reply has digits",
        lvsbox: "compares the lengths of every required reply",
        reason: "the limits were written to be kept",
    },
    Difference {
        title: "a byte may be ff in the digits of UDP_CHECK",
        keepalived: "refuses a `payload` or `require_reply` with this byte",
        lvsbox: "sends and compares it as any other",
        reason: "protocols have such bytes",
    },
    Difference {
        title: "a check can go through the virtual address",
        keepalived: "checks a real server at an address of its own",
        lvsbox: "with `via_vip` (DR, TUN) connects to the virtual address on that real server, on the BACKUP, too",
        reason: "one that has lost the virtual address answers at its own, and its clients wait in vain",
    },
    Difference {
        title: "a route or a rule stands once",
        keepalived: "takes the same route or rule a second time",
        lvsbox: "names the second one as an error and leaves it out",
        reason: "whoever removes one of them removes the other",
    },
    Difference {
        title: "a route of somebody else's is left alone",
        keepalived: "adds its own beside one of the same network, table and metric, and its own is used",
        lvsbox: "says that the place is taken, and adds its own when it is free; write another metric",
        reason: "of two routes in one place nobody can say which one is meant",
    },
    Difference {
        title: "`check` fails on errors only",
        keepalived: "fails with `-t` on everything it has to say, a default that it filled in included",
        lvsbox: "ends with status 0 if there are warnings only",
        reason: "a file that runs as it stands passes",
    },
    Difference {
        title: "`check` looks at the file and not at the machine",
        keepalived: "fails with `-t` if an interface does not exist",
        lvsbox: "holds an instance in FAULT until its interface appears, and says so when it runs",
        reason: "a file can be checked on another machine than it is for",
    },
    Difference {
        title: "what is left out is an error",
        keepalived: "says nothing of a service or an address given twice, a line with a NUL, a netmask with holes",
        lvsbox: "names each of them as an error and leaves it out",
        reason: "a file should do what it says",
    },
    Difference {
        title: "a number beyond all use is an error",
        keepalived: "takes 4,294,967,295 announcements a burst, weights above 65,535 and a check every microsecond",
        lvsbox: "takes 255 announcements, weights up to 65,535 as ipvsadm does, and times of a check from 1 ms",
        reason: "it is a slip of the pen, and done to the letter it would leave the director no time for anything else",
    },
    Difference {
        title: "a line may have 4,096 bytes",
        keepalived: "breaks a line behind 1,023 bytes and reads on as if there was another one, even in a comment",
        lvsbox: "names a longer line and leaves it out; a comment may be of any length",
        reason: "the rest of a line is no line",
    },
    #[cfg(feature = "tls")]
    Difference {
        title: "SSL_GET verifies if it has something to verify with",
        keepalived: "accepts every certificate, with `ca` in the `SSL` block as well",
        lvsbox: "with a `ca` checks issuer, dates and name (sni_name, virtualhost or address); without, nothing",
        reason: "whoever names an authority wants to rely on it; `show checks` says which of both holds",
    },
    #[cfg(feature = "tls")]
    Difference {
        title: "SSL_GET speaks TLS 1.2 and 1.3",
        keepalived: "speaks what its OpenSSL does, and reads an encrypted key with `password`",
        lvsbox: "has no older version and no cipher without forward secrecy; its own key is not encrypted",
        reason: "it is what rustls does, in a fifth of the size",
    },
];

/// The list as text, at most 80 columns wide, without a newline at its end.
pub fn text() -> String {
    let mut text = String::from("Where lvsbox differs from keepalived on purpose:\n");
    for difference in DIFFERENCES {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}", difference.title);
        for (name, body) in [
            ("keepalived", difference.keepalived),
            ("lvsbox", difference.lvsbox),
            ("because", difference.reason),
        ] {
            let _ = write!(text, "\n  {name:11}");
            let mut used = 13;
            for word in body.split(' ') {
                if used + 1 + word.chars().count() > COLUMNS {
                    let _ = write!(text, "\n{:13}", "");
                    used = 13;
                }
                let _ = write!(text, " {word}");
                used += 1 + word.chars().count();
            }
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_differences_is_whole_and_fits_the_console() {
        let text = text();
        assert!(
            text.lines().all(|line| line.chars().count() <= COLUMNS && line.trim_end() == line),
            "{text}"
        );
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for difference in DIFFERENCES {
            let Difference { title, keepalived, lvsbox, reason } = difference;
            let expected = format!("{title} keepalived {keepalived} lvsbox {lvsbox} because {reason}");
            assert!(words.contains(&expected), "{expected}");
        }
    }
}
