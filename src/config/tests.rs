//! What a user sees of a configuration: the facts of whole files, each fix-up and lint, limits, and that nothing a file
//! holds can do harm.

use core::fmt::Write as _;
use core::net::IpAddr;

use proptest::prelude::*;

use super::ids::Id;
use super::model::{Authentication, OnFailure, Preemption, SourceCheck, Transport};
use super::*;
use crate::check::Checker;
use crate::check::http_get::Recovery;
use crate::limits;
use crate::syntax::Severity;
use crate::time::Duration;
use crate::wire::genl_ipvs::{ForwardingMethod, Tunnel};

mod checkers;
mod field;
mod fixups;
mod golden;
mod groups;
mod help;
mod own;
mod pools;
mod service_groups;
mod sync_daemon;
mod tracked;
mod via;

/// The configuration and its messages in one line each, without file and column.
fn loaded(text: &str) -> (Config, Vec<String>) {
    let loaded = load(text, "t");
    let lines = loaded.diagnostics.iter().map(|d| d.summary().to_string().replacen("t:", "", 1)).collect();
    (loaded.config.unwrap_or_default(), lines)
}

/// A configuration without any message.
fn clean(text: &str) -> Config {
    let (config, messages) = loaded(text);
    assert_eq!(messages, Vec::<String>::new());
    config
}

/// An instance with these further lines.
fn instance(lines: &str) -> String {
    let base = "interface eth0\nvirtual_router_id 51\nvirtual_ipaddress {\n 192.0.2.100\n}";
    format!("vrrp_instance VI {{\n{lines}\n{base}\n}}\n")
}

/// A service with these further lines.
fn service(lines: &str) -> String {
    format!("virtual_server 192.0.2.100 80 {{\n{lines}\nlb_kind NAT\nprotocol TCP\n}}\n")
}

const SERVER: &str = "real_server 192.0.2.1 80 {\n}";

fn destination(config: &Config, index: usize) -> String {
    let it = &config.destinations[index];
    format!("{}:{} {:?} {}", it.key.address, it.key.port, it.method, it.weight)
}

#[test]
fn every_keyword_of_keepalived_is_known_in_its_block() {
    let list = include_str!("../../tests/data/keepalived-keywords.txt");
    let (mut checked, mut missing) = (0, Vec::new());
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let (file, words) = line.split_once(": ").unwrap();
        let blocks: &[&str] = match file {
            "core/global_parser.c" => &["the top level", "global_defs"],
            "vrrp/vrrp_parser.c" => &[
                "the top level",
                "vrrp_instance",
                "authentication",
                "auth_hmac",
                "vrrp_sync_group",
                "vrrp_script",
                "vrrp_track_process",
                "garp_group",
            ],
            "bfd/bfd_parser.c" => &["the top level", "bfd_instance"],
            "check/check_parser.c" => &["the top level", "virtual_server", "real_server", "SSL"],
            "check/check_api.c" => &["TCP_CHECK"],
            "check/check_http.c" => &["real_server", "HTTP_GET", "url"],
            "trackers/track_file.c" => &["the top level", "track_file"],
            _ => &[
                "real_server",
                "SMTP_CHECK",
                "DNS_CHECK",
                "UDP_CHECK",
                "MISC_CHECK",
                "FILE_CHECK",
                "BFD_CHECK",
            ],
        };
        for word in words.split(' ') {
            let known = keywords::keywords().any(|(block, known)| known == word && blocks.contains(&block));
            missing.extend((!known).then_some((file, word)));
            checked += 1;
        }
    }
    assert_eq!(missing, []);
    assert!(checked > 380, "{checked}");
}

#[test]
fn no_block_knows_a_word_twice() {
    let mut seen = std::collections::HashSet::new();
    for row in keywords::keywords() {
        assert!(seen.insert(row), "{row:?}");
    }
}

