//! What keeps the service from starting: one clear line, a failure, and nothing created.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::support::{Server, Setup, binary};

#[test]
fn a_wrong_command_line_says_so_and_creates_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    for (args, named) in [
        (&["--no-such-flag"][..], "--no-such-flag"),
        (&["--shards", "many"], "many"),
        (&["--shards", "0"], "shards"),
        (&["--driver", "kqueue"], "kqueue"),
        (&["--fsync", "sometimes"], "sometimes"),
        (&["--event-bytes-max", "huge"], "huge"),
        (&["--public-addr", "nowhere"], "nowhere"),
        (&["--public-addr", &taken, "--internal-addr", "127.0.0.1:0"], &taken),
        (&["--internal-addr", &taken, "--public-addr", "127.0.0.1:0"], &taken),
    ] {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let data = folder.path().join("data");
        let output = Command::new(binary())
            .env_clear()
            .current_dir(folder.path())
            .arg("serve")
            .args(args)
            .arg("--data-dir")
            .arg(&data)
            .stdin(Stdio::null())
            .output()
            .expect("the binary under test runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{args:?} was accepted: {told}");
        assert!(told.contains(named), "{args:?}: a line that names {named}: {told}");
        assert!(!told.contains("panicked"), "{args:?}: {told}");
        let created = fs::read_dir(folder.path()).expect("readable").count();
        assert_eq!(created, 0, "{args:?} created something");
    }
}

#[test]
fn a_data_directory_that_is_a_file_or_taken_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("file");
    fs::write(&file, "not a directory").expect("writable");
    let refused = |data: &std::path::Path| {
        let output = Command::new(binary())
            .env_clear()
            .args(["serve", "--public-addr", "127.0.0.1:0", "--internal-addr", "127.0.0.1:0"])
            .args(["--log-dir", "-", "--data-dir"])
            .arg(data)
            .stdin(Stdio::null())
            .output()
            .expect("the binary under test runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{told}");
        assert!(told.contains(&data.display().to_string()), "a line that names it: {told}");
        assert!(!told.contains("panicked"), "{told}");
    };
    refused(&file);
    assert_eq!(fs::read_to_string(&file).expect("still a file"), "not a directory");

    // Two services over the same events would give out each ordinal twice.
    let data = folder.path().join("data");
    let first = Server::start_in(Setup::USUAL, &data, &[]);
    let stream = first.create("abc");
    refused(&data);
    assert_eq!(first.publish(stream.id, "unharmed").first, 1);
}

#[test]
fn the_log_files_of_the_reference_are_written() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (data, logs) = (folder.path().join("data"), folder.path().join("logs"));
    let logs_flag = logs.display().to_string();
    let server = Server::start_in(Setup::USUAL, &data, &["--log-dir", &logs_flag]);
    let stream = server.create("abc");
    server.publish(stream.id, "not to be logged");
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
    let read = |name: &str| fs::read_to_string(logs.join(name)).expect("a log file");
    let (all, access) = (read("es.log"), read("access.log"));
    assert!(all.contains("ready: "), "{all}");
    assert!(access.contains("POST /event-stream/"), "{access}");
    assert!(!all.contains("not to be logged") && !access.contains("not to be logged"));
}
