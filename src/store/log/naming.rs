//! The names of directories and files: any stream name, without path tricks.
//!
//! A stream's directory is its name with every byte but `a`–`z`, `0`–`9`, `-`, `_` and a dot that
//! is not the first written as `%` and two lower-case hex digits. Upper-case letters too, so that
//! two streams never meet on a filesystem that ignores case. Where that is longer than
//! [`READABLE_BYTES_MAX`], it is cut, and `~` and the name's UUID (version 5) follow. `~` in front
//! marks a stream that is being removed. Nothing a name can say makes a `/`, a leading dot or a
//! `~`.
//!
//! The directory's name is never decoded: the full name is in every segment's header.

use uuid::Uuid;

use crate::event::{Ordinal, StreamName};

/// Longest readable directory name; the longest of all is this and 37 more, well below the 255
/// that filesystems take.
const READABLE_BYTES_MAX: usize = 150;

/// The directory of the stream `name`.
pub(crate) fn directory_name(name: &StreamName) -> String {
    let mut encoded = String::new();
    for (index, byte) in name.as_str().bytes().enumerate() {
        let mark = encoded.len();
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => encoded.push(char::from(byte)),
            b'.' if index > 0 => encoded.push('.'),
            _ => encoded.push_str(&format!("%{byte:02x}")),
        }
        if encoded.len() > READABLE_BYTES_MAX {
            encoded.truncate(mark);
            let uuid = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_str().as_bytes());
            return format!("{encoded}~{uuid}");
        }
    }
    encoded
}

/// What a directory is called while it is being removed.
pub(super) fn removed_name(directory_name: &str) -> String {
    format!("~{directory_name}")
}

/// The file of the segment that begins with `first`.
pub(super) fn segment_name(first: Ordinal) -> String {
    format!("{:020}.{SEGMENT_EXTENSION}", first.get())
}

/// The first ordinal of the segment in a file of that name; `None` when it is no segment's.
pub(crate) fn segment_first(file_name: &str) -> Option<Ordinal> {
    let digits = file_name.strip_suffix(SEGMENT_EXTENSION)?.strip_suffix('.')?;
    let first = Ordinal::checked(digits.parse().ok()?)?;
    (segment_name(first) == file_name).then_some(first)
}

const SEGMENT_EXTENSION: &str = "log";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn encode(name: &str) -> String {
        directory_name(&StreamName::new(name).unwrap())
    }

    #[test]
    fn ordinary_names_stay_readable() {
        assert_eq!(encode("orders-7_eu.v2"), "orders-7_eu.v2");
        assert_eq!(encode("Orders"), "%4frders");
        assert_eq!(encode(".."), "%2e.");
        assert_eq!(encode("a/../b"), "a%2f..%2fb");
        assert_eq!(encode("~x\0"), "%7ex%00");
        assert_eq!(encode("%2e"), "%252e");
    }

    #[test]
    fn both_sides_of_the_readable_limit() {
        assert_eq!(encode(&"a".repeat(150)), "a".repeat(150));
        let long = encode(&"a".repeat(151));
        assert!(long.starts_with(&format!("{}~", "a".repeat(150))) && long.len() == 187);
        let escaped = encode(&"é".repeat(127));
        assert!(escaped.len() <= 187 && escaped.contains('~'));
    }

    #[test]
    fn long_names_that_differ_at_their_end_stay_apart() {
        let names = ["a", "b", "A"].map(|end| encode(&format!("{}{end}", "x".repeat(254))));
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), 3);
    }

    #[test]
    fn a_segment_is_found_by_its_name_only_as_it_was_written() {
        assert_eq!(segment_first(&segment_name(Ordinal::new(42))), Some(Ordinal::new(42)));
        for other in ["42.log", "+0000000000000000042.log", "00000000000000000042.lo", "x.log"] {
            assert_eq!(segment_first(other), None, "{other}");
        }
        assert_eq!(segment_first("18446744073709551615.log"), None, "no ordinal is that large");
    }

    proptest! {
        #[test]
        fn no_name_escapes_its_directory(one in "\\PC{1,60}", other in "\\PC{1,60}") {
            let names = [one, other].map(|name| name.chars().take(60).collect::<String>());
            let encoded = names.clone().map(|name| encode(&name));
            for name in &encoded {
                prop_assert!(!name.starts_with('.') && !name.starts_with('~'));
                prop_assert!(name.len() <= 187 && name.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(!name.contains('/') && !name.bytes().any(|b| b.is_ascii_uppercase()));
            }
            prop_assert_eq!(names[0] == names[1], encoded[0] == encoded[1]);
        }
    }
}
