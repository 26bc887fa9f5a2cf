//! The optional TOML file: a flat table of options, by the names of their flags.
//!
//! ```toml
//! public-addr = "0.0.0.0:80"
//! retain-age = "30d"
//! shards = 4
//! exclusive = true
//! allow-origin = ["https://app.example.com"]
//! ```
//!
//! Every fault names its line. Opening the file is the caller's business.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::options::{SETTINGS, setting};
use super::suggest::hint;

/// One key of the file: an option and its texts.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) line: usize,
    pub(super) texts: Vec<String>,
}

/// The entries of a file, and what is wrong with the rest of it.
pub(super) fn parse(text: &str, path: &str) -> (Vec<Entry>, Vec<String>) {
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(fault) => {
            let place = place(text, path, fault.span());
            let what = fault.message().replace('\n', ", ");
            return (vec![], vec![format!("{place}: not TOML: {what}")]);
        }
    };
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    for (key, value) in table {
        let at = place(text, path, Some(key.span()));
        let name: &str = key.get_ref();
        let Some(setting) = setting(name) else {
            let hint = hint(name, SETTINGS.iter().map(|setting| setting.name));
            problems.push(format!("{at}: unknown key \"{}\"{hint}", name.escape_debug()));
            continue;
        };
        match texts(value.get_ref()) {
            Some(texts) => {
                let line = line(text, &key.span());
                entries.push(Entry { name: setting.name, line, texts });
            }
            None => problems.push(format!(
                "{at}: {name} has a value of the wrong type; expected a text, a whole number, \
                 true or false{}",
                if setting.arity == super::options::Arity::Many { ", or a list" } else { "" }
            )),
        }
    }
    (entries, problems)
}

fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    if let DeValue::Array(items) = value {
        return items.iter().map(|item| one_text(item.get_ref())).collect();
    }
    Some(vec![one_text(value)?])
}

fn one_text(value: &DeValue<'_>) -> Option<String> {
    if let DeValue::String(text) = value {
        Some(text.to_string())
    } else if let DeValue::Boolean(yes) = value {
        Some(yes.to_string())
    } else if let DeValue::Integer(number) = value
        && number.radix() == 10
    {
        Some(number.as_str().replace('_', ""))
    } else {
        None
    }
}

fn place(text: &str, path: &str, span: Option<Range<usize>>) -> String {
    match span {
        Some(span) => format!("{path}, line {}", line(text, &span)),
        None => path.into(),
    }
}

fn line(text: &str, span: &Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_numbers_switches_and_lists() {
        let text = "# ours\npublic-addr = \"1.2.3.4:5\"\nshards = 1_0\nexclusive = true\n\
                    allow-origin = [\"a\", \"b\"]\n";
        let (entries, problems) = parse(text, "ess.toml");
        assert!(problems.is_empty(), "{problems:?}");
        let found = |name| {
            let entry = entries.iter().find(|entry| entry.name == name).expect("is in the file");
            (entry.line, entry.texts.join("+"))
        };
        assert_eq!(found("public-addr"), (2, "1.2.3.4:5".into()));
        assert_eq!(found("shards"), (3, "10".into()));
        assert_eq!(found("exclusive"), (4, "true".into()));
        assert_eq!(found("allow-origin"), (5, "a+b".into()));
    }

    #[test]
    fn every_fault_names_its_line() {
        let (entries, problems) = parse("shards = 2\npublic_adr = 1\n[drain]\na = 1\n", "e.toml");
        assert_eq!(entries.len(), 1);
        assert_eq!(problems.len(), 2);
        let all = problems.join("\n");
        assert!(all.contains("e.toml, line 2: unknown key \"public_adr\"; did you mean"), "{all}");
        assert!(all.contains("e.toml, line 3: drain has a value of the wrong type"), "{all}");
        let (_, problems) = parse("shards = 2\nshards = = 3\n", "e.toml");
        assert!(problems[0].starts_with("e.toml, line 2: not TOML: "), "{problems:?}");
        assert!(!problems[0].contains('\n'));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z=\"\\[\\]\\n .0-9-]{0,60}") {
            let _ = parse(&text, "e.toml");
        }
    }
}
