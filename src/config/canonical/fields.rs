//! Every field of the model by name: whoever adds one does not get past here without saying where it is printed.
//!
//! Nothing of this is code that runs: a field that is missing in one of the patterns is an error when it is compiled.
//! Variants of enums are matched one by one where they are printed.

use crate::check::http_get::{HttpGet, Url};
use crate::config::Config;
use crate::config::model::{
    Announce, Appliance, Bind, Destination, Global, Instance, Interface, Probe, Service, Timeouts, Tracker,
    VirtualAddress, Vlan,
};
use crate::wire::genl_ipvs::{DestinationKey, ServiceSpec, Tunnel};

// The tables; `texts` and `links` are names inside of others.
const _: fn(&Config) = |it| {
    let Config {
        global: _,
        texts: _,
        links: _,
        instances: _,
        addresses: _,
        peers: _,
        trackers: _,
        services: _,
        destinations: _,
        probes: _,
        probe_uses: _,
        appliance: _,
        interfaces: _,
    } = it;
};
// `machine.rs`: what is not of an instance or a service.
const _: fn(&Global) = |it| {
    let Global { router_id: _, timeouts: _, flush_at_start: _ } = it;
};
const _: fn(&Timeouts) = |it| {
    let Timeouts { tcp: _, tcp_fin: _, udp: _ } = it;
};
const _: fn(&Appliance) = |it| {
    let Appliance { given: _, hostname: _, consoles: _, sysctls: _, modules: _ } = it;
};
const _: fn(&Interface) = |it| {
    let Interface { name: _, addresses: _, mtu: _, vlan: _ } = it;
};
const _: fn(&Vlan) = |it| {
    let Vlan { id: _, parent: _ } = it;
};
// `vrrp.rs`: an instance with its lists. `family` follows from the first address.
const _: fn(&Instance) = |it| {
    let Instance {
        name: _,
        link: _,
        vrid: _,
        version: _,
        family: _,
        coverage: _,
        priority: _,
        advert_interval: _,
        preemption: _,
        authentication: _,
        source: _,
        transport: _,
        source_check: _,
        addresses: _,
        advertised: _,
        trackers: _,
        announce: _,
    } = it;
};
const _: fn(&Announce) = |it| {
    let Announce { repeat: _, delay: _, refresh: _, refresh_repeat: _, lower_delay: _, lower_repeat: _ } = it;
};
const _: fn(&VirtualAddress) = |it| {
    let VirtualAddress {
        instance: _,
        address: _,
        prefix: _,
        link: _,
        broadcast: _,
        peer: _,
        scope: _,
        label: _,
    } = it;
};
const _: fn(&Tracker) = |it| {
    let Tracker { link: _, weight: _ } = it;
};
// `service.rs`: a service with its real servers and their checks.
const _: fn(&Service) = |it| {
    let Service { key: _, spec: _, destinations: _, sorry: _, quorum: _, hysteresis: _ } = it;
};
const _: fn(&Destination) = |it| {
    let Destination {
        service: _,
        key: _,
        method: _,
        weight: _,
        upper: _,
        lower: _,
        on_failure: _,
        probes: _,
    } = it;
};
const _: fn(&Probe) = |it| {
    let Probe {
        target: _,
        bind: _,
        interval: _,
        timeout: _,
        retry: _,
        retry_delay: _,
        warmup: _,
        assumption: _,
        checker: _,
    } = it;
};
const _: fn(&Bind) = |it| {
    let Bind { source: _, link: _, mark: _ } = it;
};
// Of them, what other layers define. What a checker has of its own is in its `Checker::lines`.
const _: fn(&ServiceSpec) = |it| {
    let ServiceSpec { scheduler: _, flags: _, timeout: _, netmask: _, engine: _ } = it;
};
const _: fn(&DestinationKey) = |it| {
    let DestinationKey { address: _, port: _ } = it;
};
const _: fn(&Tunnel) = |it| {
    let Tunnel { kind: _, port: _, flags: _ } = it;
};
const _: fn(&Url) = |it| {
    let Url { path: _, host: _, statuses: _, digest: _ } = it;
};
const _: fn(&HttpGet) = |it| {
    let HttpGet { urls: _, recovery: _, protocol: _ } = it;
};
