//! One AMQP 1.0 value, without a look inside a compound one (part 1 §1.2, §1.6).
//!
//! ```text
//! constructor: 0x00 | descriptor, a value | constructor          described
//!              0x4_ nothing | 0x5_ 1 byte | 0x6_ 2 | 0x7_ 4 | 0x8_ 8 | 0x9_ 16
//!              0xA_ size u8, bytes | 0xB_ size u32, bytes
//!              0xC_, 0xE_ size u8, count u8, items | 0xD_, 0xF_ size u32, count u32, items
//! ```
//!
//! The size includes the count. It is all that is needed to step over a value, however deep.

use super::fault::{Fault, Type};
use crate::limits::AMQP_DESCRIPTORS_MAX;

/// A value: what a message's sections need of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Value<'a> {
    Binary(&'a [u8]),
    /// A string's bytes, not checked to be UTF-8.
    Text(&'a [u8]),
    Symbol(&'a [u8]),
    /// An unsigned 64-bit number.
    Ulong(u64),
    List(List<'a>),
    Other(Type),
}

/// A list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct List<'a> {
    pub(super) count: u32,
    /// The items' bytes, back to back.
    pub(super) items: &'a [u8],
}

impl<'a> Value<'a> {
    /// The first value of `bytes`, and what is behind it.
    pub(super) fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Fault> {
        match bytes {
            [0, descriptor @ ..] => {
                let behind = skip(descriptor, AMQP_DESCRIPTORS_MAX - 1)?;
                Ok((Self::Other(Type::Described), skip(behind, AMQP_DESCRIPTORS_MAX - 1)?))
            }
            [code, behind @ ..] => Self::read_plain(*code, behind),
            [] => Err(Fault::Cut),
        }
    }

    /// Its type.
    pub(super) const fn kind(self) -> Type {
        match self {
            Self::Binary(_) => Type::Binary,
            Self::Text(_) => Type::Text,
            Self::Symbol(_) => Type::Symbol,
            Self::Ulong(_) => Type::Number,
            Self::List(_) => Type::List,
            Self::Other(kind) => kind,
        }
    }

    /// A value without descriptor; `bytes` are behind its code.
    fn read_plain(code: u8, bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Fault> {
        let (content, behind) = match code >> 4 {
            0x0..=0x3 => return Err(Fault::ConstructorUnknown(code)),
            0x4 => bytes.split_at(0),
            0x5 => split(bytes, 1)?,
            0x6 => split(bytes, 2)?,
            0x7 => split(bytes, 4)?,
            0x8 => split(bytes, 8)?,
            0x9 => split(bytes, 16)?,
            0xA | 0xC | 0xE => {
                let ([size], behind) = bytes.split_first_chunk().ok_or(Fault::Cut)?;
                split(behind, u32::from(*size))?
            }
            _ => {
                let (size, behind) = bytes.split_first_chunk().ok_or(Fault::Cut)?;
                split(behind, u32::from_be_bytes(*size))?
            }
        };
        let value = match (code, content) {
            (0xA0 | 0xB0, _) => Self::Binary(content),
            (0xA1 | 0xB1, _) => Self::Text(content),
            (0xA3 | 0xB3, _) => Self::Symbol(content),
            (0x44, _) => Self::Ulong(0),
            (0x53, [small]) => Self::Ulong(u64::from(*small)),
            (0x80, _) => Self::Ulong(wide(content)),
            (0x45, _) => Self::List(List { count: 0, items: &[] }),
            (0xC0, [count, items @ ..]) => Self::List(List { count: u32::from(*count), items }),
            (0xD0, [a, b, c, d, items @ ..]) => {
                Self::List(List { count: u32::from_be_bytes([*a, *b, *c, *d]), items })
            }
            (0xC0 | 0xD0, _) => return Err(Fault::Cut),
            _ => Self::Other(kind_of(code)),
        };
        Ok((value, behind))
    }
}

/// What is behind the first value of `bytes`, which may have so many descriptors nested.
fn skip(bytes: &[u8], descriptors: usize) -> Result<&[u8], Fault> {
    match bytes {
        [0, descriptor @ ..] => {
            let deeper = descriptors.checked_sub(1).ok_or(Fault::TooDeep)?;
            skip(skip(descriptor, deeper)?, deeper)
        }
        [code, behind @ ..] => Value::read_plain(*code, behind).map(|(_, behind)| behind),
        [] => Err(Fault::Cut),
    }
}

/// The type of a code (part 1 §1.6). One that isn't assigned has a width all the same.
const fn kind_of(code: u8) -> Type {
    match code {
        0x40 => Type::Null,
        0x41 | 0x42 | 0x56 => Type::Boolean,
        0x43 | 0x44 | 0x50..=0x55 | 0x60 | 0x61 | 0x70..=0x72 | 0x74 => Type::Number,
        0x80..=0x82 | 0x84 | 0x94 => Type::Number,
        0x73 => Type::Character,
        0x83 => Type::Timestamp,
        0x98 => Type::Uuid,
        0xA0 | 0xB0 => Type::Binary,
        0xA1 | 0xB1 => Type::Text,
        0xA3 | 0xB3 => Type::Symbol,
        0x45 | 0xC0 | 0xD0 => Type::List,
        0xC1 | 0xD1 => Type::Map,
        0xE0 | 0xF0 => Type::Array,
        _ => Type::Unassigned,
    }
}

/// A number of up to eight bytes.
fn wide(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

fn split(bytes: &[u8], length: u32) -> Result<(&[u8], &[u8]), Fault> {
    let length = usize::try_from(length).map_err(|_| Fault::Cut)?;
    bytes.split_at_checked(length).ok_or(Fault::Cut)
}
