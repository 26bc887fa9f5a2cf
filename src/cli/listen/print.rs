//! Events on standard output, as they are or as objects.
//!
//! ```text
//! {"ordinal":2,"timestamp":1746042171620,"text":"it rains"}
//! {"ordinal":3,"timestamp":1746042171625,"json":{"ess_ordinal":3,"ess_timestamp":…,"a":1}}
//! ```
//!
//! `text` is the event as it was published; `json` is it as received, members added. An object is
//! one line whatever the event holds. What is printed waits in a buffer until [`Printer::flush`]:
//! whoever waits for the next event calls it first.

use std::io::{self, BufWriter, Stdout, Write};

use super::position::Mark;

/// Prints events.
pub(super) struct Printer<W: Write = Stdout> {
    out: BufWriter<W>,
    json: bool,
}

impl Printer {
    pub(super) fn new(json: bool) -> Self {
        Self { out: BufWriter::with_capacity(BUFFER_BYTES, io::stdout()), json }
    }
}

impl<W: Write> Printer<W> {
    /// Prints an event.
    pub(super) fn print(&mut self, text: &str, mark: &Mark) -> io::Result<()> {
        if self.json {
            return self.object(text, mark);
        }
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// Gives out what is buffered.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn object(&mut self, text: &str, mark: &Mark) -> io::Result<()> {
        let number = |number: Option<u64>| number.map_or_else(|| "null".into(), |n| n.to_string());
        let (ordinal, timestamp) = (number(mark.ordinal), number(mark.timestamp));
        write!(self.out, "{{\"ordinal\":{ordinal},\"timestamp\":{timestamp},")?;
        if mark.json {
            // Outside of a string a line's end is only space, and inside JSON has none.
            let line = text.replace(['\n', '\r'], " ");
            writeln!(self.out, "\"json\":{line}}}")
        } else {
            self.out.write_all(b"\"text\":")?;
            serde_json::to_writer(&mut self.out, text.get(..mark.text_len).unwrap_or(text))?;
            self.out.write_all(b"}\n")
        }
    }
}

/// As much as a pipe takes at once.
const BUFFER_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::position::mark;
    use super::*;

    fn printed(text: &str, json: bool) -> String {
        let mut printer = Printer { out: BufWriter::new(Vec::new()), json };
        printer.print(text, &mark(text)).expect("a vector takes all");
        let bytes = printer.out.into_inner().expect("a vector takes all");
        String::from_utf8(bytes).expect("is text")
    }

    #[test]
    fn events_are_printed_as_received() {
        let text = "it rains|ordinal: 7|timestamp: 9";
        assert_eq!(printed(text, false), format!("{text}\n"));
    }

    #[test]
    fn objects_carry_ordinal_timestamp_and_event() {
        assert_eq!(
            printed("it \"rains\"\n|ordinal: 7|timestamp: 9", true),
            "{\"ordinal\":7,\"timestamp\":9,\"text\":\"it \\\"rains\\\"\\n\"}\n"
        );
        assert_eq!(
            printed("{\"ess_ordinal\":7,\"ess_timestamp\":9,\n \"a\":1}", true),
            "{\"ordinal\":7,\"timestamp\":9,\"json\":\
             {\"ess_ordinal\":7,\"ess_timestamp\":9,  \"a\":1}}\n"
        );
        assert_eq!(
            printed("old", true),
            "{\"ordinal\":null,\"timestamp\":null,\"text\":\"old\"}\n"
        );
    }

    proptest! {
        #[test]
        fn any_event_is_one_line_of_json(text: String, ordinal: u64) {
            let line = printed(&format!("{text}|ordinal: {ordinal}|timestamp: 0"), true);
            prop_assert_eq!(line.matches('\n').count(), 1);
            let value: Value = serde_json::from_str(&line).expect("is JSON");
            prop_assert_eq!(&value["text"], &Value::from(text));
            prop_assert_eq!(&value["ordinal"], &Value::from(ordinal));
        }
    }
}
