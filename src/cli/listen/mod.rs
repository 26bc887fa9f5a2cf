//! `ess listen`: prints events, and keeps its place through lost connections.
//!
//! One connection after the other: [`link`] speaks, [`position`] knows where in the stream we are,
//! [`print`] writes, [`backoff`] says how long to wait. Here is decided what an ending means.

mod link;
mod location;
mod position;
mod print;

use std::time::{Duration, Instant};

use clap::ArgMatches;

use super::api::Api;
use super::exit::{Exit, Failure, Outcome};
use super::table::cell;
use super::{say, setting, target};
use crate::clock;
use crate::config::parse_duration;
use crate::event::may_return;
use crate::limits::LISTEN_SILENCE_MILLIS_MAX;
use crate::net::backoff;
pub(super) use link::{End, Link};
pub(super) use location::Location;
use location::Start;
use position::{Position, Seen};
use print::Printer;

/// Listens until told to stop.
pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let retry_for = retry_for(matches)?;
    let mut location = locate(matches)?;
    let start = start(matches);
    if let Some(start) = start {
        location.begin_at(start).map_err(|wrong| Failure::new(Exit::Usage, wrong))?;
    }
    let listener = Listener {
        position: Position::at(location.start()),
        printer: Printer::new(matches.get_flag("json")),
        left: matches.get_one::<u64>("count").copied(),
        reconnects: !matches.get_flag("no-reconnect"),
        retry_for,
        location,
    };
    listener.run()
}

fn retry_for(matches: &ArgMatches) -> Result<Option<Duration>, Failure> {
    let text = matches.get_one::<String>("retry-for").map_or("", String::as_str);
    match (text, parse_duration(text)) {
        ("forever", _) => Ok(None),
        (_, Some(duration)) => Ok(Some(duration)),
        _ => {
            let text = text.escape_debug();
            let line = format!("--retry-for: \"{text}\" is not a duration; expected such as 10m");
            Err(Failure::new(Exit::Usage, format!("{line}, or forever")))
        }
    }
}

/// The location that the target means.
fn locate(matches: &ArgMatches) -> Result<Location, Failure> {
    let target = matches.get_one::<String>("target").map_or("", String::as_str);
    let place = setting(matches, "ws", "ESS_WS");
    let usage = |wrong: String| Failure::new(Exit::Usage, wrong);
    if target.contains("://") {
        return Location::parse(target).map_err(usage);
    }
    if target::is_uuid(target) {
        let place = place.as_deref().unwrap_or("ws://localhost:8080");
        return Location::of(place, target).map_err(usage);
    }
    let found = target::find(&Api::of(matches)?, target)?;
    Location::at(place.as_deref(), &found.location).map_err(usage)
}

fn start(matches: &ArgMatches) -> Option<Start> {
    let ordinal = || matches.get_one("ordinal").copied().map(Start::Ordinal);
    let timestamp = || matches.get_one("timestamp").copied().map(Start::Timestamp);
    let datetime = || matches.get_one("datetime").cloned().map(Start::Datetime);
    ordinal().or_else(timestamp).or_else(datetime)
}

const SILENCE: Duration = Duration::from_millis(LISTEN_SILENCE_MILLIS_MAX);

struct Listener {
    location: Location,
    position: Position,
    printer: Printer,
    /// Events still to print, when they are counted.
    left: Option<u64>,
    reconnects: bool,
    retry_for: Option<Duration>,
}

/// What to do after a connection ended.
enum Next {
    Finish(Outcome),
    /// Come back, because of this.
    Return(String),
}

impl Listener {
    fn run(mut self) -> Outcome {
        let mut failures = 0;
        let mut lost_at: Option<Instant> = None;
        let mut connected = false;
        loop {
            let mut heard = false;
            let end = match Link::open(&self.location, SILENCE) {
                Ok(mut link) => {
                    connected = true;
                    let end = self.listen(&mut link);
                    heard = link.heard();
                    end
                }
                Err(end) => Err(Stop::Ended(end)),
            };
            let why = match self.judge(end, connected) {
                Next::Finish(outcome) => return outcome,
                Next::Return(why) => why,
            };
            if heard {
                (failures, lost_at) = (0, None);
            }
            let now = clock::monotonic();
            let lost_for = now.duration_since(*lost_at.get_or_insert(now));
            if self.retry_for.is_some_and(|most| lost_for >= most) {
                return Err(Failure::new(Exit::Unreachable, format!("{why}; given up")));
            }
            let wait = backoff::wait(failures);
            failures += 1;
            say(&format!("{why}; again in {} ms{}", wait.as_millis(), self.position));
            pause(wait);
            self.location.resume(&self.position);
        }
    }

