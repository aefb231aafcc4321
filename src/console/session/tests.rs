//! The session as a terminal shows it: what is sent, when a command is wanted, and what a key means in each state.

use super::*;

fn drain(session: &mut Session) -> String {
    let mut all = Vec::new();
    while !session.output().is_empty() {
        all.extend_from_slice(session.output());
        session.sent(session.output().len());
    }
    String::from_utf8(all).unwrap()
}

fn greeted() -> Session {
    let mut session = Session::default();
    session.greet(format_args!("hello"));
    assert_eq!(drain(&mut session), "\r\nhello\r\n\rlvsbox> \x1b[K");
    session
}

#[test]
fn commands_run_one_after_the_other_and_what_is_typed_ahead_waits() {
    let mut session = greeted();
    session.handle(b"status\rshow vrrp\r");
    assert_eq!(session.poll_want(), Some(Want::Run));
    assert_eq!(session.command(), "status");
    session.write(b"one\ntwo\x1b[2J");
    session.end();
    assert_eq!(session.poll_want(), Some(Want::Run));
    assert_eq!(session.command(), "show vrrp");
    assert_eq!(
        drain(&mut session),
        "status\r\none\r\ntwo?[2J\r\n\rlvsbox> \x1b[Kshow vrrp\r\n",
        "a row that was left open is ended before the prompt"
    );
}

#[test]
fn interrupt_ends_a_command_and_forgets_what_was_typed_ahead() {
    let mut session = greeted();
    session.handle(b"show checks\rreload\r");
    assert_eq!(session.poll_want(), Some(Want::Run));
    session.handle(b"\x03");
    assert_eq!(session.poll_want(), Some(Want::Cancel));
    session.end();
    assert_eq!(session.poll_want(), None);
    session.handle(b"log follow\r");
    assert_eq!(session.poll_want(), Some(Want::Run));
    session.handle(b"q");
    assert_eq!(session.poll_want(), Some(Want::Cancel), "any key");
    session.end();
    session.handle(b"exit\r");
    assert_eq!(session.poll_want(), Some(Want::Leave));
}

#[test]
fn a_stalled_terminal_loses_lines_and_is_told_how_many() {
    let mut session = greeted();
    session.handle(b"sta");
    drain(&mut session);
    for number in 0..1_000 {
        session.event(&format!("change {number} {}", "x".repeat(60)));
    }
    assert!(session.output().len() <= MAX_CONSOLE_OUTPUT);
    let shown = drain(&mut session);
    let seen = shown.matches("change ").count();
    assert!(seen > 50, "{seen}");
    assert!(shown.contains(&format!("({} lines were lost: the terminal is too slow)\r\n", 1_000 - seen)));
    assert!(shown.ends_with("\r\n\rlvsbox> sta\x1b[K"), "the line is shown again");
    session.event("later");
    assert!(drain(&mut session).contains("later"));
}

#[test]
fn a_command_is_asked_for_no_more_than_there_is_room_for() {
    let mut session = greeted();
    session.handle(b"show log\r");
    let mut written = 0;
    while session.wants_output() {
        session.write(&[b'\n'; 4_096]);
        written += 4_096;
    }
    let shown = drain(&mut session);
    assert_eq!(shown.matches("\r\n").count(), written + 1, "nothing is lost");
    assert!(session.wants_output());
}

/// A session of eight rows at which a command of thirty lines runs.
fn paged(command: &[u8]) -> Session {
    let mut session = greeted();
    session.set_rows(8);
    session.handle(command);
    assert_eq!(session.poll_want(), Some(Want::Run));
    drain(&mut session);
    let text: String = (1..=30).map(|line| format!("{line}\n")).collect();
    session.write(text.as_bytes());
    session
}

#[test]
fn a_page_waits_for_a_key_and_the_command_with_it() {
    let mut session = paged(b"show log\r");
    assert_eq!(drain(&mut session), format!("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n{MORE}"));
    assert!(!session.wants_output());
    session.end();
    session.event("news");
    assert_eq!(drain(&mut session), format!("\r\x1b[Knews\r\n{MORE}"));
    session.handle(b"x\r");
    assert_eq!(drain(&mut session), format!("\r\x1b[K8\r\n{MORE}"));
    session.handle(b" ");
    assert!(drain(&mut session).ends_with(&format!("14\r\n{MORE}")));
    session.handle(b"   ");
    assert!(drain(&mut session).ends_with("30\r\n\rlvsbox> \x1b[K"));
    session.handle(b"st");
    assert_eq!(drain(&mut session), "st", "keys are typed again");
}

