//! Streams that ESS makes and deletes in the broker, and those it leaves alone.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    Answer, Broker, Curl, Foreign, Library, Publisher, Server, Setup, binary, wait_until,
};

const EXCHANGE: &str = "event-streams";

/// A service on this broker.
fn on(broker: &Broker) -> Server {
    Server::start_on(broker, Setup::USUAL, &[])
}

fn post(server: &Server, body: &Value) -> Answer {
    let url = server.at("/event-stream/");
    Curl::post(&url, "application/json", body.to_string().as_bytes()).send()
}

/// The number of an event stream that was created for a declared stream, and what was done.
fn declare(server: &Server, body: &Value) -> (i64, Value) {
    let answer = post(server, body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
    (told["id"].as_i64().expect("an id"), told["declared"].clone())
}

fn delete(server: &Server, id: i64, query: &str) {
    let url = server.at(&format!("/event-stream/{id}{query}"));
    assert_eq!(Curl::request("DELETE", &url).send().status, 204);
}

/// What the broker says of a stream's arguments; `None` when there is none.
fn arguments(broker: &Broker, stream: &str) -> Option<String> {
    let listed = broker.ctl(&["-q", "list_queues", "name", "type", "arguments"]);
    let wanted = format!("{stream}\tstream\t");
    listed.lines().find_map(|line| Some(line.strip_prefix(&wanted)?.to_owned()))
}

#[test]
fn a_declared_stream_is_made_with_its_retention_bound_and_deleted_with_its_last_event_stream() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    let server = on(&broker);
    let body = json!({
        "routing_key": "declared", "declare": true, "retain_age": "7d", "retain_bytes": "1GiB",
    });
    let (id, done) = declare(&server, &body);
    let told =
        |stream: &str| json!({ "stream": stream, "exchange": EXCHANGE, "routing_key": "declared" });
    assert_eq!(done, told("created"));
    let kept = arguments(&broker, "declared").expect("it is there");
    assert!(kept.contains("x-max-age") && kept.contains("604800s"), "{kept}");
    assert!(kept.contains("x-max-length-bytes") && kept.contains("1073741824"), "{kept}");

    // Bound: what the Account Server publishes to the exchange arrives.
    let uuid = server.item(id)["location"].as_str().expect("text").to_owned();
    let uuid = uuid.rsplit('/').next().expect("a last part");
    let foreign = Foreign::start(Library::Websockets);
    let consumer = foreign.open(&server.url(uuid, ""));
    publisher.publish_all(EXCHANGE, "declared", &["event"], 1).expect("it is routed");
    assert!(consumer.text().starts_with("event|ordinal: 0|"));

    // Again, with the same and with other arguments.
    let (again, done) = declare(&server, &body);
    assert_eq!(done, told("was there"));
    let other = json!({ "routing_key": "declared", "declare": true, "retain_age": "1h" });
    let refused = post(&server, &other);
    assert_eq!(refused.status, 409);
    assert!(
        refused.text().contains("another retention, and was not touched"),
        "{}",
        refused.text()
    );
    assert_eq!(arguments(&broker, "declared").as_deref(), Some(&*kept));
    let (plain, done) = declare(&server, &json!({ "routing_key": "declared", "declare": true }));
    assert_eq!(done, told("was there"));

    delete(&server, id, "");
    delete(&server, plain, "");
    assert_eq!(consumer.closed().0, 1000);
    assert!(arguments(&broker, "declared").is_some(), "one event stream is left");
    delete(&server, again, "");
    wait_until("the stream to be gone", || arguments(&broker, "declared").is_none());
    // The name is free again, and begins anew.
    let (_, done) = declare(&server, &body);
    assert_eq!(done, told("created"));
}

#[test]
fn what_ess_did_not_make_is_deleted_only_by_force_and_with_the_last_event_stream() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    let server = on(&broker);
    publisher.declare("theirs", &json!({}));
    let (id, done) = declare(&server, &json!({ "routing_key": "theirs", "declare": true }));
    assert_eq!(done["stream"], "was there");
    delete(&server, id, "");
    publisher.publish_all(EXCHANGE, "theirs", &["kept"], 1).expect("still there, and bound");

    let (one, two) = (server.create("theirs"), server.create("theirs"));
    delete(&server, one.id, "?force=yes");
    assert!(arguments(&broker, "theirs").is_some(), "the other one needs it");
    delete(&server, two.id, "?force=yes");
    wait_until("the stream to be gone", || arguments(&broker, "theirs").is_none());
    assert_eq!(Curl::get(&server.at("/event-stream/")).send().text(), r#"{"event_streams":[]}"#);
}

