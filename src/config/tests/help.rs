//! `lvsbox help keyword`, `lvsbox help CODE` and `check --json`: what they print is what the loader does.

use super::*;
use crate::config::check::{report, report_json};
use crate::config::explain::{EXAMPLES, Example, code};
use crate::config::help::keyword;
use crate::syntax::Shape;

#[test]
fn every_row_says_a_default_and_a_meaning_and_an_old_word_says_the_new_one() {
    for row in keywords::rows() {
        if let Shape::Old(name) = row.shape {
            assert!(keywords::rows().any(|it| it.block == row.block && it.word() == name), "{row:?}");
            continue;
        }
        assert!(!row.default().is_empty() && row.meaning().len() > 5, "{row:?}");
        assert!(row.meaning().is_ascii() && row.meaning().len() <= 70, "{row:?}");
    }
}

#[test]
fn help_of_a_keyword_prints_each_of_its_blocks_its_range_default_and_meaning() {
    let shown = keyword("delay_loop").unwrap();
    for block in ["virtual_server", "real_server", "TCP_CHECK", "HTTP_GET"] {
        let (places, _) = shown.split_once("  meaning ").unwrap();
        assert!(places.contains(&format!("`{block}`")), "{shown}");
    }
    assert_eq!(
        shown.matches("  meaning ").count(),
        1,
        "what is the same in all blocks is said once: {shown}"
    );
    assert_eq!(
        keyword("virtual_router_id").unwrap(),
        "virtual_router_id, in `vrrp_instance`\n\
         \x20 meaning VRID, the same on all routers of the group\n\
         \x20 value   a number from 1 to 255\n\
         \x20 default none"
    );
    let mut all = 0;
    for row in keywords::rows() {
        let shown = keyword(row.word()).unwrap();
        all += shown.len();
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = if let Shape::Integer(min, u32::MAX) = row.shape {
            format!("a number from {min}")
        } else if let Shape::Integer(min, max) = row.shape {
            format!("a number from {min} to {max}")
        } else if let Shape::Timer(min, max) = row.shape {
            format!("seconds with decimals, {min} to {max}")
        } else if let Shape::Ignored(_, why) = row.shape {
            format!("it changes nothing here: {why}")
        } else if let Shape::Unsupported(instead) = row.shape {
            format!("not supported by this version: {instead}")
        } else if let Shape::Old(name) = row.shape {
            format!("an old spelling of `{name}`")
        } else {
            row.meaning().to_owned()
        };
        assert!(words.contains(&said) && words.contains(row.meaning()), "{words}");
    }
    assert!(all > 50_000);
}

