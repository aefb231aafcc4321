//! Level 3b: the image as PID 1 of a machine of its own. What is asked for is what an operator sees: lines of the
//! serial console, and whether the machine is on.
//!
//! Where a test needs another process in the box, it borrows the kernel's own way of starting one: a scheduler whose
//! module is missing makes the kernel run the program that `kernel.modprobe` names.

mod console;
mod demo;
mod memory;
mod world;

use std::fs;
use std::path::Path;

use lab::board::Board;
use lab::firmware::Firmware;
use lab::guest;
use lab::machine::{Machine, OnReboot, Setup};
use lab::switch::Switch;
use lab::wait::{self, secs};

use crate::rig::{Instance, Service};

/// The longest a box may take to be up on a busy machine.
const BOOT: std::time::Duration = secs(120);

const APPLIANCE: &str =
    "appliance { hostname lb1 modules { e1000e } }\ninterface eth0 { address 10.0.1.11/24 mtu 1400 }\n";

fn firmware(configuration: &str) -> Firmware {
    let board = Path::new(env!("CARGO_MANIFEST_DIR")).join("board/qemu-x86_64");
    Firmware {
        board: Board::read(&board).unwrap(),
        modules: guest::kernel().1,
        binary: crate::rig::binary(),
        configuration: configuration.to_owned(),
        without: None,
        files: Vec::new(),
    }
}

/// Boots a box whose network cards have nobody else on their wires.
fn boot(firmware: &Firmware, cards: usize, on_reboot: OnReboot) -> Machine {
    Setup::new("lb1").alone(cards).on_reboot(on_reboot).boot(firmware)
}

/// An owner, so that there is no election to wait for.
fn instance() -> Instance {
    Instance::new(255, &["10.0.1.100/24"])
}

fn service(scheduler: &str) -> Service {
    Service::new("10.0.1.100 80", scheduler, "NAT", &["10.0.1.21 80", "10.0.1.22 80"])
}

/// A box with one more program in it, a script that the kernel starts because the scheduler `mh` is missing.
fn with_script(script: &str) -> Firmware {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].iter().find_map(|path| fs::read(path).ok());
    let missing = Service::new("10.0.1.100 81", "mh", "NAT", &["10.0.1.21 81"]);
    let settings = "appliance { sysctl { kernel.modprobe /script } }\n";
    let text = format!("{APPLIANCE}{settings}{}{}{missing}", instance(), service("rr"));
    let mut firmware = firmware(&text);
    firmware.without = Some("ip_vs_mh".to_owned());
    // The kernel waits for what it starts, so the work is done by an orphan.
    let script = format!(
        "#!/busybox sh\n[ -e /started ] && exit 1\n>/started\n(\nexec >/dev/console 2>&1\n{script}\n) &\n"
    );
    firmware.files = vec![
        ("busybox".to_owned(), busybox.expect("busybox of the package busybox-static")),
        ("script".to_owned(), script.into_bytes()),
    ];
    firmware
}

/// The console is up: it shows its prompt and answers. `name` is the box's.
#[track_caller]
fn status_of(machine: &Machine, name: &str) -> String {
    machine.serial().set_prompt(&format!("{name}> "));
    machine.serial().wait_prompt(secs(30));
    let status = machine.serial().command("status", secs(30));
    assert!(status.contains(&format!(" on {name}, pid 1, up ")), "{status}");
    status
}

/// A stage's line ends with the time it took.
fn has_time(line: &str) -> bool {
    let time = line.rsplit(['(', ' ']).nth(1).and_then(|number| number.parse::<f64>().ok());
    line.trim_end().ends_with(" ms)") && time.is_some()
}

#[test]
fn box_boots_with_every_stage_timed_and_becomes_master() {
    let machine = boot(&firmware(&format!("{APPLIANCE}{}{}", instance(), service("rr"))), 1, OnReboot::Ends);
    machine.wait_line("(VI_1) Entering MASTER STATE", BOOT);
    machine.wait_line("(VI_1) Entering MASTER STATE", secs(20));
    let stages = [
        "mounts",
        "board",
        "console",
        "modules",
        "clock",
        "configuration",
        "own consoles",
        "hostname",
        "sysctl",
        "interfaces",
    ];
    let console = machine.console();
    let mut lines = console.lines();
    for stage in stages {
        let wanted = format!(" Boot {stage}: ");
        let line = lines.find(|line| line.contains(&wanted));
        let line = line.unwrap_or_else(|| panic!("no stage {stage} in its place:\n{console}"));
        assert!(has_time(line), "{line}");
        assert!(!line.contains("problem"), "{line}");
    }
    let done = machine.wait_line("Boot: done in ", secs(1));
    println!("{}", done.trim_end());
    assert!(console.contains("Boot hostname: lb1 "), "{console}");
    assert!(console.contains("Boot interfaces: eth0 up "), "{console}");
}

