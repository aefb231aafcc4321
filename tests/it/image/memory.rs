//! A box whose memory does not suffice for its configuration: it is up and says so.

use lab::bench::pool::{Checks, Pool, Weights};
use lab::machine::{OnReboot, Setup};
use lab::scratch::Scratch;
use lab::wait::secs;

use super::{APPLIANCE, BOOT, firmware, instance, status_of};

/// Reading megabytes in an emulated machine takes its time.
const READING: std::time::Duration = secs(400);

fn with_services(services: u16) -> String {
    let pool = Pool { services, servers: 16, checks: Checks::All(60) };
    format!("{APPLIANCE}{}{}", instance(), pool.text(Weights::All(1)))
}

/// MiB that a configuration needs, as `check --memory` says.
fn need(text: &str) -> u32 {
    let scratch = Scratch::new("budget");
    let mut command = std::process::Command::new(crate::rig::binary());
    command.args(["check", "--memory"]).arg(scratch.write("c.conf", text));
    let said = lab::process::output_of(command);
    let (_, rest) = said.split_once("fits here: needs ").unwrap_or_else(|| panic!("{said}"));
    let kib: u32 = rest.split(' ').next().unwrap().parse().unwrap();
    kib.div_ceil(1_024)
}

#[test]
fn configuration_beyond_the_budget_of_the_board_is_refused_and_the_box_is_up() {
    let small = with_services(2);
    let mut firmware = firmware(&with_services(512));
    let budget = need(&small) + 1;
    assert!(need(&firmware.configuration) > budget);
    firmware.board.memory = Some(budget);
    let machine = Setup::new("lb1").alone(1).on_reboot(OnReboot::Ends).boot(&firmware);
    machine.wait_line(&format!("{} are there: memory of the board", budget * 1_024), BOOT);
    machine.wait_line("it cannot be used: running with an empty configuration", secs(20));
    let status = status_of(&machine, "lvsbox");
    assert!(status.contains("the configuration has 1 error"), "{status}");
    let shown = machine.serial().command("show memory", secs(30));
    assert!(shown.contains(&format!("{} are there: memory of the board", budget * 1_024)), "{shown}");

    firmware.configuration = small;
    let machine = Setup::new("lb1").alone(1).on_reboot(OnReboot::Ends).boot(&firmware);
    machine.wait_line("(VI_1) Entering MASTER STATE", BOOT);
}

/// The most that so short a file can ask for: 250 instances, each of which tracks a thousand interfaces.
fn trackers() -> String {
    let tracked: String = (0..1_000).map(|n| format!("if{n} weight 1\n")).collect();
    let instance = |n: u32| {
        format!(
            "vrrp_instance V{n} {{\ninterface eth0\nvirtual_router_id {n}\ntrack_interface {{\n{tracked}}}\n\
             virtual_ipaddress {{\n10.0.2.{n}/32\n}}\n}}\n"
        )
    };
    (1..=250).map(instance).collect()
}

/// In 128 MiB there is a box, and half of them for its program.
#[test]
fn box_with_too_little_memory_for_its_configuration_is_up_and_says_what_is_missing() {
    let machine =
        Setup::new("lb1").memory(128).alone(1).boot(&firmware(&format!("{APPLIANCE}{}", trackers())));
    machine.wait_line("are there: memory of the machine", READING);
    machine.wait_line("it cannot be used: running with an empty configuration", secs(60));
    let status = status_of(&machine, "lvsbox");
    assert!(status.contains("the configuration has 1 error"), "{status}");
    assert!(!machine.console().contains("Out of memory"), "{}", machine.console());
}
