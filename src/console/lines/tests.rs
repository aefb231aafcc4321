//! Records and their lines, word for word.

use core::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use super::*;
use crate::config::model::OnFailure;
use crate::console::fixture::{Bench, SMALL, at, config};
use crate::director::journal::Cursor;
use crate::director::vrrp::{Fault, Reject};
use crate::wire::link::MacAddress;

const VI: InstanceId = InstanceId(0);
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 0, 66));

fn said(bench: &Bench, reason: Reason) -> Vec<(Severity, String)> {
    let mut lines = Vec::new();
    let record = Record { at: at(77_000), reason };
    tell(&bench.director, &record, &mut |severity, line| lines.push((severity, line.to_string())));
    lines
}

#[track_caller]
fn check(table: &[(Reason, &[&str])]) {
    let bench = Bench::new(config(SMALL));
    for (reason, expected) in table {
        let lines: Vec<String> = said(&bench, *reason).into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, *expected, "{reason:?}");
    }
}

#[test]
fn elections_are_told_in_keepalived_s_words() {
    let rival = |theirs| Rival { from: PEER, theirs, ours: 100 };
    check(&[
        (Reason::EnteredBackup(VI, Entry::Initial), &["(VI_1) Entering BACKUP STATE (init)"]),
        (Reason::EnteredBackup(VI, Entry::Defeated), &["(VI_1) Entering BACKUP STATE"]),
        (Reason::MasterSilent(VI), &["(VI_1) Receive advertisement timeout"]),
        (Reason::EnteredMaster(VI), &["(VI_1) Entering MASTER STATE"]),
        (Reason::SettingAddresses(VI), &["(VI_1) setting VIPs."]),
        (
            Reason::Announcing(AddressId(0)),
            &["(VI_1) Sending/queueing gratuitous ARPs on eth0 for 10.9.0.100"],
        ),
        (Reason::ReceivedFarewell(VI, PEER), &["(VI_1) Backup received priority 0 advertisement"]),
        (
            Reason::HigherAdvert(VI, rival(200)),
            &["(VI_1) Master received advert from 10.9.0.66 with higher priority 200, ours 100"],
        ),
        (
            Reason::EqualAdvert(VI, rival(100)),
            &[
                "(VI_1) Master received advert from 10.9.0.66 with same priority 100 but higher IP address than \
               ours",
            ],
        ),
        (
            Reason::LowerDiscarded(VI, rival(50)),
            &["(VI_1) received lower priority (50) advert from 10.9.0.66 - discarding"],
        ),
        (
            Reason::LowerAnswered(VI, rival(50)),
            &["(VI_1) Received advert from 10.9.0.66 with lower priority 50, ours 100, forcing new election"],
        ),
        (Reason::RemovingAddresses(VI), &["(VI_1) removing VIPs."]),
        (Reason::LeavingAddresses(VI), &["(VI_1) leaving VIPs for the next start."]),
        (
            Reason::Resuming(VI),
            &["(VI_1) VIPs are still here: going on as MASTER unless another one is heard"],
        ),
        (Reason::SentFarewell(VI), &["(VI_1) sent 0 priority"]),
        (Reason::PriorityChanged(VI, 100, 90), &["(VI_1) Changing effective priority from 100 to 90"]),
        (
            Reason::TwoOwners(VI, PEER),
            &[
                "(VI_1) CONFIGURATION ERROR: local instance and 10.9.0.66 are both configured as address owner",
            ],
        ),
    ]);
}

