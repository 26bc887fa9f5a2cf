//! Messages for tests, in every encoding that AMQP 1.0 has for them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A section's numeric and symbolic descriptor (part 3 §3.2).
pub(super) const SECTIONS: [(u8, &str); 9] = [
    (0x70, "amqp:header:list"),
    (0x71, "amqp:delivery-annotations:map"),
    (0x72, "amqp:message-annotations:map"),
    (0x73, "amqp:properties:list"),
    (0x74, "amqp:application-properties:map"),
    (0x75, "amqp:data:binary"),
    (0x76, "amqp:amqp-sequence:list"),
    (0x77, "amqp:amqp-value:*"),
    (0x78, "amqp:footer:map"),
];

pub(super) const PROPERTIES: u8 = 0x73;
pub(super) const DATA: u8 = 0x75;
pub(super) const SEQUENCE: u8 = 0x76;
pub(super) const VALUE: u8 = 0x77;

/// Every way to write a section's descriptor.
pub(super) fn descriptors(code: u8) -> Vec<Vec<u8>> {
    let (_, name) = SECTIONS.iter().find(|(known, _)| *known == code).expect("a section");
    let mut ulong = vec![0x80];
    ulong.extend_from_slice(&u64::from(code).to_be_bytes());
    let mut all = vec![vec![0x53, code], ulong];
    all.extend(variable(0xA3, name.as_bytes()));
    all
}

/// The ways to write bytes: the short one if it can hold them, and the long one.
pub(super) fn variable(short: u8, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut long = vec![short + 0x10];
    long.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    long.extend_from_slice(bytes);
    let mut all = vec![long];
    if let Ok(size) = u8::try_from(bytes.len()) {
        all.push([&[short, size], bytes].concat());
    }
    all
}

/// A section of a value that is encoded already, with the plainest descriptor.
pub(super) fn section(code: u8, value: &[u8]) -> Vec<u8> {
    [&[0, 0x53, code], value].concat()
}

pub(super) fn data(bytes: &[u8]) -> Vec<u8> {
    section(DATA, &variable(0xA0, bytes)[0])
}

/// A compound value of these items: `short` is the code of its short form.
pub(super) fn compound(short: u8, items: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let (count, items) = (items.len(), items.concat());
    let mut long = vec![short + 0x10];
    long.extend_from_slice(&u32::try_from(items.len() + 4).unwrap().to_be_bytes());
    long.extend_from_slice(&u32::try_from(count).unwrap().to_be_bytes());
    long.extend_from_slice(&items);
    let mut all = vec![long];
    if let (Ok(size), Ok(count)) = (u8::try_from(items.len() + 1), u8::try_from(count)) {
        all.push([&[short, size, count], items.as_slice()].concat());
    }
    if count == 0 && short == 0xC0 {
        all.push(vec![0x45]);
    }
    all
}

/// Any of several encodings of one thing.
fn any_of(all: impl Strategy<Value = Vec<Vec<u8>>>) -> impl Strategy<Value = Vec<u8>> {
    all.prop_flat_map(select)
}

/// Any value of any type, encoded; nested a little.
pub(super) fn values() -> impl Strategy<Value = Vec<u8>> {
    let fixed = select(vec![
        (0x40, 0),
        (0x41, 0),
        (0x42, 0),
        (0x43, 0),
        (0x44, 0),
        (0x45, 0),
        (0x50, 1),
        (0x51, 1),
        (0x52, 1),
        (0x53, 1),
        (0x54, 1),
        (0x55, 1),
        (0x56, 1),
        (0x60, 2),
        (0x61, 2),
        (0x70, 4),
        (0x71, 4),
        (0x72, 4),
        (0x73, 4),
        (0x74, 4),
        (0x80, 8),
        (0x81, 8),
        (0x82, 8),
        (0x83, 8),
        (0x84, 8),
        (0x94, 16),
        (0x98, 16),
    ])
    .prop_flat_map(|(code, width)| (Just(code), vec(any::<u8>(), width)))
    .prop_map(|(code, bytes)| [vec![code], bytes].concat());
    let bytes = (select(vec![0xA0, 0xA1, 0xA3]), vec(any::<u8>(), 0..300))
        .prop_map(|(short, bytes)| variable(short, &bytes));
    let leaf = prop_oneof![fixed, any_of(bytes)].boxed();
    leaf.prop_recursive(3, 20, 4, |inner| {
        let item = inner.clone();
        let compound = (select(vec![0xC0, 0xC1, 0xE0]), vec(item, 0..4))
            .prop_map(|(short, items)| compound(short, &items));
        let described =
            (inner.clone(), inner).prop_map(|(name, value)| [vec![0], name, value].concat());
        prop_oneof![any_of(compound), described]
    })
}

/// A section that has no body, with any value and any descriptor.
pub(super) fn other_sections() -> impl Strategy<Value = Vec<u8>> {
    let descriptor = any_of(select(vec![0x70_u8, 0x71, 0x72, 0x74, 0x78]).prop_map(descriptors));
    (descriptor, values()).prop_map(|(name, value)| [vec![0], name, value].concat())
}

/// A section of these bytes with any descriptor and any width; `short` is their type.
pub(super) fn bytes_section(code: u8, short: u8, bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    (select(descriptors(code)), select(variable(short, &bytes)))
        .prop_map(|(name, value)| [vec![0], name, value].concat())
}
