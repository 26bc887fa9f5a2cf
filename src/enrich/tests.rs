//! The wire contract by example, and its rules against serde_json as a second opinion.

use proptest::collection::vec;
use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::*;
use crate::limits::ORDINAL_MAX;

/// What is sent for `body` as event 7 at time 9.
fn sent(body: impl AsRef<[u8]>) -> Result<String, Undeliverable> {
    let body = body.as_ref();
    let (ordinal, timestamp) = (Ordinal::new(7), Timestamp::from_millis(9));
    let shape = classify(body)?;
    let mut out = Vec::new();
    shape.enrich(body, ordinal, timestamp, &mut out);
    assert_eq!(shape.enriched_len(body, ordinal, timestamp), out.len());
    Ok(String::from_utf8(out).expect("a text frame is UTF-8"))
}

#[track_caller]
fn check(body: &str, expect: &str) {
    assert_eq!(sent(body).as_deref(), Ok(expect), "{body}");
}

/// `body` is no JSON; the fault lies at `position`.
#[track_caller]
fn refused(body: &str, position: usize) {
    match sent(body) {
        Err(Undeliverable::BadJson { position: found, .. }) => {
            assert_eq!(found, position, "{body}")
        }
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn unchanged_is_byte_for_byte_also_what_is_no_json() {
    let (ordinal, timestamp) = (Ordinal::new(7), Timestamp::from_millis(9));
    for body in ["hello", "{\"ess_ordinal\":1}", "{no json", "{", " POISON", "\0"] {
        let shape = classify_unchanged(body.as_bytes()).expect("is text");
        let mut out = Vec::new();
        shape.enrich(body.as_bytes(), ordinal, timestamp, &mut out);
        assert_eq!(out, body.as_bytes());
        assert_eq!(shape.enriched_len(body.as_bytes(), ordinal, timestamp), out.len());
    }
    assert_eq!(classify_unchanged(b"POISON"), Ok(Shape::Poison));
    assert_eq!(classify_unchanged(b""), Err(Undeliverable::Empty));
    assert_eq!(classify_unchanged(b"ab\xFF"), Err(Undeliverable::NotUtf8 { position: 2 }));
}

#[test]
fn text_gets_a_trailer() {
    check("hello", "hello|ordinal: 7|timestamp: 9");
    check("[1]", "[1]|ordinal: 7|timestamp: 9");
    check(" {\"a\":1}", " {\"a\":1}|ordinal: 7|timestamp: 9");
    check("\u{FEFF}{}", "\u{FEFF}{}|ordinal: 7|timestamp: 9");
    check("POISON ", "POISON |ordinal: 7|timestamp: 9");
    check("poison", "poison|ordinal: 7|timestamp: 9");
    check("\0", "\0|ordinal: 7|timestamp: 9");
    check("x|ordinal: 1|timestamp: 2", "x|ordinal: 1|timestamp: 2|ordinal: 7|timestamp: 9");
}

#[test]
fn an_object_gets_two_members_first() {
    check("{}", "{\"ess_ordinal\":7,\"ess_timestamp\":9}");
    check("{ \n}\t ", "{\"ess_ordinal\":7,\"ess_timestamp\":9 \n}\t ");
    check("{\"a\":1}", "{\"ess_ordinal\":7,\"ess_timestamp\":9,\"a\":1}");
    check("{ \"a\" : 1.50 }\n", "{\"ess_ordinal\":7,\"ess_timestamp\":9, \"a\" : 1.50 }\n");
    check(
        "{\"big\":12345678901234567890123,\"é\":\"\\u00e9\\ud800\"}",
        "{\"ess_ordinal\":7,\"ess_timestamp\":9,\
         \"big\":12345678901234567890123,\"é\":\"\\u00e9\\ud800\"}",
    );
}

#[test]
fn members_of_those_names_are_replaced_wherever_they_stand() {
    const OURS: &str = "{\"ess_ordinal\":7,\"ess_timestamp\":9";
    for (body, rest) in [
        ("{\"ess_ordinal\":1}", "}"),
        ("{ \"ess_timestamp\" : [{}] }", "  }"),
        ("{\"ess_ordinal\":1,\"a\":2}", ",\"a\":2}"),
        ("{\"ess_ordinal\":1 , \"a\":2}", " , \"a\":2}"),
        ("{\"a\":2,\"ess_ordinal\":1}", ",\"a\":2}"),
        ("{\"a\":2 , \"ess_ordinal\" : 1 }", ",\"a\":2  }"),
        ("{\"a\":2,\"ess_ordinal\":1,\"b\":3}", ",\"a\":2,\"b\":3}"),
        ("{\"ess_ordinal\":1,\"ess_timestamp\":2,\"ess_ordinal\":3}", "}"),
        ("{\"ess_ordinal\":1,\"ess_timestamp\":2,\"a\":3}", ",\"a\":3}"),
        ("{\"ess_ordinal\":1,\"a\":3,\"ess_ordinal\":{\"x\":[1]},\"b\":4}", ",\"a\":3,\"b\":4}"),
        ("{\"ess\\u005fordinal\":1,\"a\":3}", ",\"a\":3}"),
        ("{\"a\":3,\"\\u0065ss\\u005Ftimestam\\u0070\":1}", ",\"a\":3}"),
        // Not those names, or not at the top.
        ("{\"a\":{\"ess_ordinal\":1}}", ",\"a\":{\"ess_ordinal\":1}}"),
        ("{\"ess_ordinal \":1}", ",\"ess_ordinal \":1}"),
        ("{\"ess_ordina\":1}", ",\"ess_ordina\":1}"),
        ("{\"ESS_ORDINAL\":1}", ",\"ESS_ORDINAL\":1}"),
        ("{\"ess\\\\u005fordinal\":1}", ",\"ess\\\\u005fordinal\":1}"),
        ("{\"ess\\u015fordinal\":1}", ",\"ess\\u015fordinal\":1}"),
        ("{\"ess_ordinal\\u0000\":1}", ",\"ess_ordinal\\u0000\":1}"),
        ("{\"ess_ordinal\\n\":1}", ",\"ess_ordinal\\n\":1}"),
    ] {
        check(body, &format!("{OURS}{rest}"));
    }
}

#[test]
fn what_is_no_object_is_refused_where_it_breaks() {
    for (body, position) in [
        ("{", 1),
        ("{]", 1),
        ("{a:1}", 1),
        ("{'a':1}", 1),
        ("{,}", 1),
        ("{\"a\"}", 4),
        ("{\"a\":}", 5),
        ("{\"a\":1,}", 7),
        ("{\"a\":1 \"b\":2}", 7),
        ("{\"a\":1]", 6),
        ("{\"a\":[1}", 7),
        ("{\"a\":[1,]}", 8),
        ("{\"a\":{\"b\":1,}}", 12),
        ("{\"a\":1}x", 7),
        ("{\"a\":1} {}", 8),
        ("{}\0", 2),
        ("{}\u{a0}", 2),
        ("{\"a\":NaN}", 5),
        ("{\"a\":Infinity}", 5),
        ("{\"a\":-Infinity}", 6),
        ("{\"a\":nul}", 8),
        ("{\"a\":True}", 5),
        ("{\"a\":truee}", 9),
        ("{\"a\":01}", 6),
        ("{\"a\":-}", 6),
        ("{\"a\":+1}", 5),
        ("{\"a\":.5}", 5),
        ("{\"a\":1.}", 7),
        ("{\"a\":1.e3}", 7),
        ("{\"a\":1e}", 7),
        ("{\"a\":1e+}", 8),
        ("{\"a\":0x1}", 6),
        ("{\"a\":\"\n\"}", 6),
        ("{\"a\":\"0123456789\u{1f}\"}", 16),
        ("{\"a\":\"\\x\"}", 7),
        ("{\"a\":\"\\u12g4\"}", 10),
        ("{\"a\":\"\\u123\"}", 11),
        ("{\"a\":1,\u{b}\"b\":2}", 7),
        ("{\"a\":/**/1}", 5),
    ] {
        refused(body, position);
    }
}

#[test]
fn what_no_frame_can_carry_is_named() {
    assert_eq!(classify(b""), Err(Undeliverable::Empty));
    assert_eq!(classify(b"ab\xFF"), Err(Undeliverable::NotUtf8 { position: 2 }));
    assert_eq!(classify(b"{\"a\":\"\xC0\x80\"}"), Err(Undeliverable::NotUtf8 { position: 6 }));
    assert_eq!(classify(b"{\"a\":\"\xED\xA0\x80\"}"), Err(Undeliverable::NotUtf8 { position: 6 }));
    assert_eq!(classify(b"POISON"), Ok(Shape::Poison));
    assert_eq!(sent("POISON"), Ok(String::new()));
}

#[test]
fn nesting_is_bounded() {
    let nested =
        |brackets: usize| format!("{{\"a\":{}{}}}", "[".repeat(brackets), "]".repeat(brackets));
    assert!(sent(nested(JSON_DEPTH_MAX - 1)).is_ok());
    let position = "{\"a\":".len() + JSON_DEPTH_MAX - 1;
    assert_eq!(sent(nested(JSON_DEPTH_MAX)), Err(Undeliverable::TooDeep { position }));
    let objects = "{\"a\":".repeat(JSON_DEPTH_MAX) + "1" + &"}".repeat(JSON_DEPTH_MAX);
    assert!(sent(objects).is_ok());
    let bottomless = "{\"a\":".repeat(JSON_DEPTH_MAX + 1);
    let position = bottomless.len() - "{\"a\":".len();
    assert_eq!(sent(bottomless), Err(Undeliverable::TooDeep { position }));
}

#[test]
#[should_panic(expected = "the body it was made of")]
fn a_splice_of_another_body_is_a_bug() {
    let shape = classify(b"{}").expect("an object");
    shape.enrich(b"{ }", Ordinal::new(1), Timestamp::EPOCH, &mut Vec::new());
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \t\r\n]{1,9}"]
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-z{}\\[\\],: ]{0,12}",
        1 => "[^\\x00-\\x1f\"\\\\]{1,6}",
        1 => r#"\\["\\/bfnrt]"#,
        1 => "\\\\u[0-9a-fA-F]{4}",
    ];
    vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// A JSON value as raw text, in many spellings.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        string(),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?",
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let item = (space(), inner.clone(), space()).prop_map(|(a, v, b)| a + &v + &b);
        let member = (space(), string(), space(), space(), inner, space())
            .prop_map(|(a, k, b, c, v, d)| format!("{a}{k}{b}:{c}{v}{d}"));
        prop_oneof![
            (space(), vec(item, 0..4)).prop_map(|(s, items)| match items.is_empty() {
                true => format!("[{s}]"),
                false => format!("[{}]", items.join(",")),
            }),
            (space(), vec(member, 0..4)).prop_map(|(s, members)| match members.is_empty() {
                true => format!("{{{s}}}"),
                false => format!("{{{}}}", members.join(",")),
            }),
        ]
    })
}

