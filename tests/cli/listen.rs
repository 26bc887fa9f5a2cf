//! `ess listen`.

use std::io::BufRead;
use std::net::TcpStream;
use std::process::Command;
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process};
use tungstenite::WebSocket;

use super::fake::{self, Public, Step, close, event, send};
use super::{ended, ess, output, run};

fn step(act: impl FnOnce(&mut WebSocket<TcpStream>) + Send + 'static) -> Step {
    Box::new(act)
}

fn listen(public: &Public, arguments: &[&str]) -> Command {
    let mut command = ess(["listen", &public.location()]);
    command.args(arguments);
    command
}

/// Sends numbered events, then waits for the client to go.
fn numbered(from: u64, to: u64) -> Step {
    step(move |socket| {
        for ordinal in from..=to {
            send(socket, &[&event("x", ordinal)]);
        }
        while socket.read().is_ok() {}
    })
}

#[test]
fn events_are_printed_as_received_until_the_count_is_reached() {
    let public = fake::public(vec![numbered(1, 5)]);
    let done = run(&mut listen(&public, &["--count", "3"]));
    let expected: String = (1..=3).map(|ordinal| event("x", ordinal) + "\n").collect();
    assert_eq!((done.code, done.out, done.err.as_str()), (Some(0), expected, ""));
    assert_eq!(public.paths.recv().as_deref(), Ok("/event-stream/u"));
}

#[test]
fn each_start_is_asked_for_as_the_contract_names_it() {
    for (arguments, query) in [
        (["-o", "7"], "stream_from_ordinal=7"),
        (["-t", "-5"], "stream_from_timestamp=-5"),
        (["-d", "1 May 9:30+02:00"], "stream_from_datetime=1%20May%209%3A30%2B02%3A00"),
    ] {
        let public = fake::public(vec![numbered(8, 8)]);
        let done = run(listen(&public, &arguments).args(["-n", "1"]));
        assert_eq!(done.code, Some(0), "{}", done.err);
        assert_eq!(public.paths.recv(), Ok(format!("/event-stream/u?{query}")));
    }
}

#[test]
fn objects_are_one_line_each() {
    let public = fake::public(vec![step(|socket| {
        send(socket, &[&event("two\nlines", 1), "{\"ess_ordinal\":2,\n\"ess_timestamp\":5}"]);
        while socket.read().is_ok() {}
    })]);
    let done = run(&mut listen(&public, &["--json", "-n", "2"]));
    assert_eq!(
        done.out,
        "{\"ordinal\":1,\"timestamp\":1746042171620,\"text\":\"two\\nlines\"}\n\
         {\"ordinal\":2,\"timestamp\":5,\"json\":{\"ess_ordinal\":2, \"ess_timestamp\":5}}\n"
    );
}

#[test]
fn a_lost_connection_goes_on_behind_the_last_event() {
    let public = fake::public(vec![
        step(|socket| send(socket, &[&event("x", 4), &event("x", 5)])),
        step(|socket| {
            send(socket, &[&event("x", 6)]);
            close(socket, 1012, "Service restart");
        }),
        step(|socket| close(socket, 1013, "later")),
        numbered(7, 8),
    ]);
    let done = run(&mut listen(&public, &["-t", "5", "-n", "5"]));
    let expected: String = (4..=8).map(|ordinal| event("x", ordinal) + "\n").collect();
    assert_eq!((done.code, done.out), (Some(0), expected), "{}", done.err);
    let paths: Vec<_> = public.paths.iter().take(4).collect();
    let queries = ["timestamp=5", "ordinal=5", "ordinal=6", "ordinal=6"];
    assert_eq!(paths, queries.map(|query| format!("/event-stream/u?stream_from_{query}")));
    let said: Vec<_> = done.err.lines().collect();
    assert_eq!(said.len(), 3, "{}", done.err);
    assert!(said[0].starts_with("ess: connection lost: ") && said[0].contains("ordinal 5"));
    assert!(said[1].starts_with("ess: closed by the service (1012): Service restart; again in "));
    assert!(said[2].contains("(1013): later") && said[2].ends_with("after ordinal 6"));
}

#[test]
fn missing_ordinals_are_told_also_across_connections() {
    let public = fake::public(vec![
        step(|socket| send(socket, &[&event("x", 4), &event("x", 10)])),
        numbered(12, 12),
    ]);
    let done = run(&mut listen(&public, &["-o", "2", "-n", "3"]));
    assert_eq!(done.code, Some(0));
    let gaps: Vec<_> = done.err.lines().filter(|line| line.contains("gap")).collect();
    assert_eq!(
        gaps,
        [
            "ess: gap: ordinal 3 is missing",
            "ess: gap: ordinals 5..9 are missing",
            "ess: gap: ordinal 11 is missing",
        ]
    );
}

#[test]
fn what_was_printed_is_not_printed_again() {
    let public = fake::public(vec![step(|socket| send(socket, &[&event("x", 0)])), numbered(0, 1)]);
    let done = run(&mut listen(&public, &["-o", "0", "-n", "2"]));
    assert_eq!(done.out, event("x", 0) + "\n" + &event("x", 1) + "\n");
}

#[test]
fn a_final_close_is_an_exit_code_and_a_reason() {
    for (code, reason, exit) in [
        (1000, "Connect for unknown EventStream u", 4),
        (1000, "The stream has been deleted", 5),
        (1002, "stream_from_ordinal must be an integer", 2),
        (1008, "not from there", 1),
    ] {
        let public = fake::public(vec![step(move |socket| {
            send(socket, &[&event("x", 1)]);
            close(socket, code, reason);
        })]);
        let done = run(&mut listen(&public, &[]));
        assert_eq!(done.code, Some(exit));
        assert_eq!(done.out, event("x", 1) + "\n", "what came before is printed");
        assert_eq!(done.err, format!("ess: closed by the service ({code}): {reason}\n"));
    }
}

