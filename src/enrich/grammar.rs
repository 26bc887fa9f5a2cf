//! The grammar of JSON (RFC 8259 §2–7), walked over without building anything.
//!
//! [`Scanner`] stands before some byte and steps over one production at a time. It goes through the
//! text once, allocates nothing, and keeps one bit a level of nesting, so that no input can make
//! its stack grow; deeper than [`JSON_DEPTH_MAX`] is refused.
//!
//! Accepts the grammar and no more: no NaN, no comments, no trailing comma. Like the grammar, it
//! does not mind lone surrogate escapes, repeated names or numbers that no float can hold. It
//! neither checks UTF-8 (the caller did) nor decodes anything.

use crate::limits::JSON_DEPTH_MAX;

/// Where we are in a JSON text.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    position: usize,
}

/// What is wrong at the scanner's position. One byte, so that the ways without fault, which are
/// nearly all, pass it in a register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// The grammar wants this there.
    Expected(Expected),
    /// A bracket that is too much.
    TooDeep,
}

/// What the grammar may want.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Expected {
    Colon,
    CommaOrBrace,
    CommaOrBracket,
    Digit,
    End,
    Escape,
    Hexadecimal,
    Literal,
    Name,
    StringEnd,
    Value,
}

impl Expected {
    /// For a person.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Colon => "`:` after a member's name",
            Self::CommaOrBrace => "`,` or `}`",
            Self::CommaOrBracket => "`,` or `]`",
            Self::Digit => "a digit",
            Self::End => "nothing after the object",
            Self::Escape => "one of \" \\ / b f n r t u",
            Self::Hexadecimal => "four hexadecimal digits",
            Self::Literal => "`true`, `false` or `null`",
            Self::Name => "a member's name in quotes",
            Self::StringEnd => "a closing quote, and no bare control character before it",
            Self::Value => "a value",
        }
    }
}

impl<'a> Scanner<'a> {
    /// Starts before the byte at `position`.
    pub(super) const fn new(bytes: &'a [u8], position: usize) -> Self {
        Self { bytes, position }
    }

    /// Bytes already stepped over.
    pub(super) const fn position(&self) -> usize {
        self.position
    }

    /// Steps over `byte` if it is next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        // A branch, which is foreseen. Adding the outcome to the position instead makes each step
        // wait for the load before it, and the whole scan takes twice as long (1.7 for 0.75 ns a
        // byte).
        if self.peek() != Some(byte) {
            return false;
        }
        self.position += 1;
        true
    }

    /// Steps over `byte`, which must be next.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8, expected: Expected) -> Scanned<()> {
        if self.take(byte) { Ok(()) } else { Err(Fault::Expected(expected)) }
    }

    /// All is stepped over.
    pub(super) const fn end(&self) -> Scanned<()> {
        if self.position == self.bytes.len() { Ok(()) } else { Err(Fault::Expected(Expected::End)) }
    }

    /// Steps over white space (§2), also none.
    #[inline]
    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.position += 1;
        }
    }

    /// Steps over a member's name and its colon, and the white space behind them. The name's raw
    /// text, between its quotes.
    #[inline]
    pub(super) fn name(&mut self) -> Scanned<&'a [u8]> {
        self.expect(b'"', Expected::Name)?;
        let start = self.position;
        self.string_rest()?;
        let name = self.bytes.get(start..self.position - 1).unwrap_or_default();
        self.space();
        self.expect(b':', Expected::Colon)?;
        self.space();
        Ok(name)
    }

    /// Steps over one value of any kind that stands `depth` levels deep.
    pub(super) fn value(&mut self, depth: usize) -> Scanned<()> {
        let mut levels = Levels::above(depth);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.position += 1;
                    self.string_rest()?;
                }
                Some(b'{') => {
                    levels.open(Container::Object)?;
                    self.position += 1;
                    self.space();
                    if !self.take(b'}') {
                        self.name()?;
                        continue;
                    }
                    levels.close();
                }
                Some(b'[') => {
                    levels.open(Container::Array)?;
                    self.position += 1;
                    self.space();
                    if !self.take(b']') {
                        continue;
                    }
                    levels.close();
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal(b"true")?,
                Some(b'f') => self.literal(b"false")?,
                Some(b'n') => self.literal(b"null")?,
                _ => return Err(Fault::Expected(Expected::Value)),
            }
            if self.closings(&mut levels)? {
                return Ok(());
            }
        }
    }

    /// Behind a value: steps over closing brackets up to where the next value begins. Whether all
    /// `levels` are closed.
    #[inline]
    fn closings(&mut self, levels: &mut Levels) -> Scanned<bool> {
        while let Some(container) = levels.innermost() {
            self.space();
            if self.take(b',') {
                self.space();
                if container == Container::Object {
                    self.name()?;
                }
                return Ok(false);
            }
            match container {
                Container::Array => self.expect(b']', Expected::CommaOrBracket)?,
                Container::Object => self.expect(b'}', Expected::CommaOrBrace)?,
            }
            levels.close();
        }
        Ok(true)
    }

    #[inline]
    fn literal(&mut self, literal: &'static [u8]) -> Scanned<()> {
        if self.rest().starts_with(literal) {
            self.position += literal.len();
            return Ok(());
        }
        self.position += self.rest().iter().zip(literal).take_while(|(a, b)| a == b).count();
        Err(Fault::Expected(Expected::Literal))
    }

    /// §6: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    #[inline]
    fn number(&mut self) -> Scanned<()> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.position += 1;
            if let Some(b'-' | b'+') = self.peek() {
                self.position += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// At least one digit.
    #[inline]
    fn digits(&mut self) -> Scanned<()> {
        let start = self.position;
        while let Some(b'0'..=b'9') = self.peek() {
            self.position += 1;
        }
        if self.position > start { Ok(()) } else { Err(Fault::Expected(Expected::Digit)) }
    }

    /// §7, from behind the opening quote to behind the closing one.
    fn string_rest(&mut self) -> Scanned<()> {
        loop {
            self.position += plain_len(self.rest());
            match self.peek() {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(Fault::Expected(Expected::StringEnd)),
            }
        }
    }

    fn escape(&mut self) -> Scanned<()> {
        self.position += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.position += 1,
            Some(b'u') => {
                self.position += 1;
                for _ in 0..4 {
                    match self.peek() {
                        Some(byte) if byte.is_ascii_hexdigit() => self.position += 1,
                        _ => return Err(Fault::Expected(Expected::Hexadecimal)),
                    }
                }
            }
            _ => return Err(Fault::Expected(Expected::Escape)),
        }
        Ok(())
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }
}