#[test]
fn help_lists_blocks_and_the_keywords_of_a_block_and_names_the_nearest_word() {
    let blocks = keyword("").unwrap();
    for block in ["the top level", "vrrp_instance", "real_server", "serial_link", "SMTP_CHECK"] {
        assert!(blocks.lines().any(|line| line.trim_start().starts_with(block)), "{blocks}");
        let shown = keyword(block).unwrap();
        let listed = |word: &str| shown.lines().any(|line| line.trim_start().starts_with(word));
        assert!(keywords::rows().filter(|row| row.block == block).all(|row| listed(row.word())), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }
    assert_eq!(keyword("top").unwrap(), keyword("the top level").unwrap());
    assert_eq!(
        keyword("prioritty").unwrap_err(),
        "there is no keyword `prioritty`; did you mean `priority`?"
    );
    assert_eq!(keyword("\x1b[2J").unwrap_err(), "there is no keyword `?[2J`");
}

/// The default that help prints for a word of a block, without its unit.
fn printed(block: &str, word: &str) -> String {
    let row = keywords::rows().find(|row| row.block == block && row.word() == word).unwrap();
    row.default().trim_end_matches(" s").to_owned()
}

#[test]
fn printed_defaults_of_an_instance_are_what_the_loader_uses() {
    let config = clean(&instance(""));
    let it = &config.instances[0];
    let announce = &it.announce;
    let of = |word| printed("vrrp_instance", word);
    let global = |word: &str| printed("global_defs", word);
    assert_eq!(of("priority"), it.priority.to_string());
    assert_eq!(of("advert_int"), it.advert_interval.to_string());
    assert_eq!((of("nopreempt"), of("preempt")), ("off".to_owned(), "on".to_owned()));
    assert_eq!(it.preemption, Preemption::Preempt);
    assert_eq!(it.transport, Transport::Multicast(global("vrrp_mcast_group4").parse().unwrap()));
    assert_eq!(of("mcast_dst_ip"), "vrrp_mcast_group4");
    assert_eq!((it.source, of("unicast_src_ip").as_str()), (None, "the interface's"));
    assert_eq!((it.source_check, global("vrrp_check_unicast_src").as_str()), (SourceCheck::Any, "off"));
    for (word, value) in [
        ("garp_master_delay", announce.delay.to_string()),
        ("garp_master_repeat", announce.repeat.to_string()),
        ("garp_master_refresh", announce.refresh.to_string()),
        ("garp_master_refresh_repeat", announce.refresh_repeat.to_string()),
    ] {
        assert_eq!(of(word), format!("vrrp_{word}"));
        assert_eq!(global(&format!("vrrp_{word}")), value, "{word}");
    }
    let given = &config.global;
    assert_eq!((global("router_id").as_str(), config.texts.get(given.router_id)), ("none", ""));
    assert_eq!((global("lvs_timeouts").as_str(), given.timeouts.tcp), ("the kernel's", None));
    // Both refer to the values of a new MASTER.
    assert_eq!(global("vrrp_garp_lower_prio_delay"), "vrrp_garp_master_delay");
    assert_eq!(global("vrrp_garp_lower_prio_repeat"), "vrrp_garp_master_repeat");
    assert_eq!((announce.lower_delay, announce.lower_repeat), (announce.delay, announce.repeat));
}

#[test]
fn printed_defaults_of_a_service_are_what_the_loader_uses() {
    let of = |word| printed("virtual_server", word);
    let text = "virtual_server 192.0.2.100 80 {\nreal_server 192.0.2.1 80 {\nTCP_CHECK {\n}\n}\n}";
    let (config, _) = loaded(text);
    let (service, server, probe) = (&config.services[0], &config.destinations[0], &config.probes[0]);
    assert_eq!(of("lb_algo"), service.spec.scheduler.as_str());
    assert_eq!(of("lvs_sched"), service.spec.scheduler.as_str());
    assert_eq!((of("lb_kind").as_str(), server.method), ("NAT", ForwardingMethod::Masquerade));
    assert!(service.key.to_string().contains(&of("protocol").to_lowercase()), "{}", service.key);
    assert_eq!((of("persistence_timeout"), service.spec.timeout), ("off; alone 360".to_owned(), 0));
    assert_eq!((of("persistence_granularity").as_str(), service.spec.netmask), ("one host", 32));
    assert_eq!(of("quorum"), service.quorum.to_string());
    assert_eq!(of("hysteresis"), service.hysteresis.to_string());
    assert_eq!(of("weight"), server.weight.to_string());
    assert_eq!((of("inhibit_on_failure").as_str(), server.on_failure), ("off", OnFailure::Remove));
    assert_eq!(printed("real_server", "uthreshold"), server.upper.to_string());
    assert_eq!(printed("real_server", "lthreshold"), server.lower.to_string());
    assert_eq!(of("delay_loop"), probe.interval.to_string());
    assert_eq!(of("connect_timeout"), probe.timeout.to_string());
    assert_eq!(of("retry"), probe.retry.to_string());
    assert_eq!((of("warmup").as_str(), probe.warmup), ("delay_loop, at most 1", Duration::from_secs(1)));
    let http =
        "virtual_server 192.0.2.100 80 {\nreal_server 192.0.2.1 80 {\nHTTP_GET {\nurl {\npath /\n}\n}\n}\n}";
    let other = loaded(http).0;
    assert_eq!(
        of("delay_before_retry"),
        format!("{} s; HTTP_GET {}", probe.retry_delay, other.probes[0].retry_delay)
    );
    let Checker::Http(http) = &other.probes[0].checker else { panic!() };
    let (low, high) = http.urls[0].statuses[0];
    assert_eq!(printed("url", "status_code"), format!("{low}-{high}"));
    assert_eq!((printed("HTTP_GET", "fast_recovery").as_str(), http.recovery), ("off", Recovery::FullPass));
}

#[test]
fn old_spellings_work_and_the_new_word_is_given() {
    for row in keywords::rows() {
        let Shape::Old(name) = row.shape else { continue };
        let line = format!("{} 1", row.word());
        let text = match row.block {
            "global_defs" => format!("global_defs {{\n{line}\n}}"),
            "vrrp_instance" => instance(&line),
            "vrrp_sync_group" => format!("vrrp_sync_group G {{\n{line}\n}}"),
            "the top level" => format!("{} X {{\n}}", row.word()),
            "virtual_server" => service(&format!("{line}\n{SERVER}")),
            "real_server" => service(&format!("real_server 192.0.2.1 80 {{\n{line}\n}}")),
            _ => service(&format!("real_server 192.0.2.1 80 {{\nTCP_CHECK {{\n{line}\n}}\n}}")),
        };
        let messages = loaded(&text).1;
        let expected = format!("warning[W0113]: `{}` is an old spelling of `{name}`", row.word());
        assert!(messages.iter().any(|it| it.contains(&expected)), "{messages:?}");
        assert!(!messages.iter().any(|it| it.contains("E0101")), "{messages:?}");
    }
    // Everybody writes these two: they are as good as lvs_sched and lvs_method, and no message says otherwise.
    clean(&service(&format!("lb_algo rr\n{SERVER}")));
}

fn whole(example: &Example, lines: &str) -> String {
    let other = |word: &str| !lines.lines().any(|line| line.starts_with(word));
    match example.block {
        "" => lines.to_owned(),
        "global_defs" => format!("global_defs {{\n{lines}\n}}\n"),
        "vrrp_instance" => instance(lines),
        "virtual_server" if other("real_server") => service(&format!("{lines}\n{SERVER}")),
        "virtual_server" => service(lines),
        "real_server" => service(&format!("real_server 192.0.2.1 80 {{\n{lines}\n}}")),
        other => panic!("{other}"),
    }
}

#[test]
fn a_wrong_example_gives_exactly_its_code_and_a_right_one_nothing() {
    assert!(EXAMPLES.len() >= 20);
    for example in EXAMPLES {
        let wrong = load(&whole(example, example.wrong), "t").diagnostics;
        let codes: Vec<_> = wrong.iter().map(|it| it.code().0).collect();
        assert!(!codes.is_empty() && codes.iter().all(|code| *code == example.code), "{example:?}: {wrong}");
        let right = load(&whole(example, example.right), "t").diagnostics;
        assert!(right.iter().len() == 0, "{example:?}: {right}");
        let shown = code(example.code).unwrap();
        for line in example.wrong.lines().chain(example.right.lines()) {
            assert!(shown.contains(&format!("\n      {line}")), "{shown}");
        }
    }
}

fn json(name: &str, text: &str) -> serde_json::Value {
    let mut out = String::new();
    let loaded = load(text, name);
    let outcome = report_json(name, &loaded, &mut out).unwrap();
    assert_eq!(Ok(outcome), report(name, &loaded, &mut String::new()), "the same status as text");
    assert!(out.ends_with("}\n") && !out.chars().any(|c| c.is_control() && c != '\n'));
    serde_json::from_str(&out).unwrap()
}

#[test]
fn json_says_what_text_says_in_the_order_of_the_text() {
    let text = include_str!("../../../tests/data/config/mistakes.conf");
    let document = json("mistakes.conf", text);
    let golden = include_str!("../../../tests/data/config/mistakes.txt");
    let list = document["diagnostics"].as_array().unwrap();
    let mut last = (0, 0);
    for it in list {
        let (line, column) = (it["line"].as_u64().unwrap(), it["column"].as_u64().unwrap());
        let (severity, code) = (it["severity"].as_str().unwrap(), it["code"].as_str().unwrap());
        assert!(golden.contains(&format!("mistakes.conf:{line}:{column}: {severity}[{code}]")), "{it}");
        assert!(it["end_column"].as_u64().unwrap() > column && (line, column) >= last, "{it}");
        assert!(it["message"].as_str().unwrap().len() > 5 && it["hint"].is_string(), "{it}");
        last = (line, column);
    }
    assert_eq!(document["totals"]["shown"], list.len());
    assert_eq!(document["usable"]["services"], 1);
    assert_eq!(json("t", "a {\n")["usable"], serde_json::Value::Null);
    let first = &json("t", "global_defs {\n  wörter 1\n}\n")["diagnostics"][0];
    assert_eq!((first["column"].as_u64(), first["end_column"].as_u64()), (Some(3), Some(9)), "characters");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn json_is_valid_whatever_the_file_and_its_name_hold(name in ".{0,20}", text in "(?s).{0,200}", bytes: Vec<u8>) {
        let document = json(&name, &text);
        prop_assert_eq!(document["file"].as_str(), Some(name.as_str()));
        let lossy = String::from_utf8_lossy(&bytes);
        json(&lossy, &format!("global_defs {{\n{lossy}\n\"\\{lossy}\" {{ }}\n"));
    }
}