#[test]
fn a_mistyped_value_of_an_ignored_keyword_is_named() {
    for (line, message) in [
        ("smtp_alert perhaps", "error[E0104]: smtp_alert: `perhaps` is not on, off, true, false, yes or no"),
        (
            "vrrp_priority -21",
            "error[E0105]: vrrp_priority: `-21` is out of range, not a number from -20 to 19",
        ),
        ("vrrp_rlimit_rttime", "error[E0103]: `vrrp_rlimit_rttime` lacks its value"),
        ("lvs_flush_on_stop some", "error[E0104]: lvs_flush_on_stop: `some` is not VS"),
        ("vrrp_cpu_affinity 0 1", "warning[W0112]: `vrrp_cpu_affinity` is ignored"),
        ("smtp_alert", "warning[W0112]: `smtp_alert` is ignored"),
        ("max_auto_priority -1", "warning[W0112]: `max_auto_priority` is ignored"),
    ] {
        let (_, messages) = loaded(&format!("global_defs {{\n{line}\n}}\n"));
        assert_eq!(messages.len(), 1);
        assert!(messages[0].contains(message), "{messages:?}");
    }
}

#[test]
fn an_ignored_keyword_says_why_and_a_refused_one_what_to_do() {
    for (lines, expected) in [
        ("enable_dbus", "warning[W0112]: `enable_dbus` is ignored"),
        ("vrrp_strict", "error[E0108]: `vrrp_strict` is not supported by this version; the line is left out"),
        ("vrrp_down_timer_adverts 101", "error[E0105]"),
        ("vrrp_garp_interval 1.5", "warning[W0212]: 1.5 s between two announcements make a takeover slow"),
        ("smtp_server", "error[E0103]: `smtp_server` lacks its value"),
    ] {
        let (_, messages) = loaded(&format!("global_defs {{\n{lines}\n}}\n"));
        assert_eq!(messages.len(), 1);
        assert!(messages[0].contains(expected), "{messages:?}");
    }
    clean("global_defs {\n vrrp_down_timer_adverts 4\n vrrp_lower_prio_no_advert\n}\n");
}

#[test]
fn a_truth_value_is_one_of_six_words_or_none() {
    for (value, on) in
        [("", true), ("on", true), ("yes", true), ("true", true), ("off", false), ("no # x", false)]
    {
        let config = clean(&service(&format!("inhibit_on_failure {value}\n{SERVER}")));
        assert_eq!(config.destinations[0].on_failure == OnFailure::Inhibit, on, "{value}");
    }
    let (config, messages) = loaded(&service(&format!("inhibit_on_failure maybe\n{SERVER}")));
    assert_eq!(
        messages,
        ["2:20: error[E0104]: inhibit_on_failure: `maybe` is not on, off, true, false, yes or no"]
    );
    assert_eq!(config.destinations[0].on_failure, OnFailure::Remove);
}

#[test]
fn limits_are_named_at_one_more_and_silent_at_the_limit() {
    let servers = |count: usize| {
        let mut text = String::from("virtual_server 10.0.0.1 80 {\nlb_kind NAT\nprotocol TCP\n");
        (0..count).for_each(|n| {
            let _ =
                writeln!(text, "real_server 10.{}.{}.{} 80 {{\n}}", 1 + n / 65_536, n / 256 % 256, n % 256);
        });
        text + "}\n"
    };
    assert_eq!(clean(&servers(limits::MAX_REAL_SERVERS)).destinations.len(), limits::MAX_REAL_SERVERS);
    let (config, messages) = loaded(&servers(limits::MAX_REAL_SERVERS + 1));
    assert_eq!(messages, ["131076:1: error[E0401]: 65537 real servers: the limit is 65536"]);
    assert_eq!(config.destinations.len(), limits::MAX_REAL_SERVERS);

    let services = |count: usize| {
        (1..=count).fold(String::new(), |mut text, mark| {
            let _ = writeln!(
                text,
                "virtual_server fwmark {mark} {{\nlb_kind DR\n real_server 10.0.0.1 {{ }}\n}}"
            );
            text
        })
    };
    assert_eq!(clean(&services(limits::MAX_SERVICES)).services.len(), limits::MAX_SERVICES);
    let (config, messages) = loaded(&services(limits::MAX_SERVICES + 1));
    assert_eq!(messages, ["16385:1: error[E0401]: 4097 virtual services: the limit is 4096"]);
    assert_eq!(
        (config.services.len(), config.destinations.len()),
        (limits::MAX_SERVICES, limits::MAX_SERVICES)
    );
}

