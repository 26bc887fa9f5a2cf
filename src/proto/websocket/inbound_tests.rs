//! Properties of [`super::Inbound`].

use proptest::prelude::*;

use super::*;

/// A client's frame. `first` is the whole first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xFA, 0x21, 0x3D];
    let mut out = Vec::new();
    super::super::frame::put_header(Opcode::Text, payload.len(), &mut out);
    out[0] = first;
    out[1] |= 0x80;
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    mask::apply(key, 0, &mut out[start..]);
    out
}

/// Collects a message, as an endpoint that echoes would.
#[derive(Default)]
struct Collected(Vec<u8>, Option<bool>);

impl Sink for Collected {
    fn data(&mut self, slice: Slice<'_>) {
        self.0.extend_from_slice(slice.bytes);
        self.1 = Some(slice.text);
    }
}

/// All facts of `pieces`, and all message bytes.
fn facts<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Fact>, Vec<u8>) {
    let (mut inbound, mut sink, mut found) = (Inbound::default(), Collected::default(), vec![]);
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        while !rest.is_empty() {
            let fed = inbound.feed(rest, &mut sink);
            assert!(fed.used > 0, "every call takes something");
            rest = &mut rest[fed.used..];
            if let Some(Fact::Message { text }) = fed.fact {
                assert!(sink.1.take().is_none_or(|seen| seen == text));
            }
            assert!(fed.fact.is_some() || rest.is_empty());
            found.extend(fed.fact);
        }
    }
    (found, sink.0)
}

/// The facts of `bytes`, the same whole and byte by byte.
#[track_caller]
fn told(bytes: &[u8]) -> Vec<Fact> {
    let whole = facts([bytes]).0;
    assert_eq!(whole, facts(bytes.chunks(1)).0, "byte by byte");
    whole
}

#[test]
fn a_connection_costs_little() {
    assert!(size_of::<Inbound>() <= 96, "{}", size_of::<Inbound>());
    let mut inbound = Inbound::default();
    inbound.feed(&mut frame(0x89, b"ping")[..], &mut Ignored);
    inbound.feed(&mut frame(0x81, b"some text")[..], &mut Ignored);
    assert_eq!(inbound.control.capacity(), 0, "nothing is kept between frames");
}

#[test]
fn pings_and_pongs_are_told_with_their_payload() {
    let longest = vec![7; CONTROL_PAYLOAD_BYTES_MAX];
    let bytes = [frame(0x89, b""), frame(0x89, &longest), frame(0x8A, b"x")].concat();
    assert_eq!(told(&bytes), [Fact::Ping(vec![]), Fact::Ping(longest), Fact::Pong(b"x".to_vec())]);
}

#[test]
fn control_frames_may_stand_inside_a_message() {
    let bytes = [
        frame(0x01, "Grüße".as_bytes()),
        frame(0x89, b"between"),
        frame(0x00, b""),
        frame(0x80, b" und mehr"),
        frame(0x82, b"\xFF"),
    ]
    .concat();
    assert_eq!(
        told(&bytes),
        [
            Fact::Ping(b"between".to_vec()),
            Fact::Message { text: true },
            Fact::Message { text: false },
        ]
    );
    assert_eq!(facts([&bytes[..]]).1, ["Grüße und mehr".as_bytes(), b"\xFF"].concat());
}

/// As the Autobahn suite's cases 3–7 have them.
#[test]
fn what_breaks_the_protocol_is_told_with_its_code() {
    let long = vec![b'x'; 126];
    for (bytes, fault, code) in [
        (frame(0xC1, b"x"), Fault::ReservedBit, 1002),
        (frame(0xA1, b"x"), Fault::ReservedBit, 1002),
        (frame(0x99, b"x"), Fault::ReservedBit, 1002),
        (frame(0xF8, b""), Fault::ReservedBit, 1002),
        (frame(0x83, b"x"), Fault::ReservedOpcode, 1002),
        (frame(0x87, b""), Fault::ReservedOpcode, 1002),
        (frame(0x8B, b""), Fault::ReservedOpcode, 1002),
        (frame(0x8F, b"x"), Fault::ReservedOpcode, 1002),
        (b"\x81\x01x".to_vec(), Fault::Unmasked, 1002),
        (frame(0x09, b"x"), Fault::ControlFragmented, 1002),
        (frame(0x0A, b"x"), Fault::ControlFragmented, 1002),
        (frame(0x08, b""), Fault::ControlFragmented, 1002),
        (frame(0x89, &long), Fault::ControlTooLong, 1002),
        (frame(0x8A, &long), Fault::ControlTooLong, 1002),
        (frame(0x88, &long), Fault::ControlTooLong, 1002),
        (b"\x81\xFE\0\x7D".to_vec(), Fault::BadLength, 1002),
        (b"\x81\xFF\0\0\0\0\0\0\xFF\xFF".to_vec(), Fault::BadLength, 1002),
        (b"\x81\xFF\x80\0\0\0\0\0\0\0".to_vec(), Fault::BadLength, 1002),
        (frame(0x80, b"x"), Fault::NothingToContinue, 1002),
        (frame(0x00, b"x"), Fault::NothingToContinue, 1002),
        ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), Fault::MessageOpen, 1002),
        ([frame(0x01, b"a"), frame(0x02, b"b")].concat(), Fault::MessageOpen, 1002),
        (frame(0x81, b"a\xFF"), Fault::NotUtf8, 1007),
        (frame(0x81, b"\xE2\x82"), Fault::NotUtf8, 1007),
        ([frame(0x01, b"\xE2"), frame(0x80, b"x")].concat(), Fault::NotUtf8, 1007),
        ([frame(0x01, b"\xE2"), frame(0x80, b"")].concat(), Fault::NotUtf8, 1007),
        (frame(0x88, b"x"), Fault::CloseHalfCode, 1002),
        (frame(0x88, b"\x03\xE8\xFF"), Fault::NotUtf8, 1007),
        (frame(0x88, b"\x03\xE8\xE2\x82"), Fault::NotUtf8, 1007),
    ] {
        assert_eq!(told(&bytes).last(), Some(&Fact::Fault(fault)), "{bytes:?}");
        assert_eq!(fault.close_code(), code);
        assert!(fault.text().len() <= crate::limits::CLOSE_REASON_BYTES_MAX);
    }
}

