//! Messages right and wrong, one property each.

use super::build::*;
use super::*;
use crate::limits::AMQP_DESCRIPTORS_MAX;

fn borrowed(message: &[u8]) -> &[u8] {
    match body(message) {
        Ok(Cow::Borrowed(body)) => body,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_data_section_is_borrowed() {
    for length in [0, 1, 255, 256, 70_000] {
        let bytes = vec![b'x'; length];
        for value in variable(0xA0, &bytes) {
            assert_eq!(borrowed(&section(DATA, &value)), bytes);
        }
    }
}

#[test]
fn several_data_sections_are_joined() {
    let message = [data(b"one"), data(b""), data(b"two")].concat();
    assert_eq!(body(&message).as_deref(), Ok(&b"onetwo"[..]));
}

#[test]
fn a_value_that_is_a_string_or_binary_is_borrowed() {
    for kind in [0xA0, 0xA1] {
        for value in variable(kind, b"text") {
            assert_eq!(borrowed(&section(VALUE, &value)), b"text");
        }
    }
}

#[test]
fn every_descriptor_is_understood() {
    for (code, _) in SECTIONS {
        for descriptor in descriptors(code) {
            let section = [&[0], descriptor.as_slice(), &[0xA0, 1, b'x']].concat();
            match code {
                DATA | VALUE => assert_eq!(borrowed(&section), b"x"),
                SEQUENCE => assert_eq!(body(&section), Err(Fault::Sequence)),
                _ => {
                    assert_eq!(body(&section), Err(Fault::NoBody));
                    assert_eq!(borrowed(&[section, data(b"y")].concat()), b"y");
                }
            }
        }
    }
}

#[test]
fn an_unknown_descriptor_is_a_fault() {
    let unknown: [&[u8]; 9] = [
        &[0x53, 0x6F],
        &[0x53, 0x79],
        &[0x44],
        &[0x80, 1, 0, 0, 0, 0, 0, 0, 0x75],
        &[0xA3, 4, b'd', b'a', b't', b'a'],
        &[
            0xA1, 16, b'a', b'm', b'q', b'p', b':', b'd', b'a', b't', b'a', b':', b'b', b'i', b'n',
            b'a', b'r', b'y',
        ],
        &[0x40],
        &[0x45],
        &[0, 0x53, 0x75, 0x53, 0x75],
    ];
    for descriptor in unknown {
        let message = [&[0], descriptor, &[0xA0, 1, b'x']].concat();
        assert_eq!(body(&message), Err(Fault::SectionUnknown), "{descriptor:x?}");
    }
}

#[test]
fn what_is_no_body_of_bytes_is_named() {
    let value = |value: &[u8]| body(&section(VALUE, value)).map(Cow::into_owned);
    assert_eq!(value(&[0x40]), Err(Fault::Value(Type::Null)));
    assert_eq!(value(&[0x41]), Err(Fault::Value(Type::Boolean)));
    assert_eq!(value(&[0x53, 7]), Err(Fault::Value(Type::Number)));
    assert_eq!(value(&[0x73, 0, 0, 0, b'x']), Err(Fault::Value(Type::Character)));
    assert_eq!(value(&[0x83, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Fault::Value(Type::Timestamp)));
    assert_eq!(value(&[&[0x98][..], &[0; 16]].concat()), Err(Fault::Value(Type::Uuid)));
    assert_eq!(value(&[0xA3, 1, b'x']), Err(Fault::Value(Type::Symbol)));
    assert_eq!(value(&[0x45]), Err(Fault::Value(Type::List)));
    assert_eq!(value(&[0xC1, 1, 0]), Err(Fault::Value(Type::Map)));
    assert_eq!(value(&[0xE0, 2, 0, 0x40]), Err(Fault::Value(Type::Array)));
    assert_eq!(value(&[0, 0x44, 0xA0, 0]), Err(Fault::Value(Type::Described)));
    assert_eq!(value(&[0x5F, 0]), Err(Fault::Value(Type::Unassigned)));
    assert_eq!(
        value(&[0x5F, 0]).unwrap_err().to_string(),
        "body is a value of no known type: \
         expected Data, a string or binary"
    );
    assert_eq!(body(&section(DATA, &[0xA1, 1, b'x'])), Err(Fault::Data(Type::Text)));
    assert_eq!(body(&section(SEQUENCE, &[0x45])), Err(Fault::Sequence));
}

#[test]
fn bodies_of_two_kinds_exclude_each_other() {
    let text = section(VALUE, &[0xA1, 1, b'x']);
    for both in [[data(b"x"), text.clone()], [text.clone(), data(b"x")], [text.clone(), text]] {
        assert_eq!(body(&both.concat()), Err(Fault::SecondBody));
    }
}

#[test]
fn bytes_that_are_no_message_are_a_fault() {
    assert_eq!(body(b""), Err(Fault::NoBody));
    assert_eq!(body(b"{\"a\":1}"), Err(Fault::NotDescribed(b'{')));
    assert_eq!(body(&[data(b"x"), b"x".to_vec()].concat()), Err(Fault::NotDescribed(b'x')));
    for code in 1..0x40 {
        assert_eq!(body(&section(DATA, &[code])), Err(Fault::ConstructorUnknown(code)));
    }
}

#[test]
fn a_message_cut_anywhere_is_a_fault() {
    let properties = section(PROPERTIES, &compound(0xC0, &[vec![0xA1, 2, b'i', b'd']])[0]);
    let whole = [properties.clone(), data(b"body")].concat();
    for end in 0..whole.len() {
        let expected = if end == 0 || end == properties.len() { Fault::NoBody } else { Fault::Cut };
        assert_eq!(body(&whole[..end]), Err(expected), "cut after {end}");
    }
    let huge = section(DATA, &[0xB0, 0xFF, 0xFF, 0xFF, 0xFF, b'x']);
    assert_eq!(body(&huge), Err(Fault::Cut));
    for list in [&[0xC0, 0][..], &[0xD0, 0, 0, 0, 3, 0, 0, 0]] {
        let message = [section(PROPERTIES, list), data(b"x")].concat();
        assert_eq!(body(&message), Err(Fault::Cut), "a list without room for its count");
    }
}

#[test]
fn descriptors_nest_up_to_a_limit() {
    // The section itself isn't counted: it is described by what it is.
    let nested = |depth: usize| {
        let mut value = vec![0x40];
        for _ in 0..depth {
            value = [&[0, 0x44], value.as_slice()].concat();
        }
        [section(0x72, &value), data(b"x")].concat()
    };
    assert_eq!(borrowed(&nested(AMQP_DESCRIPTORS_MAX)), b"x");
    assert_eq!(body(&nested(AMQP_DESCRIPTORS_MAX + 1)), Err(Fault::TooDeep));
    assert_eq!(body(&vec![0; 1_000_000]), Err(Fault::TooDeep), "no stack grows");
    let mut list = vec![0x45];
    for _ in 0..1_000 {
        list = compound(0xC0, &[list])[0].clone();
    }
    let deep = [section(0x72, &list), data(b"x")].concat();
    assert_eq!(borrowed(&deep), b"x", "lists are stepped over by their size");
}

#[test]
fn a_message_id_is_found_if_it_is_a_string() {
    let with = |id: &[u8]| {
        compound(0xC0, &[id.to_vec(), vec![0x40]]).into_iter().map(|list| {
            let header = section(0x70, &[0x45]);
            [header, section(PROPERTIES, &list), data(b"x")].concat()
        })
    };
    for id in variable(0xA1, "id-ü".as_bytes()) {
        for message in with(&id) {
            assert_eq!(message_id(&message), Some("id-ü"));
        }
    }
    let uuid = [&[0x98][..], &[7; 16]].concat();
    let others: [&[u8]; 6] =
        [&[0x40], &[0x44], &[0x53, 7], &uuid, &[0xA0, 1, b'x'], &[0xA1, 1, 0xFF]];
    for id in others {
        for message in with(id) {
            assert_eq!(message_id(&message), None, "{id:x?}");
        }
    }
}

#[test]
fn a_message_without_properties_has_no_message_id() {
    assert_eq!(message_id(&data(b"x")), None);
    assert_eq!(message_id(b""), None);
    assert_eq!(message_id(b"{}"), None);
    for list in compound(0xC0, &[]) {
        assert_eq!(message_id(&[section(PROPERTIES, &list), data(b"x")].concat()), None);
    }
    let late = section(PROPERTIES, &compound(0xC0, &[vec![0xA1, 1, b'x']])[0]);
    assert_eq!(message_id(&[data(b"x"), late].concat()), None, "properties come first");
}

#[test]
fn what_is_written_has_the_plainest_encoding() {
    let written = |id, body: &[u8]| {
        let mut out = Vec::new();
        put_message(id, body, &mut out);
        out
    };
    assert_eq!(written(None, b"xy"), [0, 0x53, 0x75, 0xA0, 2, b'x', b'y']);
    let named = [&[0, 0x53, 0x73, 0xC0, 4, 1, 0xA1, 1, b'i'][..], &written(None, b"xy")].concat();
    assert_eq!(written(Some("i"), b"xy"), named);
}

#[test]
fn every_width_of_id_and_body_is_written_as_it_is_counted() {
    for id in [0, 1, 251, 252, 253, 254, 255, 256, 300] {
        for length in [0, 255, 256] {
            let (id, bytes) = ("i".repeat(id), vec![b'x'; length]);
            let mut out = vec![1, 2, 3];
            put_message(Some(&id), &bytes, &mut out);
            assert_eq!(out.len(), 3 + message_len(Some(&id), &bytes));
            assert_eq!(message_id(&out[3..]), Some(id.as_str()));
            assert_eq!(borrowed(&out[3..]), bytes);
        }
    }
}