#[test]
fn modules_of_the_firewall_are_in_the_image_when_the_configuration_uses_them() {
    let text = "firewall { mark 1 to 10.0.1.100 tcp 80  masquerade from 10.0.2.0/24 out eth0  redirect to 10.0.1.101 }\n\
        real_server_role { tunnel ipip  virtual_ipaddress { 10.0.1.102 } }\n";
    let machine = boot(&firmware(&format!("{APPLIANCE}{text}")), 1, OnReboot::Ends);
    machine.wait_line("tunl0 is set up for real_server_role", BOOT);
    status_of(&machine, "lb1");
    let shown = machine.serial().command("show firewall", secs(30));
    for rule in
        ["mark 1 to 10.0.1.100 tcp 80", "masquerade from 10.0.2.0/24 out eth0", "redirect to 10.0.1.101"]
    {
        let row = shown.lines().find(|line| line.trim_end().ends_with(rule)).unwrap();
        assert!(row.split_whitespace().next().unwrap().parse::<u64>().is_ok(), "not in force: {shown}");
    }
    let shown = machine.serial().command("show interfaces", secs(30));
    assert!(shown.contains("10.0.1.102/32") && shown.contains("real_server_role"), "{shown}");
}

#[test]
fn poweroff_command_takes_everything_down_and_switches_the_machine_off() {
    let script = "/busybox sleep 3\n/init ctl show ipvs\n/busybox cat /sys/class/net/eth0/mtu\n/busybox grep -o ^e1000e /proc/modules\n\
        /busybox grep Threads /proc/1/status\n/busybox grep VmRSS /proc/1/status\n/init ctl poweroff";
    let mut machine = boot(&with_script(script), 1, OnReboot::Again);
    machine.wait_end(BOOT);
    let console = machine.console();
    let position = |needle: &str| {
        console.find(needle).unwrap_or_else(|| panic!("no {needle:?} on the console:\n{console}"))
    };
    for line in
        ["TCP  10.0.1.100:80 rr", "10.0.1.21:80", "10.0.1.22:80", "\n1400\n", "\ne1000e\n", "Threads:1\n"]
    {
        position(line);
    }
    let resident = console.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().trim();
    println!("VmRSS of PID 1: {resident}");
    let resident: u32 = resident.trim_end_matches(" kB").trim().parse().unwrap();
    assert!(resident < 2_048, "{resident} KiB");
    assert!(position("sent 0 priority") < position("Powering off"), "{console}");
    assert_eq!(console.matches("as PID 1").count(), 1, "it did not start again:\n{console}");
}

/// What a configuration needs is counted again at a reload, and the box has it before its servers are checked.
#[test]
fn limits_are_raised_at_the_boot_and_at_a_reload_to_what_the_configuration_needs() {
    let server = "real_server 10.$net.0.$host 80 { \\n }\\n";
    let script = format!(
        "until /init ctl status >/dev/null 2>&1; do /busybox sleep 0.2; done\necho before $(/busybox cat {NEIGHBOURS})\n(printf 'virtual_server 10.0.1.100 82 {{\\nlb_kind NAT\\nprotocol TCP\\n'\n\
         for net in 7 8 9; do for host in $(/busybox seq 200); do printf \"{server}\"; done; done\n\
         printf '}}\\n') >> /etc/lvsbox.conf\n/init ctl reload\necho after $(/busybox cat {NEIGHBOURS})\n/init ctl show sysctl\n/init ctl poweroff"
    );
    let mut machine = boot(&with_script(&script), 1, OnReboot::Ends);
    machine.wait_end(BOOT);
    let console = machine.console();
    // The /24 of eth0, and twice 600 servers besides the two or three of before.
    let after = console.lines().find_map(|line| line.trim_end().strip_prefix("after "));
    let rows: u32 = after.unwrap_or_else(|| panic!("no reload:\n{console}")).parse().unwrap();
    assert!((1_456 + 4..1_456 + 8).contains(&rows), "{rows}: {console}");
    assert!(console.contains("before 1024"), "{console}");
    assert!(console.contains(&format!(" {rows}  {rows} or more")), "{console}");
    assert!(!console.contains("this configuration needs"), "nothing is too low: {console}");
    assert!(console.contains(" settings, 0 not as wished (!)"), "everything is as wished: {console}");
}

