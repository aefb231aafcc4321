//! `firewall` and `real_server_role` without IPVS: what `nft` shows of our tables, and what neighbours meet.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use lab::netns::Host;
use lab::process::output_of;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::Pair;
use crate::rig::{Make, configuration, ctl};

/// The rules of a host's tables, without the counters. A table that was made again stands last: they are sorted.
fn rules(host: &Host) -> Vec<String> {
    let mut command = host.command("nft");
    command.args(["-s", "list", "ruleset"]);
    let text = output_of(command);
    let rules = text.lines().map(str::trim).filter(|line| line.contains(" counter "));
    let mut rules: Vec<String> = rules.map(|line| line.replace("counter ", "")).collect();
    rules.sort();
    rules
}

fn nft(host: &Host, words: &str) {
    let mut command = host.command("nft");
    command.args(words.split(' '));
    output_of(command);
}

const ALL: &str = "mark 1 to 10.9.0.100 tcp 80\nmark 2 to 10.9.0.100 udp 5000-5010  mark 3 to 2001:db8::100\n\
    masquerade from 10.8.0.0/13 out eth0\nmasquerade from 2001:db8::/33\nredirect to 10.9.0.101\n\
    redirect to 2001:db8::101 sctp 9";
const SHOWN: [&str; 7] = [
    "ip daddr 10.9.0.100 tcp dport 80 meta mark set 0x00000001",
    "ip daddr 10.9.0.100 udp dport 5000-5010 meta mark set 0x00000002",
    "ip daddr 10.9.0.101 redirect",
    "ip saddr 10.8.0.0/13 oifname \"eth0\" masquerade",
    "ip6 daddr 2001:db8::100 meta mark set 0x00000003",
    "ip6 daddr 2001:db8::101 sctp dport 9 redirect",
    "ip6 saddr 2001:db8::/33 masquerade",
];

#[test]
fn rules_are_as_written_come_back_when_flushed_and_go_at_the_stop() {
    let (pair, scratch) = (Pair::new(), Scratch::new("firewall"));
    let host = &pair.first;
    nft(host, "add table inet theirs");
    let mut director = Make::Lvsbox.start(host, &format!("firewall {{\n{ALL}\n}}\n"), &scratch);
    wait::until("the rules", secs(5), || (rules(host) == SHOWN).then_some(()));
    for (count, blow) in (1..).zip([
        "flush chain inet lvsbox_mark output",
        "delete table inet lvsbox_mark",
        "add rule inet lvsbox_mark rules drop",
    ]) {
        nft(host, blow);
        director.wait_lines(
            "nf_tables table lvsbox_mark was changed by somebody: making it again",
            count,
            secs(8),
        );
        wait::until("the rules", secs(2), || (rules(host) == SHOWN).then_some(()));
    }
    nft(host, "flush ruleset");
    for table in ["lvsbox_masquerade", "lvsbox_redirect"] {
        director.wait_line(&format!("nf_tables table {table} was changed by somebody"), secs(8));
    }
    wait::until("the rules", secs(2), || (rules(host) == SHOWN).then_some(()));
    nft(host, "add table inet theirs");
    // Only what changed is made again.
    std::fs::write(configuration(host, &scratch), "firewall {\nredirect to 10.9.0.101\n}\n").unwrap();
    ctl(host, "reload");
    wait::until("fewer rules", secs(3), || (rules(host) == ["ip daddr 10.9.0.101 redirect"]).then_some(()));
    assert!(director.stop(secs(5)).success());
    let mut list = host.command("nft");
    list.args(["list", "tables"]);
    assert_eq!(output_of(list).trim(), "table inet theirs");
}

/// Killed, and started with a configuration that has no firewall any more.
#[test]
fn what_a_killed_run_left_and_the_configuration_does_not_have_goes_at_the_next_start() {
    let (pair, scratch) = (Pair::new(), Scratch::new("left"));
    let host = &pair.first;
    let tables = || {
        let mut list = host.command("nft");
        list.args(["list", "tables"]);
        output_of(list)
    };
    nft(host, "add table inet theirs");
    let text = "firewall {\nmark 1 to 10.9.0.100 tcp 80\nredirect to 10.9.0.101\n}\n";
    let mut killed = Make::Lvsbox.start(host, text, &scratch);
    wait::until("the rules", secs(5), || (rules(host).len() == 2).then_some(()));
    killed.crash();
    nft(host, "add table inet lvsbox");
    let director = Make::Lvsbox.start(host, "firewall {\nmark 1 to 10.9.0.100 tcp 80\n}\n", &scratch);
    for table in ["lvsbox", "lvsbox_redirect"] {
        director.wait_line(&format!("nf_tables table {table} of an earlier run is removed"), secs(5));
    }
    wait::until("ours and theirs", secs(5), || {
        (tables() == "table inet theirs\ntable inet lvsbox_mark\n").then_some(())
    });
}

/// Sends a byte to each connection and gives it back: as long as the answer comes, the connection lives.
fn echo(host: &Host, place: &str) {
    let listener = host.enter(|| TcpListener::bind(place).unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut byte = [0];
                while stream.read_exact(&mut byte).and_then(|()| stream.write_all(&byte)).is_ok() {}
            });
        }
    });
}