#[test]
fn limits_of_instances_and_their_addresses_are_named() {
    let instances = |count: usize| {
        (0..count).fold(String::new(), |mut text, n| {
            let (vrid, link) = (n % 255 + 1, n / 255);
            let _ = write!(text, "vrrp_instance V{n} {{\ninterface eth{link}\nvirtual_router_id {vrid}\n");
            let _ = writeln!(text, "virtual_ipaddress {{\n10.0.{}.{}\n}}\n}}", n / 256, n % 256);
            text
        })
    };
    assert_eq!(clean(&instances(limits::MAX_INSTANCES)).instances.len(), limits::MAX_INSTANCES);
    let (_, messages) = loaded(&instances(limits::MAX_INSTANCES + 1));
    assert_eq!(messages.len(), 1);
    assert!(messages[0].ends_with("256 vrrp instances: the limit is 255"), "{messages:?}");

    let addresses = |block: &str, count: usize| {
        let list: String = (0..count).map(|n| format!("10.1.{}.{}\n", n / 256, n % 256)).collect();
        instance(&format!("{block} {{\n{list}}}"))
    };
    let config = clean(&addresses("virtual_ipaddress_excluded", limits::MAX_ADDRESSES - 1));
    assert_eq!((config.addresses.len(), config.instances[0].advertised), (limits::MAX_ADDRESSES, 1));
    let (_, messages) = loaded(&addresses("virtual_ipaddress_excluded", limits::MAX_ADDRESSES));
    assert!(messages[0].ends_with("4097 virtual addresses: the limit is 4096"), "{messages:?}");

    let config = clean(&addresses("virtual_ipaddress", limits::MAX_ADVERTISED - 1));
    assert_eq!(config.instances[0].advertised, 255);
    let (config, messages) = loaded(&addresses("virtual_ipaddress", limits::MAX_ADVERTISED));
    assert!(messages[0].ends_with("256 addresses in virtual_ipaddress: the limit is 255"), "{messages:?}");
    assert_eq!(config.instances[0].advertised, 255);
}

#[test]
fn a_text_over_the_limit_is_refused_before_it_is_read() {
    let loaded = load(&" ".repeat(limits::MAX_CONFIG_BYTES + 1), "t");
    assert!(loaded.config.is_none());
    assert_eq!(loaded.diagnostics.worst(), Some(Severity::Fatal));
}

#[test]
fn errors_are_kept_when_warnings_fill_the_list() {
    let text = "global_defs {\n".to_owned() + &"enable_dbus\n".repeat(200) + "vrrp_strict\n}\n";
    let loaded = load(&text, "t");
    assert_eq!(loaded.diagnostics.iter().len(), limits::MAX_DIAGNOSTICS);
    assert!(loaded.diagnostics.iter().any(|d| d.severity() == Severity::Error));
    assert_eq!(loaded.diagnostics.totals().to_string(), "1 error, 200 warnings");
    let shown = loaded.diagnostics.to_string();
    assert!(shown.ends_with("and 101 more: the limit is 100 messages, the most severe first\n"));
}

#[test]
fn after_a_fatal_error_there_is_no_configuration() {
    for text in ["vrrp_instance X {\n", "global_defs {\n router_id \"x\n}\n"] {
        let mut out = String::new();
        assert_eq!(report("t", &load(text, "t"), &mut out), Ok(Outcome::Faulty));
        assert!(load(text, "t").config.is_none());
        assert!(out.ends_with("t: 1 fatal error\nthe file cannot be used\n"), "{out}");
    }
}

