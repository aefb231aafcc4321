use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use smol::LocalExecutor;

use super::*;
use crate::observe::heap;

/// Runs until nothing is left, or panics after ten seconds.
fn run(reactor: &Reactor, executor: &LocalExecutor<'_>) {
    let end = clock::now() + Duration::from_secs(10);
    loop {
        while executor.try_tick() {}
        if executor.is_empty() {
            return;
        }
        assert!(clock::now() < end, "a task was never woken");
        reactor.wait(end).unwrap();
    }
}

fn pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (a, b)
}

fn receive(stream: &UnixStream) -> Result<u8, Errno> {
    let mut byte = [0];
    let mut stream = stream;
    match stream.read(&mut byte).map(|_count| byte[0]) {
        Ok(byte) => Ok(byte),
        Err(error) => Err(Errno::from_io_error(&error).unwrap()),
    }
}

#[test]
fn a_reader_is_woken_by_every_byte_and_by_nothing_else() {
    let reactor = Reactor::new(2, 1).unwrap();
    let executor = LocalExecutor::new();
    let (near, far) = pair();
    let near = reactor.register(near).unwrap();
    let timer = reactor.timer().unwrap();
    executor
        .spawn(async move {
            for byte in 0..100 {
                timer.until(clock::now() + Duration::from_micros(100)).await;
                (&far).write_all(&[byte]).unwrap();
            }
        })
        .detach();
    executor
        .spawn(async move {
            for byte in 0..100 {
                assert_eq!(near.read(receive).await, Ok(byte));
            }
        })
        .detach();
    run(&reactor, &executor);
    // One timer and at most one readability for each byte.
    assert!(reactor.woken_total() <= 200, "{}", reactor.woken_total());
}

#[test]
fn a_closed_peer_wakes_its_reader() {
    let reactor = Reactor::new(1, 1).unwrap();
    let executor = LocalExecutor::new();
    let (near, far) = pair();
    let near = reactor.register(near).unwrap();
    let timer = reactor.timer().unwrap();
    executor
        .spawn(async move {
            timer.until(clock::now() + Duration::from_millis(1)).await;
            drop(far);
        })
        .detach();
    executor.spawn(async move { assert_eq!(near.read(receive).await, Ok(0)) }).detach();
    run(&reactor, &executor);
}

#[test]
fn a_writer_waits_until_the_reader_has_made_room() {
    let reactor = Reactor::new(2, 0).unwrap();
    let executor = LocalExecutor::new();
    let (near, far) = pair();
    let (near, far) = (reactor.register(near).unwrap(), reactor.register(far).unwrap());
    const TOTAL: usize = 1 << 20;
    executor
        .spawn(async move {
            let mut sent = 0;
            while sent < TOTAL {
                let write = |stream: &UnixStream| {
                    let mut stream = stream;
                    stream.write(&[7; 4_096]).map_err(|error| Errno::from_io_error(&error).unwrap())
                };
                sent += poll_fn(|context| near.poll_write(context, write)).await.unwrap();
            }
        })
        .detach();
    executor
        .spawn(async move {
            let mut received = 0;
            while received < TOTAL {
                let read = |stream: &UnixStream| {
                    let mut stream = stream;
                    let mut chunk = [0; 1_024];
                    stream.read(&mut chunk).map_err(|error| Errno::from_io_error(&error).unwrap())
                };
                received += far.read(read).await.unwrap();
            }
        })
        .detach();
    run(&reactor, &executor);
}

#[test]
fn no_timer_fires_early_and_an_idle_wait_is_exact_to_a_millisecond() {
    let reactor = Reactor::new(0, 64).unwrap();
    let executor = LocalExecutor::new();
    let late = Rc::new(RefCell::new(Vec::new()));
    for n in 0..64 {
        let timer = reactor.timer().unwrap();
        let late = Rc::clone(&late);
        executor
            .spawn(async move {
                let at = clock::now() + Duration::from_micros(500 + n * 1_037);
                timer.until(at).await;
                assert!(clock::now() >= at);
                late.borrow_mut().push(clock::now().since(at));
            })
            .detach();
    }
    run(&reactor, &executor);
    let mut late = late.take();
    late.sort();
    // The machine may be busy with other tests, so the median is judged and not the worst.
    assert!(late[32] < Duration::from_millis(1), "{late:?}");
}

#[test]
fn a_full_table_is_an_error_and_a_freed_slot_is_used_again() {
    let reactor = Reactor::new(1, 1).unwrap();
    let (a, b) = pair();
    let first = reactor.register(a).unwrap();
    assert!(reactor.register(&b).is_err());
    drop(first);
    let second = reactor.register(&b).unwrap();
    let timer = reactor.timer().unwrap();
    assert!(reactor.timer().is_err());
    reactor.reserve(2, 2);
    let (c, _d) = pair();
    assert!(reactor.register(c).is_ok());
    assert!(reactor.timer().is_ok());
    drop((second, timer));
}

#[test]
fn growing_the_tables_keeps_what_is_set() {
    let reactor = Reactor::new(0, 1).unwrap();
    let executor = LocalExecutor::new();
    let timer = reactor.timer().unwrap();
    let at = clock::now() + Duration::from_millis(5);
    executor.spawn(async move { timer.until(at).await }).detach();
    assert!(executor.try_tick());
    reactor.reserve(100, 100);
    assert_eq!(reactor.next_deadline(), at);
    run(&reactor, &executor);
}

#[test]
fn waiting_and_waking_allocates_nothing() {
    let reactor = Reactor::new(2, 2).unwrap();
    let (near, far) = pair();
    let (near, far) = (reactor.register(near).unwrap(), reactor.register(far).unwrap());
    let waker = std::task::Waker::noop();
    let context = Context::from_waker(waker);
    let timer = reactor.timer().unwrap();
    let turn = || {
        assert!(near.poll_read(&context, receive).is_pending());
        assert!(timer.poll_until(&context, clock::now() + Duration::from_secs(1)).is_pending());
        let mut writer = far.io();
        writer.write_all(&[1]).unwrap();
        reactor.glance().unwrap();
        assert_eq!(near.poll_read(&context, receive), Answer::Ready(Ok(1)));
    };
    turn();
    // Tests in other threads allocate too: one turn in which nobody does is proof enough.
    let deadline = clock::now() + Duration::from_secs(20);
    let undisturbed = core::iter::from_fn(|| {
        (clock::now() < deadline).then(|| {
            let before = heap::figures().allocations_total;
            turn();
            heap::figures().allocations_total - before
        })
    })
    .any(|allocations| allocations == 0);
    assert!(undisturbed);
}

/// Of several waits, because another timer of the machine may end one on time by chance, or the machine be busy.
#[test]
fn a_long_wait_is_not_late_by_its_length() {
    let reactor = Reactor::new(0, 0).unwrap();
    // What the loop does at its start.
    crate::kernel::process::wake_on_time();
    let late = (0..5).map(|_| {
        let until = clock::now() + Duration::from_millis(600);
        reactor.wait(until).unwrap();
        assert!(clock::now() >= until, "no earlier than asked for");
        clock::now().since(until)
    });
    let least = late.min().unwrap();
    assert!(least < Duration::from_micros(300), "{least}: half of a thousandth");
}
