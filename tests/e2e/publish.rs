//! Publishing through the internal API: content types, transfer codings, limits.

use serde_json::Value;

use crate::support::{Answer, Curl, EventStream, Foreign, Library, Server, Setup, everywhere};

everywhere!(content_types, transfer_codings, too_large, nothing_in_it);

fn content_types(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    let (text, json) = ("caf\u{e9} \u{1F980}\r\n two lines ", "{ \"a\" : 1.50 }");

    let path = events(&server, &stream);
    assert_eq!(published(&Curl::post(&path, "text/plain", text.as_bytes()).send()), (1, 1));
    let charset = Curl::post(&path, "text/plain; charset=utf-8", b"two").send();
    assert_eq!(published(&charset), (2, 2));
    assert_eq!(published(&Curl::post(&path, "application/json", json.as_bytes()).send()), (3, 3));
    let lines = "four\r\n\n{\"n\":5}\n\r\nsix without an end";
    let answer = Curl::post(&path, "application/x-ndjson", lines.as_bytes()).send();
    assert_eq!(published(&answer), (4, 6));

    let foreign = Foreign::start(Library::Websockets);
    let consumer = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
    let seen = consumer.texts(6);
    assert!(seen[0].starts_with(&format!("{text}|ordinal: 1|timestamp: ")), "{seen:#?}");
    assert!(seen[1].starts_with("two|ordinal: 2|"), "{seen:#?}");
    assert!(seen[2].starts_with("{\"ess_ordinal\":3,\"ess_timestamp\":"), "{seen:#?}");
    assert!(seen[2].ends_with(", \"a\" : 1.50 }"), "{seen:#?}");
    assert!(seen[3].starts_with("four"), "{seen:#?}");
    assert!(seen[4].starts_with("{\"ess_ordinal\":5,"), "{seen:#?}");
    assert!(seen[5].starts_with("six without an end|ordinal: 6|"), "{seen:#?}");
}

fn transfer_codings(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    let path = events(&server, &stream);

    let chunked = Curl::post(&path, "text/plain", b"in chunks");
    let chunked = chunked.header("Transfer-Encoding", "chunked").send();
    assert_eq!(published(&chunked), (1, 1));

    // Above one mebibyte curl asks first; the answer is awaited without end.
    let large = vec![b'x'; 3 * 1024 * 1024];
    let asked = Curl::post(&path, "text/plain", &large).arg("--expect100-timeout").arg("90");
    let asked = asked.header("Expect", "100-continue").send();
    assert_eq!((asked.interim.as_slice(), published(&asked)), (&[100][..], (2, 2)));

    let both = Curl::post(&path, "text/plain", &large).header("Transfer-Encoding", "chunked");
    let both = both.arg("--expect100-timeout").arg("90").header("Expect", "100-continue").send();
    assert_eq!((both.interim.as_slice(), published(&both)), (&[100][..], (3, 3)));

    // One connection, several requests.
    let again = Curl::post(&path, "text/plain", b"kept alive").arg("--next").arg("-sS").arg(&path);
    let again = again.arg("-d").arg("and again").arg("-H").arg("Content-Type: text/plain").send();
    assert_eq!(again.status, 201, "{again:?}");
    assert_eq!(server.publish(stream.id, "last").first, 6);

    let foreign = Foreign::start(Library::Ws);
    let consumer = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
    assert!(consumer.text().starts_with("in chunks|ordinal: 1|"));
    for ordinal in [2, 3] {
        let seen = consumer.text();
        let (body, suffix) = seen.split_at(large.len());
        assert!(body.bytes().all(|byte| byte == b'x'), "a large event as it was sent");
        assert!(suffix.starts_with(&format!("|ordinal: {ordinal}|timestamp: ")), "{suffix}");
    }
    assert!(consumer.text().starts_with("kept alive|ordinal: 4|"));
    assert!(consumer.text().starts_with("and again|ordinal: 5|"));
}

fn too_large(setup: Setup) {
    let server = Server::start(setup, &["--event-bytes-max", "1024"]);
    let stream = server.create("abc");
    let path = events(&server, &stream);
    let fits = vec![b'a'; 1024];
    let over = vec![b'a'; 1025];
    let far_over = vec![b'a'; 8 * 1024 * 1024];

    for kind in ["text/plain", "application/x-ndjson"] {
        for coding in ["", "chunked"] {
            let send = |body: &[u8]| {
                let curl = Curl::post(&path, kind, body);
                let curl = curl.header("Expect", "");
                let curl =
                    if coding.is_empty() { curl } else { curl.header("Transfer-Encoding", coding) };
                curl.send()
            };
            let answer = send(&fits);
            assert_eq!(answer.status, 201, "{kind} {coding:?}: {answer:?}");
            assert_eq!(send(&over).status, 413, "{kind} {coding:?}");
            assert_eq!(send(&far_over).status, 413, "{kind} {coding:?}");
        }
    }
    // Refused before the body is sent.
    let asked = Curl::post(&path, "text/plain", &far_over);
    let asked = asked.header("Expect", "100-continue").arg("--expect100-timeout").arg("90").send();
    assert_eq!((asked.interim.as_slice(), asked.status), (&[][..], 413));
    assert!(asked.text().starts_with("{\"detail\":"), "{asked:?}");

    // A line too long takes its whole batch with it.
    let lines = [b"one\ntwo\n", over.as_slice(), b"\nfour\n"].concat();
    assert_eq!(Curl::post(&path, "application/x-ndjson", &lines).send().status, 413);
    assert_eq!(server.publish(stream.id, "next").first, 5, "four were stored and nothing else");
}

fn nothing_in_it(setup: Setup) {
    let server = Server::start(setup, &[]);
    let stream = server.create("abc");
    let path = events(&server, &stream);
    for kind in ["text/plain", "application/json", "application/x-ndjson"] {
        let answer = Curl::post(&path, kind, b"").send();
        assert_eq!(answer.status, 422, "{kind}: {answer:?}");
        assert!(answer.text().starts_with("{\"detail\":"), "{answer:?}");
    }
    for empty_lines in ["\n", "\n\n\n", "\r\n\r\n"] {
        let answer = Curl::post(&path, "application/x-ndjson", empty_lines.as_bytes()).send();
        assert_eq!(answer.status, 422, "{empty_lines:?}: {answer:?}");
    }
    assert_eq!(server.publish(stream.id, "the first").first, 1);

    server.delete(stream.id);
    let unknown = format!(r#"{{"detail":"EventStream {} is not known"}}"#, stream.id);
    Curl::post(&path, "text/plain", b"late").send().assert_json(404, &unknown);
}

fn events(server: &Server, stream: &EventStream) -> String {
    server.at(&format!("/event-stream/{}/events", stream.id))
}

/// First and last ordinal of a publish that worked, its answer checked byte for byte.
fn published(answer: &Answer) -> (u64, u64) {
    assert_eq!(answer.status, 201, "{answer:?}");
    let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let number = |name: &str| told[name].as_u64().expect("a number");
    let (first, last) = (number("first_ordinal"), number("last_ordinal"));
    let timestamp = number("timestamp");
    assert!(timestamp > 1_600_000_000_000, "milliseconds since 1970: {timestamp}");
    answer.assert_json(
        201,
        &format!(r#"{{"first_ordinal":{first},"last_ordinal":{last},"timestamp":{timestamp}}}"#),
    );
    (first, last)
}
