//! The table of options as docs/configuration.md has it.
//!
//! A test compares; `ESS_BLESS=1 cargo test --lib config::readme` writes it anew.

use std::fmt::Write;

use super::environment::FOREIGN;
use super::options::{Group, SETTINGS};

/// Stands before the table.
const BEGIN: &str = "<!-- options: begin (made from src/config/options.rs) -->";
/// Stands behind the table.
const END: &str = "<!-- options: end -->";

/// The table in Markdown, without the markers.
fn options_table() -> String {
    let mut out = String::new();
    out.push_str("| Flag, and key in the file | Environment | Default | Meaning |\n");
    out.push_str("|---|---|---|---|\n");
    for group in Group::SHOWN {
        let _ = writeln!(out, "| **{}** | | | |", group.title());
        for setting in SETTINGS.iter().filter(|setting| setting.group == group) {
            let _ = writeln!(
                out,
                "| `--{} {}` | `{}` | `{}` | {} |",
                setting.name,
                setting.form.replace('|', "\\|"),
                setting.variables().collect::<Vec<_>>().join("`, `"),
                setting.default,
                setting.meaning
            );
        }
    }
    out.push_str("\nVariables of the reference that are no options here:\n\n");
    for (name, why) in FOREIGN {
        let _ = writeln!(out, "- `{name}`: accepted and unused; {why}.");
    }
    out
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::*;

    #[test]
    fn the_document_has_the_table_of_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        let text = fs::read_to_string(path).expect("the document is readable");
        let (before, rest) = text.split_once(BEGIN).expect("the document has the first marker");
        let (found, after) = rest.split_once(END).expect("the document has the second marker");
        let wanted = format!("\n{}", options_table());
        if env::var_os("ESS_BLESS").is_some() {
            let blessed = format!("{before}{BEGIN}{wanted}{END}{after}");
            fs::write(path, blessed).expect("the document is writable");
        } else {
            assert!(found == wanted, "run: ESS_BLESS=1 cargo test --lib config::readme");
        }
    }
}
