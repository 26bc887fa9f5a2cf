//! Every line about a request or a connection has its name, which the caller knows too; and how
//! much is logged changes while the service runs.

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::support::{Curl, Frame, Server, Setup, Wire, handshake, wait_until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The next line of the log with `text` in it, which is an object that names `id`.
#[track_caller]
fn told(server: &Server, text: &str, id: &str) -> Value {
    let line = server.logged(text, 1);
    let value: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    assert_eq!(value["request_id"], id, "{line}");
    assert!(value["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    value
}

#[test]
fn the_lines_of_a_request_have_the_name_its_caller_gave() {
    let server = Server::start(Setup::USUAL, &["--log-format", "json"]);
    let json = "application/json";
    let created = Curl::post(&server.at("/event-stream/"), json, b"{\"routing_key\":\"abc\"}")
        .header("X-Request-ID", "creation-1")
        .send();
    assert_eq!((created.status, created.header("x-request-id")), (201, Some("creation-1")));
    told(&server, "created EventStream 1", "creation-1");
    let line = told(&server, "POST /event-stream/ 201", "creation-1");
    assert_eq!((&line["method"], &line["url"]), (&"POST".into(), &"/event-stream/".into()));
    assert_eq!((&line["target"], &line["status"]), (&"access".into(), &201.into()));
    assert!(line["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{line}");

    // A name that would make a line or a header of its own is none.
    let listed = Curl::get(&server.at("/event-stream/")).header("X-Request-ID", "a b\"c").send();
    let own = listed.header("x-request-id").expect("it gets another").to_owned();
    assert_eq!((own.len(), own.bytes().all(|byte| byte.is_ascii_hexdigit())), (32, true));
    told(&server, "GET /event-stream/ 200", &own);
    let refused = Curl::get(&server.at("/nowhere")).send();
    told(&server, "GET /nowhere 404", refused.header("x-request-id").expect("refused, but named"));
}

#[test]
fn the_lines_of_a_connection_have_its_name_on_every_shard() {
    let server = Server::start(Setup::USUAL, &["--log-format", "json"]);
    // Some of these names have their home on another shard than the one that accepts.
    for number in 0..8 {
        let stream = server.create(&format!("key {number}"));
        let path = format!("/event-stream/{}", stream.uuid);
        let trace = format!("{}{number}", &TRACE[..31]);
        let parent = format!("00-{trace}-00f067aa0ba902b7-01");
        let mut wire = Wire::connect(server.public());
        wire.send(handshake(&path, &[("traceparent", &parent)]).as_bytes());
        let head = wire.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains(&format!("\r\nx-request-id: {trace}\r\n")), "{head}");
        told(&server, &format!("WEBSOCKET {path} 101"), &trace);
        wire.send(&Frame::close(1000, "bye").masked());
        assert_eq!(wire.frame().expect("an answer").closed().0, 1000);
        let line = told(&server, &format!("WEBSOCKET {path} closed"), &trace);
        assert_eq!((&line["code"], &line["reason"]), (&1000.into(), &"bye".into()), "{line}");
        assert_eq!((&line["event_stream"], &line["next"]), (&stream.uuid.into(), &1.into()));
    }
    let mut wire = Wire::connect(server.public());
    wire.send(handshake("/event-stream/nobody", &[("X-Request-ID", "lost")]).as_bytes());
    assert!(wire.head().contains("\r\nx-request-id: lost\r\n"));
    assert_eq!(wire.frame().expect("a close frame").closed().0, 1000);
    let line = told(&server, "WEBSOCKET closed 1000", "lost");
    assert!(line["reason"].as_str().is_some_and(|why| why.contains("nobody")), "{line}");
}

#[test]
fn a_text_line_ends_in_the_name() {
    let server = Server::start(Setup::USUAL, &[]);
    Curl::get(&server.at("/livez")).header("X-Request-ID", "probe/7").send();
    let line = server.logged("GET /livez 200", 1);
    assert!(line.ends_with(" GET /livez 200 request_id=probe/7"), "{line}");
    let mut wire = Wire::connect(server.public());
    wire.send(b"NONSENSE\r\n\r\n");
    let head = wire.head();
    let id = head.split("x-request-id: ").nth(1).and_then(|rest| rest.lines().next());
    let line = server.logged(" - 400", 1);
    assert!(line.ends_with(&format!(" request_id={}", id.expect("a name"))), "{line} {head}");
}

#[test]
fn how_much_is_logged_changes_while_the_service_runs() {
    let server = Server::start(Setup::USUAL, &[]);
    let url = server.at("/log-level");
    let set = |level: &str| {
        let body = format!("{{\"log_level\":\"{level}\"}}");
        let curl = Curl::request("PUT", &url).header("content-type", "application/json");
        curl.body(body.as_bytes()).send()
    };
    Curl::get(&url).send().assert_json(200, "{\"log_level\":\"info\"}");
    set("warn").assert_json(200, "{\"log_level\":\"warn\"}");
    server.logged("log level: warn now, info before (request ", 1);
    Curl::get(&server.at("/livez")).send();
    set("info").assert_json(200, "{\"log_level\":\"info\"}");
    server.logged("PUT /log-level 200", 1);
    assert!(!server.has_logged("GET /livez"), "it was too little to be told");
    let wrong = set("loud");
    assert_eq!(wrong.status, 422, "{wrong:?}");
    Curl::get(&url).send().assert_json(200, "{\"log_level\":\"info\"}");
    let toggle = || kill_process(server.pid(), Signal::USR1).expect("it can be signalled");
    toggle();
    server.logged("log level: debug now, info before (SIGUSR1)", 1);
    toggle();
    server.logged("log level: info now, debug before (SIGUSR1)", 1);
    wait_until("the level to be as configured", || server.ask("/log-level").1.contains("info"));
}
