//! AMQP 1.0 messages (OASIS AMQP 1.0, part 3 §3.2), as they lie in a RabbitMQ stream: the body
//! found, a message written.
//!
//! ```text
//!  message ─ body ─▶ its bytes          message ─ message_id ─▶ its name
//!  name, body ─ put_message ─▶ message
//!
//!  message: sections, back to back      section: 0x00 | descriptor | value
//! ```
//!
//! A body is what its Data sections hold, joined, or what a string or binary in an AmqpValue
//! section holds. All other sections are stepped over, in any encoding that AMQP allows and without
//! a look inside: their sizes bound them.
//!
//! Not here: what annotations and properties say (but the message-id); sequences, numbers and maps
//! as bodies; AMQP's frames and links.

mod fault;
mod sections;
mod value;
mod write;

#[cfg(test)]
mod build;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use fault::{Fault, Type};
pub use write::{message_len, put_message};

use sections::{Section, Sections};
use value::Value;

/// The body of a message: borrowed, unless it has to be joined of several Data sections.
///
/// # Errors
///
/// When `message` is no AMQP 1.0 message, has no body, or has one that isn't bytes or text.
pub fn body(message: &[u8]) -> Result<Cow<'_, [u8]>, Fault> {
    let (mut found, mut first, mut joined) = (None, &[][..], Vec::new());
    let mut sections = Sections::new(message);
    while let Some((section, value)) = sections.next_section()? {
        let bytes = match (section, value) {
            (Section::Data, Value::Binary(bytes)) => bytes,
            (Section::Data, other) => return Err(Fault::Data(other.kind())),
            (Section::Value, Value::Binary(bytes) | Value::Text(bytes)) => bytes,
            (Section::Value, other) => return Err(Fault::Value(other.kind())),
            (Section::Sequence, _) => return Err(Fault::Sequence),
            (Section::Properties | Section::Other, _) => continue,
        };
        match found {
            None => first = bytes,
            Some(Section::Data) if section == Section::Data => {
                if joined.is_empty() {
                    joined.extend_from_slice(first);
                }
                joined.extend_from_slice(bytes);
            }
            Some(_) => return Err(Fault::SecondBody),
        }
        found = Some(section);
    }
    match found {
        None => Err(Fault::NoBody),
        Some(_) if joined.is_empty() => Ok(Cow::Borrowed(first)),
        Some(_) => Ok(Cow::Owned(joined)),
    }
}

/// The message-id of a message, if it has one that is a string.
///
/// Ids that are numbers, UUIDs or binary are `None`, and so is all that is no message.
#[must_use]
pub fn message_id(message: &[u8]) -> Option<&str> {
    let mut sections = Sections::new(message);
    while let Ok(Some((section, value))) = sections.next_section() {
        match (section, value) {
            (Section::Properties, Value::List(list)) if list.count > 0 => {
                let Ok((Value::Text(id), _)) = Value::read(list.items) else { return None };
                return str::from_utf8(id).ok();
            }
            (Section::Properties | Section::Data | Section::Value | Section::Sequence, _) => {
                return None;
            }
            (Section::Other, _) => {}
        }
    }
    None
}
