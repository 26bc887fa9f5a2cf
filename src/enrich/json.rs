//! A JSON object: where the two members go, and which old ones leave.
//!
//! ```text
//! {            "ess_timestamp" :1 , "a":1.50 , "ess_ordinal":2 }      the body
//!  ^           ~~~~~~~~~~~~~~~~~~            ~~~~~~~~~~~~~~~~~        insertion and cuts
//! {"ess_ordinal":7,"ess_timestamp":9           , "a":1.50  }          what is sent
//! ```
//!
//! A cut takes a member and the comma *before* it; the first member has none. So whatever is cut,
//! the rest is right as it stands, and the insertion brings its own comma exactly when the first
//! member stays. All other bytes, white space included, are passed as they are.
//!
//! Only members of the outermost object count, in whatever spelling of their names (`ess\u005f…`).

use std::ops::Range;

use super::Undeliverable;
use super::grammar::{Expected, Fault, Scanner};
use super::stamp::Stamp;

/// How to put an ordinal and a timestamp into a JSON object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Splice {
    /// Length of the body this is about.
    body_bytes: usize,
    /// A member stands first behind the brace, and stays.
    comma: bool,
    /// What leaves the body, ascending and apart. Nearly always empty, and then not allocated; at
    /// most one for every 16 bytes of body, the shortest that a member can have.
    cuts: Vec<Range<usize>>,
    /// Sum of the cuts' lengths.
    cut_bytes: usize,
}

/// Checks that `body`, which is UTF-8 and begins with a brace, is a JSON object, and finds what to
/// change in it.
pub(super) fn scan(body: &[u8]) -> Result<Splice, Undeliverable> {
    let mut scanner = Scanner::new(body, "{".len());
    let mut splice =
        Splice { body_bytes: body.len(), comma: false, cuts: Vec::new(), cut_bytes: 0 };
    match object_rest(&mut scanner, &mut splice) {
        Ok(()) => Ok(splice),
        Err(Fault::Expected(expected)) => {
            Err(Undeliverable::BadJson { position: scanner.position(), expected: expected.text() })
        }
        Err(Fault::TooDeep) => Err(Undeliverable::TooDeep { position: scanner.position() }),
    }
}

/// From behind the outermost brace to the end of the text.
fn object_rest(scanner: &mut Scanner<'_>, splice: &mut Splice) -> Result<(), Fault> {
    scanner.space();
    if !scanner.take(b'}') {
        let mut start = scanner.position();
        let mut first = true;
        loop {
            let ours = is_ours(scanner.name()?);
            scanner.value(1)?;
            if ours {
                splice.cut(start..scanner.position());
            } else if first {
                splice.comma = true;
            }
            first = false;
            scanner.space();
            start = scanner.position();
            if !scanner.take(b',') {
                break;
            }
            scanner.space();
        }
        scanner.expect(b'}', Expected::CommaOrBrace)?;
    }
    scanner.space();
    scanner.end()
}

impl Splice {
    /// The exact length of what [`Splice::write`] writes.
    pub(super) fn stamped_len(&self, stamp: &Stamp) -> usize {
        // The body's own brace is written as part of `ORDINAL`.
        self.body_bytes - 1 - self.cut_bytes
            + ORDINAL.len()
            + stamp.ordinal().len()
            + TIMESTAMP.len()
            + stamp.timestamp().len()
            + usize::from(self.comma)
    }

    /// Writes `body` with the two members in it behind `out`.
    pub(super) fn write(&self, body: &[u8], stamp: &Stamp, out: &mut Vec<u8>) {
        assert_eq!(body.len(), self.body_bytes, "a splice fits only the body it was made of");
        out.extend_from_slice(ORDINAL);
        out.extend_from_slice(stamp.ordinal());
        out.extend_from_slice(TIMESTAMP);
        out.extend_from_slice(stamp.timestamp());
        if self.comma {
            out.push(b',');
        }
        let mut kept = 1;
        for cut in &self.cuts {
            out.extend_from_slice(body.get(kept..cut.start).unwrap_or_default());
            kept = cut.end;
        }
        out.extend_from_slice(body.get(kept..).unwrap_or_default());
    }

    fn cut(&mut self, range: Range<usize>) {
        self.cut_bytes += range.len();
        match self.cuts.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.cuts.push(range),
        }
    }
}

/// Whether a raw name spells one of the two.
fn is_ours(raw: &[u8]) -> bool {
    NAMES.contains(&raw) || raw.contains(&b'\\') && NAMES.iter().any(|name| spells(raw, name))
}

/// Whether the raw name `raw`, already found well-formed, means the ASCII name `name`.
fn spells(raw: &[u8], name: &[u8]) -> bool {
    let mut rest = raw;
    for &wanted in name {
        let (meant, after) = match rest {
            [b'\\', b'u', a, b, c, d, after @ ..] => {
                let digits = [*a, *b, *c, *d];
                let unit =
                    str::from_utf8(&digits).ok().and_then(|d| u16::from_str_radix(d, 16).ok());
                (unit, after)
            }
            // The short escapes mean nothing that these names contain.
            [b'\\', ..] | [] => return false,
            [plain, after @ ..] => (Some(u16::from(*plain)), after),
        };
        if meant != Some(u16::from(wanted)) {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

const NAMES: [&[u8]; 2] = [b"ess_ordinal", b"ess_timestamp"];
const ORDINAL: &[u8] = b"{\"ess_ordinal\":";
const TIMESTAMP: &[u8] = b",\"ess_timestamp\":";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_input_allocates_nothing() {
        let splice = scan(b"{\"a\":[{\"ess_ordinal\":1}]}").expect("an object");
        assert_eq!(splice.cuts.capacity(), 0);
    }

    #[test]
    fn neighbouring_cuts_are_one() {
        let body = format!("{{{}\"a\":1}}", "\"ess_ordinal\":1,".repeat(1_000));
        let splice = scan(body.as_bytes()).expect("an object");
        let cut = 1..body.len() - ",\"a\":1}".len();
        assert_eq!(splice.cuts, std::slice::from_ref(&cut));
    }
}
