//! Limits of the kernel that are reached before ours, each at its figure and one beyond: what is said at the load, and
//! that what does not fit is no verdict about a server.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use lab::netns::{Host, Lan, Namespace};
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::checks::Site;
use crate::rig::{Instance, Make, Service, binary, configuration, ctl, lvsbox_run};

/// The row of a setting in `show sysctl`.
#[track_caller]
fn row(namespace: &Namespace, name: &str) -> String {
    let shown = ctl(namespace, "show sysctl");
    assert!(shown.lines().all(|line| line.len() <= 80), "{shown}");
    let row = shown.lines().find(|line| line.contains(name));
    row.unwrap_or_else(|| panic!("no {name}:\n{shown}")).to_owned()
}

/// The mark, and the words of a row.
fn words(row: &str) -> Vec<&str> {
    row.split_whitespace().collect()
}

/// Reads another configuration.
fn reload(namespace: &Namespace, scratch: &Scratch, text: &str) {
    fs::write(configuration(namespace, scratch), text).unwrap();
    ctl(namespace, "reload");
}

const TOO_LOW: &str = "1 limit of the kernel too low (show sysctl)";

/// A director that may not raise its hard limit of descriptors.
fn limited(site: &Site, text: &str, limit: &str) -> Process {
    let plain = lvsbox_run(&site.director, text, &site.scratch);
    let mut command = Command::new(plain.get_program());
    let program = plain.get_args().position(|word| word == binary().as_os_str()).unwrap();
    let mut words: Vec<_> = plain.get_args().map(ToOwned::to_owned).collect();
    let setting = format!("--nofile={limit}");
    let before = ["prlimit", &setting, "setpriv", "--bounding-set", "-sys_resource"];
    words.splice(program..program, before.iter().map(|word| (*word).into()));
    command.args(words);
    Process::spawn(command, "lvsbox with few descriptors", &site.scratch.join(&format!("{limit}.log")))
}

#[test]
fn descriptors_are_raised_to_the_need_and_a_hard_limit_one_below_is_an_alarm() {
    let site = Site::new("nofile");
    let check = "TCP_CHECK {\n connect_timeout 1\n}";
    let text =
        Service::new("10.9.1.1 80", "rr", "NAT", &["10.9.0.2 80", "10.9.0.2 81"]).check(check).to_string();
    let text = text + &Instance::new(150, &["10.9.0.100/24"]).to_string();
    // One interface with three sockets at most, two slots, 32 others; and a quarter more.
    let need = (3 + 2 + 32) * 5 / 4;
    let mut director = limited(&site, &text, &format!("20:{need}"));
    director.wait_line("Entering MASTER STATE", secs(15));
    assert_eq!(words(&row(&site.director, "RLIMIT_NOFILE"))[1..3], [need.to_string(), need.to_string()]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", director.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().nth(3), Some(need.to_string().as_str()), "{line}");
    assert_eq!(director.count("this configuration needs"), 0, "{}", director.log());
    director.stop(secs(10));
    let below = need - 1;
    let director = limited(&site, &text, &format!("20:{below}"));
    director.wait_line(
        &format!("RLIMIT_NOFILE is {below}, and this configuration needs {need} or more"),
        secs(5),
    );
    director.wait_line("Entering MASTER STATE", secs(15));
    assert!(ctl(&site.director, "status").contains(TOO_LOW));
    assert_eq!(words(&row(&site.director, "RLIMIT_NOFILE"))[..2], ["!", "RLIMIT_NOFILE"]);
}

/// More interfaces than one socket may join groups: each has a socket of its own.
#[test]
fn instances_on_twenty_one_interfaces_are_all_master_with_twenty_memberships() {
    let lan = Lan::new();
    let host = lan.host("many", &["10.9.0.1/24"]);
    let scratch = Scratch::new("memberships");
    host.sysctl("net.ipv4.igmp_max_memberships", "20");
    let text: String = (1..=21_u8)
        .map(|number| {
            let name = format!("d{number}");
            lan.attach(&host, &name);
            host.ip(&format!("addr add 10.8.{number}.1/24 dev {name}"));
            Instance::new(150, &[&format!("10.8.{number}.100/24")])
                .on(&name)
                .named(&format!("VI_{number}"), number)
                .to_string()
        })
        .collect();
    let director = Make::Lvsbox.start(&host, &text, &scratch);
    director.wait_lines("Entering MASTER STATE", 21, secs(20));
    assert_eq!(director.count("this configuration needs"), 0, "{}", director.log());
    assert!(row(&host, "igmp_max_memberships").ends_with("20  1 or more"));
}

/// Instances of one interface with groups of their own share its socket.
#[test]
fn twenty_groups_of_one_interface_fit_and_the_twenty_first_is_told_with_what_to_set() {
    let lan = Lan::new();
    let host = lan.host("groups", &["10.9.0.1/24"]);
    let scratch = Scratch::new("groups");
    host.sysctl("net.ipv4.igmp_max_memberships", "20");
    let text = |count: u8| -> String {
        let instances = (1..=count).map(|number| {
            let name = format!("VI_{number}");
            let instance = Instance::new(150, &[&format!("10.9.0.{}/24", 100 + number)]).named(&name, number);
            instance.to_string().replacen(
                "    virtual_ipaddress",
                &format!("    mcast_dst_ip 224.0.1.{number}\n    virtual_ipaddress"),
                1,
            )
        });
        instances.collect()
    };
    let director = Make::Lvsbox.start(&host, &text(20), &scratch);
    director.wait_lines("Entering MASTER STATE", 20, secs(20));
    assert_eq!(director.count("this configuration needs"), 0, "{}", director.log());
    reload(&host, &scratch, &text(21));
    let told =
        director.wait_line("net.ipv4.igmp_max_memberships is 20, and this configuration needs 21", secs(5));
    assert!(told.contains("sysctl -w net.ipv4.igmp_max_memberships=\"21\""), "{told}");
    assert!(ctl(&host, "status").contains(TOO_LOW));
    assert!(row(&host, "igmp_max_memberships").starts_with("! "));
    // What was said helps, at once.
    host.sysctl("net.ipv4.igmp_max_memberships", "21");
    assert!(row(&host, "igmp_max_memberships").ends_with("21  21 or more"));
    wait::until("no alarm", secs(5), || (!ctl(&host, "status").contains(TOO_LOW)).then_some(()));
    ctl(&host, "reload");
    director.wait_line("(VI_21) Entering MASTER STATE", secs(20));
}

/// A server that keeps connections open: whoever asks closes first, and keeps the port for a minute.
fn serve_open(host: &Host) {
    let listener = host.enter(|| TcpListener::bind("0.0.0.0:80").unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 512]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                while stream.read(&mut [0; 512]).is_ok_and(|length| length > 0) {}
            });
        }
    });
}

