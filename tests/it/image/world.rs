//! The world that the demonstration and the tour look at their directors from: it must see what is there.
//!
//! The guests run this very binary, on one of the ignored tests at the end.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use lab::scratch::Scratch;
use lab::wait::{self, secs};
use lab::world::{self, Answer, World};

/// The longest a world may take to be ready on a busy machine.
const READY: Duration = secs(120);

/// A world that asks what the test `inside` says, on a cable that leads nowhere.
fn boot(scratch: &Scratch, inside: &str) -> World {
    let wire = scratch.join("wire");
    let listener = UnixListener::bind(&wire).unwrap();
    thread::spawn(move || {
        let (mut cable, _) = listener.accept().unwrap();
        std::io::copy(&mut cable, &mut std::io::sink()).ok();
    });
    let program = std::env::current_exe().unwrap();
    let name = format!("image::world::{inside}");
    let started = Instant::now();
    let world =
        World::boot_with(&wire, &[program.to_str().unwrap(), "--ignored", "--exact", &name, "--nocapture"]);
    world.wait_ready(READY);
    println!("a world is ready after {:.1} s", started.elapsed().as_secs_f64());
    world
}

/// Waits for `count` answers in a row like `wanted` among those from now on.
#[track_caller]
fn wait_for(world: &World, what: &str, count: usize, wanted: impl Fn(&Answer) -> bool) {
    let from = world.count();
    let row = || world.answers_since(from).iter().rev().take_while(|answer| wanted(answer)).count();
    if wait::maybe(secs(30), || (row() >= count).then_some(())).is_none() {
        panic!("no {count} {what}: {:#?}", world.answers_since(from));
    }
}

#[test]
fn server_that_is_killed_refuses_and_one_that_is_restored_answers() {
    let scratch = Scratch::new("world");
    let world = boot(&scratch, "asks_web1");
    let web1 = |answer: &Answer| answer.outcome.as_deref() == Ok("web1");
    wait_for(&world, "answers of web1", 10, web1);
    world.kill("web1");
    wait_for(&world, "refusals", 10, |answer| answer.outcome == Err("refused".to_owned()));
    // The other one's end and return are none of this one's.
    world.kill("web2");
    world.restore("web2");
    assert!(!web1(world.answers().last().unwrap()));
    world.restore("web1");
    wait_for(&world, "answers of web1", 10, web1);
    world.restore("web1");

    world.send_line("\u{1}\u{7f} login: root");
    wait::until("a complaint", secs(10), || world.last_error().filter(|text| text.starts_with("unknown ")));
    world.send_line("kill web9");
    wait::until("a refusal", secs(10), || world.last_error().filter(|text| text == "no web server web9"));

    let answers = world.answers();
    let longest = answers.iter().map(|answer| answer.took).max().unwrap();
    println!("{} answers, the slowest took {longest:?}", answers.len());
    // Ten a second, less what a machine under load leaves out.
    let span = answers.last().unwrap().at.as_millis();
    assert!(answers.len() as u128 > span / 1_000, "{} answers in {span} ms", answers.len());
    let down = world::longest_gap(&answers);
    assert!(down > Duration::from_millis(500), "ten refusals are a second without an answer: {down:?}");

    world.send_line("quit");
    wait::until("the guest's end", secs(30), || world.guest().has_ended().then_some(()));
}

#[test]
fn virtual_address_without_director_is_not_answered_though_both_servers_have_it() {
    let scratch = Scratch::new("world");
    let world = boot(&scratch, "asks_the_virtual_address");
    wait_for(&world, "failures", 20, |answer| {
        answer.outcome.as_ref().is_err_and(|reason| reason == "timed out" || reason == "no route")
    });
    assert!(world.answers().iter().all(|answer| answer.outcome.is_err()));
}

fn inside(target: &str) {
    assert!(lab::guest::is_inside(), "this would take the host's network card");
    world::inside::run(Path::new(world::CONTROL), target.parse().unwrap()).unwrap();
}

#[test]
#[ignore = "runs in a guest"]
fn asks_web1() {
    inside("192.0.2.21:80");
}

#[test]
#[ignore = "runs in a guest"]
fn asks_the_virtual_address() {
    inside(world::TARGET);
}
