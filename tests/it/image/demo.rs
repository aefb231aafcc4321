//! The demonstration: a person at a terminal, by keys, and then the tour on the same machines.
//!
//! The world's guest runs this very binary, on an ignored test of `world`.

use std::thread;

use lab::demo::lan::Lan;
use lab::demo::{console, tour};
use lab::terminal::Terminal;
use lab::wait::{self, secs};

use super::BOOT;
use crate::readme;

/// The escape key.
const MENU: &[u8] = &[0x1d];

/// What a person does and sees. A panic here takes the terminal away, which ends the demonstration.
fn play(terminal: Terminal) -> Terminal {
    let see = |what: &str| drop(terminal.wait_for(what, BOOT));
    let press = |keys: &[u8]| {
        terminal.clear();
        terminal.send(keys);
    };
    // What a row of the menu says now: it is painted again when something has changed.
    let row = |begin: &str, end: &str| {
        wait::until(&format!("a row {begin:?} that ends in {end:?}"), BOOT, || {
            let shown = terminal.shown();
            let row = shown.lines().rfind(|row| row.trim_start().starts_with(begin))?;
            row.trim_end().ends_with(end).then_some(())
        });
    };
    see("lb1> ");
    assert!(!terminal.echoes(), "every key is the box's");
    press(b"status\r");
    see("on lb1, pid 1, up");

    press(MENU);
    see("q  leave");
    row("adverts", "-");
    press(b"2");
    see("lb2's console");
    see("lb2> ");
    press(b"status\r");
    see("on lb2, pid 1, up");
    press(MENU);
    see("2  lb2's console  (you were here)");

    press(b"3w");
    see("cut the cable of lb1");
    see("nobody answered for ");
    see("12121212");
    press(b" ");
    row("adverts", "MASTER");
    press(b"3");
    see("mended the cable of lb1");
    row("adverts", "-");
    press(b"5");
    see("killed web1");
    see("restore web1");
    press(b"5");
    see("restored web1");

    press(b"7");
    see("switched off lb1");
    press(b"1");
    see("lb1 is off");
    press(b"typed in vain\x1d7");
    see("switched on lb1");
    press(b"\r");
    // The box's own key, which would end another program, and whatever was typed during the boot.
    wait::until("an answer of the new lb1", BOOT, || {
        press(b"\x03status\r");
        wait::maybe(secs(5), || terminal.shown().contains("on lb1, pid 1, up").then_some(()))
    });
    press(b"\x1dq");
    terminal
}

/// The README's transcript is what the console of the MASTER says, but for times and counts.
#[track_caller]
fn check_readme(lan: &Lan) {
    let serial = lan.directors[0].serial();
    serial.wait_row("(VI_1) Entering MASTER STATE", BOOT);
    let both = || serial.command("show ipvs", BOOT).matches("-> 192.0.2.2").count() == 2;
    wait::until("both web servers in the table", BOOT, || both().then_some(()));
    for (command, rows) in readme::transcript() {
        let answer = serial.command(&command, BOOT);
        let [said, shown] = [answer.lines().collect(), rows.iter().map(String::as_str).collect()]
            .map(|rows: Vec<&str>| rows.into_iter().map(readme::shape).collect::<Vec<_>>());
        assert_eq!(said, shown, "{command} says\n{answer}");
    }
}

#[test]
fn person_plays_by_keys_and_then_every_step_of_the_tour_happens() {
    let binary = crate::rig::binary();
    let program = std::env::current_exe().unwrap();
    let inside = "image::world::asks_the_virtual_address";
    let world = [program.to_str().unwrap(), "--ignored", "--exact", inside, "--nocapture"];
    let mut lan = Lan::boot(&binary, &world);
    println!("the demonstration is ready after {:.1} s", lan.wait_ready().as_secs_f64());

    check_readme(&lan);

    let terminal = Terminal::new();
    let end = terminal.end();
    thread::scope(|scope| {
        let person = scope.spawn(|| play(terminal));
        console::run(&mut lan, end);
        let terminal = person.join().unwrap();
        assert!(terminal.echoes(), "the terminal is as it was");
    });
    wait::steady("leaving is no end of the machines", secs(1), || !lan.world.guest().has_ended());

    tour::run(lan, &binary, &mut std::io::stdout());
}
