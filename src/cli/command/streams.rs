//! `ess streams` and its commands: list, create, delete.

use clap::{Arg, Command};

use super::{api, json, name, switch};

/// The command and its commands.
pub(super) fn tree() -> Command {
    Command::new("streams")
        .about("List, create and delete event streams")
        .subcommand_required(true)
        .subcommands([list(), create(), delete()])
        .after_help(
            "Examples:\n  ess streams create weather\n  ess streams list\n  \
             ess streams delete weather",
        )
}

fn list() -> Command {
    Command::new("list")
        .about("Print all event streams: id, routing key, location")
        .long_about(
            "Prints all event streams: a table on a terminal, else one a line with tabs between \
             id, routing key and location.",
        )
        .arg(json("Print an object a line"))
        .arg(api())
        .after_help(
            "Examples:\n  ess streams list\n  ess streams list --json | jq -r .location\n  \
             ess streams list --api http://ess:8081",
        )
}

fn create() -> Command {
    Command::new("create")
        .about("Make an event stream for a routing key; print its id and location")
        .long_about(
            "Makes an event stream for a routing key; prints its id, the key and its location. The \
             same key again makes another address of the same stream.\n\nWith --declare the \
             stream itself is made in RabbitMQ, unless it is there, and bound to the exchange; \
             standard error says what was done. A stream that was made so goes with its last \
             event stream.",
        )
        .arg(name("routing_key", "ROUTING_KEY", "The stream's name, 1 to 255 bytes"))
        .arg(switch("declare", "Make the stream in RabbitMQ too, bound to the exchange"))
        .arg(declaring("retain-age", "DURATION", "It keeps events so long, such as 7d"))
        .arg(declaring("retain-bytes", "SIZE", "It keeps about so much, such as 1GiB"))
        .arg(json("Print an object"))
        .arg(api())
        .after_help(
            "Examples:\n  ess streams create weather\n  \
             location=$(ess streams create weather --json | jq -r .location)\n  \
             ess streams create weather --declare --retain-age 7d --retain-bytes 1GiB",
        )
}

/// What a declared stream keeps.
fn declaring(name: &'static str, form: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(form).requires("declare").help(help)
}

fn delete() -> Command {
    Command::new("delete")
        .about("Delete an event stream; with its routing key's last one go its events")
        .long_about(
            "Deletes an event stream: its location stops working, and its consumers are closed, at \
             once. With the last event stream of a routing key go its events; in RabbitMQ only \
             when ess made the stream, or with --force. Does not ask whether you are sure.",
        )
        .arg(name("target", "TARGET", "The event stream's id, location, uuid or routing key"))
        .arg(switch("all", "Delete all event streams that match the routing key"))
        .arg(switch(
            "force",
            "With its last event stream, delete the stream in RabbitMQ, whoever made it",
        ))
        .arg(api())
        .after_help(
            "Examples:\n  ess streams delete 7\n  ess streams delete weather --all\n  \
             ess streams delete ws://localhost:8080/event-stream/8f2c…",
        )
}
