//! Whole files as people write them, and what comes of them.

use super::*;

#[test]
fn direct_routing_with_vrrp() {
    let config = clean(VALID[0]);
    assert_sound(&config);
    assert_eq!(config.texts.get(config.global.router_id), "LVS_MAIN");
    let timeouts = config.global.timeouts;
    assert_eq!((timeouts.tcp, timeouts.tcp_fin, timeouts.udp), (Some(30), Some(5), Some(60)));

    let instance = &config.instances[0];
    assert_eq!(config.texts.get(instance.name), "VI_WEB");
    assert_eq!((instance.vrid.get(), instance.priority, instance.preemption), (51, 150, Preemption::Stay));
    assert!(instance.authentication == Authentication::Pass(*b"k33p4l1v"));
    assert_eq!(instance.transport, Transport::Multicast("224.0.0.18".parse().unwrap()));
    assert_eq!(instance.announce.refresh, Duration::from_secs(60));
    let trackers: Vec<_> = config
        .trackers_of(instance)
        .iter()
        .map(|it| (config.link_name(it.link().unwrap()), it.weight))
        .collect();
    assert_eq!(trackers, [("eth0", 0), ("eth1", 0), ("eth2", 0), ("eth1", -60)]);
    let addresses: Vec<_> = config
        .addresses
        .iter()
        .map(|it| format!("{}/{} {} {:?}", it.address, it.prefix, config.link_name(it.link), it.broadcast))
        .collect();
    assert_eq!(
        addresses,
        ["192.0.2.100/24 eth0 Some(192.0.2.255)", "192.0.2.101/24 eth1 None", "2001:db8::100/64 eth0 None"]
    );
    assert_eq!(instance.advertised, 2);
    assert_eq!(config.texts.get(config.addresses[0].label), "eth0:100");

    let service = &config.services[0];
    assert_eq!(service.key.to_string(), "[192.0.2.100]:tcp:80");
    assert_eq!((service.spec.scheduler.as_str(), service.spec.flags), ("wrr", 1));
    assert_eq!((service.spec.timeout, service.spec.netmask), (300, 24));
    assert_eq!(destination(&config, 0), "192.0.2.21:80 DirectRoute 3");
    assert_eq!(config.destinations[0].on_failure, OnFailure::Inhibit);
    assert_eq!(config.destinations[1].on_failure, OnFailure::Remove);
    let probe = &config.probes[0];
    assert_eq!((probe.target().to_string().as_str(), probe.retry), ("192.0.2.21:80", 2));
    assert_eq!((probe.interval, probe.warmup), (Duration::from_secs(5), Duration::from_secs(1)));
    let Checker::Http(http) = &probe.checker else { panic!("{probe:?}") };
    let hosts: Vec<_> =
        http.urls.iter().map(|url| (&*url.path, url.host.as_deref().unwrap_or("-"))).collect();
    assert_eq!(hosts, [("/health", "www.example.com"), ("/static", "static.example.com")]);
    assert_eq!(*http.urls[0].statuses, [(200, 204), (301, 301)]);
    assert_eq!(*http.urls[1].statuses, [(200, 299)]);
    let probe = &config.probes[1];
    assert_eq!(probe.target().to_string(), "192.0.2.22:8080");
    assert_eq!(probe.bind.as_ref().unwrap().source.unwrap().to_string(), "192.0.2.11:0");
    assert_eq!((probe.warmup, probe.retry, probe.retry_delay), (Duration::ZERO, 1, Duration::from_secs(1)));
}

#[test]
fn address_translation_with_unicast() {
    let config = clean(VALID[1]);
    assert_sound(&config);
    let instance = &config.instances[0];
    assert_eq!(config.peers_of(instance).len(), 2);
    assert_eq!(instance.source, Some("10.0.0.2".parse().unwrap()));
    assert_eq!(instance.source_check, SourceCheck::Peers);
    assert_eq!(instance.announce.delay, Duration::from_millis(2_500));
    assert_eq!(
        (instance.announce.lower_delay, instance.announce.lower_repeat),
        (Duration::from_millis(2_500), 1)
    );

    let service = &config.services[0];
    assert_eq!((service.key.to_string().as_str(), service.spec.flags), ("[10.0.0.1]:udp:53", 4));
    assert_eq!((service.quorum, service.hysteresis), (2, 1));
    assert_eq!(destination(&config, 0), "10.1.0.1:5353 Masquerade 2");
    assert_eq!(destination(&config, 1), "10.1.0.2:53 Masquerade 1", "without a port it is the service's");
    assert_eq!((config.destinations[1].upper, config.destinations[1].lower), (100, 80));
    assert_eq!(destination(&config, 2), "10.1.0.9:53 Masquerade 1");
    assert_eq!(service.sorry.rows(), 2..3);
    assert_eq!(config.destinations[2].on_failure, OnFailure::Inhibit);

    assert_eq!(config.services[1].spec.flags, 0x10);
    assert_eq!(config.destinations[3].weight, 5);
    let probes: Vec<_> = config
        .probes
        .iter()
        .map(|it| format!("{} {} {} {}", it.target(), it.timeout, it.retry, it.retry_delay))
        .collect();
    assert_eq!(probes, ["10.1.0.1:53 2 4 0.5", "10.1.0.1:80 2 0 0.5", "10.1.0.2:53 1 4 0.5"]);
    let uses: Vec<_> = config.probe_uses.iter().map(|id| id.index()).collect();
    assert_eq!(uses, [0, 1, 2, 1], "equal probes of one target are made once");
}

#[test]
fn firewall_marks_and_tunnels() {
    let config = clean(VALID[2]);
    assert_sound(&config);
    let keys: Vec<_> = config.services.iter().map(|it| it.key.to_string()).collect();
    assert_eq!(keys, ["FWM 7 IPv6", "FWM 7", "[2001:db8::100]:tcp:443"]);
    assert_eq!(config.services[0].spec.timeout, 360);
    assert_eq!(
        config.destinations[0].method,
        ForwardingMethod::Tunnel(Tunnel { kind: 1, port: 6080, flags: 1 })
    );
    assert_eq!(config.destinations[1].method, ForwardingMethod::Tunnel(Tunnel::default()));
    assert_eq!(config.destinations[0].key.port, 0);
    assert_eq!(config.probes[0].target().to_string(), "[2001:db8::1]:443");
    assert_eq!((config.services[1].spec.scheduler.as_str(), config.services[1].spec.netmask), ("wlc", 32));
    let last = &config.services[2].spec;
    assert_eq!((last.flags, last.netmask, last.scheduler.as_str()), (0x11, 64, "mh"));
    let Checker::Http(http) = &config.probes[1].checker else { panic!() };
    assert_eq!(http.recovery, Recovery::Fast);
    assert_eq!(config.probes[1].retry_delay, Duration::from_secs(3));
}

#[test]
fn a_file_full_of_mistakes_is_explained_line_by_line() {
    let mut out = String::new();
    let text = include_str!("../../../tests/data/config/mistakes.conf");
    assert_eq!(report("mistakes.conf", &load(text, "mistakes.conf"), &mut out), Ok(Outcome::Faulty));
    let expected = include_str!("../../../tests/data/config/mistakes.txt");
    assert!(out == expected, "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80));
}
