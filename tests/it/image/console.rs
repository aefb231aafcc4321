//! The serial console of a machine of its own: every command's answer as it stands on a terminal of 80 columns, junk at
//! line speed, and last words.

use lab::machine::{Machine, OnReboot, Setup};
use lab::switch::Switch;
use lab::wait::{self, secs};

use super::{APPLIANCE, BOOT, boot, firmware, instance, service};

/// A command that was typed, and the rows of its answer.
struct Asked {
    command: &'static str,
    answer: String,
}

impl Asked {
    fn at(machine: &Machine, command: &'static str) -> Self {
        Self { command, answer: machine.serial().command(command, secs(60)) }
    }

    /// A row is exactly this.
    #[track_caller]
    fn has(self, row: &str) -> Self {
        assert!(
            self.answer.lines().any(|line| line == row),
            "{}: no row {row:?}\n{}",
            self.command,
            self.answer
        );
        self
    }

    /// A row begins so.
    #[track_caller]
    fn begins(self, start: &str) -> Self {
        let found = self.answer.lines().any(|line| line.starts_with(start));
        assert!(found, "{}: no row begins {start:?}\n{}", self.command, self.answer);
        self
    }

    /// It is nothing but this.
    #[track_caller]
    fn is(self, answer: &str) -> Self {
        assert_eq!(self.answer, answer, "{}", self.command);
        self
    }
}

/// Everything that is read from the director's or the kernel's state, with what must be in it.
fn look_at_everything(machine: &Machine) -> Vec<Asked> {
    let at = |command| Asked::at(machine, command);
    vec![
        at("status")
            .begins("lvsbox 0.1.0 on lb1, pid 1, up ")
            .begins("  VI_1             MASTER 255  for ")
            .has("alarms  none"),
        at("show vrrp")
            .begins("VI_1  MASTER on eth0, VRID 51, for ")
            .has("    10.0.1.100/24           eth0            present"),
        at("show ipvs")
            .has("TCP  10.0.1.100:80 rr")
            .has("  -> 10.0.1.22:80                 Masq    2      0          0"),
        at("show ipvs stats").begins("TCP  10.0.1.100:80  "),
        at("show ipvs rate").begins("  -> 10.0.1.22:80  "),
        at("show ipvs connections").begins("IPVS connection entries"),
        at("show ipvs thresholds").begins("Prot LocalAddress:Port            Uthreshold Lthreshold"),
        at("show ipvs persistent").begins("Prot LocalAddress:Port            Weight    PersistConn"),
        at("show ipvs timeouts").begins("Timeout (tcp tcpfin udp): "),
        at("show ipvs daemon").is(""),
        at("show ipvs save").begins("-a -t 10.0.1.100:80 -r 10.0.1.22:80 -m -w 2"),
        at("show ipvs all").has("TCP  10.0.1.100:80 rr"),
        at("show firewall").begins("no firewall"),
        at("show checks").begins("VS [10.0.1.100]:tcp:80 rr: up for "),
        at("show config").has("vrrp_instance VI_1 {").has("    lb_algo rr"),
        at("show interfaces")
            .has(&format!("eth0     up, carrier     {}  mtu 1400", machine.mac(0)))
            .has("  10.0.1.100/24  VIP of VI_1"),
        at("show arp"),
        at("show routes").has("10.0.1.0/24 dev eth0 src 10.0.1.11"),
        at("show sysctl").has("  net.ipv4.ip_forward                                  1  1"),
        at("show memory").has("instances                1     255").has("threads                  1"),
        at("show loop").begins("turns     "),
        at("show boot").begins("mounts ").begins("interfaces ").begins("first advert "),
        at("show log").begins("20"),
        at("why VI_1").begins("VI_1  MASTER on eth0").has("  why           owner: priority 255"),
        at("version").is("lvsbox 0.1.0\n"),
        at("help").begins("arping ADDRESS   "),
        at("help show").begins("show boot   ").begins("show ipvs ...    stats "),
        at("help ipvs").begins("show ipvs rate   "),
    ]
}

/// Those that do something, and one that is followed until a key is pressed.
fn do_everything(machine: &Machine) -> Vec<Asked> {
    let at = |command| Asked::at(machine, command);
    let mut all = vec![
        at("ping 10.0.1.11").begins("5 sent, 5 answered, ").begins("answer from 10.0.1.11: 5 in "),
        at("ping 10.0.1.21").begins("no answer: 1"),
        at("show arp")
            .has("ADDRESS          INTERFACE        MAC                STATE")
            .begins("10.0.1.21        eth0             -  "),
        at("arping 10.0.1.100").begins("10.0.1.100 is ours, at ").has("3 sent, 0 answered"),
        at("set track drain 1").begins("there is no track_file drain in the configuration"),
        at("zero ipvs").is(""),
        at("real 10.0.1.22:80 drain")
            .has("[10.0.1.22]:tcp:80 of VS [10.0.1.100]:tcp:80: weight 0, configured 2"),
        at("real 10.0.1.22:80 weight 7").begins("[10.0.1.22]:tcp:80 of VS [10.0.1.100]:tcp:80: weight 7, "),
        at("real 10.0.1.22:80 enable")
            .has("[10.0.1.22]:tcp:80 of VS [10.0.1.100]:tcp:80: weight 2 as configured"),
        at("alarm clear").is(""),
        at("reload").begins("/etc/lvsbox.conf: in force"),
        at("reload force").begins("/etc/lvsbox.conf: in force"),
    ];
    for command in ["log follow", "log changes", "watch status"] {
        let serial = machine.serial();
        serial.send(&format!("{command}\r"));
        serial.expect(&format!("{command}\n"), secs(20));
        serial.send("q");
        serial.wait_prompt(secs(20));
        all.push(Asked { command, answer: String::new() });
    }
    all
}