#[test]
fn check_counts_what_is_left_and_its_status_tells_errors_from_warnings() {
    let mut out = String::new();
    assert_eq!(report("t", &load(&service(SERVER), "t"), &mut out), Ok(Outcome::Usable));
    assert_eq!(out, "t: no errors\nusable: instances 0, addresses 0, services 1, real servers 1, checks 0\n");
    assert_eq!(
        report("t", &load("global_defs {\nenable_dbus\n}", "t"), &mut String::new()).map(Outcome::status),
        Ok(0)
    );
    assert_eq!(report("t", &load("bogus", "t"), &mut String::new()).map(Outcome::status), Ok(1));
}

#[test]
fn passwords_appear_nowhere() {
    for lines in [
        "authentication {\nauth_type PASS\nauth_pass hunter2\n}",
        "authentication {\nauth_type PASS\nauth_pass hunter2-and-more hunter2\n}",
        "authentication {\nauth_type hunter2\nauth_pass \"hunter2 x\" virtual_ipaddress\n}",
        "authentication {\nauth_type PASS auth_pass hunter2\n}",
        "authentication {\nauth_psas hunter2\nauth_pass hunter2 { hunter2 }\n}",
        "auth_pass hunter2",
        "authentication { auth_type PASS auth_pass hunter2 }",
        "authentication {\nauth_pass \"hunter2\n}",
        "authentication {\nhunter2\n}",
    ] {
        let loaded = load(&instance(lines), "t");
        let shown = format!("{}{:?}{:?}", loaded.diagnostics, loaded.diagnostics, loaded.config);
        assert!(!shown.contains("hunter2"), "{lines}: {shown}");
    }
}

#[test]
fn a_debug_print_of_a_loader_holds_no_text() {
    let mut loader = Loader::new("t", instance("authentication {\nauth_pass hunter2\n}"));
    while !loader.step() {
        assert!(!format!("{loader:?}").contains("hunter2"));
    }
}

const VALID: [&str; 3] = [
    include_str!("../../tests/data/config/dr.conf"),
    include_str!("../../tests/data/config/nat.conf"),
    include_str!("../../tests/data/config/fwmark.conf"),
];

/// Every range is inside its table and every id is a row: what the rest of the program relies on.
fn assert_sound(config: &Config) {
    for (index, service) in config.services.iter().enumerate() {
        assert!(service.destinations.rows().end <= config.destinations.len());
        assert!(!service.real_servers().is_empty());
        for id in service.destinations.iter() {
            let destination = &config.destinations[id.index()];
            assert_eq!(destination.service.index(), index);
            assert_eq!(config.probes_of(destination).len(), destination.probes.len());
            assert!(config.probes_of(destination).iter().all(|probe| probe.index() < config.probes.len()));
        }
    }
    for (index, instance) in config.instances.iter().enumerate() {
        assert!(instance.addresses.rows().end <= config.addresses.len());
        assert_eq!(config.advertised(instance).len(), usize::from(instance.advertised));
        assert!(instance.advertised > 0);
        assert!(
            config.addresses[instance.addresses.rows()]
                .iter()
                .all(|it| it.instance.unwrap().index() == index)
        );
        let trackers = config.trackers_of(instance);
        assert_eq!(trackers[0].link(), Some(instance.link));
        assert!(trackers.iter().filter_map(|it| it.link()).all(|link| link.index() < config.links.len()));
    }
    for probe in &config.probes {
        assert!(
            (probe.port > 0 || matches!(probe.checker, Checker::Ping(_)))
                && !probe.interval.is_zero()
                && !probe.timeout.is_zero()
        );
    }
}

fn in_slices(text: &str) -> (String, usize) {
    let mut loader = Loader::new("t", text.to_owned());
    let mut steps = 1;
    while !loader.step() {
        steps += 1;
        assert!(steps < 10_000 + text.len());
    }
    let loaded = loader.finish();
    (format!("{:?} {:?}", loaded.config, loaded.diagnostics), steps)
}

