//! Serial lines with a plain socket as the machine.

use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::scratch::Scratch;
use crate::wait::secs;

struct Line {
    serial: Serial,
    listener: UnixListener,
    machine: UnixStream,
    _scratch: Scratch,
}

fn accept(listener: &UnixListener) -> UnixStream {
    let (machine, _) = listener.accept().unwrap();
    machine.set_read_timeout(Some(secs(10))).unwrap();
    machine
}

fn line() -> Line {
    let scratch = Scratch::new("serial");
    let path = scratch.join("line");
    let serial = Serial::open("lb1", &path);
    assert!(!serial.is_connected());
    let listener = UnixListener::bind(&path).unwrap();
    let machine = accept(&listener);
    wait::until("the connection", secs(10), || serial.is_connected().then_some(()));
    Line { serial, listener, machine, _scratch: scratch }
}

fn typed(machine: &mut UnixStream, count: usize) -> String {
    let mut bytes = vec![0; count];
    machine.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn what_is_expected_is_searched_behind_what_was_expected_last() {
    let mut line = line();
    line.machine.write_all(b"one\r\ntwo\r\none ").unwrap();
    assert_eq!(line.serial.expect("one", secs(10)), "one");
    assert_eq!(line.serial.expect("one", secs(10)), "\ntwo\none", "without carriage returns");
    line.machine.write_all(b"a b c").unwrap();
    assert_eq!(line.serial.expect_any(&["c", "b", "x"], secs(10)), (1, " a b".to_owned()));
    assert_eq!(line.serial.try_expect("a", Duration::ZERO), None, "that was before");
    assert_eq!(line.serial.expect("c", secs(10)), " c", "nothing was passed over");
    let position = line.serial.position();
    line.machine.write_all(b"later").unwrap();
    wait::until("the rest", secs(10), || (line.serial.position() == position + 5).then_some(()));
    assert_eq!(line.serial.text_from(position), "later");
    line.serial.mark();
    assert_eq!(line.serial.try_expect("later", Duration::ZERO), None);
    assert_eq!(line.serial.raw(), b"one\r\ntwo\r\none a b clater");
}

#[test]
fn waiting_in_vain_names_line_and_needle_and_shows_what_was_said_last() {
    let mut line = line();
    line.machine.write_all(b"kernel panic").unwrap();
    line.serial.expect("kernel", secs(10));
    let failure = catch_unwind(AssertUnwindSafe(|| line.serial.expect("login:", Duration::from_millis(30))));
    let text = *failure.unwrap_err().downcast::<String>().unwrap();
    for part in ["lb1", "login:", "kernel panic"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_command_returns_the_rows_between_its_echo_and_the_next_prompt() {
    let mut line = line();
    line.machine.write_all(b"\r\nhello\r\n\rlvsbox> \x1b[K").unwrap();
    line.serial.wait_prompt(secs(10));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(typed(&mut line.machine, 7), "status\r");
            // Typed in two pieces; a change comes between, and the answer has a row that looks like the echo.
            line.machine.write_all(b"sta\r\x1b[K(VI_1) up\r\n\rlvsbox> sta\x1b[K").unwrap();
            line.machine.write_all(b"\rlvsbox> status\x1b[K\r\nstatus\r\n  x\x1b[K 1\r\n\rlvsb").unwrap();
            line.machine.write_all(b"ox> \x1b[K").unwrap();
        });
        assert_eq!(line.serial.command("status", secs(10)), "status\n  x 1\n");
    });
    line.serial.set_prompt("lb1> ");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            typed(&mut line.machine, 5);
            line.machine.write_all(b"help\r\none\r\n-- more: space, Enter for a line, q --").unwrap();
            assert_eq!(typed(&mut line.machine, 1), " ");
            line.machine.write_all(b"\r\x1b[Ktwo\r\n\rlb1> \x1b[K").unwrap();
        });
        assert_eq!(line.serial.command("help", secs(10)), "one\ntwo\n");
    });
    assert_eq!(line.serial.rows().first().map(String::as_str), Some(""));
    assert_eq!(line.serial.wait_row("VI_1", secs(1)), "(VI_1) up");
}

#[test]
fn a_stalled_line_takes_nothing_until_it_is_resumed() {
    let mut line = line();
    line.machine.set_nonblocking(true).unwrap();
    line.serial.stall();
    let (mut written, position) = (0, line.serial.position());
    // It ends: a socket that nobody reads is full after a while.
    while let Ok(count) = line.machine.write(&[b'x'; 1_000]) {
        written += count;
    }
    assert_eq!(line.serial.position(), position, "nothing was read");
    line.serial.resume();
    wait::until("all of it", secs(10), || (line.serial.position() == position + written).then_some(()));
}

#[test]
fn a_machine_that_comes_back_is_on_the_same_line() {
    let mut line = line();
    line.machine.write_all(b"first ").unwrap();
    line.serial.expect("first", secs(10));
    line.machine.shutdown(std::net::Shutdown::Both).unwrap();
    line.machine = accept(&line.listener);
    line.machine.write_all(b"second").unwrap();
    assert_eq!(line.serial.expect("second", secs(10)), " second");
    line.serial.send("x\u{3}");
    assert_eq!(typed(&mut line.machine, 2), "x\u{3}");
}