#[test]
fn a_page_is_left_by_q_whether_the_command_runs_or_is_over() {
    let mut session = paged(b"show log\r");
    session.handle(b"q");
    assert_eq!(session.poll_want(), Some(Want::Cancel));
    session.end();
    assert!(drain(&mut session).ends_with(&format!("{MORE}\r\x1b[K\rlvsbox> \x1b[K")));
    let mut session = paged(b"show log\r");
    session.end();
    session.handle(b"\x03");
    assert_eq!(session.poll_want(), None);
    assert!(drain(&mut session).ends_with(&format!("{MORE}\r\x1b[K\rlvsbox> \x1b[K")));
}

#[test]
fn a_closed_session_shows_lines_and_no_prompt() {
    let mut session = greeted();
    session.handle(b"sta");
    drain(&mut session);
    session.close();
    session.handle(b"tus\r");
    session.event("going down");
    assert_eq!(drain(&mut session), "\r\x1b[Kgoing down\r\n");
    assert_eq!(session.poll_want(), None);
}

#[test]
fn a_closed_session_leaves_the_page_and_ends_the_command() {
    for over in [false, true] {
        let mut session = paged(b"show log\r");
        if over {
            session.end();
        }
        drain(&mut session);
        session.close();
        if !over {
            assert_eq!(session.poll_want(), Some(Want::Cancel));
            session.end();
        }
        session.event("going down");
        assert_eq!(drain(&mut session), "\r\x1b[Kgoing down\r\n");
        assert!(!session.wants_output());
    }
}

#[test]
fn a_terminal_that_ends_lines_with_two_bytes_presses_one_key() {
    for second in [b"\n", b"\0"] {
        let mut session = greeted();
        session.handle(b"log follow\r");
        assert_eq!(session.poll_want(), Some(Want::Run));
        session.handle(second);
        assert_eq!(session.poll_want(), None, "the command goes on");
        session.handle(second);
        assert_eq!(session.poll_want(), Some(Want::Cancel));
        let mut session = paged(b"show log\r");
        drain(&mut session);
        session.handle(b"\r");
        session.handle(second);
        assert_eq!(drain(&mut session), format!("\r\x1b[K8\r\n{MORE}"), "one line");
    }
}

#[test]
fn an_arrow_key_ends_a_command_and_leaves_no_text() {
    for pieces in [&[&b"\x1b[C"[..]][..], &[b"\x1b", b"[", b"C"]] {
        let mut session = greeted();
        session.handle(b"log follow\r");
        assert_eq!(session.poll_want(), Some(Want::Run));
        let mut wants = 0;
        for piece in pieces {
            session.handle(piece);
            if let Some(want) = session.poll_want() {
                assert_eq!(want, Want::Cancel);
                wants += 1;
                session.end();
            }
        }
        assert_eq!(wants, 1);
        assert!(drain(&mut session).ends_with("\r\n\rlvsbox> \x1b[K"));
    }
}

#[test]
fn what_was_typed_behind_a_farewell_is_run() {
    let mut session = greeted();
    session.handle(b"exit\rstatus\r");
    assert_eq!(session.poll_want(), Some(Want::Leave));
    session.greet(format_args!("hello again"));
    assert_eq!(session.poll_want(), Some(Want::Run));
    assert_eq!(session.command(), "status");
}

#[test]
fn a_line_that_wraps_at_the_foot_of_a_page_loses_nothing() {
    let mut session = greeted();
    session.set_columns(10);
    session.set_rows(4);
    session.handle(b"show log\r");
    assert_eq!(session.poll_want(), Some(Want::Run));
    drain(&mut session);
    session.write("1\n2\n0123456789äbc\n0123456789\nlast\n".as_bytes());
    session.end();
    assert_eq!(drain(&mut session), format!("1\r\n2\r\n0123456789{MORE}"));
    session.handle(b" ");
    assert_eq!(drain(&mut session), format!("\r\x1b[Käbc\r\n0123456789\r\n{MORE}"));
    session.handle(b" ");
    assert_eq!(drain(&mut session), "\r\x1b[Klast\r\n\rlvsbox> \x1b[K");
}

