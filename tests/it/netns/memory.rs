//! Memory is admitted before it is taken: what `lvsbox check --memory` says is what a configuration takes, and one for
//! which there is not enough is refused with the figures, at the start and at a reload.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::bench::pool::{Checks, Pool, Weights};
use lab::netns::{Host, Lan};
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::{FIRST, Pair};
use crate::rig::{Instance, Make, binary, configuration, ctl};

/// Services and real servers of each, all checked.
const SIZES: [(u16, u16); 4] = [(5, 8), (125, 8), (256, 16), (1_024, 16)];
const KIB: u64 = 1_024;
/// Bytes of a slot besides its places in tables.
const TASK: u64 = 384;
/// How much off a limit may be and still be just above or just below.
const NEAR: u64 = 64 * KIB;

/// Services whose checks are not made again while a test looks.
fn pool((services, servers): (u16, u16), weight: u8) -> String {
    Pool { services, servers, checks: Checks::All(3_600) }.text(Weights::All(weight))
}

/// A number of a JSON text.
#[track_caller]
pub(super) fn number(json: &str, name: &str) -> u64 {
    let key = format!("\"{name}\":");
    let (_, rest) = json.rsplit_once(&key).unwrap_or_else(|| panic!("no {name} in {json}"));
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// What `check --memory` says of a file.
pub(super) struct Said {
    /// Bytes of the program.
    pub(super) program: u64,
    /// With everything that it takes while it runs.
    pub(super) running: u64,
    /// With a reload.
    pub(super) need: u64,
}

pub(super) fn said(file: &Path) -> Said {
    let mut command = Command::new(binary());
    command.args(["check", "--memory", "--json"]).arg(file);
    let json = lab::process::output_of(command);
    let program = json.lines().find(|line| line.contains("program")).expect("a row of the program");
    Said { program: number(program, "bytes"), running: number(&json, "running"), need: number(&json, "need") }
}

/// `lvsbox run FILE` on `host` with `limit` bytes of address space.
fn run_within(host: &Host, limit: u64, file: &Path, scratch: &Scratch) -> Process {
    let mut command = host.command("prlimit");
    command.arg(format!("--as={limit}")).arg("--core=0").arg(binary()).arg("run").arg(file);
    Process::spawn(command, "lvsbox with a limit", &scratch.join("limited.log"))
}

/// What a size takes: in bytes of the heap while it runs and at its peak, and what was said of both.
struct Taken {
    servers: u64,
    live: u64,
    said: u64,
}

fn take(size: (u16, u16)) -> Taken {
    let (lan, scratch) = (Lan::new(), Scratch::new("need"));
    let host = lan.host("need", &["10.9.0.1/24"]);
    let instance = Instance::new(150, &["10.9.0.100/24"]).to_string();
    let text = |weight| format!("{instance}{}", pool(size, weight));
    let director = Make::Lvsbox.start(&host, &text(1), &scratch);
    let file = configuration(&host, &scratch);
    let Said { program, running, need } = said(&file);
    // Not the line of the log: among thousands of checks that fail at once it may be one of those that are lost.
    wait::until("an answer of the MASTER", secs(60), || {
        let mut command = host.command(binary());
        command.args(["ctl", "status"]);
        String::from_utf8_lossy(&command.output().unwrap().stdout).contains("1 MASTER").then_some(())
    });
    let started = ctl(&host, "show memory json");
    fs::write(&file, text(7)).unwrap();
    ctl(&host, "reload");
    let reloaded = ctl(&host, "show memory json");
    let servers = u64::from(size.0) * u64::from(size.1);
    let (resident, peak) = (director.status("VmRSS") * KIB, director.status("VmHWM") * KIB);
    println!(
        "{servers} servers: heap {} of {}, peak {} of {}; resident {resident} of {running}, peak {peak} of {need}",
        number(&reloaded, "heap_live"),
        running - program,
        number(&reloaded, "heap_peak"),
        need - program,
    );
    for (when, json) in [("start", &started), ("reload", &reloaded)] {
        assert!(number(json, "heap_live") <= running - program, "{when}: {json}");
        assert!(number(json, "heap_peak") <= need - program, "{when}: {json}");
        assert!(
            number(json, "need").abs_diff(need) < NEAR,
            "{when}: what check says is what is shown: {json}"
        );
    }
    assert!(resident <= running && peak <= need, "{servers} servers");
    // And no more than that: the fixed part is a bound of what a daemon does besides. The task of a slot is said, and
    // there when the slot is used.
    let (live, most) = (number(&reloaded, "heap_live"), number(&reloaded, "heap_peak"));
    let fixed = 512 * KIB + servers.min(1_024) * TASK;
    assert!(running - program <= live * 5 / 4 + fixed, "{servers} servers: {live} bytes are used");
    assert!(need - program <= most * 5 / 4 + fixed, "{servers} servers: {most} bytes are used");
    assert!(need <= peak * 3 / 2 + fixed, "{servers} servers: {peak} bytes are resident");
    Taken { servers, live, said: running - program }
}

#[test]
fn check_memory_says_what_is_taken_at_four_sizes_and_it_grows_by_the_server() {
    let taken = SIZES.map(take);
    let [_, second, third, fourth] = &taken;
    let slope = |from: &Taken, to: &Taken, of: fn(&Taken) -> u64| {
        (of(to) - of(from)) as f64 / (to.servers - from.servers) as f64
    };
    for (what, of) in [("used", (|taken| taken.live) as fn(&Taken) -> u64), ("said", |taken| taken.said)] {
        let (one, two) = (slope(second, third, of), slope(third, fourth, of));
        println!("{what}: {one:.0} and {two:.0} bytes for a real server with its check");
        assert!((one / two - 1.0).abs() < 0.2, "{what} is linear: {one} and {two}");
        assert!(two < 400.0, "{what}: {two} bytes");
    }
}

/// What is not a real server and can be many.
#[test]
fn lists_of_instances_routes_patterns_and_settings_are_in_what_is_said() {
    let instances = |list: &dyn Fn(u32) -> String| -> String {
        let instance = |n: u32| {
            format!(
                "vrrp_instance V{n} {{\ninterface eth0\nvirtual_router_id {n}\n{}virtual_ipaddress {{\n10.8.0.{n}/32\n}}\n}}\n",
                list(n)
            )
        };
        (1..=100).map(instance).collect()
    };
    let lines = |many: u32, line: &dyn Fn(u32) -> String| -> String { (0..many).map(line).collect() };
    let peers = instances(&|n| {
        let peers = lines(64, &|peer| format!("10.7.{n}.{}\n", peer + 1));
        format!("unicast_src_ip 10.9.0.1\nunicast_peer {{\n{peers}}}\n")
    });
    let tracked =
        instances(&|_| format!("track_interface {{\n{}}}\n", lines(400, &|n| format!("if{n} weight 1\n"))));
    let hop = lines(8, &|n| format!(" nexthop via 10.9.0.{}", n + 2));
    let routes = format!(
        "static_routes {{\n{}}}\n",
        lines(4_000, &|n| format!("10.{}.{}.0/24{hop}\n", n / 250, n % 250))
    );
    let url = |n: u32| {
        format!(
            "real_server 127.1.0.{n} 80 {{\nHTTP_GET {{\nurl {{\npath /\nregex \"(a|b)[a-z]{{300}}x{n}z*\"\n}}\n}}\n}}\n"
        )
    };
    let patterns = format!(
        "virtual_server 10.8.0.1 80 {{\nprotocol TCP\nlb_kind NAT\ndelay_loop 3600\n{}}}\n",
        lines(250, &url)
    );
    let setting = |n: u32| format!("net.ipv4.x{n} {}\n", "1".repeat(3_000));
    let settings = format!("appliance {{\nsysctl {{\n{}}}\n}}\n", lines(250, &setting));
    for (what, text) in [
        ("peers", peers),
        ("tracked", tracked),
        ("routes", routes),
        ("patterns", patterns),
        ("settings", settings),
    ] {
        let (lan, scratch) = (Lan::new(), Scratch::new("lists"));
        let host = lan.host("lists", &["10.9.0.1/24"]);
        let director = Make::Lvsbox.start(&host, &text, &scratch);
        let Said { program, running, need } = said(&configuration(&host, &scratch));
        director.wait_line("Starting lvsbox", secs(60));
        wait::until("a reload", secs(60), || {
            let mut command = host.command(binary());
            command.args(["ctl", "reload", "force"]);
            command.output().unwrap().status.success().then_some(())
        });
        let json = ctl(&host, "show memory json");
        let (live, peak) = (number(&json, "heap_live"), number(&json, "heap_peak"));
        println!("{what}: {live} of {}, at most {peak} of {}", running - program, need - program);
        assert!(live <= running - program && peak <= need - program, "{what}: {live}, {peak}");
        // The settings are shown, however long one is.
        let shown = ctl(&host, "show sysctl json");
        assert!(shown.trim_end().ends_with('}') && !shown.contains(&"1".repeat(200)), "{what}");
    }
}

#[test]
fn limit_just_above_the_need_is_enough_for_a_start_and_reloads_and_one_just_below_is_refused() {
    for size in [SIZES[0], SIZES[2]] {
        let (lan, scratch) = (Lan::new(), Scratch::new("admit"));
        let host = lan.host("admit", &["10.9.0.1/24"]);
        let file = scratch.write("c.conf", &pool(size, 1));
        let need = said(&file).need;
        let mut refused = run_within(&host, need - NEAR, &file, &scratch);
        assert_eq!(refused.wait_exit(secs(60)).code(), Some(1), "{}", refused.log());
        let log = refused.log();
        assert!(log.contains("fatal error[E0016]: needs ") && log.contains("it cannot be used"), "{log}");
        let words = log.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("while it is read again), ") && words.contains("are there: ulimit -v"),
            "{log}"
        );
        let there = format!("{} are there", (need - NEAR) / KIB);
        assert!(words.contains(&there), "{there}: {log}");

        let mut director = run_within(&host, need + NEAR, &file, &scratch);
        director.wait_line("Starting lvsbox", secs(60));
        for weight in [2, 3, 4] {
            fs::write(&file, pool(size, weight)).unwrap();
            wait::until("a reload", secs(60), || {
                let mut command = host.command(binary());
                command.args(["ctl", "reload"]);
                command.output().unwrap().status.success().then_some(())
            });
        }
        let shown = ctl(&host, "show memory");
        assert!(shown.contains("are there: ulimit -v"), "{shown}");
        director.signal(rustix::process::Signal::TERM);
        assert!(director.wait_exit(secs(60)).success(), "{}", director.log());
    }
}

