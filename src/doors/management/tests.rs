//! The door against real FastAPI answers, and where it differs on purpose.

use std::sync::Arc;

use proptest::prelude::*;

use super::answer::{self, Ingress};
use super::table::OPERATIONS;
use super::*;
use crate::census::Census;
use crate::event::StreamName;
use crate::proto::http::{Body, parse};
use crate::registry::EventStream;
use crate::store::Declared;

const TABLE: &str = include_str!("../../../tests/reference/management.json");
const OPEN: Ingress<'_> = Ingress { location: "localhost:8080", secure: false };

fn event_stream(id: i64, routing_key: &str) -> EventStream {
    let routing_key = StreamName::new(routing_key).unwrap();
    EventStream { id, uuid: format!("u-{id}"), routing_key }
}

/// A service that knows what the reference's model knows.
fn serve(wire: &[u8], event_bytes_max: usize) -> Response {
    let (head, used) = match parse(wire) {
        Ok(parsed) => parsed.expect("a whole request"),
        Err(fault) => return fault.response(),
    };
    answered(&head, &wire[used..], event_bytes_max).unwrap_or_else(|refusal| refusal)
}

fn answered(head: &Head, rest: &[u8], event_bytes_max: usize) -> Result<Response, Response> {
    let route = route(head)?;
    let rule = route.body_rule(head, event_bytes_max)?;
    let mut body = Body::new(head.framing(), rule.bytes_max()).map_err(|f| f.response())?;
    body.feed(rest).map_err(|fault| fault.response())?;
    let known = [event_stream(1, "abc"), event_stream(2, "grüße \" 日")];
    let unknown = |id: &i64| !known.iter().any(|one| one.id == *id);
    Ok(match call(route, head, body.take().into(), event_bytes_max)? {
        Call::Version => answer::version(),
        Call::List => answer::listed(&known, OPEN),
        Call::Create(creation) => {
            let declared = creation.declaration.map(|wanted| Declared {
                created: wanted.age.is_some(),
                exchange: "event-streams".into(),
            });
            answer::created(&event_stream(3, "x"), OPEN, declared.as_ref())
        }
        Call::Show { id } | Call::Delete { id, .. } | Call::Publish { id, .. } if unknown(&id) => {
            answer::not_known(&id)
        }
        Call::Show { .. } => Response::json(200, "{}"),
        Call::Delete { .. } => answer::deleted(),
        Call::Publish { publication, .. } => {
            Response::json(201, publication.bodies.len().to_string())
        }
        Call::Health(probe) => health::answer(probe, &health::Health::default()),
        Call::Metrics => metrics::Exporter::new(1).answer(&Arc::default()),
        Call::Status(question) => {
            let names = known.iter().map(|one| one.routing_key.clone()).collect();
            let (matching, _) = question.choose(names, &Census::default());
            Response::json(200, matching.to_string())
        }
        Call::LogLevel => answer::log_level(LevelFilter::Info),
        Call::SetLogLevel(level) => answer::log_level(level),
        Call::OpenApi => answer::openapi(),
        Call::Docs => answer::docs(),
        Call::Asset { asset, known } => asset.answer(known),
    })
}

fn request(method: &str, target: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("{method} {target} HTTP/1.1\r\nhost: h:81\r\n{headers}");
    format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes()
}

fn ask(method: &str, target: &str, headers: &str, body: &str) -> Response {
    serve(&request(method, target, headers, body), 1000)
}

fn text(response: &Response) -> &str {
    str::from_utf8(response.body()).unwrap()
}

#[test]
fn every_answer_is_the_one_of_the_reference() {
    let table: serde_json::Value = serde_json::from_str(TABLE).unwrap();
    let rows = table["rows"].as_array().unwrap();
    assert!(rows.len() > 300, "the table is whole");
    let mut faults = Vec::new();
    // Where the reference has nothing there is a page.
    for row in rows.iter().filter(|row| row["target"] != "/") {
        let field = |name: &str| row[name].as_str().unwrap();
        let headers: String = row["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}: {}\r\n", value.as_str().unwrap()))
            .collect();
        let response = ask(field("method"), field("target"), &headers, field("body"));
        let got = (response.status(), text(&response), response.header("location"));
        let status = u16::try_from(row["status"].as_u64().unwrap()).unwrap();
        let expected = (status, field("answer"), row["location"].as_str());
        if got != expected {
            faults.push(format!("{row}\n   got {got:?}"));
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), rows.len(), faults.join("\n"));
}