const NEIGHBOURS: &str = "/proc/sys/net/ipv4/neigh/default/gc_thresh3";

#[test]
fn orphans_are_reaped_and_a_signal_to_pid_1_is_an_orderly_reboot() {
    let script = "/busybox sleep 1\nfor n in 1 2 3; do (/busybox sleep 0.2 &) ; done\n/busybox sleep 3\n\
        echo zombies $(/busybox ps -o stat | /busybox grep -c Z)\n/busybox kill -TERM 1\n/busybox sleep 60";
    let machine = boot(&with_script(script), 1, OnReboot::Again);
    machine.wait_line("zombies 0", BOOT);
    wait::until("a second boot", BOOT, || (machine.console().matches("as PID 1").count() > 1).then_some(()));
    let console = machine.console();
    let position = |needle: &str| {
        console.find(needle).unwrap_or_else(|| panic!("no {needle:?} on the console:\n{console}"))
    };
    assert!(position("sent 0 priority") < position("Rebooting"), "{console}");
    assert!(!console.contains("Kernel panic"), "{console}");
}

#[test]
fn control_alt_delete_is_an_orderly_reboot() {
    let mut machine = boot(&firmware(&format!("{APPLIANCE}{}", instance())), 1, OnReboot::Ends);
    machine.wait_line("(VI_1) Entering MASTER STATE", BOOT);
    machine.press("ctrl-alt-delete");
    machine.wait_end(secs(30));
    let console = machine.console();
    assert!(console.contains("sent 0 priority") && console.contains("Rebooting"), "{console}");
}

#[test]
fn kernel_without_ipvs_says_so_and_vrrp_runs() {
    let mut firmware = firmware(&format!("{APPLIANCE}{}{}", instance(), service("rr")));
    firmware.without = Some("ip_vs".to_owned());
    let machine = boot(&firmware, 1, OnReboot::Ends);
    machine.wait_line("(VI_1) Entering MASTER STATE", BOOT);
    machine.wait_line("IPVS is not available", secs(10));
    let status = status_of(&machine, "lb1");
    assert!(status.contains("IPVS is not available: no such file or entry (module ip_vs?)"), "{status}");
}

#[test]
fn box_without_a_network_card_stays_up_and_says_why_nothing_runs() {
    let machine = boot(&firmware(&format!("{APPLIANCE}{}{}", instance(), service("rr"))), 0, OnReboot::Ends);
    machine.wait_line("Boot interfaces: the kernel has found no network card", BOOT);
    machine.wait_line("Boot interfaces: set up eth0: no such device", secs(10));
    machine.wait_line("Boot: done in", secs(10));
    machine.wait_line("Entering FAULT STATE", secs(10));
    let status = status_of(&machine, "lb1");
    assert!(status.contains("FAULT") && status.contains("no interface eth0"), "{status}");
    let table = machine.serial().command("show ipvs", secs(30));
    assert!(table.contains("TCP  10.0.1.100:80 rr"), "what can run runs: {table}");
    let stages = machine.serial().command("show boot", secs(30));
    assert!(stages.contains("problem: the kernel has found no network card"), "{stages}");
}

#[test]
fn broken_configuration_leaves_an_empty_one_running_and_is_explained() {
    let machine = boot(&firmware("vrrp_instance VI_1 {\n    state MASTER\n"), 1, OnReboot::Ends);
    machine.wait_line("/etc/lvsbox.conf:1:", BOOT);
    machine.wait_line("the block of `vrrp_instance` is never closed", secs(5));
    machine.wait_line("it cannot be used: running with an empty configuration", secs(5));
    let status = status_of(&machine, "lvsbox");
    assert!(status.contains("the configuration has 1 error"), "{status}");
}

