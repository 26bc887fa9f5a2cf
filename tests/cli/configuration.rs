//! `ess check`, `ess serve` up to its start, and what is said of wrong usage.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use super::{ess, run};

/// `ess` in an empty folder, on ports nobody has.
fn inside(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = ess(arguments);
    command
        .current_dir(folder)
        .env("ESS_PUBLIC_ADDR", "127.0.0.1:0")
        .env("ESS_INTERNAL_ADDR", "127.0.0.1:0");
    command
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).expect("readable").count() == 0
}

#[test]
fn check_shows_each_value_and_where_it_came_from() {
    let folder = folder();
    fs::write(folder.path().join("ess.toml"), "# ours\nfsync = \"never\"\n").expect("writable");
    let mut command = inside(folder.path(), &["check", "--config", "ess.toml", "--drain=1s"]);
    let done = run(command.env("ESS_RETAIN_AGE", "30d").env("ESS_RETAINAGE", "1d"));
    let rows: Vec<Vec<_>> = done
        .out
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    for row in [
        ["OPTION", "VALUE", "FROM"],
        ["--drain", "1s", "flag"],
        ["--retain-age", "30d", "environment ESS_RETAIN_AGE"],
        ["--fsync", "never", "ess.toml, line 2"],
        ["--log-level", "info", "default"],
    ] {
        assert!(rows.iter().any(|found| found == &row), "{row:?} in {}", done.out);
    }
    assert_eq!(done.code, Some(0));
    assert_eq!(
        done.err,
        "ess: warning: ESS_RETAINAGE is no variable of ess and does nothing; did you mean \
         ESS_RETAIN_AGE?\ness: nothing is wrong\n"
    );
}

#[test]
fn check_tells_everything_that_is_wrong_and_creates_nothing() {
    let folder = folder();
    let mut command = inside(folder.path(), &["check", "--shards", "0", "--data-dir", "d"]);
    let done = run(command.env("ESS_DRAIN", "soon").env("ESS_AMPQ_URL", "amqp://u:secret/@h/"));
    assert_eq!(done.code, Some(1));
    let said: Vec<_> = done.err.lines().collect();
    assert_eq!(said.len(), 3, "{}", done.err);
    assert!(
        said[0].starts_with("ess: --amqp-url (environment ESS_AMPQ_URL): \"***\" has an @ or #")
    );
    assert!(said[1].starts_with("ess: --shards: \"0\" is not a number of shards; expected"));
    assert!(
        said[2].starts_with("ess: --drain (environment ESS_DRAIN): \"soon\" is not a duration")
    );
    assert!(!done.err.contains("secret") && !done.out.contains("secret"));
    assert!(is_empty(folder.path()));
}

#[test]
fn check_shows_the_broker_without_its_password() {
    let folder = folder();
    let url = "amqp://user:secret@host/as?heartbeat=90";
    let done = run(inside(folder.path(), &["check"]).env("ESS_AMPQ_URL", url));
    let row = done.out.lines().find(|line| line.starts_with("--amqp-url ")).expect("a row");
    assert!(row.contains(" amqp://user:***@host/as?heartbeat=90 "), "{row}");
    assert!(row.ends_with("environment ESS_AMPQ_URL"), "{row}");
    let store = done.out.lines().find(|line| line.starts_with("--store ")).expect("a row");
    assert!(store.contains(" auto (rabbitmq) "), "{store}");
    assert_eq!((done.code, done.err.as_str()), (Some(0), "ess: nothing is wrong\n"));
    let flag = run(&mut inside(folder.path(), &["check", "--amqp-url", url]));
    assert!(flag.err.starts_with("ess: warning: --amqp-url: a password on the command line"));
    for said in [done.out, done.err, flag.out, flag.err] {
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn serve_refuses_what_check_finds_before_anything_is_created() {
    let folder = folder();
    for line in ["--shards 0", "serve --shards 0", "--shards 0 serve", "serve --config none.toml"] {
        let arguments: Vec<_> = line.split(' ').collect();
        let done = run(&mut inside(folder.path(), &arguments));
        assert_eq!((done.code, done.err.lines().count()), (Some(2), 1), "{}", done.err);
    }
    let refused = run(inside(folder.path(), &[]).env("ESS_AMQP_URL", "http://h/"));
    assert_eq!((refused.code, refused.err.lines().count()), (Some(2), 1), "{}", refused.err);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = listener.local_addr().expect("it is bound").to_string();
    let done = run(&mut inside(folder.path(), &["--public-addr", &taken]));
    assert_eq!((done.code, done.err.lines().count()), (Some(1), 1), "{}", done.err);
    assert!(done.err.contains("is taken; stop what listens there"), "{}", done.err);
    assert!(is_empty(folder.path()));
}

#[test]
fn a_folder_that_is_a_file_is_told() {
    let folder = folder();
    fs::write(folder.path().join("f"), "").expect("writable");
    let done = run(&mut inside(folder.path(), &["--data-dir", "f/data", "--log-dir", "f"]));
    assert_eq!(done.code, Some(1));
    let said: Vec<_> = done.err.lines().collect();
    assert_eq!(
        said,
        [
            "ess: --data-dir f/data: can't be made in f: not a folder; choose another",
            "ess: --log-dir f: not a folder; choose another",
        ]
    );
}

#[test]
fn wrong_usage_is_one_line() {
    for (line, wanted) in [
        ("--publc-addr x", "'--public-addr'"),
        ("lisen x", "'listen'"),
        ("serve extra", "unexpected argument 'extra'"),
        ("listen", "required arguments"),
        ("streams", "requires a subcommand"),
        ("listen x -o -1", "-1"),
        ("--shards 2 publish key x", "--shards is a flag of ess serve"),
    ] {
        let arguments: Vec<_> = line.split(' ').collect();
        let done = run(&mut ess(arguments));
        assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{line}");
        assert!(done.err.contains(wanted), "{}", done.err);
        assert!(done.err.starts_with("ess: ") && done.err.lines().count() == 1, "{}", done.err);
    }
}

#[test]
fn help_teaches_and_goes_to_standard_output() {
    for (line, wanted) in [
        ("--help", &["Examples:", "Exit codes:", "listen "][..]),
        ("help serve", &["--public-addr", "ESS_PUBLIC_ADDR", "Storage:", "0.0.0.0:8080"]),
        ("help listen", &["Examples:", "--ordinal", "gap: ordinals 5..9"]),
        ("help publish", &["Examples:", "--create", "--whole"]),
        ("streams --help", &["list", "create", "delete"]),
        ("--version", &["ess 4."]),
    ] {
        let done = run(&mut ess(line.split(' ')));
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{line}");
        for word in wanted {
            assert!(done.out.contains(word), "{word} in the help of {line}");
        }
    }
    assert!(!run(&mut ess(["help", "serve"])).out.contains("--echo"), "not for operators");
}
