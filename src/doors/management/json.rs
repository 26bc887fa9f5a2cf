//! A small JSON reader that finds the faults Python's `json` finds, at the same place and in the
//! same words: clients of the Python service see them in 422 answers.
//!
//! Only for the short body of a creation. Numbers are kept as they were written; of a name given
//! twice the last value counts, as in Python.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::limits::JSON_DEPTH_MAX;
use crate::proto::http::json_string;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// `null`, `true`, `false` or a number, as text that is JSON.
    Plain(String),
    /// A string, decoded.
    Text(String),
    Array(Vec<Self>),
    /// Members in the order of their first appearance.
    Object(Vec<(String, Self)>),
}

/// Why a text isn't JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// The grammar is broken.
    Grammar {
        /// Characters before the fault.
        position: usize,
        /// Python's words for it.
        error: &'static str,
    },
    /// It nests deeper than [`JSON_DEPTH_MAX`].
    TooDeep,
}

/// Reads one JSON value with nothing but blanks around it.
pub(super) fn read(text: &str) -> Result<Value, Fault> {
    let mut reader = Reader { text, place: 0, half_pair: None };
    reader.blanks();
    let value = reader.value(0)?;
    reader.blanks();
    if reader.place < text.len() {
        return Err(reader.fault(reader.place, "Extra data"));
    }
    reader.half_pair.map_or(Ok(value), Err)
}

impl Value {
    /// This value as compact JSON.
    pub(super) fn json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Plain(text) => out.push_str(text),
            Self::Text(text) => out.push_str(&json_string(text)),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    let _ = write!(out, "{comma}{}:", json_string(name));
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Stands in a text, always between two characters.
struct Reader<'a> {
    text: &'a str,
    place: usize,
    /// The first `\uXXXX` that is half of a pair. Python lets it pass and finds what is wrong
    /// behind it; but no text can hold it, so it is a fault when nothing else is.
    half_pair: Option<Fault>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.place..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.rest().bytes().next()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.place += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// A fault at byte `place`, which is told in characters.
    fn fault(&self, place: usize, error: &'static str) -> Fault {
        let before = self.text.get(..place).unwrap_or(self.text);
        Fault::Grammar { position: before.chars().count(), error }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        match self.peek() {
            Some(b'{' | b'[') if depth == JSON_DEPTH_MAX => Err(Fault::TooDeep),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string().map(Value::Text),
            _ => self.plain(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, Fault> {
        const NAME: &str = "Expecting property name enclosed in double quotes";
        let mut members: Vec<(String, Value)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        self.place += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.place += 1;
            return Ok(Value::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.fault(self.place, NAME));
            }
            let name = self.string()?;
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.fault(self.place, "Expecting ':' delimiter"));
            }
            self.place += 1;
            self.blanks();
            let value = self.value(depth)?;
            match places.get(&name).and_then(|place| members.get_mut(*place)) {
                Some(member) => member.1 = value,
                None => {
                    places.insert(name.clone(), members.len());
                    members.push((name, value));
                }
            }
            if self.ended(b'}')? {
                return Ok(Value::Object(members));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut items = Vec::new();
        self.place += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.place += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.ended(b']')? {
                return Ok(Value::Array(items));
            }
        }
    }

    /// Passes the comma before another item (false) or the bracket at the end (true).
    fn ended(&mut self, bracket: u8) -> Result<bool, Fault> {
        self.blanks();
        match self.peek() {
            Some(b',') => {
                self.place += 1;
                self.blanks();
                Ok(false)
            }
            Some(byte) if byte == bracket => {
                self.place += 1;
                Ok(true)
            }
            _ => Err(self.fault(self.place, "Expecting ',' delimiter")),
        }
    }

    /// A constant or a number. Python's `NaN` and infinities are taken, and said back as `null`:
    /// JSON has no word for them.
    fn plain(&mut self) -> Result<Value, Fault> {
        for (word, json) in [
            ("null", "null"),
            ("true", "true"),
            ("false", "false"),
            ("NaN", "null"),
            ("Infinity", "null"),
            ("-Infinity", "null"),
        ] {
            if self.rest().starts_with(word) {
                self.place += word.len();
                return Ok(Value::Plain(json.into()));
            }
        }
        let rest = self.rest();
        let length = number_len(rest.as_bytes());
        if length == 0 {
            return Err(self.fault(self.place, "Expecting value"));
        }
        self.place += length;
        let number = rest.get(..length).unwrap_or_default();
        Ok(Value::Plain(if number == "-0" { "0" } else { number }.into()))
    }