    /// Prints what one connection brings, to its end.
    fn listen(&mut self, link: &mut Link) -> Result<(), Stop> {
        loop {
            let text = match link.next(&mut || self.printer.flush()) {
                Ok(text) => text,
                Err(link::Ending::Output(fault)) => return Err(Stop::Output(fault)),
                Err(link::Ending::End(end)) => return Err(Stop::Ended(end)),
            };
            let mark = position::mark(&text);
            match self.position.take(mark.ordinal) {
                Seen::Next => {}
                Seen::Gap(first, last) if first == last => {
                    self.tell(&format!("gap: ordinal {first} is missing"))?;
                }
                Seen::Gap(first, last) => {
                    self.tell(&format!("gap: ordinals {first}..{last} are missing"))?;
                }
                Seen::Before => continue,
            }
            self.printer.print(&text, &mark).map_err(Stop::Output)?;
            if let Some(left) = &mut self.left {
                *left -= 1;
                if *left == 0 {
                    self.printer.flush().map_err(Stop::Output)?;
                    link.leave();
                    return Ok(());
                }
            }
        }
    }

    /// A remark about the events, in its place among them.
    fn tell(&mut self, line: &str) -> Result<(), Stop> {
        self.printer.flush().map_err(Stop::Output)?;
        say(line);
        Ok(())
    }

    fn judge(&mut self, end: Result<(), Stop>, connected: bool) -> Next {
        let end = match end {
            Ok(()) => return Next::Finish(Ok(Exit::Done)),
            Err(Stop::Output(fault)) => return Next::Finish(Err(Failure::output(&fault))),
            Err(Stop::Ended(end)) => end,
        };
        if let Err(fault) = self.printer.flush() {
            return Next::Finish(Err(Failure::output(&fault)));
        }
        let (verdict, why) = verdict(end, connected);
        match verdict {
            None if self.reconnects => Next::Return(why),
            None => Next::Finish(Err(Failure::new(Exit::Unreachable, why))),
            Some(exit) => Next::Finish(Err(Failure::new(exit, why))),
        }
    }
}

/// Why one connection's events ended.
enum Stop {
    /// The connection did.
    Ended(End),
    /// Nobody takes what we print.
    Output(std::io::Error),
}

/// What an ending means (`None`: coming back can help), and what is said of it.
fn verdict(end: End, connected: bool) -> (Option<Exit>, String) {
    match end {
        End::Closed(code, reason) => {
            let text = cell(&reason);
            let text = if text.is_empty() { "no reason given".into() } else { text };
            let exit = match code {
                1000 if reason.starts_with("Connect for unknown") => Some(Exit::Unknown),
                1000 => Some(Exit::Ended),
                // What a consumer asked for was wrong.
                1002 => Some(Exit::Usage),
                _ if may_return(code) => None,
                _ => Some(Exit::Failed),
            };
            (exit, format!("closed by the service ({code}): {text}"))
        }
        End::Refused(status, reason) => {
            let exit = match status {
                429 | 500..=599 => None,
                _ => Some(Exit::Failed),
            };
            (exit, format!("refused by the service ({status}): {}", cell(&reason)))
        }
        End::Unreachable(why) => ((!connected).then_some(Exit::Unreachable), why),
        End::Lost(why) => (None, format!("connection lost: {why}")),
        End::Wrong(why) => (Some(Exit::Failed), why),
    }
}

#[expect(clippy::disallowed_methods, reason = "a client command has no shard to block")]
fn pause(wait: Duration) {
    std::thread::sleep(wait);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_is_final_or_worth_coming_back() {
        let exit = |code, reason: &str| verdict(End::Closed(code, reason.into()), true).0;
        assert_eq!(exit(1000, "Connect for unknown EventStream x"), Some(Exit::Unknown));
        assert_eq!(exit(1000, "The stream has been deleted"), Some(Exit::Ended));
        assert_eq!(exit(1002, "stream_from_ordinal must be an integer"), Some(Exit::Usage));
        assert_eq!(exit(1008, ""), Some(Exit::Failed));
        for code in [1001, 1006, 1011, 1012, 1013] {
            assert_eq!(exit(code, "later"), None, "{code}");
        }
        let refused = |status| verdict(End::Refused(status, String::new()), true).0;
        assert_eq!((refused(503), refused(404)), (None, Some(Exit::Failed)));
    }

    #[test]
    fn a_service_that_was_never_there_is_not_waited_for() {
        let never = verdict(End::Unreachable("refused".into()), false).0;
        let before = verdict(End::Unreachable("refused".into()), true).0;
        assert_eq!((never, before), (Some(Exit::Unreachable), None));
        assert_eq!(verdict(End::Lost("reset".into()), true).0, None);
    }

    #[test]
    fn a_reason_can_not_speak_to_the_terminal() {
        let (_, text) = verdict(End::Closed(1000, "a\x1b[2J\n".into()), true);
        assert_eq!(text, "closed by the service (1000): a\\u{1b}[2J\\n");
    }
}
