//! What the internal API answers to wrong requests: FastAPI's words, as the reference's clients
//! know them.
//!
//! The bodies made here from [`CREATES`] and [`IDS`] are those of FastAPI 0.165 and pydantic 2.14 with the
//! reference's model (`class Body(BaseModel): routing_key: str`) and path parameter (`es_id: int`).

use serde_json::Value;

use crate::support::{Curl, Server, Setup, everywhere};

everywhere!(wrong_creates, wrong_ids);

fn wrong_creates(setup: Setup) {
    let server = Server::start(setup, &[]);
    let path = server.at("/event-stream/");
    for &(content_type, body, kind, place, input) in CREATES {
        let answer = Curl::post(&path, content_type, body.as_bytes()).send();
        answer.assert_json(422, &detail(kind, place, input));
    }
    for &(body, position) in NOT_JSON {
        let answer = Curl::post(&path, JSON, body.as_bytes()).send();
        assert_eq!(answer.status, 422, "{body:?}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{body:?}");
        let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let faults = told["detail"].as_array().expect("a list");
        assert_eq!(faults.len(), 1, "{body:?}");
        assert_eq!(faults[0]["type"], "json_invalid", "{body:?}: {told}");
        assert_eq!(faults[0]["loc"], serde_json::json!(["body", position]), "{body:?}: {told}");
        assert_eq!(faults[0]["msg"], "JSON decode error", "{body:?}: {told}");
    }
    // No body and no content type at all.
    let answer = Curl::request("POST", &path).header("Content-Type", "").send();
    answer.assert_json(422, &detail("missing", BODY, "null"));

    for (key, kind) in [
        (String::new(), "string_too_short"),
        ("x".repeat(256), "string_too_long"),
        ("\u{e9}".repeat(128), "string_too_long"),
    ] {
        let body = format!(r#"{{"routing_key":"{key}"}}"#);
        let answer = Curl::post(&path, JSON, body.as_bytes()).send();
        assert_eq!(answer.status, 422, "{answer:?}");
        let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let fault = &told["detail"][0];
        assert_eq!(fault["type"], kind, "{told}");
        assert_eq!(fault["loc"], serde_json::json!(["body", "routing_key"]), "{told}");
        assert_eq!(fault["input"], key, "{told}");
        assert!(fault["msg"].as_str().is_some_and(|msg| !msg.is_empty()), "{told}");
    }
    // Nothing of all this made an event stream.
    Curl::get(&path).send().assert_json(200, r#"{"event_streams":[]}"#);
}

fn wrong_ids(setup: Setup) {
    let server = Server::start(setup, &[]);
    for (method, rest) in [("DELETE", ""), ("GET", ""), ("POST", "/events")] {
        for &id in IDS {
            let path = server.at(&format!("/event-stream/{id}{rest}"));
            let fault = detail("int_parsing", r#"["path","es_id"]"#, &format!("\"{id}\""));
            request(method, &path).send().assert_json(422, &fault);
        }
        for id in ["0", "999999", "-1", "9223372036854775807"] {
            let path = server.at(&format!("/event-stream/{id}{rest}"));
            request(method, &path)
                .send()
                .assert_json(404, &format!(r#"{{"detail":"EventStream {id} is not known"}}"#));
        }
    }
}

/// Content type, body; type and place of the fault told, and the input as it is quoted there.
const CREATES: &[(&str, &str, &str, &str, &str)] = &[
    (JSON, "", "missing", BODY, "null"),
    ("text/plain", "", "missing", BODY, "null"),
    (JSON, "{}", "missing", KEY, "{}"),
    (JSON, r#"{"other":"é"}"#, "missing", KEY, r#"{"other":"é"}"#),
    (JSON, r#"{"routing_key":5}"#, "string_type", KEY, "5"),
    (JSON, r#"{"routing_key":null}"#, "string_type", KEY, "null"),
    (JSON, r#"{"routing_key":["a"]}"#, "string_type", KEY, r#"["a"]"#),
    (JSON, "[]", "model_attributes_type", BODY, "[]"),
    (JSON, "\"abc\"", "model_attributes_type", BODY, "\"abc\""),
    (JSON, "null", "model_attributes_type", BODY, "null"),
    ("text/plain", r#"{"n":1}"#, "model_attributes_type", BODY, r#""{\"n\":1}""#),
    ("application/x-www-form-urlencoded", "n=1", "model_attributes_type", BODY, r#""n=1""#),
];

const BODY: &str = r#"["body"]"#;
const KEY: &str = r#"["body","routing_key"]"#;

/// Bodies that aren't JSON, and the position where FastAPI (Python's `json`) sees that.
const NOT_JSON: &[(&str, u64)] = &[
    ("{", 1),
    (r#"{"routing_key":"#, 15),
    (r#"{"routing_key":"abc""#, 20),
    (r#"{routing_key:"abc"}"#, 1),
    ("nonsense", 0),
    (r#"{"a":1} x"#, 8),
];

/// Not integers.
const IDS: &[&str] = &["abc", "1.5", "1x", "0x1"];

/// The answer to one fault, byte for byte.
fn detail(kind: &str, place: &str, input: &str) -> String {
    let message = match kind {
        "missing" => "Field required",
        "string_type" => "Input should be a valid string",
        "model_attributes_type" => {
            "Input should be a valid dictionary or object to extract fields from"
        }
        "int_parsing" => "Input should be a valid integer, unable to parse string as an integer",
        other => panic!("no message for {other}"),
    };
    format!(r#"{{"detail":[{{"type":"{kind}","loc":{place},"msg":"{message}","input":{input}}}]}}"#)
}

fn request(method: &str, path: &str) -> Curl {
    if method == "POST" {
        Curl::post(path, "text/plain", b"an event")
    } else {
        Curl::request(method, path)
    }
}

const JSON: &str = "application/json";
