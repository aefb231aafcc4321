//! The daemon as an operator meets it: signals, reloads, limits, and trouble that has a name.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use lab::frames::Forged;
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};
use rustix::process::Signal;

use super::{FIRST, Pair, SECOND};
use crate::rig::{Instance, Make, configuration, ctl, lvsbox_run};

const MASTER: &str = "(VI_1) Entering MASTER STATE";

fn master(pair: &Pair, scratch: &Scratch, text: &str) -> Process {
    let director = Make::Lvsbox.start(&pair.first, text, scratch);
    director.wait_line(MASTER, secs(8));
    director
}

#[test]
fn daemon_has_one_thread() {
    let pair = Pair::new();
    let scratch = Scratch::new("threads");
    let director = master(&pair, &scratch, &Instance::new(150, &["10.9.0.100/24"]).to_string());
    ctl(&pair.first, "status");
    assert_eq!(director.status("Threads"), 1);
}

#[test]
fn reload_keeps_a_master_and_says_no_farewell() {
    let pair = Pair::new();
    let scratch = Scratch::new("reload");
    let director = master(&pair, &scratch, &Instance::new(150, &["10.9.0.100/24"]).to_string());
    pair.capture.clear();
    let longer = Instance::new(150, &["10.9.0.100/24", "10.9.0.101/24"]).to_string();
    fs::write(configuration(&pair.first, &scratch), longer).unwrap();
    director.signal(Signal::HUP);
    wait::until("the new address", secs(5), || pair.first.has_address("eth0", "10.9.0.101").then_some(()));
    pair.capture.wait_advert("an advert with two addresses", secs(3), |advert| advert.vrrp[3] == 2);
    assert!(pair.first.has_address("eth0", "10.9.0.100"));
    assert_eq!(director.count("Entering BACKUP STATE"), 1, "nothing but the start");
    let adverts = pair.capture.adverts();
    assert!(adverts.iter().all(|advert| advert.priority == 150), "no farewell");
    let gaps = adverts.windows(2).map(|pair| pair[1].at - pair[0].at);
    assert!(gaps.max().is_none_or(|gap| gap < secs(2)), "adverts went on");
}

#[test]
fn reload_of_a_file_with_an_error_changes_nothing_and_is_reported() {
    let pair = Pair::new();
    let scratch = Scratch::new("refused");
    let director = master(&pair, &scratch, &Instance::new(150, &["10.9.0.100/24"]).to_string());
    let said = director.log().len();
    let broken = Instance::new(150, &["10.9.0.101/24"]).to_string() + "no_such_keyword 1\n";
    fs::write(configuration(&pair.first, &scratch), broken).unwrap();
    director.signal(Signal::HUP);
    wait::until("a line about the error", secs(5), || {
        director.log().get(said..).is_some_and(|text| text.contains("no_such_keyword")).then_some(())
    });
    pair.capture.clear();
    pair.capture.wait_advert("an advert", secs(3), |advert| advert.source == FIRST && advert.vrrp[3] == 1);
    assert!(pair.first.has_address("eth0", "10.9.0.100") && !pair.first.has_address("eth0", "10.9.0.101"));
}

/// The group of the LAN changes and nothing else: the socket is in the new group and no longer in the old one.
#[test]
fn reload_to_another_multicast_group_moves_the_socket() {
    let pair = Pair::new();
    let scratch = Scratch::new("group");
    let instance = Instance::new(150, &["10.9.0.100/24"]).to_string();
    let director = master(&pair, &scratch, &instance);
    let moved = format!("global_defs {{\n    vrrp_mcast_group4 224.0.0.50\n}}\n{instance}");
    fs::write(configuration(&pair.first, &scratch), moved).unwrap();
    director.signal(Signal::HUP);
    let group = Ipv4Addr::new(224, 0, 0, 50);
    pair.capture.wait_advert("an advert to the new group", secs(3), |advert| advert.destination == group);
    let joined = pair.first.ip("maddr show dev eth0");
    assert!(joined.contains("224.0.0.50") && !joined.contains("224.0.0.18"), "{joined}");
    assert_eq!(director.count("Entering BACKUP STATE"), 1, "nothing but the start");
    // It hears the new group too: a better director there is obeyed.
    let mut better = Forged::new(SECOND, 51, 254, &[Ipv4Addr::new(10, 9, 0, 100)]);
    better.destination = group;
    pair.capture.send(&better.frame());
    director.wait_lines("(VI_1) Entering BACKUP STATE", 2, secs(3));
}

