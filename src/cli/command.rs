//! The tree of commands and flags, and their help.
//!
//! The flags of `serve` come from the table of options and carry their texts on unread:
//! [`crate::config`] reads them, with the environment and the file. They are accepted before the
//! word `serve` too, and without it.

mod streams;

use std::ffi::OsString;
use std::ops::RangeInclusive;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, builder::NonEmptyStringValueParser};

use super::exit;
use crate::config::Flags;
use crate::config::options::{Arity, Group, SETTINGS};
use crate::limits::{
    BENCH_CONSUMERS_MAX, BENCH_EVENT_BYTES_MAX, BENCH_EVENT_BYTES_MIN, BENCH_RATE_MAX,
};

/// The whole command line.
pub(super) fn tree() -> Command {
    Command::new("ess")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Durable event streams, pushed to very many WebSocket clients.")
        .override_usage("ess [FLAGS OF SERVE]\n       ess <COMMAND> [ARGUMENTS]")
        .after_help(format!("{EXAMPLES}\n\n{}", exit::table()))
        .args(serving().into_iter().map(|arg| arg.hide(true)))
        .subcommands([serve(), publish(), listen(), streams::tree(), bench(), health(), check()])
        .subcommands([backup(), verify(), restore()])
        .max_term_width(100)
}

const EXAMPLES: &str = "\
Examples:
  ess                                        start the service, events in ./data
  ess --data-dir /var/lib/ess --shards 4     start it with flags of serve
  ess streams create weather                 make an event stream for a routing key
  ess publish weather 'it rains'             publish an event; prints its ordinal
  ess listen weather -o 0                    print all events kept, then new ones
  ess bench                                  how fast a running service is, from outside
  ess backup /backups/monday                 copy the data directory, also while ess runs
  ess check                                  what is configured, and what is wrong with it
  ess help listen                            more about a command";

/// The flags of the service that were given, before or behind the subcommand's name; the latter
/// are stronger.
pub(super) fn flags(levels: &[&ArgMatches]) -> Flags {
    let given = |name: &'static str| {
        let texts = levels.iter().find_map(|level| level.get_many::<String>(name));
        texts.map(|texts| (name, texts.cloned().collect()))
    };
    SETTINGS.iter().filter_map(|setting| given(setting.name)).collect()
}

/// The name of the configuration file, if it was given as a flag.
pub(super) fn config_file(levels: &[&ArgMatches]) -> Option<String> {
    levels.iter().find_map(|level| level.get_one::<String>("config")).cloned()
}

fn serving() -> Vec<Arg> {
    let mut args = vec![
        Arg::new("config")
            .long("config")
            .value_name("FILE")
            .help("TOML file with any of these options, by the names of the flags [ESS_CONFIG]"),
    ];
    for setting in SETTINGS {
        let default = if setting.default.is_empty() { "none" } else { setting.default };
        let variables: Vec<_> = setting.variables().collect();
        let help = format!("{} [{}; default {default}]", setting.meaning, variables.join(", "));
        let arg = Arg::new(setting.name)
            .long(setting.name)
            .value_name(setting.form)
            .help(help)
            .help_heading(setting.group.title())
            .hide(setting.group == Group::Hidden);
        args.push(match setting.arity {
            Arity::One => arg.action(ArgAction::Set),
            Arity::Many => arg.action(ArgAction::Append),
            Arity::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("yes"),
        });
    }
    args
}

fn serve() -> Command {
    Command::new("serve")
        .about("Start the service (also without this word)")
        .long_about(
            "Starts the service in the foreground; SIGTERM or Ctrl-C stops it cleanly.\n\nEvery \
             option can be a flag, an environment variable or a key of a TOML file, in this order \
             of strength. `ess check` with the same flags shows what would be in effect.",
        )
        .args(serving())
        .after_help(
            "Durations: 500ms, 5s, 10m, 2h, 7d. Sizes: 512, 64KiB, 10MB, 1GiB. Switches: yes, \
             no.\n\nExamples:\n  ess serve --public-addr 0.0.0.0:80 --log-dir -\n  \
             ESS_INGRESS_SECURE=yes ess serve --ingress-location ess.example.com\n  \
             ess serve --config /etc/ess.toml",
        )
}

fn check() -> Command {
    Command::new("check")
        .about("Show the configuration in effect, where each value came from, and what is wrong")
        .long_about(
            "Takes the flags of serve and shows what it would run with: each option, its value, \
             and whether that came from a flag, the environment, the file or the defaults. Then \
             says what would keep it from starting, and exits with 1 when something would. \
             Creates nothing. A running ess takes the ports: that shows too.",
        )
        .override_usage("ess check [FLAGS OF SERVE]")
        .args(serving().into_iter().map(|arg| arg.hide(true)))
        .after_help(
            "Examples:\n  ess check --config /etc/ess/ess.toml\n  \
             (set -a; . /etc/ess/environment; ess check)",
        )
}