/// A director on `pair.first` with an instance, and room for little more.
fn small_one(pair: &Pair, scratch: &Scratch) -> (Process, PathBuf, String) {
    let small = Instance::new(150, &["10.9.0.100/24"]).to_string();
    let file = scratch.write("c.conf", &small);
    let limit = said(&file).need + 1_024 * KIB;
    let director = run_within(&pair.first, limit, &file, scratch);
    director.wait_line("(VI_1) Entering MASTER STATE", secs(20));
    (director, file, small)
}

/// `ctl reload` must be refused for want of memory, and the director go on.
#[track_caller]
fn refuses_reload(pair: &Pair, director: &Process, scratch: &Scratch) {
    let mut command = pair.first.command(binary());
    command.args(["ctl", "reload"]);
    let mut reload = Process::spawn(command, "a reload", &scratch.join("reload"));
    assert_eq!(reload.wait_exit(secs(60)).code(), Some(1), "{}", reload.log());
    let said = reload.log().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("fatal error[E0016]: needs ") && said.contains("are there: ulimit -v"), "{said}");
    assert!(said.contains("nothing was changed"), "{said}");
    director.wait_line("are there: ulimit -v", secs(5));
    director.wait_line("Reload refused", secs(5));
    let seen = pair.capture.adverts().len();
    wait::until("three more adverts", secs(20), || (pair.capture.adverts().len() >= seen + 3).then_some(()));
    let status = ctl(&pair.first, "status");
    assert!(status.contains("MASTER") && status.contains("reload refused"), "{status}");
}

