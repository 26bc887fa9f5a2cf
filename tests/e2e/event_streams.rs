//! The internal API's event streams: create, list, look, delete, and how the paths answer.

use std::collections::HashSet;
use std::thread;

use serde_json::Value;

use crate::support::{Answer, Curl, Foreign, Library, Server, Setup, everywhere};

everywhere!(create_list_delete, paths_and_methods, many_clients_at_once);

fn create_list_delete(setup: Setup) {
    let server = Server::start(setup, &[]);
    let list = server.at("/event-stream/");
    Curl::get(&list).send().assert_json(200, r#"{"event_streams":[]}"#);

    let (first, first_location) = created(&server, r#"{"routing_key":"abc"}"#, JSON);
    assert_eq!(first, 1);
    // The same routing key again: an independent record.
    let (second, second_location) = created(&server, r#"{"routing_key":"abc"}"#, JSON);
    assert_eq!(second, 2);
    assert_ne!(first_location, second_location);
    let (third, third_location) = created(&server, "{\"routing_key\":\"\u{e9}\\u00e8\"}", JSON);

    let item = |id: i64, location: &str, key: &str| {
        format!(r#"{{"id":{id},"location":"{location}","routing_key":"{key}"}}"#)
    };
    let first_item = item(first, &first_location, "abc");
    let second_item = item(second, &second_location, "abc");
    let third_item = item(third, &third_location, "\u{e9}\u{e8}");
    Curl::get(&list).send().assert_json(
        200,
        &format!(r#"{{"event_streams":[{first_item},{second_item},{third_item}]}}"#),
    );

    let path = server.at(&format!("/event-stream/{second}"));
    let gone = Curl::request("DELETE", &path).send();
    assert_eq!((gone.status, gone.text()), (204, ""));
    let unknown = format!(r#"{{"detail":"EventStream {second} is not known"}}"#);
    Curl::request("DELETE", &path).send().assert_json(404, &unknown);
    Curl::get(&path).send().assert_json(404, &unknown);
    Curl::get(&list)
        .send()
        .assert_json(200, &format!(r#"{{"event_streams":[{first_item},{third_item}]}}"#));
}

fn paths_and_methods(setup: Setup) {
    let server = Server::start(setup, &[]);
    created(&server, r#"{"routing_key":"abc"}"#, JSON);
    let version = env!("CARGO_PKG_VERSION");
    let answer = Curl::get(&server.at("/event-stream/version/")).send();
    let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let name = told["name"].as_str().expect("a name");
    answer.assert_json(
        200,
        &format!(r#"{{"protocol":"WEBSOCKET","name":"{name}","version":"{version}"}}"#),
    );

    // HEAD is GET without the body.
    for path in ["/event-stream/", "/event-stream/version/", "/event-stream/1"] {
        let get = Curl::get(&server.at(path)).send();
        let head = Curl::request("HEAD", &server.at(path)).send();
        assert_eq!((head.status, head.text()), (200, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
    }

    for (path, to) in [("/event-stream", "/event-stream/"), ("/event-stream/2/", "/event-stream/2")]
    {
        for host in ["ess-ws-api:8081", "10.0.0.7", "[::1]:8081"] {
            let answer = Curl::get(&server.at(path)).header("Host", host).send();
            assert_eq!(answer.status, 307, "{path}");
            assert_eq!(answer.header("location"), Some(&*format!("http://{host}{to}")), "{path}");
        }
    }

    for (method, path, allowed) in [
        ("PUT", "/event-stream/", &["GET", "HEAD", "POST"][..]),
        ("DELETE", "/event-stream/", &["GET", "HEAD", "POST"]),
        ("POST", "/event-stream/1", &["DELETE", "GET", "HEAD"]),
        ("PATCH", "/event-stream/1", &["DELETE", "GET", "HEAD"]),
        ("GET", "/event-stream/1/events", &["POST"]),
        ("POST", "/event-stream/version/", &["GET", "HEAD"]),
    ] {
        let answer = Curl::request(method, &server.at(path)).send();
        answer.assert_json(405, r#"{"detail":"Method Not Allowed"}"#);
        let mut told: Vec<&str> = answer.header("allow").expect("Allow").split(", ").collect();
        told.sort_unstable();
        assert_eq!(told, allowed, "{method} {path}");
    }

    for path in ["/nowhere", "/event-stream/1/nowhere", "/event-streams/", "//event-stream/"] {
        Curl::get(&server.at(path)).send().assert_json(404, r#"{"detail":"Not Found"}"#);
    }
}

fn many_clients_at_once(setup: Setup) {
    const CLIENTS: usize = 50;
    let server = Server::start(setup, &[]);
    let clients = (0..CLIENTS).map(|client| {
        let api = server.clone();
        thread::spawn(move || {
            let key = format!("key {}", client % 7);
            let passing = api.create(&key);
            let staying = api.create(&key);
            api.delete(passing.id);
            (passing, staying)
        })
    });
    let clients: Vec<_> = clients.collect();
    let made: Vec<_> =
        clients.into_iter().map(|client| client.join().expect("no client failed")).collect();

    let streams = made.iter().flat_map(|(passing, staying)| [passing, staying]);
    let (ids, uuids): (HashSet<_>, HashSet<_>) =
        streams.map(|stream| (stream.id, stream.uuid.clone())).unzip();
    assert_eq!((ids.len(), uuids.len()), (2 * CLIENTS, 2 * CLIENTS), "each has its own");

    let answer = Curl::get(&server.at("/event-stream/")).send();
    let listed: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let listed = listed["event_streams"].as_array().expect("a list");
    let listed: HashSet<i64> = listed.iter().filter_map(|item| item["id"].as_i64()).collect();
    let expected: HashSet<i64> = made.iter().map(|(_, staying)| staying.id).collect();
    assert_eq!(listed, expected);
    for (_, staying) in &made {
        server.publish(staying.id, "still works");
    }
}

#[test]
fn content_types_and_extra_members_of_a_create() {
    let server = Server::start(Setup::USUAL, &[]);
    for kind in [JSON, "application/json; charset=utf-8", "application/vnd.squonk+json"] {
        created(&server, r#"{"routing_key":"abc","image":"x","n":[1,{"a":null}]}"#, kind);
    }
    // 255 bytes and not one more: see `faults`.
    let longest = format!(r#"{{"routing_key":"{}"}}"#, "\u{e9}".repeat(127) + "x");
    created(&server, &longest, JSON);
}

#[test]
fn no_routing_key_leaves_the_data_directory() {
    let server = Server::start(Setup::USUAL, &[]);
    let keys = [
        ".",
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "a\0b",
        "-rf",
        "%2e%2e",
        " ",
        "'; DROP TABLE es; --",
        "CON",
        "a\nb",
        "\u{1F980}",
        "A",
        "a",
    ];
    let streams: Vec<_> = keys.iter().map(|key| (key, server.create(key))).collect();
    for (key, stream) in &streams {
        assert_eq!(server.publish(stream.id, &format!("for {key:?}")).first, 1, "{key:?}");
    }
    let foreign = Foreign::start(Library::Websockets);
    for (key, stream) in &streams {
        let consumer = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
        assert!(consumer.text().starts_with(&format!("for {key:?}|ordinal: 1|")), "{key:?}");
        server.delete(stream.id);
        assert_eq!(consumer.closed().0, 1000, "{key:?}");
    }
}

#[test]
fn an_item_tells_the_state_of_its_stream() {
    let server = Server::start(Setup::USUAL, &[]);
    let stream = server.create("abc");
    let foreign = Foreign::start(Library::Ws);
    let _consumers =
        [foreign.open(&server.url(&stream.uuid, "")), foreign.open(&server.url(&stream.uuid, ""))];
    server.publish_lines(stream.id, "one\ntwo\nthree\n");
    let bytes = server.item(stream.id)["bytes"].as_u64().expect("a number");
    assert!(bytes >= 11, "what was published takes {bytes} bytes");
    let location = &stream.location;
    Curl::get(&server.at("/event-stream/1")).send().assert_json(
        200,
        &format!(
            "{{\"id\":1,\"location\":\"{location}\",\"routing_key\":\"abc\",\"floor\":1,\
             \"next_ordinal\":4,\"bytes\":{bytes},\"consumers\":2}}"
        ),
    );
}

#[test]
fn the_location_is_where_the_ingress_says() {
    let data = tempfile::tempdir().expect("a temporary directory");
    for (env, start) in [
        (&[][..], "ws://localhost:8080/event-stream/"),
        (&[("ESS_INGRESS_LOCATION", "ess.example.org")], "ws://ess.example.org/event-stream/"),
        (
            &[("ESS_INGRESS_LOCATION", "ess.example.org:444"), ("ESS_INGRESS_SECURE", "yes")],
            "wss://ess.example.org:444/event-stream/",
        ),
        (&[("ESS_INGRESS_SECURE", "no")], "ws://localhost:8080/event-stream/"),
    ] {
        let server = Server::start_with(Setup::USUAL, data.path(), &[], env);
        let location = server.create("abc").location;
        assert!(location.starts_with(start), "{location}, expected {start}…");
        server.kill();
    }
}

#[test]
fn the_api_describes_itself_offline() {
    let server = Server::start(Setup::USUAL, &[]);
    let answer = Curl::get(&server.at("/openapi.json")).send();
    assert_eq!(answer.status, 200);
    let openapi: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert!(openapi["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let paths = openapi["paths"].as_object().expect("paths");
    assert!(paths.contains_key("/event-stream/"), "{paths:?}");

    let docs = Curl::get(&server.at("/docs")).send();
    assert_eq!(docs.status, 200);
    assert!(docs.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    for fetched in ["src=\"http", "src=\"//", "<link rel=\"stylesheet\" href=\"http"] {
        assert!(!docs.text().contains(fetched), "the docs page needs the network: {fetched}");
    }
}

const JSON: &str = "application/json";

/// Creates with curl and checks the answer byte for byte but for the location's last part.
fn created(server: &Server, body: &str, kind: &str) -> (i64, String) {
    let answer = Curl::post(&server.at("/event-stream/"), kind, body.as_bytes()).send();
    let (id, location) = id_and_location(&answer);
    answer.assert_json(201, &format!(r#"{{"id":{id},"location":"{location}"}}"#));
    let uuid = location.strip_prefix("ws://localhost:8080/event-stream/");
    assert!(uuid.is_some_and(|uuid| uuid.len() >= 22 && !uuid.contains('/')), "{location}");
    (id, location)
}

fn id_and_location(answer: &Answer) -> (i64, String) {
    let value: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let location = value["location"].as_str().expect("a location");
    (value["id"].as_i64().expect("an id"), location.to_owned())
}