#[test]
fn faults_name_their_reason_behind_keepalived_s_words() {
    let eth0 = LinkId(0);
    check(&[
        (Reason::LinkDown(eth0), &["Netlink reports eth0 down"]),
        (Reason::LinkUp(eth0), &["Netlink reports eth0 up"]),
        (Reason::LinkAbsent(eth0), &["There is no interface eth0: waiting for it"]),
        (
            Reason::EnteredFault(VI, Fault::LinkDown(eth0)),
            &["(VI_1) Entering FAULT STATE (interface eth0 is down)"],
        ),
        (
            Reason::EnteredFault(VI, Fault::NoAddress(eth0, crate::wire::vrrp::Family::Ipv4)),
            &["(VI_1) Entering FAULT STATE (no IPv4 address for interface eth0)"],
        ),
        (
            Reason::EnteredFault(VI, Fault::Socket(eth0, Errno::EPERM)),
            &["(VI_1) Entering FAULT STATE (VRRP socket on eth0: operation not permitted)"],
        ),
        (
            Reason::SocketFailed(eth0, Errno::EPERM),
            &["VRRP socket on eth0: operation not permitted; next try in 5 s"],
        ),
        (
            Reason::AdvertFailed(VI, Errno(100)),
            &["(VI_1) advert on eth0 not sent: network is down; the next one is tried in time"],
        ),
    ]);
}

#[test]
fn refused_adverts_say_why_and_from_whom() {
    let refused = |reject, seen| Reason::Rejected(VI, reject, PEER, seen);
    check(&[
        (refused(Reject::Password, 0), &["(VI_1) received an invalid passwd! (from 10.9.0.66, dropped)"]),
        (
            refused(Reject::Interval, 2),
            &["(VI_1) advertisement interval mismatch mine=1 sec rcv'd=2 sec (from 10.9.0.66, dropped)"],
        ),
        (
            refused(Reject::AuthMismatch, 0),
            &["(VI_1) received a 0 auth, expecting 1! (from 10.9.0.66, dropped)"],
        ),
        (
            Reason::Rejected(VI, Reject::Version, Ipv4Addr::UNSPECIFIED.into(), 3),
            &["(VI_1) wrong version. Received 3 and expect 2 (dropped)"],
        ),
        (
            Reason::AddressListDiffers(VI, PEER, 2),
            &[
                "(VI_1) expected 1 VIPs but received 2 from 10.9.0.66",
                "(VI_1) the advert counts nevertheless: make virtual_ipaddress equal on 10.9.0.66 and here",
            ],
        ),
        (
            Reason::AddressListDiffers(VI, PEER, 1),
            &[
                "(VI_1) ip address associated with VRID 1 not present in advert from 10.9.0.66",
                "(VI_1) the advert counts nevertheless: make virtual_ipaddress equal on 10.9.0.66 and here",
            ],
        ),
    ]);
}

#[test]
fn every_refusal_has_a_line_of_its_own() {
    let bench = Bench::new(config(SMALL));
    let mut lines: Vec<String> = Vec::new();
    for reject in Reject::ALL {
        let told = said(&bench, Reason::Rejected(VI, reject, PEER, 7));
        assert_eq!((told.len(), told[0].0), (1, Severity::Warning));
        assert!(told[0].1.starts_with("(VI_1) ") && told[0].1.contains("10.9.0.66"), "{told:?}");
        lines.push(told[0].1.clone());
    }
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), Reject::ALL.len());
}