#[test]
fn allow_names_every_method_of_the_path() {
    for (method, target, allow) in [
        ("PUT", "/event-stream/", "GET, HEAD, POST"),
        ("POST", "/event-stream/version/", "GET, HEAD"),
        ("POST", "/event-stream/1", "GET, HEAD, DELETE"),
        ("POST", "/event-stream/abc", "GET, HEAD, DELETE"),
        ("GET", "/event-stream/1/events", "POST"),
        ("HEAD", "/event-stream/1/events", "POST"),
        ("DELETE", "/docs", "GET, HEAD"),
        ("OPTIONS", "/openapi.json", "GET, HEAD"),
    ] {
        let response = ask(method, target, "", "");
        assert_eq!(response.header("allow"), Some(allow), "{method} {target}");
        assert_eq!(
            (response.status(), text(&response)),
            (405, "{\"detail\":\"Method Not Allowed\"}")
        );
    }
}

#[test]
fn head_is_answered_where_get_is() {
    for operation in OPERATIONS {
        let path = operation.path.replace("{es_id}", "1").replace("{file}", "main.js");
        let (get, head) = (ask("GET", &path, "", ""), ask("HEAD", &path, "", ""));
        assert_eq!(get, head, "{path}");
    }
}

#[test]
fn a_forgotten_or_needless_slash_is_redirected() {
    for (target, location) in [
        ("/event-stream/version", "http://h:81/event-stream/version/"),
        ("/event-stream/1/events/", "http://h:81/event-stream/1/events"),
        ("/docs/", "http://h:81/docs"),
        ("/openapi.json/?a", "http://h:81/openapi.json?a"),
    ] {
        let response = ask("GET", target, "", "");
        assert_eq!((response.status(), response.header("location")), (307, Some(location)));
    }
    let response = serve(b"GET /event-stream HTTP/1.0\r\n\r\n", 1000);
    assert_eq!(response.header("location"), Some("/event-stream/"));
}

#[test]
fn a_routing_key_is_bounded_on_both_sides() {
    let create = |key: &str| {
        ask(
            "POST",
            "/event-stream/",
            "content-type: application/json\r\n",
            &format!("{{\"routing_key\":\"{key}\"}}"),
        )
    };
    for (good, bad) in [("a".repeat(255), "a".repeat(256)), ("é".repeat(127), "é".repeat(128))] {
        assert_eq!(create(&good).status(), 201);
        let response = create(&bad);
        assert_eq!(response.status(), 422);
        let expected = format!(
            "{{\"detail\":[{{\"type\":\"string_too_long\",\"loc\":[\"body\",\"routing_key\"],\
             \"msg\":\"String should have at most 255 bytes of UTF-8\",\"input\":\"{bad}\",\
             \"ctx\":{{\"max_length\":255}}}}]}}"
        );
        assert_eq!(text(&response), expected);
    }
}

#[test]
fn a_stream_in_the_broker_is_declared_only_when_asked_for() {
    let json = "content-type: application/json\r\n";
    let create = |more: &str| {
        ask("POST", "/event-stream/", json, &format!("{{\"routing_key\":\"x\"{more}}}"))
    };
    let plain = "{\"id\":3,\"location\":\"ws://localhost:8080/event-stream/u-3\"}";
    for more in ["", ",\"declare\":false", ",\"declare\":null,\"retain_age\":null", ",\"a\":1"] {
        assert_eq!((create(more).status(), text(&create(more))), (201, plain), "{more}");
    }
    let declared = |stream: &str| {
        let declared = format!(
            "\"declared\":{{\"stream\":\"{stream}\",\"exchange\":\"event-streams\",\
             \"routing_key\":\"x\"}}}}"
        );
        format!("{},{declared}", &plain[..plain.len() - 1])
    };
    let kept = create(",\"declare\":true,\"retain_age\":\"7d\",\"retain_bytes\":\"1GiB\"");
    assert_eq!((kept.status(), text(&kept)), (201, &*declared("created")));
    let bytes_only = create(",\"declare\":true,\"retain_bytes\":\"512\"");
    assert_eq!((bytes_only.status(), text(&bytes_only)), (201, &*declared("was there")));
}

