//! The log of a whole process: started once, written by many threads, and by a panic.

use std::fs;
use std::thread;

use ess::observe::logging;
use log::LevelFilter;

#[test]
fn threads_keep_their_order_and_a_panic_leaves_its_message() {
    assert!(logging::flush(), "before the start there is nothing to wait for");
    log::info!("before the start nobody listens");
    let folder = tempfile::tempdir().expect("a temporary folder");
    logging::start(Some(folder.path()), LevelFilter::Info).expect("the log starts");
    logging::install_panic_hook();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            thread::spawn(move || {
                (0..50).for_each(|number| log::info!("thread {thread} says {number}"));
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("logging doesn't panic");
    }
    let dying = thread::Builder::new().name("shard-7".into());
    let dying = dying.spawn(|| panic!("two\nlines")).expect("a thread");
    dying.join().expect_err("it panics");
    // No flush here: the hook has done it.
    let text = fs::read_to_string(folder.path().join("es.log")).expect("readable");
    for thread in 0..4 {
        let own = format!(" thread {thread} says ");
        let numbers: Vec<_> = text.lines().filter_map(|line| line.split_once(&own)).collect();
        assert!(numbers.iter().enumerate().all(|(i, (_, number))| *number == i.to_string()));
        assert_eq!(numbers.len(), 50);
    }
    let last = text.lines().last().expect("a last line");
    assert!(last.contains("Z ERROR panic thread shard-7 panicked at tests/logging_process.rs:"));
    assert!(last.ends_with(": two\\nlines"), "{last}");
    assert!(!text.contains("before the start"));
    assert!(logging::start(None, LevelFilter::Info).is_err(), "a process has one log");
    assert!(logging::flush());
}