#[test]
fn checks_are_told_in_keepalived_s_words_with_the_reason_behind() {
    let refused = Failure::Connect { errno: 111 };
    check(&[
        (
            Reason::ProbeDown(ProbeId(0), refused, 2),
            &["TCP_CHECK on service [10.0.0.11]:tcp:80 failed after 2 retries. (connection refused)"],
        ),
        (
            Reason::ProbeDown(ProbeId(0), Failure::ConnectTimeout, 0),
            &["TCP_CHECK on service [10.0.0.11]:tcp:80 failed. (no connection in time)"],
        ),
        (
            Reason::ProbeDown(ProbeId(1), Failure::Status(503), 3),
            &["HTTP_CHECK on service [10.0.0.12]:tcp:80 failed after 3 retries. (status 503)"],
        ),
        (Reason::ProbeUp(ProbeId(0)), &["TCP connection to [10.0.0.11]:tcp:80 success."]),
        (Reason::ProbeUp(ProbeId(1)), &["Remote Web server [10.0.0.12]:tcp:80 succeed on service."]),
        (
            Reason::DestinationDown(DestinationId(0)),
            &["Removing service [10.0.0.11]:tcp:80 from VS [10.0.0.100]:tcp:80"],
        ),
        (
            Reason::DestinationUp(DestinationId(0)),
            &["Adding service [10.0.0.11]:tcp:80 to VS [10.0.0.100]:tcp:80"],
        ),
        (
            Reason::DestinationDown(DestinationId(1)),
            &["Disabling service [10.0.0.12]:tcp:80 of VS [10.0.0.100]:tcp:80"],
        ),
        (
            Reason::DestinationUp(DestinationId(1)),
            &["Enabling service [10.0.0.12]:tcp:80 of VS [10.0.0.100]:tcp:80"],
        ),
    ]);
}

#[test]
fn quorums_bring_the_sorry_server_in_and_out() {
    check(&[
        (
            Reason::QuorumLost(ServiceId(0), 0),
            &[
                "Lost quorum 1-0=1 > 0 for VS [10.0.0.100]:tcp:80",
                "Adding sorry server [10.0.0.13]:tcp:80 to VS [10.0.0.100]:tcp:80",
                "Removing alive servers from the pool for VS [10.0.0.100]:tcp:80",
            ],
        ),
        (
            Reason::QuorumGained(ServiceId(0), 1),
            &[
                "Gained quorum 1+0=1 <= 1 for VS [10.0.0.100]:tcp:80",
                "Removing sorry server [10.0.0.13]:tcp:80 from VS [10.0.0.100]:tcp:80",
                "Adding alive servers to the pool for VS [10.0.0.100]:tcp:80",
            ],
        ),
        (
            Reason::QuorumAbsent(ServiceId(0), 0),
            &[
                "Starting with quorum down for VS [10.0.0.100]:tcp:80 (weight 0, needs 1)",
                "Adding sorry server [10.0.0.13]:tcp:80 to VS [10.0.0.100]:tcp:80",
                "Removing alive servers from the pool for VS [10.0.0.100]:tcp:80",
            ],
        ),
    ]);
}

#[test]
fn an_inhibited_sorry_server_is_enabled_and_disabled() {
    let mut config = config(SMALL);
    Rc::make_mut(&mut config.destinations[2].policy).on_failure = OnFailure::Inhibit;
    let bench = Bench::new(config);
    let lost = said(&bench, Reason::QuorumLost(ServiceId(0), 0));
    assert_eq!(lost[1].1, "Enabling sorry server [10.0.0.13]:tcp:80 of VS [10.0.0.100]:tcp:80");
    let gained = said(&bench, Reason::QuorumGained(ServiceId(0), 1));
    assert_eq!(gained[1].1, "Disabling sorry server [10.0.0.13]:tcp:80 of VS [10.0.0.100]:tcp:80");
}

#[test]
fn a_service_without_sorry_server_has_none_to_tell_of() {
    let mut config = config(SMALL);
    config.services[0].sorry = crate::config::ids::Range::default();
    let bench = Bench::new(config);
    assert_eq!(said(&bench, Reason::QuorumLost(ServiceId(0), 0)).len(), 1);
}