    fn string(&mut self) -> Result<String, Fault> {
        const UNTERMINATED: &str = "Unterminated string starting at";
        let start = self.place;
        let mut out = String::new();
        self.place += 1;
        loop {
            let Some(character) = self.rest().chars().next() else {
                return Err(self.fault(start, UNTERMINATED));
            };
            match character {
                '"' => {
                    self.place += 1;
                    return Ok(out);
                }
                '\\' => {
                    let Some(escape) = self.rest().chars().nth(1) else {
                        return Err(self.fault(start, UNTERMINATED));
                    };
                    out.push(self.escape(escape)?);
                }
                '\0'..='\u{1f}' => {
                    return Err(self.fault(self.place, "Invalid control character at"));
                }
                _ => {
                    self.place += character.len_utf8();
                    out.push(character);
                }
            }
        }
    }

    /// Passes a backslash and what belongs to it.
    fn escape(&mut self, escape: char) -> Result<char, Fault> {
        let decoded = match escape {
            '"' | '\\' | '/' => escape,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(),
            _ => return Err(self.fault(self.place, "Invalid \\escape")),
        };
        self.place += 2;
        Ok(decoded)
    }

    /// Passes `\uXXXX`, or two of them that are one character.
    fn unicode(&mut self) -> Result<char, Fault> {
        let invalid = self.fault(self.place + 1, "Invalid \\uXXXX escape");
        // Python wants to see what follows the digits before it looks at them.
        let whole = self.rest().len() > UNICODE_ESCAPE_LEN;
        let first = hex_escape(self.rest()).filter(|_| whole).ok_or(invalid)?;
        self.place += UNICODE_ESCAPE_LEN;
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        let low = hex_escape(self.rest()).filter(|low| (0xDC00..0xE000).contains(low));
        let Some(low) = low.filter(|_| first < 0xDC00) else {
            self.half_pair.get_or_insert(invalid);
            return Ok(char::REPLACEMENT_CHARACTER);
        };
        self.place += UNICODE_ESCAPE_LEN;
        char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00)).ok_or(invalid)
    }
}

/// Length of `\uXXXX`.
const UNICODE_ESCAPE_LEN: usize = 6;

/// The number in the `\uXXXX` that `text` begins with.
fn hex_escape(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.chars().try_fold(0, |number, digit| Some(number * 16 + digit.to_digit(16)?))
}

/// Length of the number that `bytes` begin with; 0 without one. A fraction or exponent that isn't
/// whole doesn't belong to it.
fn number_len(bytes: &[u8]) -> usize {
    let digits_from =
        |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let at = |place: usize| bytes.get(place).copied();
    let start = usize::from(at(0) == Some(b'-'));
    let mut end = start
        + match at(start) {
            Some(b'0') => 1,
            _ => digits_from(start),
        };
    if end == start {
        return 0;
    }
    if at(end) == Some(b'.') && digits_from(end + 1) > 0 {
        end += 1 + digits_from(end + 1);
    }
    if matches!(at(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(at(end + 1), Some(b'+' | b'-')));
        let digits = digits_from(end + 1 + sign);
        end += if digits > 0 { 1 + sign + digits } else { 0 };
    }
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn depth_is_bounded_on_both_sides() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(JSON_DEPTH_MAX)).is_ok());
        assert_eq!(read(&nested(JSON_DEPTH_MAX + 1)), Err(Fault::TooDeep));
        assert_eq!(read(&"{\"a\":".repeat(100_000)), Err(Fault::TooDeep));
    }

    #[test]
    fn half_a_pair_is_no_text() {
        for text in [r#""\ud83d""#, r#""\ud83dxxxxxx""#, r#""\ude00xxxxxx""#, r#""\ud83d\u0041""#] {
            let expected = Fault::Grammar { position: 2, error: "Invalid \\uXXXX escape" };
            assert_eq!(read(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn what_python_takes_beyond_json_is_said_back_as_null() {
        assert_eq!(read("[NaN,Infinity,-Infinity]").unwrap().json(), "[null,null,null]");
    }

    proptest! {
        #[test]
        fn agrees_with_serde_about_what_is_json(text in json_like()) {
            let ours = read(&text);
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            // Python's own constants.
            if !text.contains(['N', 'I']) {
                prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", text);
            }
            // To Python -0 is the integer 0, to serde a float.
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) && !text.contains("-0") {
                let again: serde_json::Value = serde_json::from_str(&ours.json()).unwrap();
                prop_assert_eq!(again, theirs);
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = read(&text);
        }
    }

    /// Texts that are JSON now and then.
    fn json_like() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            " ",
            "\"a\"",
            "\"b\":",
            "\"",
            "\\n",
            "\\u0041",
            "\\uD83D",
            "\\uDE00",
            "1",
            "0",
            "-",
            ".5",
            "e2",
            "true",
            "null",
            "é",
            "{\"a\":1}",
            "[1,2]",
            "NaN",
        ]);
        prop::collection::vec(part, 0..10).prop_map(|parts| parts.concat())
    }
}
