//! `lab`: the laboratory by hand. `lab guest COMMAND...` runs a command in a guest that has IPVS; `lab web` is a real
//! server with a chosen behaviour; `lab bench` and its
//! relatives compare lvsbox with keepalived; `lab world` is what runs inside the guest that plays the client and the
//! servers.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command of the developer's machine")]

use std::io::{IsTerminal, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use lab::bench;
use lab::bench::command::Plan;
use lab::cleanup;
use lab::demo::lan::{self, Lan};
use lab::demo::{console, crash, menu, tour};
use lab::guest::Guest;
use lab::soak;
use lab::web::{Behaviour, WebServer};
use lab::world;

const USAGE: &str = "\
lab guest COMMAND [ARGUMENT...]
        run a command as root in a guest with IPVS that sees this machine's files
lab web --listen ADDRESS:PORT [--behaviour normal|unavailable|silent|drip|endless-headers|
        endless-body|garbage] [--name NAME]
        a real server
lab world [--control DEVICE] [--target ADDRESS:PORT]
        client and web servers behind this machine's network card; for a guest only
lab crash --binary FILE
        what a machine says in which lvsbox of FILE crashes as PID 1; it succeeds if the machine
        starts again
lab demo --binary FILE [--tour]
        two directors that run lvsbox of FILE, client and web servers; with --tour without a person,
        and it succeeds only if everything happened
lab bench BINARY [--json FILE] [--small BINARY] [--counted | --here] [quick|takeover|boot|SIZE...]
        what tables, memory, checks, reloads, takeovers and boots cost BINARY and keepalived in a
        guest with IPVS: a table, then the same in JSON, to FILE or behind the table; --small:
        BINARY without TLS; --here: on this machine, which needs IPVS; --counted: the guest's clock
        counts instructions, so that this machine may do other things as well; quick: 4096 and
        fewer takeovers and boots; SIZE: 40, 1000, 4096, 16384 or 65536 real servers (65536: BINARY
        alone); without a word: everything
lab bench-inside BINARY [WORD...]
        what `lab bench` runs in its guest: records with tabs between their words
lab bench-config BINARY
        time and memory of the largest configuration: `BINARY check` and `keepalived -t`
lab bench-takeover BINARY
        `takeover` on this machine: needs no IPVS
lab bench-lateness BINARY
        how regular the adverts of 255 instances are under load, of BINARY and keepalived; with IPVS
        as well: lab guest LAB bench-lateness BINARY
lab soak BINARY MINUTES [SEED]
        BINARY in a guest with IPVS, traffic, and faults all the time: what it takes is plotted, and
        at the end everything must be as it was; a picture is put beside BINARY
lab soak-inside BINARY MINUTES SEED
        what runs in that guest";

fn main() -> ExitCode {
    cleanup::on_signal();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.split_first() {
        Some((&"guest", argv)) if !argv.is_empty() => guest(argv),
        Some((&"web", options)) => match web(options) {
            Ok(server) => {
                server.wait();
                ExitCode::SUCCESS
            }
            Err(message) => complain(&message),
        },
        Some((&"world", options)) => match world(options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => complain(&message),
        },
        Some((&"crash", ["--binary", binary])) => {
            crash::run(Path::new(binary), &mut std::io::stdout());
            ExitCode::SUCCESS
        }
        Some((&"demo", options)) => match demo(options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => complain(&message),
        },
        Some((&"bench", [binary, words @ ..])) => match Plan::parse(words) {
            Ok(plan) => bench::command::run(Path::new(binary), &plan, &mut show),
            Err(message) => complain(&message),
        },
        Some((&"bench-inside", [binary, words @ ..])) => match Plan::parse(words) {
            Ok(plan) => {
                bench::command::inside(Path::new(binary), &plan, &mut |row| println!("{}", row.record()));
                ExitCode::SUCCESS
            }
            Err(message) => complain(&message),
        },
        Some((&"soak", [binary, words @ ..])) => match soak::command::Plan::parse(words) {
            Some(plan) => outcome(soak::command::run(Path::new(binary), plan, &mut show)),
            None => complain(USAGE),
        },
        Some((&"soak-inside", [binary, words @ ..])) => match soak::command::Plan::parse(words) {
            Some(plan) => outcome(soak::run(Path::new(binary), plan.minutes, plan.seed, &mut show)),
            None => complain(USAGE),
        },
        Some((&"bench-config", [binary])) => {
            print!("{}", bench::config::run(Path::new(binary)));
            ExitCode::SUCCESS
        }
        Some((&"bench-takeover", [binary])) => {
            show(&bench::report::columns());
            bench::takeover::run(Path::new(binary), 11, &mut |row| show(&bench::report::line(&row)));
            ExitCode::SUCCESS
        }
        Some((&"bench-lateness", [binary])) => {
            bench::lateness::run(Path::new(binary), &mut |text| print!("{text}"));
            ExitCode::SUCCESS
        }
        _ => complain(USAGE),
    }
}

fn outcome(is_well: bool) -> ExitCode {
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn complain(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}

/// Whoever reads it sees each line as it comes, through a pipe as well.
fn show(text: &str) {
    print!("{text}");
    std::io::stdout().flush().ok();
}

fn guest(argv: &[&str]) -> ExitCode {
    let outcome = Guest::new().run(argv, Duration::from_secs(600));
    print!("{}", outcome.output);
    ExitCode::from(u8::try_from(outcome.status).unwrap_or(u8::MAX))
}

fn world(options: &[&str]) -> Result<(), String> {
    let (mut control, mut target) = (world::CONTROL, world::TARGET);
    for pair in options.chunks(2) {
        match pair {
            ["--control", device] => control = *device,
            ["--target", address] => target = *address,
            _ => return Err(USAGE.to_owned()),
        }
    }
    let target = target.parse().map_err(|error| format!("{target}: {error}"))?;
    world::inside::run(Path::new(control), target)
}

fn demo(options: &[&str]) -> Result<(), String> {
    let (binary, is_tour) = match options {
        ["--binary", binary] => (Path::new(*binary), false),
        ["--binary", binary, "--tour"] => (Path::new(*binary), true),
        _ => return Err(USAGE.to_owned()),
    };
    let program = lan::this_program();
    let world = [program.to_str().ok_or("the path of this program is not in UTF-8")?, "world"];
    let terminal = std::io::stdin();
    let has_terminal = terminal.is_terminal() && std::io::stdout().is_terminal();
    if !is_tour && !has_terminal {
        return Err("lab demo needs a terminal; without one: lab demo --binary FILE --tour".to_owned());
    }
    println!("{}", lan::PICTURE);
    if is_tour {
        tour::run(Lan::boot(binary, &world), binary, &mut std::io::stdout());
        return Ok(());
    }
    println!("Each director is a machine of its own; client and web servers share a third.\nbooting ...");
    let mut lan = Lan::boot(binary, &world);
    println!("ready after {:.1} s\n\n{}", lan.wait_ready().as_secs_f64(), menu::KEYS);
    console::run(&mut lan, &terminal);
    println!("stopping everything");
    Ok(())
}

fn web(options: &[&str]) -> Result<WebServer, String> {
    let (mut listen, mut behaviour, mut name) = (None, Behaviour::Normal, "web");
    for pair in options.chunks(2) {
        match pair {
            ["--listen", address] => listen = Some(*address),
            ["--name", word] => name = word,
            ["--behaviour", word] => behaviour = Behaviour::named(word).ok_or(USAGE)?,
            _ => return Err(USAGE.to_owned()),
        }
    }
    let address = listen.ok_or(USAGE)?;
    let listener = TcpListener::bind(address).map_err(|error| format!("listen on {address}: {error}"))?;
    Ok(WebServer::serve(listener, behaviour, name))
}
