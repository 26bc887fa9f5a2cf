//! What comes out of the queue.

use std::sync::mpsc::Sender;
use std::thread;

use super::*;
use crate::limits::LOG_MESSAGE_BYTES_MAX;

/// Keeps lines instead of writing them.
struct Kept(Sender<String>);

impl Log for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.send(record.args().to_string()).expect("the test listens");
    }

    fn flush(&self) {}
}

fn moment() -> Timestamp {
    Timestamp::from_millis(1_746_040_837_123)
}

fn say(front: &Front, level: Level, message: &str) {
    let args = format_args!("{message}");
    front.log(&Record::builder().level(level).target("t").args(args).build());
}

/// Writes what is in the queue; the front must be gone.
fn written(back: Back) -> Vec<String> {
    let (sender, lines) = mpsc::channel();
    back.run(&Kept(sender), &Faults::default());
    let message = |line: String| match line.split_once(" t ") {
        Some((_, message)) => message.to_owned(),
        None => line,
    };
    lines.iter().map(message).collect()
}

#[test]
fn order_is_kept() {
    let (front, back) = queue(LevelFilter::Info, LogFormat::Text, moment);
    for number in 0..1_000 {
        say(&front, Level::Info, &number.to_string());
    }
    drop(front);
    let expected: Vec<_> = (0..1_000).map(|number| number.to_string()).collect();
    assert_eq!(written(back), expected);
}

#[test]
fn below_the_level_nothing_is_queued() {
    let (front, back) = queue(LevelFilter::Warn, LogFormat::Text, moment);
    say(&front, Level::Info, "no");
    say(&front, Level::Warn, "yes");
    drop(front);
    assert_eq!(written(back), ["yes"]);
}

#[test]
fn the_level_can_be_changed_and_is_changed_for_everybody() {
    let (front, back) = queue(LevelFilter::Info, LogFormat::Text, moment);
    let other = front.clone();
    other.set_level(LevelFilter::Debug);
    say(&front, Level::Debug, "yes");
    other.set_level(LevelFilter::Off);
    say(&front, Level::Error, "no");
    assert_eq!(front.configured(), LevelFilter::Info);
    drop((front, other));
    assert_eq!(written(back), ["yes"]);
}

#[test]
fn a_full_queue_drops_counts_and_tells() {
    let (front, back) = queue(LevelFilter::Info, LogFormat::Text, moment);
    let long = "x".repeat(LOG_MESSAGE_BYTES_MAX);
    let each = size_of::<Item>() + 1 + long.len();
    let fitting = LOG_QUEUE_BYTES_MAX / 4 * 3 / each;
    for _ in 0..fitting + 5 {
        say(&front, Level::Info, &long);
    }
    assert_eq!(front.load.dropped.load(Ordering::Relaxed), 5);
    // What went wrong still gets in, right behind the place of the dropped ones.
    say(&front, Level::Warn, "trouble");
    say(&front, Level::Warn, "more trouble");
    drop(front);
    let lines = written(back);
    assert_eq!(lines.len(), fitting + 3);
    assert!(
        lines[fitting]
            .ends_with("WARN ess::log 5 log records were dropped here: the queue was full")
    );
    assert_eq!(lines[fitting + 1..], ["trouble", "more trouble"]);
}

#[test]
fn errors_are_bounded_too() {
    let (front, back) = queue(LevelFilter::Info, LogFormat::Text, moment);
    let long = "x".repeat(LOG_MESSAGE_BYTES_MAX);
    let fitting = LOG_QUEUE_BYTES_MAX / (size_of::<Item>() + 1 + long.len());
    for _ in 0..fitting + 1 {
        say(&front, Level::Error, &long);
    }
    assert_eq!(front.load.dropped.load(Ordering::Relaxed), 1);
    assert!(front.load.bytes.load(Ordering::Relaxed) <= LOG_QUEUE_BYTES_MAX);
    drop(front);
    assert_eq!(written(back).len(), fitting);
}

#[test]
fn room_comes_back_and_a_flush_tells_what_nobody_else_did() {
    let (front, back) = queue(LevelFilter::Info, LogFormat::Text, moment);
    let load = Arc::clone(&front.load);
    let (sender, lines) = mpsc::channel();
    let long = "x".repeat(LOG_MESSAGE_BYTES_MAX);
    while load.dropped.load(Ordering::Relaxed) == 0 {
        say(&front, Level::Info, &long);
    }
    let writer = thread::spawn(move || back.run(&Kept(sender), &Faults::default()));
    assert!(front.flush(), "the writer answers");
    assert_eq!(load.bytes.load(Ordering::Relaxed), 0);
    say(&front, Level::Info, "room again");
    drop(front);
    writer.join().expect("the writer ends with its last front");
    let lines: Vec<_> = lines.iter().collect();
    let [.., told, last] = lines.as_slice() else { panic!("lines are missing") };
    assert!(told.contains("1 log records were dropped here"), "{told}");
    assert!(last.ends_with("room again"), "{last}");
}

#[test]
fn a_flush_without_a_writer_says_no() {
    let (front, back) = queue(LevelFilter::Info, LogFormat::Text, moment);
    drop(back);
    say(&front, Level::Info, "nobody listens");
    assert!(!front.flush());
}
