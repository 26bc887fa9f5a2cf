//! Did you mean …?

/// Two names further apart than this are not a slip of the fingers.
const DISTANCE_MAX: usize = 3;

/// The name in `known` that `wrong` was probably meant to be.
fn suggest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = DISTANCE_MAX.min(wrong.chars().count() / 3);
    known
        .into_iter()
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// `; did you mean X?`, or nothing.
pub(super) fn hint<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    suggest(wrong, known).map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// Levenshtein's edit distance, case and the kind of dash aside.
fn distance(left: &str, right: &str) -> usize {
    let plain = |c: char| if c == '_' { '-' } else { c.to_ascii_lowercase() };
    let right: Vec<char> = right.chars().map(plain).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, l) in left.chars().map(plain).enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (r, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(l != *r);
            diagonal = *cell;
            before = replaced.min(diagonal + 1).min(before + 1);
            *cell = before;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slips_are_understood_and_other_words_are_not() {
        let known = ["public-addr", "internal-addr", "data-dir"];
        assert_eq!(suggest("publc-addr", known), Some("public-addr"));
        assert_eq!(suggest("PUBLIC_ADDR", known), Some("public-addr"));
        assert_eq!(suggest("datadir", known), Some("data-dir"));
        assert_eq!(suggest("port", known), None);
        assert_eq!(suggest("", known), None);
    }

    #[test]
    fn distances_known_by_hand() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("flaw", "lawn"), 2);
    }

    proptest! {
        #[test]
        fn a_distance_is_symmetric_and_zero_for_the_same(a in "[a-d]{0,8}", b in "[a-d]{0,8}") {
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
        }
    }
}