/// The terminal of whoever started the daemon is stopped: what it does not take must not hold the adverts.
#[test]
fn stopped_terminal_under_standard_error_stops_nothing() {
    let pair = Pair::new();
    let scratch = Scratch::new("terminal");
    let file = configuration(&pair.first, &scratch);
    let many: String = (0..40).map(|row| format!("virtual_server 10.9.1.{row} 80 {{\n}}\n")).collect();
    fs::write(&file, Instance::new(150, &["10.9.0.100/24"]).to_string() + &many).unwrap();
    let mut command = pair.first.command("script");
    let line = format!("{} run {}", crate::rig::binary().display(), file.display());
    command.args(["-q", "-c", &line, "/dev/null"]).stdin(Stdio::null()).stdout(Stdio::null());
    let terminal = Process::spawn_as_is(command, "a terminal", &scratch.join("none"));
    pair.capture.wait_advert("its advert", secs(8), |advert| advert.source == FIRST);
    terminal.signal(Signal::STOP);
    // Each says a line for every service: together more than a terminal holds.
    for _ in 0..30 {
        let mut command = pair.first.command(crate::rig::binary());
        command.args(["ctl", "reload"]);
        let _ = Process::spawn(command, "a reload", &scratch.join("reload")).wait_exit(secs(5));
    }
    pair.capture.clear();
    pair.capture.wait_advert("adverts go on", secs(3), |advert| advert.source == FIRST);
}