#[test]
fn drift_and_refusals_of_the_kernel_say_what_happens_next() {
    check(&[
        (
            Reason::AddressMissing(AddressId(0)),
            &["Netlink reflector reports IP 10.9.0.100 removed", "(VI_1) adding 10.9.0.100/24 on eth0 again"],
        ),
        (
            Reason::AddressFailed(AddressId(0), Change::Add, Errno::ENOBUFS),
            &["(VI_1) add address 10.9.0.100/24 on eth0: no buffer space; tried again later"],
        ),
        (
            Reason::AddressDuplicate(AddressId(0), MacAddress([2, 0, 0, 0, 0, 0x66])),
            &["(VI_1) 10.9.0.100 on eth0 is used by 02:00:00:00:00:66, too"],
        ),
        (
            Reason::AddressUnwanted(AddressId(0)),
            &["(VI_1) 10.9.0.100/24 is on eth0 though we are not MASTER: removing it"],
        ),
        (
            Reason::ServiceMissing(ServiceId(0)),
            &["VS [10.0.0.100]:tcp:80 was removed by somebody: adding it again"],
        ),
        (
            Reason::ServiceFailed(ServiceId(0), Change::Add, Errno::ENOENT),
            &["add VS [10.0.0.100]:tcp:80: the kernel has no scheduler wrr; tried again later"],
        ),
        (
            Reason::DestinationDiffers(DestinationId(0), 77),
            &[
                "Service [10.0.0.11]:tcp:80 of VS [10.0.0.100]:tcp:80 was changed by somebody (weight 77): setting it back",
            ],
        ),
        (
            Reason::DestinationStrange(ServiceId(0), DestinationKey { address: PEER, port: 81 }),
            &["Service [10.9.0.66]:tcp:81 of VS [10.0.0.100]:tcp:80 is not configured: removing it"],
        ),
        (
            Reason::RepairsHeld(Family::Ipvs),
            &["Somebody keeps changing the IPVS table: repairs wait up to 10 s each"],
        ),
        (
            Reason::IpvsAbsent(Errno::ENOENT),
            &[
                "IPVS is not available: no such file or entry (is the module ip_vs loaded?)",
                "No virtual server is installed until it is; VRRP goes on, next look in 5 s",
            ],
        ),
        (
            Reason::DumpFailed(Family::Addresses, DumpError::Failed(Errno::ENOBUFS)),
            &["Listing addresses: no buffer space; listing again"],
        ),
    ]);
}

/// The whole story of a start, as the director itself records it.
#[test]
fn a_start_reads_as_keepalived_s_does() {
    let mut config = config(crate::console::fixture::Size { instances: 1, ..SMALL });
    config.instances[0].addresses = crate::config::ids::Range::new(0, 1);
    let mut bench = Bench::new(config);
    bench.run(at(5_000));
    let (mut cursor, mut lines) = (Cursor::default(), Vec::new());
    while let Some((_, record)) = bench.director.journal().read(&mut cursor) {
        tell(&bench.director, &record, &mut |_, line| lines.push(line.to_string()));
    }
    let told: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(
        told,
        [
            "Gained quorum 1+0=1 <= 2 for VS [10.0.0.100]:tcp:80",
            "IPVS is there: comparing its table with the configuration",
            "(VI_1) Entering BACKUP STATE (init)",
            "(VI_1) Receive advertisement timeout",
            "(VI_1) Entering MASTER STATE",
            "(VI_1) setting VIPs.",
            "(VI_1) Sending/queueing gratuitous ARPs on eth0 for 10.9.0.100",
        ]
    );
}

#[test]
fn ids_of_another_configuration_harm_nobody() {
    let bench = Bench::new(crate::config::Config::default());
    for reason in [
        Reason::EnteredMaster(InstanceId(7)),
        Reason::LinkUp(LinkId(7)),
        Reason::Announcing(AddressId(7)),
        Reason::AddressMissing(AddressId(7)),
        Reason::ProbeDown(ProbeId(7), Failure::Garbage, 1),
        Reason::DestinationDown(DestinationId(7)),
        Reason::DestinationMissing(DestinationId(7)),
        Reason::QuorumLost(ServiceId(7), 0),
        Reason::ServiceFailed(ServiceId(7), Change::Set, Errno::EINVAL),
    ] {
        said(&bench, reason).iter().for_each(|(_, line)| assert!(line.contains('?'), "{line}"));
    }
}