#[test]
fn close_codes_are_sorted_as_the_registry_says() {
    for (good, codes) in [
        (true, &[1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999][..]),
        (false, &[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535][..]),
    ] {
        for code in codes {
            let bytes = frame(0x88, &[&u16::to_be_bytes(*code)[..], "tschüß".as_bytes()].concat());
            let expected = if good {
                Fact::Close { code: Some(*code), reason: "tschüß".into() }
            } else {
                Fact::Fault(Fault::CloseCode)
            };
            assert_eq!(told(&bytes), [expected], "{code}");
        }
    }
    assert_eq!(told(&frame(0x88, b"")), [Fact::Close { code: None, reason: String::new() }]);
}

#[test]
fn text_is_refused_before_its_frame_is_whole() {
    let bytes = frame(0x81, &[&b"ok \xF4\x90"[..], &[b'x'; 1000]].concat());
    let (found, _) = facts([&bytes[..8 + 5]]);
    assert_eq!(found, [Fact::Fault(Fault::NotUtf8)]);
}

#[test]
fn after_the_end_all_is_dropped() {
    for end in [frame(0x88, b""), frame(0x83, b"")] {
        let bytes = [end, frame(0x89, b"late"), vec![0xFF; 100]].concat();
        assert_eq!(told(&bytes).len(), 1);
    }
    let mut inbound = Inbound::default();
    assert!(!inbound.ended());
    inbound.feed(&mut frame(0x88, b"")[..], &mut Ignored);
    assert!(inbound.ended());
}

#[test]
fn a_message_is_bounded_on_both_sides() {
    let header =
        |first: u8, length: u64| [&[first, 0xFF][..], &length.to_be_bytes(), &[0; 4]].concat();
    let max = WEBSOCKET_MESSAGE_BYTES_MAX;
    assert_eq!(told(&header(0x82, max)), []);
    assert_eq!(told(&header(0x82, max + 1)), [Fact::Fault(Fault::MessageTooLong)]);
    // Fragments count together; a control frame between them doesn't.
    let first = [frame(0x02, b"12345"), frame(0x89, b"x")].concat();
    let more = |length| [first.clone(), header(0x80, length)].concat();
    assert_eq!(told(&more(max - 5)).len(), 1);
    assert_eq!(told(&more(max - 4)).last(), Some(&Fact::Fault(Fault::MessageTooLong)));
    assert_eq!(Fault::MessageTooLong.close_code(), 1009);
    assert!(Fault::MessageTooLong.text().contains(&format!("{} MiB", max >> 20)));
}

/// What a client may send, and what must be told about it.
fn conversation() -> impl Strategy<Value = (Vec<u8>, Vec<Fact>, Vec<u8>)> {
    let payload = || prop::collection::vec(any::<u8>(), 0..=CONTROL_PAYLOAD_BYTES_MAX);
    let control = prop_oneof![
        payload().prop_map(|bytes| (frame(0x89, &bytes), vec![Fact::Ping(bytes)], vec![])),
        payload().prop_map(|bytes| (frame(0x8A, &bytes), vec![Fact::Pong(bytes)], vec![])),
    ];
    let message = (any::<bool>(), "\\PC{0,300}", 1usize..200).prop_map(|(text, body, part)| {
        let body = body.into_bytes();
        let mut parts: Vec<_> = body.chunks(part).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        let last = parts.len() - 1;
        let wire = parts.iter().enumerate().flat_map(|(place, part)| {
            let opcode = if place > 0 {
                0
            } else if text {
                1
            } else {
                2
            };
            frame(opcode | if place == last { 0x80 } else { 0 }, part)
        });
        (wire.collect(), vec![Fact::Message { text }], body.clone())
    });
    prop::collection::vec(prop_oneof![control, message], 0..6).prop_map(|parts| {
        let mut all = (vec![], vec![], vec![]);
        for (wire, facts, data) in parts {
            all.0.extend(wire);
            all.1.extend(facts);
            all.2.extend(data);
        }
        all
    })
}

fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn any_cut_of_a_conversation_tells_the_same(
        (wire, expected, data) in conversation(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        prop_assert_eq!(facts(cut(&wire, &cuts)), (expected, data));
    }

    #[test]
    fn no_bytes_panic_and_any_cut_agrees(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300),
        opening in prop::sample::select(vec![0x81, 0x82, 0x01, 0x88, 0x89, 0xFF]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        // Random bytes alone are mostly refused at the first one.
        if let [first, second, ..] = &mut bytes[..] {
            (*first, *second) = (opening, *second | 0x80);
        }
        prop_assert_eq!(facts(cut(&bytes, &cuts)).0, facts([&bytes[..]]).0);
    }
}
