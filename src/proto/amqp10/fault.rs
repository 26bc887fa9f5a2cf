//! Why a message has no body that can be delivered.

use std::fmt;

use crate::limits::AMQP_DESCRIPTORS_MAX;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It ends inside a value.
    Cut,
    /// A section doesn't begin with a descriptor: it isn't AMQP 1.0.
    NotDescribed(u8),
    /// A section that a message doesn't have.
    SectionUnknown,
    /// A constructor whose width AMQP doesn't say.
    ConstructorUnknown(u8),
    /// Descriptors nested deeper than [`AMQP_DESCRIPTORS_MAX`].
    TooDeep,
    /// No body section at all.
    NoBody,
    /// Body sections that exclude each other.
    SecondBody,
    /// A Data section that isn't binary.
    Data(Type),
    /// A body that is a value other than a string or binary.
    Value(Type),
    /// A body that is a sequence.
    Sequence,
}

/// The types of AMQP 1.0 (part 1 §1.6), those of one use together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Type {
    /// Nothing.
    Null,
    /// A boolean.
    Boolean,
    /// A number, whole or not.
    Number,
    /// A character.
    Character,
    /// A point in time.
    Timestamp,
    /// A UUID.
    Uuid,
    /// Bytes.
    Binary,
    /// A string.
    Text,
    /// A symbol.
    Symbol,
    /// A list.
    List,
    /// A map.
    Map,
    /// An array.
    Array,
    /// A value with a descriptor of its own.
    Described,
    /// A value whose type AMQP 1.0 doesn't know.
    Unassigned,
}

impl Type {
    const fn text(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Character => "a character",
            Self::Timestamp => "a timestamp",
            Self::Uuid => "a UUID",
            Self::Binary => "binary",
            Self::Text => "a string",
            Self::Symbol => "a symbol",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Array => "an array",
            Self::Described => "a described value",
            Self::Unassigned => "a value of no known type",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => out.write_str("AMQP 1.0 message cut inside a value"),
            Self::NotDescribed(byte) => {
                write!(out, "not AMQP 1.0: a section begins with {byte:#04x}, expected 0x00")
            }
            Self::SectionUnknown => out.write_str("AMQP 1.0 message with an unknown section"),
            Self::ConstructorUnknown(code) => {
                write!(out, "AMQP 1.0 message with an unknown constructor {code:#04x}")
            }
            Self::TooDeep => write!(
                out,
                "AMQP 1.0 message with descriptors nested deeper than {AMQP_DESCRIPTORS_MAX}"
            ),
            Self::NoBody => out.write_str("AMQP 1.0 message without a body"),
            Self::SecondBody => out.write_str("AMQP 1.0 message with more than one body"),
            Self::Data(kind) => {
                write!(out, "Data section holds {}: expected binary", kind.text())
            }
            Self::Value(kind) => {
                write!(out, "body is {}: expected Data, a string or binary", kind.text())
            }
            Self::Sequence => {
                out.write_str("body is a sequence: expected Data, a string or binary")
            }
        }
    }
}

impl std::error::Error for Fault {}