/// Any user may connect to an abstract name, and is sent away; doing so without end costs neither adverts nor the log.
#[test]
fn strangers_on_the_control_socket_hold_up_nothing_and_are_logged_once() {
    let pair = Pair::new();
    let scratch = Scratch::new("strangers");
    let director = master(&pair, &scratch, &Instance::new(150, &["10.9.0.100/24"]).to_string());
    let program = scratch.join("lvsbox");
    fs::copy(crate::rig::binary(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = pair.first.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c"]);
    command.arg(format!("for n in $(seq 100); do {} ctl status; done; true", program.display()));
    let mut stranger = Process::spawn(command, "a stranger", &scratch.join("stranger"));
    assert!(stranger.wait_exit(secs(20)).success());
    assert_eq!(stranger.count("VI_1"), 0, "nothing is told to a stranger");
    let said = director.count("of user 65534 was refused");
    assert!((1..=3).contains(&said), "{said} lines");
    assert!(ctl(&pair.first, "status").contains("MASTER"));
}

#[test]
fn daemon_does_not_end_its_machine_and_leaves_the_box_s_blocks_alone() {
    let pair = Pair::new();
    let scratch = Scratch::new("host");
    let blocks = "appliance { hostname other }\ninterface eth0 { address 10.7.0.1/24 mtu 1300 }\n";
    let text = format!("{blocks}{}", Instance::new(150, &["10.9.0.100/24"]));
    let director = master(&pair, &scratch, &text);
    assert_eq!(director.count("only the appliance acts on `appliance` and `interface`"), 1);
    for words in ["reboot", "poweroff", "poweroff json"] {
        let output =
            pair.first.command(crate::rig::binary()).arg("ctl").args(words.split(' ')).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words}: {said}");
        assert!(said.contains("only the appliance ends its machine") || said.contains("false"), "{said}");
    }
    assert!(!pair.first.has_address("eth0", "10.7.0.1"));
    assert!(ctl(&pair.first, "show vrrp").contains("MASTER"), "it goes on");
}

#[test]
fn full_disk_under_standard_error_stops_nothing() {
    let pair = Pair::new();
    let scratch = Scratch::new("full");
    let mut command = lvsbox_run(&pair.first, &Instance::new(150, &["10.9.0.100/24"]).to_string(), &scratch);
    let full = || File::options().write(true).open("/dev/full").unwrap();
    command.stdin(Stdio::null()).stdout(full()).stderr(full());
    let mut director = Process::spawn_as_is(command, "lvsbox on a full disk", &scratch.join("none"));
    pair.capture.wait_advert("its advert", secs(8), |advert| advert.source == FIRST);
    wait::until("the address", secs(2), || pair.first.has_address("eth0", "10.9.0.100").then_some(()));
    assert!(ctl(&pair.first, "show vrrp").contains("MASTER"));
    assert!(director.stop(secs(5)).success());
}

#[test]
fn absent_interface_is_named_and_the_others_run() {
    let pair = Pair::new();
    let scratch = Scratch::new("absent");
    let absent = Instance::new(150, &["10.8.0.100/24"]).named("VI_2", 52).on("nosuch0");
    let text = format!("{}{absent}", Instance::new(150, &["10.9.0.100/24"]));
    let director = master(&pair, &scratch, &text);
    assert!(director.count("nosuch0") > 0, "the interface is named");
    let shown = ctl(&pair.first, "show vrrp");
    assert!(shown.contains("FAULT") && shown.contains("nosuch0"), "{shown}");
    // It appears: the instance heals without a reload.
    pair.lan.attach(&pair.first, "nosuch0");
    pair.first.ip("addr add 10.8.0.1/24 dev nosuch0");
    director.wait_line("(VI_2) Entering MASTER STATE", secs(8));
}

#[test]
fn missing_permission_is_named() {
    let pair = Pair::new();
    let scratch = Scratch::new("nobody");
    let program = scratch.join("lvsbox");
    fs::copy(crate::rig::binary(), &program).unwrap();
    let file = scratch.write("conf", &Instance::new(150, &["10.9.0.100/24"]).to_string());
    let mut command = pair.first.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]);
    command.arg(program).arg("run").arg(file);
    let director = Process::spawn(command, "lvsbox as nobody", &scratch.join("log"));
    wait::until("a message that names what is not permitted", secs(8), || {
        let log = director.log().to_lowercase();
        let line =
            log.lines().find(|line| line.contains("not permitted") || line.contains("permission denied"))?;
        ["socket", "cap_net", "address", "eth0"].iter().any(|thing| line.contains(thing)).then_some(())
    });
}

#[test]
fn missing_file_is_named() {
    let pair = Pair::new();
    let scratch = Scratch::new("file");
    let mut command = pair.first.command(crate::rig::binary());
    command.args(["run", "/nonexistent/lvsbox.conf"]);
    let mut director = Process::spawn(command, "lvsbox without a file", &scratch.join("log"));
    assert!(!director.wait_exit(secs(5)).success());
    assert!(director.count("/nonexistent/lvsbox.conf") > 0);
}

#[test]
fn check_reports_all_lines_at_once_and_tells_errors_by_its_status() {
    let pair = Pair::new();
    let scratch = Scratch::new("check");
    let check = |text: &str| {
        let file = scratch.write("conf", text);
        pair.first.command(crate::rig::binary()).arg("check").arg(file).output().unwrap()
    };
    let good = Instance::new(150, &["10.9.0.100/24"]).to_string();
    assert!(check(&good).status.success());
    let output = check(&format!("{good}vrrp_instanse VI_2 {{\n}}\nno_such_keyword\n"));
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("vrrp_instanse") && said.contains("no_such_keyword"), "{said}");
    assert!(said.contains("vrrp_instance"), "the nearest known word: {said}");
}

