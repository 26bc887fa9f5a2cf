//! `ess publish`.

use std::io::{BufRead, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use super::fake::{self, Api, Request};
use super::{Ended, ended, ess, output, run, run_with};

/// A service with the event stream `weather` that stores what `taken` lets through.
fn storing(refused: impl Fn(&Request) -> Option<(u16, String)> + Send + Sync + 'static) -> Api {
    let next = AtomicU64::new(1);
    fake::api(move |request| match request.line.as_str() {
        fake::LIST => fake::list(&[(1, "u1", "other"), (7, "u7", "weather")]),
        "POST /event-stream/" => (201, r#"{"id":8,"location":"ws://h/event-stream/u8"}"#.into()),
        "POST /event-stream/7/events" | "POST /event-stream/8/events" => refused(request)
            .unwrap_or_else(|| {
                let lines = request.body.iter().filter(|byte| **byte == b'\n').count();
                let ndjson = request.content_type == "application/x-ndjson";
                let events = if ndjson { u64::try_from(lines).expect("fits") } else { 1 };
                let first = next.fetch_add(events, Ordering::Relaxed);
                let last = first + events - 1;
                let answer =
                    format!(r#"{{"first_ordinal":{first},"last_ordinal":{last},"timestamp":5}}"#);
                (201, answer)
            }),
        other => panic!("unexpected: {other}"),
    })
}

fn publish(api: &Api, arguments: &[&str]) -> Command {
    let mut command = ess(["publish", "--api", &api.url]);
    command.args(arguments);
    command
}

fn events(ended: &Ended) -> (Option<i32>, &str) {
    (ended.code, &ended.out)
}

#[test]
fn words_are_one_event_kept_byte_for_byte() {
    let api = storing(|_| None);
    let done = run(&mut publish(&api, &["weather", "it rains", "and\nrains"]));
    assert_eq!((events(&done), done.err.as_str()), ((Some(0), "1\n"), ""));
    let [request] = &api.asked()[..] else { panic!("one request") };
    assert_eq!(request.line, "POST /event-stream/7/events");
    assert_eq!(request.content_type, "text/plain");
    assert_eq!(request.body, b"it rains and\nrains");
}

#[test]
fn json_is_checked_and_sent_as_json() {
    let api = storing(|_| None);
    let done = run(&mut publish(&api, &["--json", "weather", "{\"a\": 1}"]));
    assert_eq!(events(&done), (Some(0), "1\n"));
    assert_eq!(api.asked()[0].content_type, "application/json");
    let wrong = run(&mut publish(&api, &["--json", "weather", "{\"a\": }"]));
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.starts_with("ess: the event is not JSON: "), "{}", wrong.err);
    assert!(api.asked().is_empty(), "nothing was sent");
}

#[test]
fn lines_of_standard_input_are_events() {
    let api = storing(|_| None);
    let done = run_with(&mut publish(&api, &["weather"]), b"a\r\n\n{\"b\":1}\n c \nd");
    assert_eq!(events(&done), (Some(0), "1\n2\n3\n4\n"));
    let requests = api.asked();
    let body: Vec<u8> = requests.iter().flat_map(|request| request.body.clone()).collect();
    assert_eq!(body, b"a\n{\"b\":1}\n c \nd\n");
    assert!(requests.iter().all(|request| request.content_type == "application/x-ndjson"));
    let none = run_with(&mut publish(&api, &["weather", "-"]), b"\n\n");
    assert_eq!(events(&none), (Some(0), ""));
    assert!(api.asked().is_empty());
}

#[test]
fn many_lines_travel_together_and_all_arrive() {
    let api = storing(|_| None);
    let input: String = (1..=5_000).map(|number| format!("line {number}\n")).collect();
    let done = run_with(&mut publish(&api, &["weather"]), input.as_bytes());
    let ordinals: String = (1..=5_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(events(&done), (Some(0), ordinals.as_str()));
    let requests = api.asked();
    let body: Vec<u8> = requests.iter().flat_map(|request| request.body.clone()).collect();
    assert_eq!(body, input.as_bytes());
    assert!((5..500).contains(&requests.len()), "{} requests", requests.len());
}

#[test]
fn a_slow_pipe_is_live() {
    let api = storing(|_| None);
    let mut child = publish(&api, &["weather"]).stdin(Stdio::piped()).spawn().expect("starts");
    let mut input = child.stdin.take().expect("is piped");
    let mut out = output(&mut child).lines();
    for ordinal in 1..=3 {
        writeln!(input, "line {ordinal}").expect("it reads");
        let line = out.next().expect("an answer").expect("is text");
        assert_eq!(line, ordinal.to_string());
    }
    drop(input);
    assert_eq!(ended(child).code, Some(0));
}

#[test]
fn all_of_standard_input_can_be_one_event() {
    let api = storing(|_| None);
    let done = run_with(&mut publish(&api, &["--whole", "weather"]), b"a\n\nb\n");
    assert_eq!(events(&done), (Some(0), "1\n"));
    assert_eq!(api.asked()[0].body, b"a\n\nb\n");
}

#[test]
fn quiet_prints_nothing() {
    let api = storing(|_| None);
    let done = run(&mut publish(&api, &["-q", "weather", "x"]));
    assert_eq!((events(&done), done.err.as_str()), ((Some(0), ""), ""));
}

#[test]
fn a_routing_key_without_event_stream_is_told_or_given_one() {
    let api = storing(|_| None);
    let unknown = run(&mut publish(&api, &["sun", "x"]));
    assert_eq!(events(&unknown), (Some(4), ""));
    assert!(unknown.err.contains("ess streams create 'sun'"), "{}", unknown.err);
    assert!(unknown.err.contains("--create"), "{}", unknown.err);
    assert!(api.asked().is_empty());
    let created = run(&mut publish(&api, &["--create", "sun", "x"]));
    assert_eq!(events(&created), (Some(0), "1\n"));
    let [create, publish] = &api.asked()[..] else { panic!("two requests") };
    assert_eq!(create.body, br#"{"routing_key":"sun"}"#);
    assert_eq!(publish.line, "POST /event-stream/8/events");
}

#[test]
fn a_failure_names_its_lines_and_those_before_it_are_printed() {
    let full = |request: &Request| {
        let detail = r#"{"detail":"no space left"}"#;
        request.body.starts_with(b"line 1001\n").then(|| (507, detail.to_owned()))
    };
    let api = storing(full);
    let input: String = (1..=1_500).map(|number| format!("line {number}\n")).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("input");
    std::fs::write(&path, input).expect("writable");
    // A file, so that batches are full.
    let file = std::fs::File::open(&path).expect("readable");
    let failed = run(publish(&api, &["weather"]).stdin(file));
    let ordinals: String = (1..=1_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(events(&failed), (Some(1), ordinals.as_str()));
    assert_eq!(failed.err, "ess: lines 1001 to 1500: not stored (507): no space left\n");
}

#[test]
fn a_line_too_large_is_found_among_others() {
    let large = |request: &Request| {
        let detail = r#"{"detail":"larger than 64"}"#.to_owned();
        (request.body.len() > 64).then_some((413, detail))
    };
    let api = storing(large);
    let input = format!("{}{}\nlast\n", "0123456789\n".repeat(20), "x".repeat(70));
    let failed = run_with(&mut publish(&api, &["weather"]), input.as_bytes());
    let ordinals: String = (1..=20).map(|number| format!("{number}\n")).collect();
    assert_eq!(events(&failed), (Some(1), ordinals.as_str()));
    assert_eq!(failed.err, "ess: line 21: not stored (413): larger than 64\n");
}

#[test]
fn a_line_that_could_never_be_delivered_is_not_sent() {
    let api = storing(|_| None);
    let failed = run_with(&mut publish(&api, &["weather"]), b"good\n\xff\ngood\n");
    assert_eq!(events(&failed), (Some(1), "1\n"));
    assert!(failed.err.starts_with("ess: line 2: not sent: "), "{}", failed.err);
    assert_eq!(api.asked().len(), 1);
}

#[test]
fn nobody_there_is_told_apart_from_no_answer() {
    let url = format!("http://{}", fake::nobody());
    let nobody = run(&mut ess(["publish", "--api", &url, "weather", "x"]));
    assert_eq!(events(&nobody), (Some(3), ""));
    assert!(nobody.err.starts_with(&format!("ess: can't reach {url}: ")), "{}", nobody.err);
    let api = storing(|_| Some((0, String::new())));
    let lost = run(&mut publish(&api, &["weather", "x"]));
    assert_eq!(events(&lost), (Some(3), ""));
    assert!(lost.err.ends_with("ess: the event: perhaps stored, perhaps not\n"), "{}", lost.err);
}

#[test]
fn a_receipt_for_other_than_what_was_sent_is_a_failure() {
    let odd = r#"{"first_ordinal":4,"last_ordinal":5,"timestamp":5}"#;
    let api = storing(move |_| Some((201, odd.into())));
    let failed = run(&mut publish(&api, &["weather", "x"]));
    assert_eq!(events(&failed), (Some(1), ""));
    assert!(failed.err.contains("1 sent, but stored as ordinals 4 to 5"), "{}", failed.err);
    let api = storing(|_| Some((201, "hello".into())));
    assert_eq!(run(&mut publish(&api, &["weather", "x"])).code, Some(3));
}

#[test]
fn the_api_may_be_named_by_the_environment() {
    let api = storing(|_| None);
    let done = run(ess(["publish", "weather", "x"]).env("ESS_API", &api.url));
    assert_eq!(events(&done), (Some(0), "1\n"));
    let tls = run(&mut ess(["publish", "--api", "https://h", "weather", "x"]));
    assert_eq!(tls.code, Some(2));
    assert!(tls.err.contains("TLS"), "{}", tls.err);
}