#[test]
fn reload_for_which_there_is_no_memory_is_refused_and_the_running_configuration_goes_on() {
    let (pair, scratch) = (Pair::new(), Scratch::new("reload"));
    let (director, file, small) = small_one(&pair, &scratch);
    let large = format!("{small}{}", pool(SIZES[2], 1));
    fs::write(&file, &large).unwrap();
    refuses_reload(&pair, &director, &scratch);
    // The same through a file that is included.
    let included = scratch.write("services", &large);
    fs::write(&file, format!("include {}\n", included.display())).unwrap();
    refuses_reload(&pair, &director, &scratch);
    // What fits is taken afterwards.
    fs::write(&file, format!("{small}{}", pool(SIZES[0], 1))).unwrap();
    ctl(&pair.first, "reload");
    let status = ctl(&pair.first, "status");
    assert!(status.contains("MASTER") && status.contains("5 services"), "{status}");
    let adverts = pair.capture.adverts();
    assert!(adverts.iter().all(|advert| advert.source == FIRST && advert.priority == 150), "no farewell");
    assert_eq!(director.count("Entering BACKUP STATE"), 1, "nothing but the start");
}

/// 60 MiB of text are not read where they do not fit.
#[test]
fn file_that_is_larger_than_the_memory_is_refused_before_it_is_read() {
    let (pair, scratch) = (Pair::new(), Scratch::new("text"));
    let (director, file, _) = small_one(&pair, &scratch);
    let peak = director.status("VmPeak");
    fs::write(&file, "# nothing\n".repeat(6 << 20)).unwrap();
    refuses_reload(&pair, &director, &scratch);
    assert!(director.status("VmPeak") < peak + 256, "it was not read");
}