#[test]
fn what_is_to_be_declared_is_checked_as_fastapi_checks() {
    let json = "content-type: application/json\r\n";
    let age = "Value error, expected a whole number and s, m, h or d, such as 7d";
    let bytes = "Value error, expected a number of bytes such as 500MB or 1GiB";
    let alone = "Value error, it needs \\\"declare\\\": true beside it";
    for (more, kind, name, message, input) in [
        ("\"declare\":1", "bool_type", "declare", "Input should be a valid boolean", "1"),
        (
            "\"declare\":\"yes\"",
            "bool_type",
            "declare",
            "Input should be a valid boolean",
            "\"yes\"",
        ),
        ("\"retain_age\":7", "string_type", "retain_age", "Input should be a valid string", "7"),
        ("\"retain_age\":\"7d\"", "value_error", "retain_age", alone, "\"7d\""),
        ("\"retain_bytes\":\"1\"", "value_error", "retain_bytes", alone, "\"1\""),
        ("\"declare\":true,\"retain_age\":\"7\"", "value_error", "retain_age", age, "\"7\""),
        (
            "\"declare\":true,\"retain_age\":\"1500ms\"",
            "value_error",
            "retain_age",
            age,
            "\"1500ms\"",
        ),
        ("\"declare\":true,\"retain_age\":\"0\"", "value_error", "retain_age", age, "\"0\""),
        ("\"declare\":true,\"retain_bytes\":\"0\"", "value_error", "retain_bytes", bytes, "\"0\""),
        (
            "\"declare\":true,\"retain_bytes\":\"9EB\"",
            "value_error",
            "retain_bytes",
            bytes,
            "\"9EB\"",
        ),
    ] {
        let body = format!("{{\"routing_key\":\"x\",{more}}}");
        let response = ask("POST", "/event-stream/", json, &body);
        let ctx = if kind == "value_error" { ",\"ctx\":{\"error\":{}}" } else { "" };
        let expected = format!(
            "{{\"detail\":[{{\"type\":\"{kind}\",\"loc\":[\"body\",\"{name}\"],\
             \"msg\":\"{message}\",\"input\":{input}{ctx}}}]}}"
        );
        assert_eq!((response.status(), text(&response)), (422, &*expected), "{more}");
    }
}

#[test]
fn force_is_a_word_for_yes_or_no() {
    for (query, status) in [("", 204), ("?force=yes", 204), ("?force=0", 204), ("?other=x", 204)] {
        assert_eq!(ask("DELETE", &format!("/event-stream/1{query}"), "", "").status(), status);
    }
    let response = ask("DELETE", "/event-stream/1?force=maybe", "", "");
    let expected = "{\"detail\":[{\"type\":\"bool_parsing\",\"loc\":[\"query\",\"force\"],\
                    \"msg\":\"Input should be a valid boolean, unable to interpret input\",\
                    \"input\":\"maybe\"}]}";
    assert_eq!((response.status(), text(&response)), (422, expected));
    let forced = |query: &str| {
        let wire = request("DELETE", &format!("/event-stream/1{query}"), "", "");
        let (head, _) = parse(&wire).unwrap().unwrap();
        route(&head)
    };
    assert_eq!(forced("?force=yes"), Ok(Route::Delete { id: 1, force: true }));
    assert_eq!(forced("?force=No"), Ok(Route::Delete { id: 1, force: false }));
}

#[test]
fn bodies_are_bounded_on_both_sides() {
    let json = "content-type: application/json\r\n";
    let ndjson = "content-type: application/x-ndjson\r\n";
    let padded = |length: usize| {
        let json = "{\"routing_key\":\"a\"}";
        format!("{json}{}", " ".repeat(length - json.len()))
    };
    let limit = crate::limits::JSON_BODY_BYTES_MAX;
    for (target, headers, body, status) in [
        ("/event-stream/", json, padded(limit), 201),
        ("/event-stream/", json, padded(limit + 1), 413),
        ("/event-stream/1/events", "", padded(1000), 201),
        ("/event-stream/1/events", "", padded(1001), 413),
        ("/event-stream/1/events", ndjson, format!("{}\n", padded(1000)).repeat(3), 201),
        ("/event-stream/1/events", ndjson, padded(1001), 413),
    ] {
        assert_eq!(ask("POST", target, headers, &body).status(), status, "{target} {headers}");
    }
}