fn connect(from: &Host, place: &str) -> std::io::Result<TcpStream> {
    let stream =
        from.enter(|| TcpStream::connect_timeout(&place.parse().unwrap(), Duration::from_secs(2)))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

fn alive(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    stream.write_all(b"x").and_then(|()| stream.read_exact(&mut byte)).is_ok()
}

#[test]
fn redirected_connections_are_taken_in_and_live_through_a_reload() {
    let (pair, scratch) = (Pair::new(), Scratch::new("redirect"));
    let (host, client) = (&pair.first, &pair.observer);
    echo(host, "0.0.0.0:7");
    client.ip("route add 10.9.7.1/32 via 10.9.0.1");
    let text = |more: &str| format!("firewall {{\nredirect to 10.9.7.1 tcp 7\n{more}\n}}\n");
    let _director = Make::Lvsbox.start(host, &text(""), &scratch);
    wait::until("the rule", secs(5), || (rules(host).len() == 1).then_some(()));
    let mut stream = connect(client, "10.9.7.1:7").unwrap();
    assert!(alive(&mut stream));
    std::fs::write(configuration(host, &scratch), text("redirect to 10.9.7.2 tcp 7")).unwrap();
    ctl(host, "reload");
    wait::until("the new rule", secs(5), || (rules(host).len() == 2).then_some(()));
    assert!(alive(&mut stream), "the connection lives on");
    client.ip("route add 10.9.7.2/32 via 10.9.0.1");
    assert!(alive(&mut connect(client, "10.9.7.2:7").unwrap()));
    let shown = ctl(host, "show firewall");
    let row = shown.lines().find(|line| line.ends_with("redirect to 10.9.7.2 tcp 7")).unwrap();
    assert_eq!(row.split_whitespace().next(), Some("1"), "one connection: {shown}");
    nft(host, "flush ruleset");
    wait::until("the rules", secs(8), || (rules(host).len() == 2).then_some(()));
    // What crossed while there was no rule may have been reset; a new one is taken in again.
    assert!(alive(&mut connect(client, "10.9.7.1:7").unwrap()));
}

#[test]
fn masqueraded_packets_leave_with_the_address_of_the_box_and_others_with_their_own() {
    let (pair, scratch) = (Pair::new(), Scratch::new("masquerade"));
    let (router, inner, outer) = (&pair.first, &pair.second, &pair.observer);
    router.sysctl("net.ipv4.ip_forward", "1");
    for (address, own) in
        [("10.8.0.1/24", router), ("10.8.0.2/24", inner), ("10.7.0.1/24", router), ("10.7.0.2/24", inner)]
    {
        own.ip(&format!("addr add {address} dev eth0"));
    }
    let listener = outer.enter(|| TcpListener::bind("10.9.0.9:7").unwrap());
    let text = "firewall { masquerade from 10.8.0.0/16 out eth0 }\n";
    let _director = Make::Lvsbox.start(router, text, &scratch);
    wait::until("the rule", secs(5), || (rules(router).len() == 1).then_some(()));
    outer.ip("route add 10.7.0.0/24 via 10.9.0.1");
    for (source, via, seen) in [("10.8.0.2", "10.8.0.1", "10.9.0.1"), ("10.7.0.2", "10.7.0.1", "10.7.0.2")] {
        inner.ip(&format!("route replace 10.9.0.9/32 via {via} src {source}"));
        let stream = connect(inner, "10.9.0.9:7").unwrap();
        let (_accepted, from) = listener.accept().unwrap();
        assert_eq!(from.ip().to_string(), seen);
        drop(stream);
    }
}

/// Whether somebody answers for the address.
fn asked(from: &Host, address: &str) -> bool {
    from.ip("neigh flush dev eth0");
    let _ = from.command("ping").args(["-c1", "-W1", address]).output().unwrap();
    from.ip(&format!("neigh show {address}")).contains("lladdr")
}

#[test]
fn addresses_of_a_real_server_are_there_and_nobody_hears_of_them() {
    let (pair, scratch) = (Pair::new(), Scratch::new("role"));
    let (host, client) = (&pair.first, &pair.observer);
    host.ip("addr add 10.9.0.100/32 dev lo");
    assert!(asked(client, "10.9.0.100"), "without the role the host would answer");
    host.ip("addr del 10.9.0.100/32 dev lo");
    let text = "real_server_role { virtual_ipaddress {\n10.9.0.100\n2001:db8::100\n} }\n";
    let mut server = Make::Lvsbox.start(host, text, &scratch);
    server.wait_line("net.ipv4.conf.all.arp_ignore is set to 1 for real_server_role", secs(5));
    let there =
        |address: &str| wait::until("the address", secs(8), || host.has_address("lo", address).then_some(()));
    there("10.9.0.100");
    there("2001:db8::100");
    client.ip("addr add 2001:db8::9/64 dev eth0 nodad");
    for vip in ["10.9.0.100", "2001:db8::100"] {
        assert!(!asked(client, vip), "{vip}: a host that is not the director answers");
    }
    assert!(asked(client, "10.9.0.1"), "its own address answers as ever");
    // What a director sends arrives, whatever the destination's neighbours know.
    client.ip("route add 10.9.0.100/32 via 10.9.0.1");
    let ping = client.command("ping").args(["-c1", "-W2", "10.9.0.100"]).output().unwrap();
    assert!(ping.status.success());
    host.ip("addr del 10.9.0.100/32 dev lo");
    there("10.9.0.100");
    assert!(ctl(host, "why 10.9.0.100").contains("real_server_role"));
    assert!(server.stop(secs(5)).success());
    assert!(!host.has_address("lo", "10.9.0.100"));
}
