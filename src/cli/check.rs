//! `ess check`: what is configured, where it came from, what is wrong with it.

use std::io::{self, Write};

use super::exit::{Exit, Failure, Outcome};
use super::{say, table};
use crate::config::options::{Arity, Group};
use crate::config::{Choice, Resolved, preflight};

/// Prints the configuration; on standard error, what is wrong with it.
pub(super) fn run(resolved: &Resolved) -> Outcome {
    let text = table::aligned(["OPTION", "VALUE", "FROM"], &rows(resolved));
    io::stdout().write_all(text.as_bytes()).map_err(|fault| Failure::output(&fault))?;
    resolved.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
    let mut problems = resolved.problems.clone();
    if problems.is_empty() {
        // Only values that could be read can be tried.
        problems = preflight::problems(&resolved.config);
    }
    if problems.is_empty() {
        say("nothing is wrong");
        return Ok(Exit::Done);
    }
    Err(Failure { exit: Exit::Failed, lines: problems })
}

fn rows(resolved: &Resolved) -> Vec<[String; 3]> {
    let shown = |choice: &&Choice| choice.setting.group != Group::Hidden;
    let row = |choice: &Choice| {
        let mut value = match choice.setting.arity {
            Arity::Many => choice.texts.join(", "),
            Arity::One | Arity::Switch => choice.texts.concat(),
        };
        if choice.setting.name == "shards" && value == "cores" {
            value = format!("cores ({})", resolved.config.shards);
        }
        if choice.setting.name == "store" && value == "auto" {
            value = format!("auto ({})", resolved.config.store.word());
        }
        [format!("--{}", choice.setting.name), table::cell(&value), choice.origin.to_string()]
    };
    resolved.choices.iter().filter(shown).map(row).collect()
}