#[test]
fn show_config_is_the_same_at_the_console_and_for_the_file_and_runs_when_it_is_fed_back() {
    let pair = Pair::new();
    let scratch = Scratch::new("canonical");
    let text = Instance::new(150, &["10.9.0.100/24"]).password("s3cret").to_string();
    let mut director = master(&pair, &scratch, &text);
    let show = |file: &std::path::Path, option: &[&str]| {
        let mut command = pair.first.command(crate::rig::binary());
        command.arg("show-config").arg(file).args(option);
        lab::process::output_of(command)
    };
    let file = configuration(&pair.first, &scratch);
    let hidden = show(&file, &[]);
    assert!(hidden.contains("        auth_pass ***") && !hidden.contains("s3cret"), "{hidden}");
    assert_eq!(ctl(&pair.first, "show config"), hidden);
    let json = ctl(&pair.first, "show config json");
    assert!(json.starts_with("{\"lines\":[\"# ") && json.contains("\"    priority 150\""), "{json}");
    assert!(!json.contains("s3cret"), "{json}");
    assert!(director.stop(secs(10)).success());
    let whole = show(&file, &["--passwords"]);
    assert!(whole.contains("        auth_pass s3cret\n"), "{whole}");
    pair.capture.clear();
    let fed = scratch.write("fed.conf", &whole);
    assert_eq!(show(&fed, &["--passwords"]), whole);
    let _director = master(&pair, &scratch, &whole);
    let advert = pair.capture.wait_advert("an advert", secs(8), |advert| advert.priority == 150);
    assert_eq!(advert.vrrp.get(12..), Some(&b"s3cret\0\0"[..]), "as before");
}

#[test]
fn show_config_survives_a_full_disk_and_a_closed_pipe_and_refuses_what_cannot_be_understood() {
    let scratch = Scratch::new("output");
    let text = Instance::new(150, &["10.9.0.100/24"]).to_string();
    let good = scratch.write("good.conf", &text);
    let run = |file: &std::path::Path, output: Stdio| {
        let mut command = std::process::Command::new(crate::rig::binary());
        command.arg("show-config").arg(file).stdout(output).output().unwrap()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for output in [Stdio::from(full), Stdio::from(writer)] {
        assert_eq!(run(&good, output).status.code(), Some(1), "an exit, no signal");
    }
    let bad = run(&scratch.write("bad.conf", &format!("{text}vrrp_instance B {{\n")), Stdio::piped());
    assert_eq!((bad.status.code(), bad.stdout.len()), (Some(1), 0));
    assert!(String::from_utf8_lossy(&bad.stderr).contains("fatal error[E0001]"));
    let odd = run(&scratch.write("odd.conf", &format!("{text}no_such_word 1\n")), Stdio::piped());
    assert_eq!(odd.status.code(), Some(0), "what is right is shown");
    assert!(String::from_utf8_lossy(&odd.stderr).contains("no_such_word"));
    assert!(String::from_utf8_lossy(&odd.stdout).contains("vrrp_instance VI_1 {"));
}

/// The limit of [`lvsbox::limits`]: all of them are there, announced, and gone at the end.
#[test]
fn four_thousand_and_ninety_six_addresses_are_added_and_removed() {
    let pair = Pair::new();
    let scratch = Scratch::new("many");
    let mut director = Make::Lvsbox.start(&pair.first, &crate::rig::most_addresses(), &scratch);
    let count =
        || pair.first.ip("-o -4 addr show dev eth0").lines().filter(|line| line.contains(" 10.64.")).count();
    wait::until("all addresses", secs(30), || (count() == 4_096).then_some(()));
    assert!(director.stop(secs(20)).success());
    assert_eq!(count(), 0);
}

#[test]
fn strict_refuses_a_file_with_an_error_and_names_it() {
    let pair = Pair::new();
    let scratch = Scratch::new("strict");
    let text = format!("bogus_word 1\n{}", Instance::new(150, &["10.9.0.100/24"]));
    let mut command = lvsbox_run(&pair.first, &text, &scratch);
    command.arg("--strict");
    let mut director = Process::spawn(command, "lvsbox", &scratch.join("strict.log"));
    assert!(!director.wait_exit(secs(5)).success());
    assert!(director.log().contains("bogus_word"), "{}", director.log());
}
