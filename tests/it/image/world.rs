//! The world that the demonstration and the tour look at their directors from: it must see what is there.
//!
//! The guests run this very binary, on one of the ignored tests at the end.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use lab::scratch::Scratch;
use lab::wait::{self, secs};
use lab::world::{self, Answer, World};

/// The longest a world may take to be ready on a busy machine.
const READY: Duration = secs(120);

/// The other end of the world's cable: whom nobody else is connected to.
struct Wire {
    cable: UnixStream,
    frames: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Wire {
    fn accept(listener: &UnixListener) -> Self {
        let (cable, _) = listener.accept().unwrap();
        let frames = Arc::<Mutex<Vec<_>>>::default();
        let (mut reading, seen) = (cable.try_clone().unwrap(), Arc::clone(&frames));
        thread::spawn(move || {
            let mut length = [0; 4];
            while reading.read_exact(&mut length).is_ok() {
                let mut frame = vec![0; u32::from_be_bytes(length).try_into().unwrap()];
                reading.read_exact(&mut frame).ok();
                seen.lock().unwrap().push(frame);
            }
        });
        Self { cable, frames }
    }

    /// Sends the ARP request of a director at 192.0.2.11.
    fn who_has(&self, address: [u8; 4]) {
        let mut frame = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 11];
        frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 11, 192, 0, 2, 11, 0, 0, 0, 0, 0, 0]);
        frame.extend(address);
        frame.resize(60, 0);
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        (&self.cable).write_all(&[length.as_slice(), &frame].concat()).unwrap();
    }

    /// How many ARP frames with `operation` (1 asks, 2 answers) and these addresses came out of the world.
    fn arps(&self, operation: u8, sender: [u8; 4], target: [u8; 4]) -> usize {
        let frames = self.frames.lock().unwrap();
        let wanted = |frame: &&Vec<u8>| {
            frame.get(12..14) == Some(&[8, 6])
                && frame.get(21) == Some(&operation)
                && frame.get(28..32) == Some(&sender)
                && frame.get(38..42) == Some(&target)
        };
        frames.iter().filter(wanted).count()
    }
}

/// A world that asks what the test `inside` says, and the other end of its cable.
fn boot(scratch: &Scratch, inside: &str) -> (World, Wire) {
    let path = scratch.join("wire");
    let listener = UnixListener::bind(&path).unwrap();
    let program = std::env::current_exe().unwrap();
    let name = format!("image::world::{inside}");
    let started = Instant::now();
    let world =
        World::boot_with(&path, &[program.to_str().unwrap(), "--ignored", "--exact", &name, "--nocapture"]);
    world.wait_ready(READY);
    println!("a world is ready after {:.1} s", started.elapsed().as_secs_f64());
    // QEMU has connected long ago.
    (world, Wire::accept(&listener))
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
    let (world, _wire) = boot(&scratch, "asks_web1");
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
fn virtual_address_without_director_is_silent_though_both_servers_have_it() {
    let scratch = Scratch::new("world");
    let (world, wire) = boot(&scratch, "asks_the_virtual_address");
    wait_for(&world, "failures", 20, |answer| {
        answer.outcome.as_ref().is_err_and(|reason| reason == "timed out" || reason == "no route")
    });
    assert!(world.answers().iter().all(|answer| answer.outcome.is_err()));
    // Not because the cable is broken: the client asks who has it, and its director can reach the servers.
    let (client, director, vip) = ([192, 0, 2, 50], [192, 0, 2, 11], [192, 0, 2, 100]);
    assert!(wire.arps(1, client, vip) > 0);
    for server in [[192, 0, 2, 21], [192, 0, 2, 22]] {
        wire.who_has(vip);
        wire.who_has(server);
        // They answer in the order of the questions: the first one's time is over with the second one's answer.
        wait::until("an answer to ARP", secs(20), || (wire.arps(2, server, director) > 0).then_some(()));
    }
    assert_eq!(wire.arps(2, vip, director), 0);
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