/// The flags of serve, which say where the data directory is.
fn placing() -> impl Iterator<Item = Arg> {
    serving().into_iter().map(|arg| {
        let shown = arg.get_id() == "data-dir" || arg.get_id() == "config";
        arg.hide(!shown)
    })
}

fn backup() -> Command {
    Command::new("backup")
        .about("Copy the data directory, also while the service runs")
        .long_about(
            "Copies the database and all logs of the data directory to a new directory, which is \
             there once all of it was read back, every checksum, and is durable. Every event that \
             was acknowledged before is in it. Prints a line a log: routing key, first ordinal, \
             next ordinal, bytes. Changes nothing in the data directory, and needs the right to \
             read it.\n\nThe backup is a data directory itself; ess restore proves it and copies \
             it back. Exits with 1 when there is no backup, or the data directory is damaged.",
        )
        .arg(name("target", "TARGET", "The backup: a directory that isn't there yet"))
        .args(placing())
        .after_help("Example:\n  ess backup --data-dir /var/lib/ess /backups/$(date +%F)")
}

fn verify() -> Command {
    Command::new("verify")
        .about("Read a backup or a data directory, every checksum of it")
        .long_about(
            "Reads a backup, or a data directory (a service may be running on it), from end to end \
             and changes nothing. Prints a line a log: routing key, first ordinal, next ordinal, \
             bytes. Then says what is lost or damaged, and exits with 1 when something is.",
        )
        .arg(
            name("folder", "FOLDER", "What to read; the data directory when nothing is named")
                .required(false),
        )
        .args(placing())
        .after_help("Example:\n  ess verify /backups/monday")
}

fn restore() -> Command {
    Command::new("restore")
        .about("Put a backup back into an empty data directory")
        .long_about(
            "Reads the backup, every checksum, and copies it into the data directory, which must \
             be empty or not there, with no service running. As root, what is made belongs to the \
             directory's owner. An interrupted restore is begun anew by the same command; until \
             then ess serve refuses to start there.",
        )
        .arg(name("backup", "BACKUP", "What ess backup made"))
        .arg(switch("damaged", "Restore what there is, also of a backup that isn't whole"))
        .args(placing())
        .after_help("Example:\n  ess restore --data-dir /var/lib/ess /backups/monday")
}

fn health() -> Command {
    Command::new("health")
        .about("Ask a running service how it is")
        .long_about(
            "Asks whether clients should be sent to it (/readyz), or with --live whether the \
             process works at all (/livez). Exits with 0 when all is well; else says what is \
             wrong and exits with 1, or with 3 when nothing answers.",
        )
        .args([api(), switch("live", "Only whether the process works, not its store")])
        .after_help("Example, in a Dockerfile:\n  HEALTHCHECK CMD [\"ess\", \"health\"]")
}

fn api() -> Arg {
    Arg::new("api")
        .long("api")
        .value_name("URL")
        .help("Internal API of the service [ESS_API; default http://localhost:8081]")
}

/// What a command is about, by its place; has to be there.
fn name(id: &'static str, form: &'static str, help: &'static str) -> Arg {
    Arg::new(id).required(true).value_name(form).help(help)
}

