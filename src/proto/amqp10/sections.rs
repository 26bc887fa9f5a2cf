//! The sections of a message, one after the other (part 3 §3.2).

use super::fault::Fault;
use super::value::Value;

/// What a section is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Section {
    Properties,
    Data,
    Sequence,
    Value,
    /// Header, annotations, application properties, footer.
    Other,
}

/// Steps over a message.
pub(super) struct Sections<'a> {
    rest: &'a [u8],
}

impl<'a> Sections<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next section, or that there is none.
    pub(super) fn next_section(&mut self) -> Result<Option<(Section, Value<'a>)>, Fault> {
        let (descriptor, behind) = match self.rest {
            [] => return Ok(None),
            // Nearly all there are.
            [0, 0x53, code, behind @ ..] => (Value::Ulong(u64::from(*code)), behind),
            [0, behind @ ..] => Value::read(behind)?,
            [other, ..] => return Err(Fault::NotDescribed(*other)),
        };
        let section = section(descriptor).ok_or(Fault::SectionUnknown)?;
        let (value, behind) = Value::read(behind)?;
        self.rest = behind;
        Ok(Some((section, value)))
    }
}

/// The section of a descriptor (part 3 §3.2), which may be a number or a name.
fn section(descriptor: Value<'_>) -> Option<Section> {
    match descriptor {
        Value::Ulong(code) => match code {
            0x70..=0x72 | 0x74 | 0x78 => Some(Section::Other),
            0x73 => Some(Section::Properties),
            0x75 => Some(Section::Data),
            0x76 => Some(Section::Sequence),
            0x77 => Some(Section::Value),
            _ => None,
        },
        Value::Symbol(name) => match name {
            b"amqp:header:list"
            | b"amqp:delivery-annotations:map"
            | b"amqp:message-annotations:map"
            | b"amqp:application-properties:map"
            | b"amqp:footer:map" => Some(Section::Other),
            b"amqp:properties:list" => Some(Section::Properties),
            b"amqp:data:binary" => Some(Section::Data),
            b"amqp:amqp-sequence:list" => Some(Section::Sequence),
            b"amqp:amqp-value:*" => Some(Section::Value),
            _ => None,
        },
        Value::Binary(_) | Value::Text(_) | Value::List(_) | Value::Other(_) => None,
    }
}