#[test]
fn ports_that_fit_are_quiet_and_one_too_few_is_told_before_checks_are_not_made() {
    let site = Site::new("range");
    serve_open(&site.server);
    // Every 20 s, a port for 60 s each: three, and one in use.
    let text = |delay: &str| {
        let check = "HTTP_GET {\n url {\n path /\n status_code 200\n }\n connect_timeout 1\n}";
        Service::new("10.9.1.1 80", "rr", "NAT", &["10.9.0.2 80"])
            .line(&format!("delay_loop {delay}"))
            .check(check)
            .to_string()
    };
    let range = |last: u32| site.director.sysctl("net.ipv4.ip_local_port_range", &format!("40000 {last}"));
    range(40_003);
    let director = Make::Lvsbox.start(&site.director, &text("20"), &site.scratch);
    wait::until("a row", secs(5), || {
        let mut command = site.director.command(binary());
        let output = command.args(["ctl", "show", "sysctl"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains("40000 40003  4 ports or more").then_some(())
    });
    assert_eq!(director.count("this configuration needs"), 0, "{}", director.log());
    range(40_002);
    ctl(&site.director, "reload");
    let told = director.wait_line("net.ipv4.ip_local_port_range is 40000 40002, and this", secs(5));
    assert!(told.contains("needs 4 ports or more") && told.contains("=\"32768 65535\""), "{told}");
    assert!(ctl(&site.director, "status").contains(TOO_LOW));
    // As it was told, and no verdict: with four checks a second the ports are gone soon.
    reload(&site.director, &site.scratch, &text("0.25"));
    director.wait_line("needs 241 ports or more", secs(5));
    director.wait_line("not made: address not available on this side", secs(20));
    let checks = ctl(&site.director, "show checks");
    assert!(!checks.contains("DOWN"), "{checks}");
    assert_eq!(director.count("failed. ("), 0, "it was no verdict");
    assert!(site.director.run("ss -Htan state time-wait").contains("10.9.0.2:80"));
    range(60_000);
    director.wait_line("Every check can be made again", secs(20));
}

#[test]
fn show_sysctl_follows_the_kernel_and_every_program_reads_it() {
    let site = Site::new("sysctl");
    let text = format!(
        "real_server_role {{ virtual_ipaddress {{ 10.9.0.101 }} }}\n{}",
        Instance::new(150, &["10.9.0.100/24"])
    );
    let director = Make::Lvsbox.start(&site.director, &text, &site.scratch);
    director.wait_line("Entering MASTER STATE", secs(15));
    // The role's are set in either way to run; what else the box would have is the machine's owner's business.
    assert_eq!(words(&row(&site.director, "all.arp_ignore"))[1..], ["1", "1"]);
    site.director.sysctl("net.ipv4.conf.default.arp_announce", "0");
    assert!(row(&site.director, "default.arp_announce").starts_with("! "));
    site.director.sysctl("net.ipv4.conf.default.arp_announce", "2");
    assert!(row(&site.director, "default.arp_announce").starts_with("  "));
    let shown = ctl(&site.director, "show sysctl");
    assert!(!shown.contains("kernel.panic"), "that is the box's: {shown}");
    assert!(shown.contains("larger value of conf.all and the interface"), "{shown}");
    let json = ctl(&site.director, "show sysctl json");
    let wanted = r#"{"name":"net.ipv4.conf.default.arp_announce","now":"2","wish":"2","or_more":false,"met":true,"owner":"vrrp","#;
    assert!(json.contains(wanted), "{json}");
    let limit = r#"{"name":"net.ipv4.igmp_max_memberships","now":"20","wish":"1","or_more":true,"met":true,"owner":"vrrp","#;
    assert!(json.contains(limit), "{json}");
}