type Scanned<T> = Result<T, Fault>;

/// How many bytes of a string stand for themselves: all up to the first quote, backslash or control
/// character. Eight at a time, because most of a text is this.
fn plain_len(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = specials(u64::from_le_bytes(*word));
        if special != 0 {
            return index * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count();
    words.len() * 8 + plain
}

/// The top bit of the lowest special byte is set, none below it. (Above it a borrow may set some.)
const fn specials(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & TOPS
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const TOPS: u64 = u64::from_le_bytes([0x80; 8]);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Container {
    Array,
    Object,
}

/// The open brackets, one bit each: set for an object.
struct Levels {
    base: usize,
    depth: usize,
    objects: [u64; JSON_DEPTH_MAX.div_ceil(64)],
}

impl Levels {
    const fn above(base: usize) -> Self {
        Self { base, depth: base, objects: [0; _] }
    }

    /// Goes one level down.
    #[inline]
    fn open(&mut self, container: Container) -> Scanned<()> {
        if self.depth == JSON_DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        if let Some(word) = self.objects.get_mut(self.depth / 64) {
            let bit = 1 << (self.depth % 64);
            *word = if container == Container::Object { *word | bit } else { *word & !bit };
        }
        self.depth += 1;
        Ok(())
    }

    const fn close(&mut self) {
        self.depth -= 1;
    }

    /// The bracket opened last; `None` when all above the base are closed.
    #[inline]
    fn innermost(&self) -> Option<Container> {
        if self.depth == self.base {
            return None;
        }
        let level = self.depth - 1;
        let word = self.objects.get(level / 64)?;
        let object = word >> (level % 64) & 1 == 1;
        Some(if object { Container::Object } else { Container::Array })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte, and every pair of neighbours, in every place of a word and behind the last one.
    #[test]
    fn eight_at_a_time_is_as_one_at_a_time() {
        for place in 0..19 {
            for pair in 0..=u16::MAX {
                let mut text = [b'a'; 20];
                text[place..place + 2].copy_from_slice(&pair.to_le_bytes());
                let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
                let plain = text.iter().position(special).unwrap_or(text.len());
                assert_eq!(plain_len(&text), plain, "{text:x?}");
            }
        }
    }
}
