//! Properties of messages written by an encoder of their own, and of such messages broken.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::build::*;
use super::*;

/// A message of Data sections between other ones, and its body.
fn messages() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let bodies = vec(vec(any::<u8>(), 0..300), 1..4);
    let data = bodies.prop_flat_map(|bodies| {
        let joined = bodies.concat();
        let sections: Vec<_> =
            bodies.into_iter().map(|bytes| bytes_section(DATA, 0xA0, bytes)).collect();
        (sections, Just(joined))
    });
    (vec(other_sections(), 0..5), data, vec(other_sections(), 0..2)).prop_map(
        |(before, (data, joined), behind)| {
            ([before.concat(), data.concat(), behind.concat()].concat(), joined)
        },
    )
}

/// A message of an AmqpValue section between other ones, and its body.
fn text_messages() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let value = (vec(any::<u8>(), 0..300), any::<bool>()).prop_flat_map(|(bytes, text)| {
        let kind = if text { 0xA1 } else { 0xA0 };
        (bytes_section(VALUE, kind, bytes.clone()), Just(bytes))
    });
    (vec(other_sections(), 0..5), value, vec(other_sections(), 0..2)).prop_map(
        |(before, (value, bytes), behind)| {
            ([before.concat(), value, behind.concat()].concat(), bytes)
        },
    )
}

proptest! {
    #[test]
    fn a_body_is_found_whatever_is_around_it(
        (message, bytes) in prop_oneof![messages(), text_messages()],
    ) {
        prop_assert_eq!(body(&message).map(Cow::into_owned), Ok(bytes));
    }

    #[test]
    fn a_joined_body_is_no_longer_than_its_message((message, _) in messages(), end: Index) {
        let cut = &message[..end.index(message.len() + 1)];
        if let Ok(body) = body(cut) {
            prop_assert!(body.len() <= cut.len());
        }
    }

    #[test]
    fn no_message_panics(
        (mut message, _) in prop_oneof![messages(), text_messages()],
        flips in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        for (place, byte) in flips {
            let place = place.index(message.len());
            message[place] = byte;
        }
        let _ = (body(&message), message_id(&message));
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..100)) {
        let _ = (body(&bytes), message_id(&bytes));
    }

    #[test]
    fn what_is_written_is_read(
        id in proptest::option::of("\\PC{0,300}"),
        bytes in vec(any::<u8>(), 0..400),
    ) {
        let mut out = Vec::new();
        put_message(id.as_deref(), &bytes, &mut out);
        prop_assert_eq!(out.len(), message_len(id.as_deref(), &bytes));
        prop_assert_eq!(message_id(&out), id.as_deref());
        prop_assert!(matches!(body(&out), Ok(Cow::Borrowed(body)) if body == bytes));
    }
}
