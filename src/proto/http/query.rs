//! Percent-decoding of paths and queries (WHATWG URL, application/x-www-form-urlencoded).
//!
//! Never fails: an escape that isn't one stays as it is, and bytes that aren't UTF-8 become U+FFFD,
//! as Python's `urllib` and browsers do.

use std::borrow::Cow;

/// A segment of a path, decoded; `+` is a plus.
#[must_use]
pub fn decode_segment(segment: &str) -> Cow<'_, str> {
    decode(segment, false)
}

/// The parameters of a query, decoded and in order; `+` is a space. One without `=` has an empty
/// value.
pub fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name, true), decode(value, true))
    })
}

fn decode(text: &str, plus_is_space: bool) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+' && plus_is_space) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let (decoded, after) = match (byte, after) {
            (b'%', [high, low, behind @ ..]) => match hex_pair(*high, *low) {
                Some(decoded) => (decoded, behind),
                None => (b'%', after),
            },
            (b'+', _) if plus_is_space => (b' ', after),
            _ => (*byte, after),
        };
        out.push(decoded);
        rest = after;
    }
    match String::from_utf8_lossy(&out) {
        Cow::Borrowed(text) => Cow::Owned(text.to_owned()),
        Cow::Owned(text) => Cow::Owned(text),
    }
}

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_and_what_only_looks_like_one() {
        for (raw, decoded) in [
            ("abc", "abc"),
            ("a%20b", "a b"),
            ("a+b", "a+b"),
            ("%C3%A9%c3%a9", "éé"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("%%41", "%A"),
            ("%ff", "\u{FFFD}"),
            ("%00", "\0"),
            ("%2e%2e%2f", "../"),
        ] {
            assert_eq!(decode_segment(raw), decoded, "{raw}");
        }
    }

    #[test]
    fn parameters_come_in_order_with_plus_as_space() {
        let query = "a=1&b=x+y&&c&=d&a=%2B2&e=f=g";
        let got: Vec<_> = pairs(query).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        let want = [("a", "1"), ("b", "x y"), ("c", ""), ("", "d"), ("a", "+2"), ("e", "f=g")];
        assert_eq!(got, want.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert_eq!(pairs("").count(), 0);
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(text in any::<String>()) {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(decode_segment(&encoded), text.as_str());
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = decode_segment(&text);
            let _ = pairs(&text).count();
        }
    }
}
