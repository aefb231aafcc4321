//! Transcripts of commands, from directors that ran in virtual time; and what no answer may do, however large the
//! configuration is.

mod why;

use core::net::Ipv4Addr;
use std::rc::Rc;

use super::fixture::*;
use super::view::{Diagnostics, Outcome, Reload};
use super::{Answer, Buf};
use crate::check::{Failure, Verdict};
use crate::config::ids::LinkId;
use crate::director::event::{Errno, Event};
use crate::director::overrides::Order;
use crate::limits::MAX_REAL_SERVERS;
use crate::time::Duration;
use crate::wire::errno::REPLIES_DROPPED;
use crate::wire::vrrp::{self, Addresses, Advert, Checksum, Received};

const COMMANDS: [&str; 10] = [
    "status",
    "show vrrp",
    "show ipvs",
    "show checks",
    "show config",
    "show memory",
    "show loop",
    "reload",
    "version",
    "help",
];

/// The small configuration after 7.4 s: MASTER, all servers up.
fn master() -> Bench {
    let mut bench = Bench::new(config(SMALL));
    bench.run(at(8_400));
    bench
}

/// An advert for VI_1.
fn hear(bench: &mut Bench, priority: u8, change: fn(&mut Received<'_>)) {
    let advert = Advert {
        version: 2,
        kind: 1,
        vrid: 1,
        priority,
        auth_type: 1,
        interval: crate::time::Duration::from_secs(1),
        checksum: Checksum::Right,
        addresses: Addresses::V4(&[[10, 9, 0, 100]]),
        auth_data: *b"s3cret\0\0",
    };
    let source = Ipv4Addr::new(10, 9, 0, 66).into();
    let mut received = Received { source, destination: vrrp::GROUP.into(), ttl: 255, seal: None, advert };
    change(&mut received);
    bench.handle(Event::Advert { link: LinkId(0), channel: vrrp::Channel::Ipv4, packet: Ok(received) });
}

#[test]
fn who_says_how_much_memory_there_is_asks_for_it_and_nobody_else_does() {
    let (bench, mut told) = (master(), 0);
    for row in super::table::TABLE {
        let line = row.words.join(" ").replace("NAME", "VI_1");
        for line in [line.clone(), format!("{line} json")] {
            // Some have no JSON, or want a word that is an address.
            let Ok(request) = super::parse(line.as_bytes()) else { continue };
            let ask = |bytes| {
                let (mut view, mut out, mut answer) = (bench.view(), Buf::new(), Answer::new(request));
                view.process.room = (bytes, "ulimit -v");
                let _ = answer.next(&view, &mut out);
                (out, answer.tells_memory())
            };
            let ((one, tells), (other, _)) = (ask(77 << 20), ask(99 << 20));
            assert_eq!(one != other, tells, "{line}: {one}");
            told += u8::from(tells);
        }
    }
    assert_eq!(told, 3, "show memory, its JSON, and that of status");
}

#[test]
fn status_of_a_healthy_box() {
    assert_eq!(
        master().ask("status"),
        "\
lvsbox 0.1.0 on lb1, pid 4711, up 7.4 s
config  /etc/lvsbox.conf: 0 errors, 1 warning; reloaded 0.0 s ago
memory  1204 KiB resident, heap 196 KiB (peak 254), 1 thread
loop    321 turns, worst lateness 3.4 ms after ipvs, 6.4 s ago
VRRP    2 instances, 2 MASTER
  VI_1             MASTER 100  for 3.7 s       no advert in time
  VI_2             MASTER 100  for 3.7 s       no advert in time
IPVS    1 service, 2 of 2 real servers alive
  [10.0.0.100]:tcp:80 wrr         2/2 alive    up for 7.4 s
alarms  none
"
    );
}

#[test]
fn status_of_a_box_in_trouble_names_each_trouble() {
    let mut bench = Bench::new(config(SMALL));
    bench.ipvs = Err(Errno::ENOENT);
    bench.verdict = |_| Verdict::Fail(Failure::Connect { errno: 111 });
    bench.run(at(8_400));
    hear(&mut bench, 200, |received| received.advert.auth_data = *b"wrong\0\0\0");
    bench.running = false;
    bench.handle(Event::Link(&link(false)));
    bench.now = at(10_000);
    let mut view = bench.view();
    view.diagnostics = Diagnostics { errors: 2, warnings: 0 };
    view.reload = Some(Reload { at: at(9_000), outcome: Outcome::Refused(view.diagnostics) });
    let mut screen = Buf::new();
    assert!(!Answer::new(request("status")).next(&view, &mut screen));
    assert_eq!(
        screen,
        "\
lvsbox 0.1.0 on lb1, pid 4711, up 9.0 s
config  /etc/lvsbox.conf: 2 errors, 0 warnings; reload refused 1.0 s ago
memory  1204 KiB resident, heap 196 KiB (peak 254), 1 thread
loop    321 turns, worst lateness 3.4 ms after ipvs, 8.0 s ago
VRRP    2 instances, 2 FAULT
  VI_1             FAULT  100  for 1.6 s       interface eth0 is down
  VI_2             FAULT  100  for 1.6 s       interface eth0 is down
IPVS    1 service, 0 of 2 real servers alive, 1 QUORUM LOST
  [10.0.0.100]:tcp:80 wrr         0/2 alive    QUORUM LOST for 9.0 s
ALARMS  6
  2 instances in FAULT (show vrrp)
  1 service without quorum (show checks)
  IPVS is not available: no such file or entry (module ip_vs?)
  the last reload was refused: the configuration in force is an older one
  and 2 more (status json)
"
    );
}

#[test]
fn status_of_the_largest_box_fits_its_screen_and_says_what_is_left_out() {
    let mut bench = Bench::new(config(Size { instances: 255, services: 4_096, servers: 1 }));
    bench.verdict = |probe| match probe.0 {
        5 => Verdict::Fail(Failure::ConnectTimeout),
        _ => Verdict::Pass { status: 0 },
    };
    bench.run(at(8_400));
    hear(&mut bench, 200, |received| received.ttl = 3);
    let screen = bench.ask("status");
    assert!(screen.lines().count() < 24, "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    assert!(screen.contains("VRRP    255 instances, 255 MASTER\n"), "{screen}");
    assert!(
        screen.contains("IPVS    4096 services, 4095 of 4096 real servers alive, 1 QUORUM LOST\n"),
        "{screen}"
    );
    let worst = screen.lines().skip_while(|line| !line.starts_with("IPVS")).nth(1).unwrap();
    assert!(
        worst.contains("[10.0.0.105]:tcp:85") && worst.contains("0/1 alive"),
        "the lost one is first: {screen}"
    );
    for (title, rows, command) in [("VRRP", 255, "vrrp"), ("IPVS", 4_096, "checks")] {
        let details = screen.lines().skip_while(|line| !line.starts_with(title)).skip(1);
        let details: Vec<&str> = details.take_while(|line| line.starts_with("  ")).collect();
        let (rest, shown) = details.split_last().unwrap();
        assert_eq!(*rest, format!("  and {} more (show {command})", rows - shown.len()));
    }
}

#[test]
fn show_vrrp_of_a_master_that_refused_adverts() {
    let mut bench = master();
    for _ in 0..3 {
        hear(&mut bench, 200, |received| received.advert.auth_data = *b"wrong\0\0\0");
    }
    hear(&mut bench, 200, |received| received.advert.checksum = Checksum::Wrong);
    hear(&mut bench, 200, |received| received.advert.vrid = 77);
    bench.now = at(9_000);
    let shown = bench.ask("show vrrp");
    let first: Vec<&str> = shown.split("\n\n").collect();
    assert_eq!(
        first[0],
        "\
VI_1  MASTER on eth0, VRID 1, for 4.3 s
  why           no advert in time
  priority      100 (base 100)
  active        this box
  next          advert now
  PEER          10.9.0.66 has another password; 3 adverts, last 0.6 s ago
  protocol      version 2 over IPv4, from 10.9.0.1 to 224.0.0.18
  times         advert 1 s, skew 0.609 s, master down 3.609 s
  adverts       4 sent, 0 received, 0 not sent
  MASTER        became 1, left 0; priority 0: 0 sent, 0 received
  announced     10 gratuitous ARPs or neighbour advertisements
  addresses     2, 2 present
    10.9.0.100/24           eth0            present
    2001:db8::1/64          eth0            present
  refused              3  password
  refused              1  checksum
  last refused  checksum from 10.9.0.66, 0.6 s ago"
    );
    assert_eq!(
        first[2],
        "\
packets for no instance of this box
  refused              1  unknown VRID
  last refused  unknown VRID from 10.9.0.66, 0.6 s ago
"
    );
}

#[test]
fn show_vrrp_of_a_backup_says_who_is_active_and_when_it_takes_over() {
    let mut bench = master();
    hear(&mut bench, 200, |_| ());
    bench.now = at(9_000);
    let shown = bench.ask("show vrrp");
    for line in [
        "VI_1  BACKUP on eth0, VRID 1, for 0.6 s",
        "  why           10.9.0.66 has priority 200, ours was 100",
        "  active        10.9.0.66, priority 200, for 0.6 s; last advert 0.6 s ago",
        "  next          takeover in 3.0 s unless an advert of 100 or more comes",
        "    10.9.0.100/24           eth0            absent",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
}

#[test]
fn a_peer_that_does_not_fit_is_an_alarm_until_its_adverts_fit() {
    let mut bench = master();
    let alarms = |bench: &mut Bench| {
        let shown = bench.ask("status");
        shown.split("ALARMS").nth(1).unwrap_or_default().to_owned()
    };
    hear(&mut bench, 50, |received| received.advert.interval = crate::time::Duration::from_secs(3));
    assert!(alarms(&mut bench).contains("VI_1: 10.9.0.66 advertises every 3 s, here 1 s; 1 advert, last "));
    hear(&mut bench, 50, |received| received.advert.version = 3);
    assert!(alarms(&mut bench).contains("VI_1: 10.9.0.66 speaks version 3, here 2; 1 advert, last "));
    hear(&mut bench, 50, |received| received.advert.auth_type = 0);
    assert!(alarms(&mut bench).contains("VI_1: 10.9.0.66 authenticates by nothing, here PASS; 1 advert"));
    hear(&mut bench, 50, |_| ());
    assert_eq!(alarms(&mut bench), "");
}

#[test]
fn names_of_any_length_and_any_letters_break_no_answer() {
    let mut config = config(SMALL);
    let mut texts = crate::config::model::TextsBuilder::default();
    for (id, instance) in config.instances.iter_mut().enumerate() {
        instance.name = texts.intern(&format!("{id}\u{1}\"\u{9b}\u{fc}").repeat(1_000));
    }
    config.texts = texts.finish();
    let mut bench = Bench::new(config);
    bench.run(at(8_400));
    hear(&mut bench, 200, |received| received.ttl = 1);
    let path = "/\u{1}\u{fc}".repeat(1_365);
    for command in COMMANDS.iter().flat_map(|command| [command.to_string(), format!("{command} json")]) {
        let mut view = bench.view();
        (view.identity.host, view.identity.configuration) = (&path, &path);
        let mut answer = Answer::new(request(&command));
        let (mut whole, mut piece) = (String::new(), Buf::new());
        while answer.next(&view, &mut piece) {
            whole.push_str(&core::mem::take(&mut piece));
        }
        whole.push_str(&piece);
        if command.ends_with("json") {
            assert_json(&whole);
        }
        let escapes = whole.chars().filter(|letter| letter.is_control() && *letter != '\n');
        assert_eq!(escapes.count(), 0, "{command}: {whole:?}");
    }
}

#[test]
fn passwords_are_never_shown() {
    let bench = master();
    for command in COMMANDS {
        for format in ["", " json"] {
            assert!(!bench.ask(&format!("{command}{format}")).contains("s3cret"), "{command}{format}");
        }
    }
}

#[test]
fn show_checks_gives_state_result_reason_and_next_check() {
    let mut bench = Bench::new(config(SMALL));
    bench.verdict = |probe| match probe.0 {
        0 => Verdict::Fail(Failure::Connect { errno: 111 }),
        _ => Verdict::Pass { status: 200 },
    };
    bench.run(at(1_500));
    bench.verdict = |probe| match probe.0 {
        0 => Verdict::Fail(Failure::ConnectTimeout),
        _ => Verdict::Fail(Failure::Status(503)),
    };
    bench.run(at(4_600));
    assert_eq!(
        bench.ask("show checks"),
        "\
2 probes, 0 of 2 slots busy; 7 checks done, 5 failed

VS [10.0.0.100]:tcp:80 wrr: up for 3.6 s, 1 of 2 alive, weight 1
  [10.0.0.11]:tcp:80     DOWN       no connection in time 0.3 s ago  in 1.6 s
  [10.0.0.12]:tcp:80     up, 2/3    status 503            0.1 s ago  in 0.8 s
  [10.0.0.13]:tcp:80     sorry server, never checked
"
    );
}

#[test]
fn show_checks_of_the_largest_box_comes_in_bounded_pieces() {
    let servers = u8::try_from(MAX_REAL_SERVERS / 4_096).unwrap();
    let bench = Bench::new(config(Size { instances: 0, services: 4_096, servers }));
    for format in ["", " json"] {
        let mut answer = Answer::new(request(&format!("show checks{format}")));
        let (mut whole, mut piece, mut pieces) = (String::new(), Buf::new(), 0);
        loop {
            let more = answer.next(&bench.view(), &mut piece);
            assert!(piece.len() <= 4_096);
            whole.push_str(&piece);
            piece.clear();
            pieces += 1;
            if !more {
                break;
            }
        }
        let servers = whole.matches("[10.0.0.").count();
        assert!(servers >= MAX_REAL_SERVERS, "{servers}");
        assert!(pieces >= whole.len() / 4_096, "{pieces}");
        if format == " json" {
            assert_json(&whole);
        }
    }
}

/// However full the caller's buffer is when a piece is asked for, what arrives is the same.
#[test]
fn pieces_join_without_a_seam() {
    let bench = Bench::new(config(Size { instances: 3, services: 20, servers: 3 }));
    for command in COMMANDS.iter().flat_map(|command| [command.to_string(), format!("{command} json")]) {
        let expected = bench.ask(&command);
        let mut answer = Answer::new(request(&command));
        let (mut whole, mut piece, mut filler) = (String::new(), Buf::new(), 0);
        loop {
            let (mark, before) = (piece.len(), whole.len());
            let more = answer.next(&bench.view(), &mut piece);
            whole.push_str(&piece[mark..]);
            // Keep some of the buffer occupied, now more, now less; make room when nothing fitted.
            filler = if whole.len() == before { 0 } else { (filler + 1_237) % 4_096 };
            piece.clear();
            piece.push_str(&"x".repeat(filler)).unwrap();
            if !more {
                break;
            }
        }
        assert_eq!(whole, expected, "{command}");
    }
}

#[test]
fn every_command_gives_json_that_is_json() {
    let mut healthy = master();
    hear(&mut healthy, 200, |received| received.ttl = 1);
    let mut troubled = Bench::new(config(Size { instances: 3, services: 9, servers: 3 }));
    troubled.ipvs = Err(Errno::ENOENT);
    troubled.verdict = |_| Verdict::Fail(Failure::Garbage);
    troubled.run(at(20_000));
    let empty = Bench::new(crate::config::Config::default());
    for bench in [healthy, troubled, empty] {
        COMMANDS.iter().for_each(|command| assert_json(&bench.ask(&format!("{command} json"))));
    }
}

#[test]
fn lines_fit_the_screen() {
    let mut bench = Bench::new(config(Size { instances: 3, services: 9, servers: 3 }));
    bench.verdict = |_| Verdict::Fail(Failure::Closed);
    bench.run(at(20_000));
    for command in COMMANDS {
        let shown = bench.ask(command);
        let wide: Vec<&str> = shown.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(wide.is_empty(), "{command}: {wide:#?}");
    }
}

#[test]
fn text_that_a_reload_overtakes_says_so_and_json_stays_whole() {
    let large = || Bench::new(config(Size { instances: 3, services: 400, servers: 3 }));
    for (format, note) in [("", true), (" json", false)] {
        let mut bench = large();
        let mut answer = Answer::new(request(&format!("show checks{format}")));
        let mut piece = Buf::new();
        assert!(answer.next(&bench.view(), &mut piece));
        let mut whole = piece.to_string();
        bench.reload(config(SMALL));
        loop {
            piece.clear();
            let more = answer.next(&bench.view(), &mut piece);
            whole.push_str(&piece);
            if !more {
                break;
            }
        }
        assert_eq!(whole.ends_with("(the configuration was reloaded meanwhile: ask again)\n"), note);
        if !note {
            assert_json(&whole);
        }
    }
}

#[test]
fn help_lists_every_command_and_reload_says_how_it_went() {
    let bench = master();
    let help = bench.ask("help");
    assert!(help.lines().count() <= 23, "it fits a screen of 24 rows, under what was typed");
    assert!(help.lines().all(|line| line.len() <= 80), "{help}");
    let explained = help.clone() + &bench.ask("help show");
    assert!(
        COMMANDS.iter().all(|command| explained.lines().any(|line| line.starts_with(command))),
        "{explained}"
    );
    assert_eq!(bench.ask("help nonsense"), "no command begins with nonsense: `help` lists them\n");
    assert_eq!(bench.ask("reload"), "/etc/lvsbox.conf: in force (0.0 s ago)\n");
    assert_eq!(bench.ask("version"), "lvsbox 0.1.0\n");
}

#[test]
fn the_line_of_services_says_what_is_wrong_before_what_somebody_did() {
    let mut config = config(Size { instances: 1, services: 12, servers: 12 });
    config
        .destinations
        .iter_mut()
        .for_each(|one| Rc::make_mut(&mut one.policy).drain_time = Duration::from_secs(300));
    let mut bench = Bench::new(config);
    bench.verdict = |id| match id.0 {
        0..=12 => Verdict::Fail(Failure::ConnectTimeout),
        _ => Verdict::Pass { status: 0 },
    };
    bench.run(at(9_000));
    for row in 26..40 {
        let server = bench.director.config().destinations[row].key;
        bench.handle(Event::Override(Order { server, service: None, weight: Some(7) }));
    }
    let status = bench.ask("status");
    let line = status.lines().find(|line| line.starts_with("IPVS")).unwrap();
    assert!(line.contains(", 1 QUORUM LOST, 1 incomplete"), "{line}");
    assert!(line.len() <= 80, "{line}");
}

#[test]
fn what_keeps_us_from_a_check_stands_below_it_and_fits_the_screen() {
    let mut bench = master();
    bench.verdict = |_| Verdict::Local { errno: REPLIES_DROPPED };
    bench.run(at(12_000));
    let shown = bench.ask("show checks");
    assert!(shown.contains("\n    not made: set accept_local 1, rp_filter 0\n"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let status = bench.ask("status");
    assert!(
        status.contains("\n  2 checks not made: set accept_local 1, rp_filter 0 (show checks)\n"),
        "{status}"
    );
}
