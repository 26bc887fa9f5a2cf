//! A message with a body of one Data section, and a name if it has one.
//!
//! ```text
//! 00 53 73 | list: message-id | 00 53 75 | binary: body
//! ```

/// The length of what [`put_message`] writes, in bytes.
#[must_use]
pub const fn message_len(message_id: Option<&str>, body: &[u8]) -> usize {
    let properties = match message_id {
        Some(id) => {
            let item = variable_len(id.len());
            let list = if item <= SMALL_LIST_MAX { 3 } else { 9 };
            DESCRIPTOR_BYTES + list + item
        }
        None => 0,
    };
    properties + DESCRIPTOR_BYTES + variable_len(body.len())
}

/// Writes a message of `body` behind `out`; `message_id` goes into its properties.
///
/// # Panics
///
/// When the id or the body is 4 GiB long or longer: AMQP 1.0 can't say that.
pub fn put_message(message_id: Option<&str>, body: &[u8], out: &mut Vec<u8>) {
    out.reserve(message_len(message_id, body));
    if let Some(id) = message_id {
        out.extend_from_slice(&[0, 0x53, 0x73]);
        let item = variable_len(id.len());
        match u8::try_from(item + 1) {
            Ok(size) => out.extend_from_slice(&[0xC0, size, 1]),
            Err(_) => {
                out.push(0xD0);
                out.extend_from_slice(&length(item + 4));
                out.extend_from_slice(&1_u32.to_be_bytes());
            }
        }
        put_variable(0xA1, id.as_bytes(), out);
    }
    out.extend_from_slice(&[0, 0x53, 0x75]);
    put_variable(0xA0, body, out);
}

/// Writes a value of variable width: `small` is the code of its short form, and 0x10 more that of
/// its long form.
fn put_variable(small: u8, bytes: &[u8], out: &mut Vec<u8>) {
    if let Ok(size) = u8::try_from(bytes.len()) {
        out.extend_from_slice(&[small, size]);
    } else {
        out.push(small + 0x10);
        out.extend_from_slice(&length(bytes.len()));
    }
    out.extend_from_slice(bytes);
}

const fn variable_len(bytes: usize) -> usize {
    bytes + if bytes <= u8::MAX as usize { 2 } else { 5 }
}

fn length(bytes: usize) -> [u8; 4] {
    let Ok(bytes) = u32::try_from(bytes) else { panic!("AMQP 1.0 counts in 32 bits: {bytes}") };
    bytes.to_be_bytes()
}

/// Of a section: the mark, the code's type, the code.
const DESCRIPTOR_BYTES: usize = 3;

/// Longest item of a list in its short form, whose size counts one byte of count as well.
const SMALL_LIST_MAX: usize = u8::MAX as usize - 1;