#[test]
fn what_was_declared_is_remembered_over_a_restart_and_deleted_when_the_broker_is_back() {
    let mut broker = Broker::start();
    let data = tempfile::tempdir().expect("a temporary directory");
    let (url, port) = (broker.url(), broker.stream_port().to_string());
    let env = [("ESS_AMPQ_URL", &*url), ("ESS_STREAM_PORT", &*port)];
    let start = || Server::start_with(Setup::USUAL, data.path(), &[], &env);
    let server = start();
    let (id, _) = declare(&server, &json!({ "routing_key": "remembered", "declare": true }));
    server.kill();
    let server = start();
    broker.stop();
    wait_until("the service to notice", || server.ask("/readyz").0 == 503);
    delete(&server, id, "");
    server.logged("can't be removed now", 1);
    let refused = post(&server, &json!({ "routing_key": "other", "declare": true }));
    assert_eq!(refused.status, 503, "{}", refused.text());
    let listed = Curl::get(&server.at("/event-stream/")).send();
    assert_eq!(listed.text(), r#"{"event_streams":[]}"#, "nothing is promised");
    server.kill();
    broker.restart();
    assert!(arguments(&broker, "remembered").is_some());
    let server = start();
    wait_until("the stream to be gone", || arguments(&broker, "remembered").is_none());
    assert_eq!(
        declare(&server, &json!({ "routing_key": "remembered", "declare": true })).1["stream"],
        "created"
    );
}

#[test]
fn a_service_without_streams_in_a_broker_says_so() {
    let log = Server::start(Setup::USUAL, &[]);
    let broker = Broker::shared();
    let live = Server::start_on(&broker, Setup::USUAL, &["--store", "exchange"]);
    for server in [&log, &live] {
        let refused = post(server, &json!({ "routing_key": "nothing", "declare": true }));
        assert_eq!(refused.status, 409);
        assert!(refused.text().contains("--store rabbitmq"), "{}", refused.text());
        let listed = Curl::get(&server.at("/event-stream/")).send();
        assert_eq!(listed.text(), r#"{"event_streams":[]}"#);
        // Forcing is fine where there is nothing more to delete.
        let plain = server.create("nothing");
        delete(server, plain.id, "?force=yes");
    }
}

#[test]
fn a_stream_that_cannot_be_bound_is_not_left_behind() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    publisher.exchange("fans", "topic");
    let server = Server::start_on(&broker, Setup::USUAL, &["--exchange", "fans"]);
    let refused = post(&server, &json!({ "routing_key": "unbindable", "declare": true }));
    assert_eq!(refused.status, 500);
    assert!(refused.text().contains("see --exchange-type"), "{}", refused.text());
    assert_eq!(arguments(&broker, "unbindable"), None);
    let listed = Curl::get(&server.at("/event-stream/")).send();
    assert_eq!(listed.text(), r#"{"event_streams":[]}"#);
}

#[test]
fn the_command_line_declares_and_forces() {
    let broker = Broker::shared();
    let server = on(&broker);
    let ess = |arguments: &[&str]| {
        let output = Command::new(binary())
            .env_clear()
            .arg("streams")
            .args(arguments)
            .args(["--api", &server.at("")])
            .output()
            .expect("the binary runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, err) = ess(&["create", "by-hand", "--declare", "--retain-age", "2h"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("\tby-hand\tws://"), "{out}");
    let said = "stream \"by-hand\" was created in the broker, bound to exchange \"event-streams\"";
    assert!(err.contains(said), "{err}");
    assert!(arguments(&broker, "by-hand").is_some_and(|kept| kept.contains("7200s")));
    let (code, _, err) = ess(&["create", "by-hand", "--declare", "--retain-age", "soon"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("such as 7d"), "{err}");
    assert_eq!(ess(&["delete", "by-hand", "--force"]).0, Some(0));
    wait_until("the stream to be gone", || arguments(&broker, "by-hand").is_none());
}