#[test]
fn a_load_in_slices_gives_what_a_whole_load_gives() {
    let mut text = VALID.concat();
    for n in 0..600 {
        let _ = writeln!(text, "virtual_server fwmark {n} {{\n");
        let _ = writeln!(text, "real_server 10.0.0.1 {{\n TCP_CHECK {{\n connect_port {n}\n }}\n }}\n}}");
    }
    let whole = load(&text, "t");
    let (slices, steps) = in_slices(&text);
    assert_eq!(slices, format!("{:?} {:?}", whole.config, whole.diagnostics));
    assert!(steps > 600, "{steps}");
}

#[test]
fn one_large_service_is_built_in_many_slices() {
    let servers: String =
        (0..2_000).map(|n| format!("real_server 10.0.{}.{} 80 {{ }}\n", n / 256, n % 256)).collect();
    let (_, steps) = in_slices(&service(&servers));
    assert!(steps > 2_000 / 200 * 2, "{steps}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_text_never_panics(
        words in prop::collection::vec(
            prop_oneof![
                Just("{\n".to_owned()), Just("}\n".to_owned()), Just("\n".to_owned()), Just("\n".to_owned()),
                (0..400_usize).prop_map(|n| keywords::keywords().nth(n % 390).unwrap().1.to_owned()),
                Just("10.0.0.1".to_owned()), Just("eth0".to_owned()), Just("80".to_owned()),
                Just("2001:db8::1/64".to_owned()), "[ -~]{0,8}", "\\PC{0,6}",
            ],
            0..120,
        ),
    ) {
        let text = words.join(" ");
        let loaded = load(&text, "t");
        let _ = loaded.diagnostics.to_string();
        if let Some(config) = &loaded.config {
            assert_sound(config);
        }
    }

    #[test]
    fn a_damaged_file_never_panics_and_what_is_left_is_sound(
        which in 0..3_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, "[{}\"!#\n 0-9a-z.-]{0,3}"), 1..6),
    ) {
        let mut text: Vec<char> = VALID[which].chars().collect();
        for (at, cut, insert) in edits {
            let at = at.index(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, insert.chars());
        }
        let loaded = load(&text.iter().collect::<String>(), "t");
        prop_assert!(loaded.config.is_some() || loaded.diagnostics.worst() == Some(Severity::Fatal));
        if let Some(config) = &loaded.config {
            assert_sound(config);
        }
        prop_assert!(loaded.diagnostics.to_string().chars().all(|c| c == '\n' || !c.is_control()));
    }
}

/// Measures the largest file: `cargo test --release -- --ignored --nocapture largest`.
#[test]
#[ignore = "a measurement"]
fn the_largest_file_loads_in_short_slices() {
    let mut text = String::new();
    for service in 0..limits::MAX_SERVICES {
        let (a, b) = (service / 256, service % 256);
        let _ = write!(
            text,
            "virtual_server 10.{a}.{b}.1 80 {{\n    delay_loop 6\n    lb_algo wrr\n    lb_kind DR\n"
        );
        text.push_str("    protocol TCP\n");
        for server in 0..16 {
            let _ = write!(text, "    real_server 10.{}.{b}.{server} 80 {{\n        weight 10\n", 100 + a);
            text.push_str("        HTTP_GET {\n            url {\n                path /health\n");
            text.push_str("            }\n            connect_timeout 3\n        }\n    }\n");
        }
        text.push_str("}\n");
    }
    let (bytes, mut steps) = (text.len(), 1);
    let start = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let (mut last, mut worst) = (start, Vec::new());
    let mut loader = Loader::new("t", text);
    while !loader.step() {
        steps += 1;
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        worst.push((now.saturating_sub(last), steps));
        last = now;
    }
    let config = loader.finish().config.unwrap();
    let end = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    worst.sort();
    let worst = worst.split_off(worst.len() - 5);
    println!("{bytes} bytes, {steps} steps, longest {worst:?}, total {:?}", end.saturating_sub(start));
    println!("finish {:?}", end.saturating_sub(last));
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{:?}", status.lines().filter(|line| line.starts_with("VmHWM")).collect::<Vec<_>>());
    assert_eq!(config.destinations.len(), limits::MAX_REAL_SERVERS);
}