fn json(help: &'static str) -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help(help)
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn publish() -> Command {
    Command::new("publish")
        .about("Publish events and print their ordinals")
        .long_about(
            "Publishes to the stream of a routing key, which needs an event stream (see --create).\
             \n\nWith TEXT, its words joined by a space are one event, kept byte for byte, \
             newlines included. Without, or with -, each line of standard input that is not empty \
             is an event, sent on as soon as there is no more to read, many at a time when there \
             is. The ordinal of each event is printed once it is stored, one a line. The first \
             failure ends it and names its lines; those before are stored.",
        )
        .arg(name("routing_key", "ROUTING_KEY", "The stream's routing key"))
        .arg(
            name("text", "TEXT", "One event; - or nothing: standard input")
                .required(false)
                .num_args(0..),
        )
        .arg(json("The events are JSON: checked before they are sent"))
        .arg(
            switch("whole", "All of standard input is one event, newlines included")
                .conflicts_with("text"),
        )
        .arg(switch("create", "Make an event stream when the routing key has none"))
        .arg(switch("quiet", "Print no ordinals").short('q'))
        .arg(api())
        .after_help(
            "Examples:\n  ess publish weather it rains\n  ess publish --json weather \
             '{\"temperature\":7}'\n  tail -f log | ess publish --quiet log\n  \
             ess publish --whole weather < report.txt",
        )
}

fn listen() -> Command {
    Command::new("listen")
        .about("Print events as they come, and from history")
        .long_about(
            "Prints each event as it is received, one a line (an event with newlines takes more; \
             see --json). A lost connection is made anew, after a wait that grows from 0.25 s to \
             10 s, and goes on behind the last event printed. Missing ordinals are told on \
             standard error: `gap: ordinals 5..9 are missing`.",
        )
        .arg(name(
            "target",
            "TARGET",
            "A location (ws://…), the uuid of an event stream, or a routing key, which is looked \
             up through the internal API",
        ))
        .args(starts())
        .group(ArgGroup::new("start").args(["ordinal", "timestamp", "datetime"]))
        .arg(
            Arg::new("count")
                .short('n')
                .long("count")
                .value_name("N")
                .value_parser(clap::value_parser!(u64).range(1..))
                .help("End after N events"),
        )
        .arg(json(
            "Print an object a line: {\"ordinal\":2,\"timestamp\":1746042171620,\"text\":\"…\"}, \
             or \"json\":{…} in place of the text for an event that is JSON; a value that the \
             event does not carry is null",
        ))
        .arg(switch("no-reconnect", "End with exit code 3 when the connection is lost"))
        .arg(
            Arg::new("retry-for")
                .long("retry-for")
                .value_name("DURATION|forever")
                .default_value("1d")
                .hide_default_value(true)
                .help("Give a lost connection up after so long [default 1d]"),
        )
        .arg(ws("Public port of the service [ESS_WS; default ws://localhost:8080]"))
        .arg(api())
        .after_help(
            "Examples:\n  ess listen weather\n  ess listen weather -o 0 --count 10\n  \
             ess listen ws://localhost:8080/event-stream/8f2c… -d '1 May 2025 9:30+02:00'\n  \
             ess listen weather --json | jq .text",
        )
}

fn ws(help: &'static str) -> Arg {
    Arg::new("ws").long("ws").value_name("URL").help(help)
}

fn bench() -> Command {
    let number = |name: &'static str, range: RangeInclusive<u64>, default: &'static str| {
        let parser = clap::value_parser!(u64).range(range);
        let arg = Arg::new(name).long(name).value_name("N").value_parser(parser);
        arg.default_value(default).hide_default_value(true)
    };
    Command::new("bench")
        .about("Measure a running service from outside: latency to consumers, durable publishing")
        .long_about(
            "Makes an event stream of its own, connects consumers, publishes at a fixed rate, and \
             prints how long events took from when they were due: until they were stored, until a \
             consumer had them, until the last consumer had them. The stream is deleted at the \
             end, also after Ctrl-C. Bounded, so that it can run beside other work: at most 1,000 \
             consumers, 100,000 deliveries a second, five minutes. Exits with 1 when an event is \
             missing at a consumer.",
        )
        .args([
            number("consumers", 1..=BENCH_CONSUMERS_MAX, "100")
                .short('n')
                .help("Consumers [default 100]"),
            number("rate", 1..=BENCH_RATE_MAX, "100").help("Events a second [default 100]"),
            number("bytes", BENCH_EVENT_BYTES_MIN..=BENCH_EVENT_BYTES_MAX, "256")
                .help("Bytes of an event [default 256]"),
            Arg::new("time")
                .long("time")
                .value_name("DURATION")
                .default_value("10s")
                .hide_default_value(true)
                .help("How long to publish, at most 5m [default 10s]"),
            switch("declare", "Make the stream in RabbitMQ too, and take it away there"),
            json("Print an object; times in milliseconds"),
            ws("Public port of the service [ESS_WS; default: the one in the locations given out]"),
            api(),
        ])
        .after_help(
            "Examples:\n  ess bench\n  ess bench --consumers 1000 --rate 20 --time 1m\n  \
             ess bench --api http://ess:8081 --ws ws://ess:8080 --json | jq .due_to_consumer_ms",
        )
}

/// Where `listen` begins.
fn starts() -> [Arg; 3] {
    [
        Arg::new("ordinal")
            .short('o')
            .long("ordinal")
            .value_name("N")
            .value_parser(|text: &str| {
                text.parse::<u64>().map_err(|_| "expected a whole number, 0 for all that are kept")
            })
            .help("Begin with the first event after ordinal N; 0: all that are kept"),
        Arg::new("timestamp")
            .short('t')
            .long("timestamp")
            .value_name("MS")
            .allow_hyphen_values(true)
            .value_parser(|text: &str| {
                text.parse::<i64>().map_err(|_| "expected milliseconds since 1970, a whole number")
            })
            .help("Begin with the first event at this time, in milliseconds since 1970 UTC"),
        Arg::new("datetime")
            .short('d')
            .long("datetime")
            .value_name("TEXT")
            .value_parser(NonEmptyStringValueParser::new())
            .help("Begin with the first event at this time, such as '2025-04-30 19:20'"),
    ]
}

/// What is wrong with a command line, in one line, and whose help would have told.
pub(super) fn complaint(fault: &clap::Error, line: impl Iterator<Item = OsString>) -> String {
    let text = fault.render().to_string();
    let mut parts = Vec::new();
    for paragraph in text.split("\n\n") {
        let words: Vec<_> = paragraph.split_whitespace().map(without_login).collect();
        match words.as_slice() {
            ["Usage:", ..] | ["For", "more", "information,", ..] | [] => {}
            ["error:" | "tip:", rest @ ..] | rest => parts.push(rest.join(" ")),
        }
    }
    parts.push(format!("see {} --help", addressed(line)));
    parts.join("; ")
}

/// The command that a command line is for, as it is typed.
fn addressed(line: impl Iterator<Item = OsString>) -> String {
    let tree = tree();
    let (mut command, mut typed) = (&tree, String::from("ess"));
    for word in line.skip(1) {
        let Some(inner) = word.to_str().and_then(|word| command.find_subcommand(word)) else {
            // The flags of serve may stand before a command.
            continue;
        };
        command = inner;
        typed = format!("{typed} {}", inner.get_name());
    }
    typed
}

/// A word of a complaint, unless it is a URL with a login in it: a broker's, without its flag.
fn without_login(word: &str) -> &str {
    if word.contains("://") && word.contains('@') { "'***'" } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<ArgMatches, clap::Error> {
        tree().try_get_matches_from(line.split(' '))
    }

    fn flags_of(line: &str) -> Flags {
        let root = parse(line).expect("is right");
        match root.subcommand() {
            Some((_, inner)) => flags(&[inner, &root]),
            None => flags(&[&root]),
        }
    }

    #[test]
    fn the_tree_is_sound() {
        tree().debug_assert();
    }

    #[test]
    fn flags_of_serve_stand_anywhere() {
        let wanted: Flags = vec![("exclusive", vec!["yes".into()]), ("shards", vec!["2".into()])];
        assert_eq!(flags_of("ess --shards 2 --exclusive"), wanted);
        assert_eq!(flags_of("ess serve --shards 2 --exclusive=yes"), wanted);
        assert_eq!(flags_of("ess --shards 2 serve --exclusive"), wanted);
        assert_eq!(flags_of("ess --shards 3 check --shards 2 --exclusive"), wanted);
        assert_eq!(flags_of("ess"), vec![]);
    }

    #[test]
    fn every_option_is_a_flag() {
        for setting in SETTINGS {
            let line = format!("ess --{}={}", setting.name, setting.default);
            assert_eq!(flags_of(&line), vec![(setting.name, vec![setting.default.into()])]);
        }
    }

    #[test]
    fn a_repeated_list_is_one_list_and_a_repeated_value_a_fault() {
        let both = flags_of("ess --allow-origin a --allow-origin b");
        assert_eq!(both, vec![("allow-origin", vec!["a".into(), "b".into()])]);
        assert!(parse("ess --shards 1 --shards 2").is_err());
    }

    #[test]
    fn a_complaint_is_one_line_with_a_way_out() {
        let complaint = |line: &str| {
            complaint(&parse(line).expect_err("is wrong"), line.split(' ').map(OsString::from))
        };
        assert_eq!(
            complaint("ess --publc-addr 1"),
            "unexpected argument '--publc-addr' found; a similar argument exists: \
             '--public-addr'; see ess --help"
        );
        assert_eq!(
            complaint("ess publish"),
            "the following required arguments were not provided: <ROUTING_KEY>; see ess \
             publish --help"
        );
        assert_eq!(
            complaint("ess serve amqp://u:secret@h/"),
            "unexpected argument '***' found; see ess serve --help"
        );
        assert_eq!(
            complaint("ess listen a -o x"),
            "invalid value 'x' for '--ordinal <N>': expected a whole number, 0 for all that are \
             kept; see ess listen --help"
        );
        for (wrong, help) in [
            ("ess lisen a", "ess"),
            ("ess listen a -o 1 -t 2", "ess listen"),
            ("ess --shards 2 streams create", "ess streams create"),
            ("ess streams x", "ess streams"),
        ] {
            let line = complaint(wrong);
            assert!(!line.contains('\n'), "{line}");
            assert!(line.ends_with(&format!("; see {help} --help")), "{line}");
        }
    }

    #[test]
    fn starts_exclude_each_other_and_take_negative_times() {
        assert!(parse("ess listen a -t -5").is_ok());
        assert!(parse("ess listen a -d x -t 5").is_err());
        assert!(parse("ess listen a -n 0").is_err());
        assert!(parse("ess listen a -n 1").is_ok());
    }
}