#[test]
fn who_does_not_want_to_come_back_does_not() {
    let public = fake::public(vec![step(|socket| close(socket, 1012, "Service restart"))]);
    let done = run(&mut listen(&public, &["--no-reconnect"]));
    assert_eq!(done.code, Some(3));
    assert_eq!(done.err, "ess: closed by the service (1012): Service restart\n");
}

#[test]
fn coming_back_has_an_end() {
    let public = fake::public(vec![step(|socket| send(socket, &[&event("x", 1)]))]);
    let done = run(&mut listen(&public, &["--retry-for", "1ms"]));
    assert_eq!(done.code, Some(3));
    assert!(done.err.ends_with("; given up\n"), "{}", done.err);
    assert!(done.err.contains("; again in "), "{}", done.err);
}

#[test]
fn a_service_that_is_not_there_is_told_at_once() {
    let location = format!("ws://{}/event-stream/u", fake::nobody());
    let done = run(&mut ess(["listen", &location]));
    assert_eq!(done.code, Some(3));
    assert!(done.err.starts_with("ess: can't reach 127.0.0.1:"), "{}", done.err);
    assert_eq!(done.err.lines().count(), 1);
}

#[test]
fn a_routing_key_is_looked_up() {
    let public = fake::public(vec![numbered(1, 1), numbered(2, 2)]);
    let location = public.location();
    let api = fake::api(move |_| {
        let listed = serde_json::json!({ "event_streams": [
            { "id": 1, "location": "ws://h/event-stream/other", "routing_key": "other" },
            { "id": 2, "location": location, "routing_key": "weather" },
        ]});
        (200, listed.to_string())
    });
    let done = run(&mut ess(["listen", "--api", &api.url, "weather", "-n", "1"]));
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(public.paths.recv().as_deref(), Ok("/event-stream/u"));
    let place = public.address.to_string();
    let arguments = ["listen", "--api", &api.url, "--ws", &place, "other", "-n", "1"];
    let done = run(&mut ess(arguments));
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(public.paths.recv().as_deref(), Ok("/event-stream/other"));
    let unknown = run(&mut ess(["listen", "--api", &api.url, "sun"]));
    assert_eq!(unknown.code, Some(4));
    assert!(unknown.err.contains("ess streams create 'sun'"), "{}", unknown.err);
}

#[test]
fn a_uuid_needs_no_looking_up() {
    let public = fake::public(vec![numbered(1, 1)]);
    let uuid = "8f2c1f5e-96a2-4b4e-9d4c-1f1b6a3c2d1e";
    let place = format!("ws://{}", public.address);
    let done = run(ess(["listen", uuid, "-n", "1"]).env("ESS_WS", place));
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(public.paths.recv(), Ok(format!("/event-stream/{uuid}")));
}

#[test]
fn events_are_out_before_the_next_is_waited_for_and_an_interrupt_ends_it() {
    let (more, wanted) = mpsc::channel();
    let public = fake::public(vec![step(move |socket| {
        for text in wanted {
            send(socket, &[text]);
        }
        while socket.read().is_ok() {}
    })]);
    let mut child = listen(&public, &[]).spawn().expect("starts");
    let mut lines = output(&mut child).lines();
    for text in ["one", "two"] {
        more.send(text).expect("the service runs");
        assert_eq!(lines.next().expect("a line").expect("is text"), text);
    }
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    let done = ended(child);
    assert_eq!((done.code, done.err.as_str()), (Some(130), ""));
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let public = fake::public(vec![step(|socket| {
        let text = "x".repeat(10_000);
        while socket.send(tungstenite::Message::text(text.as_str())).is_ok() {}
    })]);
    let mut child = listen(&public, &[]).spawn().expect("starts");
    let mut lines = output(&mut child).lines();
    assert_eq!(lines.next().expect("a line").expect("is text").len(), 10_000);
    drop(lines);
    let done = ended(child);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
}

#[test]
fn an_event_larger_than_a_library_expects_passes() {
    let large = "x".repeat(20 * 1024 * 1024);
    let sent = event(&large, 1);
    let public = fake::public(vec![step(move |socket| {
        send(socket, &[&sent]);
        while socket.read().is_ok() {}
    })]);
    let done = run(&mut listen(&public, &["-n", "1"]));
    assert_eq!((done.code, done.out), (Some(0), event(&large, 1) + "\n"));
}

#[test]
fn what_can_not_be_listened_to_is_told() {
    for (target, exit, wanted) in [
        ("wss://h/event-stream/u", 2, "TLS"),
        ("http://h/event-stream/u", 2, "expected ws://"),
        ("ws://h/u?stream_from_ordinal=1", 2, "say it once"),
    ] {
        let done = run(&mut ess(["listen", target, "-o", "1"]));
        assert_eq!(done.code, Some(exit), "{}", done.err);
        assert!(done.err.contains(wanted) && done.err.lines().count() == 1, "{}", done.err);
    }
    let api = fake::api(|_| (404, "{\"detail\":\"Not Found\"}".into()));
    let location = api.url.replace("http", "ws") + "/event-stream/u";
    let done = run(&mut ess(["listen", &location]));
    assert_eq!(done.code, Some(1));
    assert!(done.err.starts_with("ess: refused by the service (404): "), "{}", done.err);
    let wrong = run(&mut ess(["listen", "u", "--retry-for", "soon"]));
    assert_eq!(wrong.code, Some(2));
}