#[test]
fn a_row_that_is_half_shown_stays_when_losses_are_told() {
    let mut session = greeted();
    session.handle(b"show log\r");
    assert_eq!(session.poll_want(), Some(Want::Run));
    session.write(b"half a row");
    let before = session.output().len();
    let line = "x".repeat(MAX_CONSOLE_OUTPUT);
    session.event(&line);
    assert_eq!(session.output().len(), before);
    let shown = drain(&mut session);
    assert!(shown.contains("half a row\r\n(1 lines were lost"), "{shown:?}");
}

#[test]
fn what_programs_read_is_not_paged() {
    let mut session = paged(b"show log json\r");
    assert!(drain(&mut session).ends_with("29\r\n30\r\n"));
}

#[test]
fn tab_where_a_name_belongs_asks_for_names_and_completes_or_lists_them() {
    let ask = |session: &mut Session, names: &str| {
        session.handle(b"\t");
        assert_eq!(session.poll_want(), Some(Want::Run));
        let question = session.command().to_owned();
        session.write(names.as_bytes());
        session.end();
        assert_eq!(session.poll_want(), None);
        (question, drain(session))
    };
    let mut session = greeted();
    session.handle(b"rea 1");
    drain(&mut session);
    let question = "complete real 1";
    let shown = ask(&mut session, "10.0.0.11:80\n10.0.0.12:80\n10.0.0.11:80\n");
    assert_eq!(shown, (question.into(), "\rlvsbox> rea 10.0.0.1\x1b[K".into()), "what they have in common");
    let shown = ask(&mut session, "10.0.0.11:80\n10.0.0.12:80\n").1;
    assert_eq!(shown, "\r\n10.0.0.11:80  10.0.0.12:80\r\n\rlvsbox> rea 10.0.0.1\x1b[K");
    session.handle(b"1");
    drain(&mut session);
    assert_eq!(ask(&mut session, "10.0.0.11:80\n").1, "\rlvsbox> rea 10.0.0.11:80 \x1b[K");
    session.handle(b"d\t\t");
    assert_eq!(session.poll_want(), Some(Want::Run), "a service, perhaps");
    assert_eq!(session.command(), "complete service");
    session.handle(b"\r");
    session.write(b"the daemon is not there\n");
    session.end();
    assert_eq!(session.poll_want(), Some(Want::Run), "what was typed meanwhile waited");
    assert_eq!(session.command(), "rea 10.0.0.11:80 drain");
    session.end();
    session.handle(b"why V\t");
    session.handle(b"\x03");
    assert_eq!(session.poll_want(), Some(Want::Cancel));
    session.end();
    session.handle(b"\x15status \t");
    assert_eq!(session.poll_want(), None, "no names there");
}

#[test]
fn a_page_of_watch_fills_the_terminal_once_and_any_key_ends_it() {
    let mut session = greeted();
    session.set_rows(4);
    session.set_columns(10);
    session.handle(b"watch status\r");
    assert_eq!(session.poll_want(), Some(Want::Run));
    drain(&mut session);
    session.begin_page();
    session.write(b"a row that is wider\ntw");
    session.write(b"o\nthree\nfour");
    assert!(session.is_page_full());
    assert_eq!(drain(&mut session), "\x1b[H\x1b[2Ja row that\r\ntwo\r\nthree\r\n");
    session.begin_page();
    assert!(!session.is_page_full());
    session.write(b"again\n");
    assert_eq!(drain(&mut session), "\x1b[H\x1b[2Jagain\r\n");
    session.begin_page();
    (0..2_048 / 6).for_each(|_| session.write(b"a\nb\nc\n"));
    assert!(session.output().len() < 2_048 && session.wants_output(), "a page has few rows");
    session.handle(b"x");
    assert_eq!(session.poll_want(), Some(Want::Cancel));
    session.end();
    assert!(drain(&mut session).ends_with("lvsbox> \x1b[K"));
    session.handle(b"status\r");
    session.write(b"1\n");
    assert!(!session.is_page_full(), "what comes after it is shown as ever");
}