#[test]
fn every_command_answers_at_the_serial_line_within_80_columns() {
    let text = format!("{APPLIANCE}{}{}", instance(), service("rr"));
    let mut machine = boot(&firmware(&text), 1, OnReboot::Ends);
    machine.wait_line("(VI_1) Entering MASTER STATE", BOOT);
    machine.serial().wait_prompt(secs(30));
    let mut asked = look_at_everything(&machine);
    let help =
        ["show", "ipvs", "status", "why", "log", "ping", "arping", "re", "poweroff", "version", "help"]
            .iter()
            .chain(&["zero", "watch", "alarm", "real"])
            .map(|word| machine.serial().command(&format!("help {word}"), secs(60)))
            .collect::<String>();
    for (command, key) in [("show ipvs json", "\"services\""), ("show boot json", "\"first advert\"")] {
        let json = machine.serial().command(command, secs(60));
        assert!(json.starts_with('{') && json.contains(key), "{json}");
    }
    asked.extend(do_everything(&machine));
    for Asked { command, answer } in &asked {
        let log = ["show log", "why VI_1"].contains(command);
        for line in answer.lines() {
            // Lines of the log come in between, with the time of day in front.
            let unasked = command.starts_with("real ") && line.get(2..3) == Some(":");
            let is_log = unasked || log && line.starts_with("20");
            assert!(line.chars().count() <= 80 || is_log, "{command}: {line:?}");
        }
    }
    // Words of help rows, without what stands for the operator's own.
    for row in help.lines().filter(|row| !row.starts_with(' ') && !row.contains("...")) {
        let words = row.split("  ").next().unwrap().replace(" NAME", "").replace(" ADDRESS", "");
        let words = words.replace(" WORD", "").replace(" VALUE", "").replace(" COMMAND", "");
        let words = words.replace(" RIP:PORT", " 10.0.1.22:80").replace(" [SERVICE]", "");
        let tried = asked
            .iter()
            .any(|asked| asked.command == words || asked.command.starts_with(&format!("{words} ")));
        // The rows of tunnels are wider than a screen, as with ipvsadm.
        assert!(
            tried || ["reboot", "poweroff", "show ipvs tun-info"].contains(&&*words),
            "nobody has tried {words:?}"
        );
    }
    machine.serial().send("poweroff\r");
    machine.wait_end(secs(60));
    let console = machine.console();
    let farewell = console.find("sent 0 priority").expect("a farewell");
    assert!(farewell < console.find("Powering off").expect("an end"), "{console}");
    assert!(!console[farewell..].contains("lb1>"), "{console}");
}

#[test]
fn reboot_command_starts_the_machine_again() {
    let machine = boot(&firmware(&format!("{APPLIANCE}{}", instance())), 1, OnReboot::Again);
    machine.wait_line("(VI_1) Entering MASTER STATE", BOOT);
    machine.serial().wait_prompt(secs(30));
    machine.serial().send("reboot\r");
    wait::until("a second boot", BOOT, || (machine.console().matches("as PID 1").count() > 1).then_some(()));
    let console = machine.console();
    let position = |needle: &str| console.find(needle).unwrap_or_else(|| panic!("no {needle:?}:\n{console}"));
    assert!(position("sent 0 priority") < position("Rebooting"), "{console}");
}

#[test]
fn junk_at_line_speed_costs_neither_the_console_nor_an_advert() {
    let switch = Switch::new(1);
    let firmware = firmware(&format!("{APPLIANCE}{}", instance()));
    let machine = Setup::new("lb1").wire(switch.wire(0)).boot(&firmware);
    switch.wait_advert("the first advert", BOOT, |_, _| true);
    let serial = machine.serial();
    serial.wait_prompt(secs(30));
    switch.clear();
    serial.send_bytes(&b"x".repeat(5_000));
    serial.send_bytes(b"\r\xff\xfe\xc3\x28\xe2\x82\x00\x01\x1b[9999;1~\x1b]0;title\x07\r");
    let mut state = 1_u64;
    let junk = core::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    serial.send_bytes(&junk.take(30_000).collect::<Vec<u8>>());
    // ^C and ^U: whatever was begun is over.
    serial.send_bytes(b"\r\x03\x03\x15");
    let answered = wait::maybe(secs(60), || {
        serial.send("\x03\x15version\r");
        serial.try_expect("lvsbox 0.1.0\nlb1> ", secs(2))
    });
    assert!(answered.is_some(), "{}", machine.console());
    wait::until("five adverts", secs(30), || (switch.adverts().len() >= 5).then_some(()));
    let adverts = switch.adverts();
    let longest = adverts.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap();
    println!("longest time between two adverts: {longest:?}");
    // Three intervals and the skew of priority 255: nobody else would have become MASTER.
    assert!(longest < secs(3), "{longest:?}");
}

#[test]
fn last_words_of_a_crash_reach_the_console_and_the_machine_starts_again() {
    let mut firmware = firmware(&format!("{APPLIANCE}{}", instance()));
    firmware.board.command_line += " lvsbox.crash=1";
    let machine = boot(&firmware, 1, OnReboot::Again);
    machine.wait_line("error: bug in lvsbox at src/boot/mod.rs:", BOOT);
    machine.wait_line("Kernel panic - not syncing: Attempted to kill init!", secs(20));
    wait::until("a second boot", BOOT, || (machine.console().matches("as PID 1").count() > 1).then_some(()));
}