#[test]
fn the_limit_of_several_events_is_never_below_that_of_one() {
    let wire =
        request("POST", "/event-stream/1/events", "content-type: application/x-ndjson\r\n", "");
    let (head, _) = parse(&wire).unwrap().unwrap();
    let limit = crate::limits::NDJSON_BODY_BYTES_MAX;
    for (event_bytes_max, bytes_max) in [(1000, limit), (limit + 1, limit + 1)] {
        let rule = Route::Publish { id: 1 }.body_rule(&head, event_bytes_max).unwrap();
        assert_eq!(rule, BodyRule::Events { bytes_max });
    }
}

#[test]
fn events_of_an_unknown_media_type_are_refused_by_name() {
    for kind in ["application/x-www-form-urlencoded", "application/octet-stream", "text/html"] {
        let headers = format!("content-type: {kind}; charset=utf-8\r\n");
        let response = ask("POST", "/event-stream/1/events", &headers, "a");
        assert_eq!(response.status(), 415);
        assert!(text(&response).contains(kind) && text(&response).contains("text/plain"));
    }
}

#[test]
fn a_body_that_is_not_utf_8_is_refused() {
    let head = b"POST /event-stream/ HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n\
                 content-length: 1\r\n\r\n\xFF";
    let response = serve(head, 1000);
    let expected = "{\"detail\":\"There was an error parsing the body\"}";
    assert_eq!((response.status(), text(&response)), (400, expected));
}

#[test]
fn documents_are_served() {
    assert_eq!(
        ask("GET", "/openapi.json", "", "").header("content-type"),
        Some("application/json")
    );
    let docs = ask("GET", "/docs", "", "");
    assert_eq!(docs.header("content-type"), Some("text/html; charset=utf-8"));
}

proptest! {
    /// Whatever is asked, the answer is a response and its head is made of whole lines.
    #[test]
    fn no_request_panics_or_splits_a_response(
        method in "(GET|POST|DELETE|HEAD|PUT|X)",
        path in prop_oneof![
            "/event-stream/?[^ ?#\\x00-\\x1f\\x7f]{0,20}/{0,2}",
            "(/[a-z%0-9]{0,6}){0,6}",
            "/event-stream/[-+0-9._% ]{0,8}(/events)?/?",
        ],
        query in "(\\?[!-~é]{0,10})?",
        kind in "(text/plain|application/json|[ -~]{0,20})",
        body in "\\PC{0,40}",
    ) {
        let target = format!("{path}{query}");
        let wire = request(&method, &target, &format!("content-type: {kind}\r\n"), &body);
        let response = serve(&wire, 30);
        let mut out = Vec::new();
        response.encode(crate::proto::http::Reply::CLOSE, &mut out);
        let head_end = out.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        prop_assert!(!out[..head_end].windows(2).any(|two| two[0] != b'\r' && two[1] == b'\n'));
        prop_assert_eq!(out.len() - head_end - 4, response.body().len());
    }
}

#[test]
fn the_log_level_is_one_of_the_known_ones() {
    let json = "content-type: application/json\r\n";
    assert_eq!(text(&ask("GET", "/log-level", "", "")), "{\"log_level\":\"info\"}");
    for (given, level) in [("debug", "debug"), ("WARN", "warn"), ("off", "off")] {
        let answer = ask("PUT", "/log-level", json, &format!("{{\"log_level\":\"{given}\"}}"));
        assert_eq!(text(&answer), format!("{{\"log_level\":\"{level}\"}}"));
    }
    for wrong in ["", "{}", "{\"log_level\":\"loud\"}", "{\"log_level\":3}", "debug"] {
        assert_eq!(ask("PUT", "/log-level", json, wrong).status(), 422, "{wrong}");
    }
    let wrong = ask("PUT", "/log-level", json, "{\"log_level\":\"loud\"}");
    assert!(text(&wrong).contains("expected off, error, warn, info, debug or trace"));
    assert_eq!(ask("POST", "/log-level", json, "").header("allow"), Some("GET, HEAD, PUT"));
}
