//! A text cut into words, numbers and single other characters.
//!
//! ```text
//! Thu, 25 Sep 2003 10:49:41.5 →  Thu , ␣ 25 ␣ Sep ␣ 2003 ␣ 10 : 49 : 41.5
//! 30.04.2025 7 p.m.           →  30 . 04 . 2025 ␣ 7 ␣ p . m .
//! ```
//!
//! A dot joins what stands around it, until it is clear that this is no number with a fraction:
//! then all is cut at its dots and commas. A comma can begin a fraction too, from two digits on.
//! Every white space is the token [`SPACE`]. No token is empty.

/// What stands for any one white space.
pub(super) const SPACE: &str = " ";

/// Cuts `text` into its tokens.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let run = if is_letter(first) || first.is_ascii_digit() {
            run(rest)
        } else {
            Run { bytes: first.len_utf8(), apart: false }
        };
        let (token, behind) = rest.split_at(run.bytes);
        rest = behind;
        if first.is_whitespace() {
            tokens.push(SPACE);
        } else if run.apart {
            cut_at_dots(token, &mut tokens);
        } else {
            tokens.push(token);
        }
    }
    tokens
}

/// Letters, digits and dots that stand together.
struct Run {
    bytes: usize,
    /// It is to be cut at its dots and commas.
    apart: bool,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    Word,
    Number,
    /// A word with a dot in it, or behind a dot.
    WordDots,
    /// A number with a dot or comma in it, or behind a dot.
    NumberDots,
}

/// The run that `text` begins with. It begins with a letter or digit.
fn run(text: &str) -> Run {
    let mut state =
        if text.starts_with(|c: char| c.is_ascii_digit()) { State::Number } else { State::Word };
    let mut letters = false;
    let mut last = '\0';
    let mut bytes = 0;
    for (place, next) in text.char_indices() {
        let number = next.is_ascii_digit();
        let word = is_letter(next);
        if place > 0 {
            letters |= matches!(state, State::Word | State::WordDots);
            state = match (state, next) {
                (State::Word, _) if word => State::Word,
                (State::Word, '.') => State::WordDots,
                (State::Number, _) if number => State::Number,
                (State::Number, '.') => State::NumberDots,
                (State::Number, ',') if place >= 2 => State::NumberDots,
                (State::WordDots, _) if word || next == '.' => State::WordDots,
                (State::WordDots, _) if number && last == '.' => State::NumberDots,
                (State::NumberDots, _) if number || next == '.' => State::NumberDots,
                (State::NumberDots, _) if word && last == '.' => State::WordDots,
                _ => break,
            };
        }
        last = next;
        bytes = place + next.len_utf8();
    }
    let dots = text.get(..bytes).map_or(0, |run| run.matches('.').count());
    let dotted = matches!(state, State::WordDots | State::NumberDots);
    Run { bytes, apart: dotted && (letters || dots > 1 || matches!(last, '.' | ',')) }
}

fn cut_at_dots<'a>(token: &'a str, tokens: &mut Vec<&'a str>) {
    for piece in token.split_inclusive(['.', ',']) {
        let bare = piece.trim_end_matches(['.', ',']);
        let (bare, separator) = piece.split_at(bare.len());
        tokens.extend([bare, separator].into_iter().filter(|token| !token.is_empty()));
    }
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(split(text).join("␣"), expect);
    }

    #[test]
    fn words_and_numbers_part_where_they_meet() {
        check("20030925T104941-0300", "20030925␣T␣104941␣-␣0300");
        check("10h36m28.5s", "10␣h␣36␣m␣28.5␣s");
        check("a\t\nb", "a␣ ␣ ␣b");
        check("", "");
    }

    #[test]
    fn a_dot_is_a_point_or_a_separator() {
        check("4:30:21.447", "4␣:␣30␣:␣21.447");
        check("21,447", "21,447");
        check("2,447", "2␣,␣447");
        check("12,34,56", "12,34␣,␣56");
        check("30.04.2025", "30␣.␣04␣.␣2025");
        check("Sep.20.2009", "Sep␣.␣20␣.␣2009");
        check("30.", "30␣.");
        check("30..5", "30␣.␣.␣5");
        check("p.m.", "p␣.␣m␣.");
        check("7p.m", "7␣p␣.␣m");
        check("1.ab", "1␣.␣ab");
    }

    proptest! {
        /// Nothing is lost and nothing is empty.
        #[test]
        fn the_tokens_are_the_text(text in "[0-9a-z.,: é+-]{0,20}|\\PC{0,20}") {
            let tokens = split(&text);
            prop_assert!(tokens.iter().all(|token| !token.is_empty()));
            prop_assert_eq!(tokens.concat(), text.replace(char::is_whitespace, SPACE));
        }
    }
}