/// Wherever the memory ends: the text, its tree, the tables, what checks ask for.
#[test]
fn start_never_dies_of_a_limit_wherever_it_strikes() {
    let (lan, scratch) = (Lan::new(), Scratch::new("sweep"));
    let host = lan.host("sweep", &["10.9.0.1/24"]);
    let mut urls = String::new();
    for server in 0..1_024 {
        let (high, low) = (server / 250, server % 250);
        urls += &format!(
            "virtual_server 10.1.{high}.{low} 80 {{\nprotocol TCP\nlb_algo rr\nlb_kind NAT\n\
             real_server 127.1.{high}.{low} 80 {{\nHTTP_GET {{\nurl {{\npath /some/path/{server}\nstatus_code 200\n}}\n}}\n}}\n}}\n"
        );
    }
    let group: String =
        (0..100).map(|n| format!("real_server 127.1.0.{n} 80 {{\nTCP_CHECK {{\n}}\n}}\n")).collect();
    let group = format!(
        "virtual_server_group G {{\n10.1.0.0-99 80\n}}\nvirtual_server group G {{\nprotocol TCP\nlb_algo rr\nlb_kind NAT\n{group}}}\n"
    );
    for text in [urls, group] {
        let file = scratch.write("c.conf", &text);
        let Said { program, need, .. } = said(&file);
        let first = program + 192 * KIB;
        let steps = 24;
        for step in 0..steps {
            let limit = first + (need - NEAR - first) * step / (steps - 1);
            let mut refused = run_within(&host, limit, &file, &scratch);
            let status = refused.wait_exit(secs(60));
            let log = refused.log();
            assert_eq!(status.code(), Some(1), "with {limit} bytes of {need}: {log}");
            assert!(log.contains("fatal error[E0016]"), "with {limit} bytes of {need}: {log}");
        }
    }
}
