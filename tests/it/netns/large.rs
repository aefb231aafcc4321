//! The largest configuration: what a check of it takes, and that a director that reads it goes on with its adverts.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use lab::bench::config as bench;
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::secs;
use rustix::process::Signal;

use super::{FIRST, Pair};
use crate::rig::{Instance, Make, binary, configuration, ctl};

/// The advertisement interval of these instances, and half of it.
const LATEST: Duration = Duration::from_millis(1_500);

#[test]
fn check_of_the_largest_file_takes_seconds_and_less_than_64_mib() {
    let scratch = Scratch::new("largest");
    let file = scratch.write("c.conf", &bench::largest_services());
    let mut command = Command::new(binary());
    command.arg("check").arg(&file);
    let cost = bench::measure(command);
    println!("{cost:?}");
    assert!(cost.success);
    // Without optimisation, beside other tests: far more than the second that it takes a release build.
    assert!(cost.user < secs(20), "{cost:?}");
    assert!((8 << 10..64 << 10).contains(&cost.peak_kib), "{cost:?}");
}

/// Reading, checking, putting in force and taking back: 65,536 real servers come and go, and no advert is late.
#[test]
fn reload_of_the_largest_file_delays_no_advert() {
    let scratch = Scratch::new("large");
    reload_delays_no_advert(&scratch, &bench::largest_services());
}

/// The same through `include`: 64 files among 4,000 names that do not match, each opened and read in slices.
#[test]
fn reload_of_the_largest_configuration_in_files_delays_no_advert() {
    let scratch = Scratch::new("files");
    let folder = scratch.join("conf.d");
    fs::create_dir(&folder).unwrap();
    let text = bench::largest_services();
    let services: Vec<&str> = text.split_inclusive("\n}\n").collect();
    for (number, piece) in services.chunks(services.len().div_ceil(64)).enumerate() {
        fs::write(folder.join(format!("{number}.conf")), piece.concat()).unwrap();
    }
    for number in 0..4_000 {
        fs::write(folder.join(format!("{number}.old")), "").unwrap();
    }
    reload_delays_no_advert(&scratch, &format!("include {}/*.conf\n", folder.display()));
}

/// `large` stands for 4,096 services.
#[track_caller]
fn reload_delays_no_advert(scratch: &Scratch, large: &str) {
    let pair = Pair::new();
    let small = Instance::new(150, &["10.9.0.100/24"]).to_string();
    let director = Make::Lvsbox.start(&pair.first, &small, scratch);
    director.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    pair.capture.wait_advert("the first advert", secs(3), |advert| advert.source == FIRST);
    pair.capture.clear();
    let start = Instant::now();
    for (text, services) in [(format!("{small}{large}"), 4_096), (small, 0)] {
        fs::write(configuration(&pair.first, scratch), text).unwrap();
        let mut command = pair.first.command(binary());
        command.args(["ctl", "reload"]);
        let mut reload = Process::spawn(command, "a reload", &scratch.join("reload"));
        assert!(reload.wait_exit(secs(120)).success(), "{}", reload.log());
        println!("reload to {services} services: {:?} after the start", start.elapsed());
        let status = ctl(&pair.first, "status");
        let in_force = format!("{services} services");
        assert!(status.contains("MASTER") && status.contains(&in_force), "{status}");
        // What the new tables make the loop do first is not over with the swap.
        let seen = pair.capture.adverts().len();
        lab::wait::until("three more adverts", secs(10), || {
            (pair.capture.adverts().len() >= seen + 3).then_some(())
        });
    }
    let adverts = pair.capture.adverts();
    assert!(adverts.iter().all(|advert| advert.source == FIRST && advert.priority == 150), "no farewell");
    let gaps = adverts.windows(2).map(|pair| pair[1].at - pair[0].at);
    let longest = gaps.max().unwrap_or_default();
    println!("{} adverts, longest gap {longest:?}", adverts.len());
    assert!(longest <= LATEST, "{longest:?}: {}", ctl(&pair.first, "show loop"));
    assert_eq!(director.count("Entering BACKUP STATE"), 1, "nothing but the start");
}

/// 4,096 addresses come by a reload and go with a stop: the kernel is asked in batches, and lines of the log leave
/// together.
#[test]
fn thousands_of_addresses_are_a_fraction_of_as_many_system_calls() {
    const COUNT: usize = 4_095;
    let pair = Pair::new();
    let scratch = Scratch::new("batches");
    let quiet = "    garp_master_repeat 1\n    garp_master_delay 0\n    virtual_ipaddress {";
    let small =
        Instance::new(150, &["10.9.0.100/24"]).to_string().replacen("    virtual_ipaddress {", quiet, 1);
    let director = Make::Lvsbox.start(&pair.first, &small, &scratch);
    director.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    let all: String = (0..COUNT).map(|n| format!("        10.77.{}.{}/32\n", n / 250, n % 250 + 1)).collect();
    let large = small.replacen(
        "    virtual_ipaddress {",
        &format!("    virtual_ipaddress_excluded {{\n{all}    }}\n    virtual_ipaddress {{"),
        1,
    );
    fs::write(configuration(&pair.first, &scratch), large).unwrap();
    let trace = scratch.join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-s", "64", "-e", "trace=sendto,sendmsg,write,poll,ppoll", "-o"]).arg(&trace);
    strace.arg("-p").arg(director.pid().to_string());
    let mut strace = Process::spawn(strace, "strace", &scratch.join("strace"));
    strace.wait_line("attached", secs(5));
    ctl(&pair.first, "reload");
    let present = format!("{} present", COUNT + 1);
    lab::wait::until("all addresses", secs(60), || {
        ctl(&pair.first, "show vrrp").contains(&present).then_some(())
    });
    let said = director.count("gratuitous ARPs on eth0 for 10.77.");
    director.signal(Signal::TERM);
    // It ends with what it follows.
    strace.wait_exit(secs(60));
    let text = fs::read_to_string(&trace).unwrap();
    let count =
        |words: &[&str]| text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    // RTM_NEWADDR and RTM_DELADDR: in another network namespace strace does not know what the socket speaks.
    let (added, removed) = (count(&["nlmsg_type=0x14 "]), count(&["nlmsg_type=0x15 "]));
    println!("{added} calls to add, {removed} to remove {COUNT} addresses; {said} lines");
    for calls in [added, removed] {
        // As many at once as the kernel takes in a millisecond or two, which is fewer under strace.
        assert!((1..COUNT / 4).contains(&calls), "{added} and {removed} calls for {COUNT} addresses");
    }
    // Lines of a turn leave together.
    let (writes, polls) = (count(&["write(", "Sending/queueing gratuitous ARPs"]), count(&["poll("]));
    assert!(
        (1..said / 8).contains(&writes) && polls < COUNT / 8,
        "{writes} writes of {said} lines, {polls} polls"
    );
}
