//! The log of a whole process: started once, written by many threads, and by a panic.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, panic, thread};

use ess::config::LogFormat;
use ess::observe::logging;
use log::LevelFilter;

#[test]
fn threads_keep_their_order_and_a_panic_leaves_its_message() {
    assert!(logging::flush(), "before the start there is nothing to wait for");
    log::info!("before the start nobody listens");
    let folder = tempfile::tempdir().expect("a temporary folder");
    logging::start(Some(folder.path()), LevelFilter::Info, LogFormat::Text)
        .expect("the log starts");
    // The hook that is there before runs last: by then the message must be in the file.
    let seen = Arc::new(AtomicBool::new(false));
    let (noted, file) = (Arc::clone(&seen), folder.path().join("es.log"));
    panic::set_hook(Box::new(move |_| {
        let text = fs::read_to_string(&file).expect("readable");
        noted.store(text.contains("two\\nlines"), Ordering::Relaxed);
    }));
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
    // So many lines that the writer is still busy when the panic comes.
    let busy = || (0..5_000).for_each(|number| log::info!(target: logging::ACCESS, "{number}"));
    let dying = dying.spawn(move || {
        busy();
        panic!("two\nlines")
    });
    let dying = dying.expect("a thread");
    dying.join().expect_err("it panics");
    assert!(seen.load(Ordering::Relaxed), "the hook waits for the writer");
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
    assert!(
        logging::start(None, LevelFilter::Info, LogFormat::Text).is_err(),
        "a process has one log"
    );
    assert!(logging::flush());
    the_level_goes_up_and_down(&folder.path().join("es.log"));
}

/// In the same process: it has one log.
#[expect(clippy::expect_used, reason = "a test may stop on what it did not expect")]
fn the_level_goes_up_and_down(file: &Path) {
    log::debug!("too much at first");
    logging::toggle_debug("a test");
    assert_eq!(logging::level(), LevelFilter::Debug);
    log::debug!("now it is wanted");
    logging::toggle_debug("a test");
    assert_eq!(logging::level(), LevelFilter::Info);
    log::debug!("too much again");
    logging::set_level(LevelFilter::Error, "a test");
    log::warn!("too much now");
    assert!(logging::flush());
    let text = fs::read_to_string(file).expect("readable");
    assert!(text.contains("now it is wanted") && !text.contains("too much"), "{text}");
    for told in ["debug now, info before (a test)", "info now, debug", "error now, info"] {
        assert!(text.contains(told), "{told}");
    }
}