#[test]
fn absent_interfaces_are_named_and_the_others_run() {
    let absent = "interface eth7 { address 10.0.7.1/24 }\ninterface eth8.5 { vlan 5 parent eth8 }\n\
        interface eth0.6 { vlan 6 parent eth0 address 10.0.6.1/24 }\n";
    let other = instance().named("VI_9", 9).on("eth9");
    let text = format!("{APPLIANCE}{absent}{}{other}", instance());
    let machine = boot(&firmware(&text), 1, OnReboot::Ends);
    machine.wait_line("Boot interfaces: set up eth7: no such device", BOOT);
    machine.wait_line("Boot interfaces: add a VLAN to eth8: no such device", secs(5));
    machine.wait_line("Boot interfaces: set up eth9: no such device", secs(5));
    machine.wait_line("Boot interfaces: eth0 eth0.6 up, 3 problems", secs(5));
    machine.wait_line("(VI_1) Entering MASTER STATE", secs(20));
    let status = status_of(&machine, "lb1");
    assert!(status.contains("VI_9") && status.contains("no interface eth9"), "{status}");
}

#[test]
fn console_of_the_configuration_takes_over_and_one_that_is_absent_is_named() {
    let absent =
        "appliance { console ttyS1 9600  console ttyS0 115200 }\ninterface eth0 { address 10.0.1.11/24 }\n";
    let machine = boot(&firmware(&format!("{absent}{}", instance())), 1, OnReboot::Ends);
    machine.wait_line("Boot own consoles: open console /dev/ttyS1: ", BOOT);
    machine.wait_line("Boot own consoles: ttyS0 115200", secs(5));
    machine.wait_line("(VI_1) Entering MASTER STATE", secs(30));
}

#[test]
fn box_on_a_switch_is_heard_until_it_is_cut_off_unplugged_or_dead() {
    let switch = Switch::new(2);
    let firmware = firmware(&format!("{APPLIANCE}{}", instance()));
    let mut machine = Setup::new("lb1").wire(switch.wire(1)).boot(&firmware);
    let advert =
        |what: &str| switch.wait_advert(what, BOOT, |port, advert| port == 1 && advert.priority == 255);
    advert("the first advert");
    switch.wait("a gratuitous ARP", secs(20), |seen| {
        seen.frame.gratuitous_arp().filter(|arp| arp.address.octets() == [10, 0, 1, 100])
    });
    machine.serial().wait_prompt(secs(30));
    let answer = machine.serial().command("show vrrp", secs(30));
    assert!(answer.contains("VI_1") && answer.contains("MASTER"), "{answer}");
    assert!(!answer.contains('\x1b') && !answer.contains("lb1>"), "{answer:?}");

    switch.cut(1);
    switch.clear();
    let lost = switch.lost_total();
    wait::until("lost adverts", secs(20), || (switch.lost_total() >= lost + 2).then_some(()));
    assert_eq!(switch.frames(), [], "nothing came through");
    switch.join(1);
    advert("an advert through the mended port");

    machine.unplug(0);
    machine.wait_line("(VI_1) Entering FAULT STATE", secs(20));
    machine.plug(0);
    wait::until("its return", secs(30), || {
        (machine.console().matches("(VI_1) Entering MASTER STATE").count() == 2).then_some(())
    });

    machine.kill();
    assert!(machine.has_ended() && !switch.is_plugged(1));
    switch.clear();
    machine.power_on();
    advert("an advert after the power came back");
    machine.serial().wait_prompt(secs(30));
    assert_eq!(machine.console().matches("as PID 1").count(), 1, "{}", machine.console());
}

#[test]
fn serial_line_that_nobody_reads_stalls_and_adverts_go_on() {
    let switch = Switch::new(1);
    let machine =
        Setup::new("lb1").wire(switch.wire(0)).boot(&firmware(&format!("{APPLIANCE}{}", instance())));
    let serial = machine.serial();
    switch.wait_advert("the first advert", BOOT, |_, _| true);
    serial.wait_prompt(secs(30));
    serial.stall();
    for _ in 0..20 {
        serial.send("help\r");
    }
    switch.clear();
    wait::until("five more adverts", secs(60), || (switch.adverts().len() >= 5).then_some(()));
    // What QEMU was given to write is what left the UART.
    let left = machine.serial_log().len();
    wait::until("two more adverts", secs(60), || (switch.adverts().len() >= 7).then_some(()));
    let later = machine.serial_log().len();
    println!("{} bytes left the UART after the line was stalled", left - serial.raw().len());
    assert_eq!(left, later, "the UART does not drain");
    serial.resume();
    serial.wait_prompt(secs(60));
    wait::until("more from the UART", secs(30), || (machine.serial_log().len() > later).then_some(()));
}