/// A member in pieces: space before, `name : value`, space behind; and whether it is ours.
type Member = (String, String, String, bool);

fn member() -> impl Strategy<Value = Member> {
    let ours = prop_oneof![
        Just("\"ess_ordinal\"".to_owned()),
        Just("\"ess_timestamp\"".to_owned()),
        Just("\"ess\\u005fordinal\"".to_owned()),
        Just("\"\\u0065ss_\\u0074imestamp\"".to_owned()),
    ];
    let name = prop_oneof![
        3 => string().prop_map(|name| (name, false)),
        1 => ours.prop_map(|name| (name, true)),
    ];
    (space(), name, space(), space(), value(), space())
        .prop_map(|(a, (name, ours), b, c, v, d)| (a, format!("{name}{b}:{c}{v}"), d, ours))
}

/// The raw text of an object of `members`.
fn object_of(members: &[Member]) -> String {
    let members: Vec<_> = members.iter().map(|(a, m, b, _)| format!("{a}{m}{b}")).collect();
    format!("{{{}}}", members.join(","))
}

/// An object, whole or with a few bytes changed.
fn damaged_object() -> impl Strategy<Value = Vec<u8>> {
    const TELLING: &[u8] = b"{}[]\",:\\u0123e+-. \ntnf\x01";
    let bytes = prop_oneof![3 => prop::sample::select(TELLING), 1 => any::<u8>()];
    let change = (any::<prop::sample::Index>(), bytes, 0..3_u8);
    (vec(member(), 1..5), vec(change, 0..4)).prop_map(|(members, changes)| {
        let mut body = object_of(&members).into_bytes();
        for (index, byte, kind) in changes {
            let index = index.index(body.len());
            match kind {
                0 => body[index] = byte,
                1 => body.insert(index, byte),
                _ if body.len() > 1 => drop(body.remove(index)),
                _ => {}
            }
        }
        body
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The cuts are exactly our members, each with the comma before it.
    #[test]
    fn all_other_bytes_are_passed(members in vec(member(), 0..7), behind in space()) {
        let body = object_of(&members) + &behind;
        let mut expect = "{\"ess_ordinal\":7,\"ess_timestamp\":9".to_owned();
        for (index, (before, member, after, ours)) in members.iter().enumerate() {
            let kept = if *ours { "" } else { member };
            // The comma behind the brace is ours; the others stand before the space.
            let comma = if *ours { "" } else { "," };
            match index {
                0 => expect += &format!("{comma}{before}{kept}{after}"),
                _ if *ours => expect += after,
                _ => expect += &format!(",{before}{kept}{after}"),
            }
        }
        let expect = expect + "}" + &behind;
        prop_assert_eq!(sent(&body), Ok(expect));
    }

    /// Read by someone else, the members are there and all others are what they were.
    #[test]
    fn a_reader_sees_the_two_members_set(
        members in vec(member(), 0..7),
        ordinal in 0..=ORDINAL_MAX,
        millis: u64,
    ) {
        let body = object_of(&members);
        let (ordinal, timestamp) = (Ordinal::new(ordinal), Timestamp::from_millis(millis));
        let shape = classify(body.as_bytes()).expect("an object");
        let mut out = Vec::new();
        shape.enrich(body.as_bytes(), ordinal, timestamp, &mut out);
        prop_assert_eq!(out.len(), shape.enriched_len(body.as_bytes(), ordinal, timestamp));
        // serde_json's values can't hold lone surrogates.
        if let Ok(Value::Object(mut before)) = serde_json::from_str(&body) {
            before.insert("ess_ordinal".into(), ordinal.get().into());
            before.insert("ess_timestamp".into(), millis.into());
            let after: Value = serde_json::from_slice(&out).expect("still JSON");
            prop_assert_eq!(after, Value::Object(before));
        }
    }

    /// What we take for an object is what serde_json does. (Its `IgnoredAny` checks the grammar
    /// without a limit of depth, but not UTF-8.)
    #[test]
    fn serde_json_agrees_on_what_is_an_object(body in damaged_object()) {
        let second = serde_json::from_slice::<IgnoredAny>(&body).is_ok();
        match classify(&body) {
            Ok(Shape::Json(_)) => prop_assert!(second),
            Ok(Shape::Text | Shape::Poison) => prop_assert_ne!(body.first(), Some(&b'{')),
            Err(Undeliverable::NotUtf8 { .. }) => prop_assert!(str::from_utf8(&body).is_err()),
            Err(Undeliverable::BadJson { position, .. }) => {
                prop_assert!(!second && position <= body.len());
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn no_part_of_an_object_is_one(members in vec(member(), 0..5), cut: prop::sample::Index) {
        let body = object_of(&members);
        let cut = 1 + cut.index(body.len() - 1);
        match classify(&body.as_bytes()[..cut]) {
            Err(Undeliverable::BadJson { position, .. }) => prop_assert_eq!(position, cut),
            Err(Undeliverable::NotUtf8 { .. }) => prop_assert!(!body.is_char_boundary(cut)),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn no_input_panics(body in vec(any::<u8>(), 0..200), brace: bool) {
        let body = if brace { [b"{\"", &body[..]].concat() } else { body };
        let _ = sent(body);
    }
}
