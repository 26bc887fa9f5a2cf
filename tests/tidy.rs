//! Checks on the code itself, as an ordinary test: no script, no extra tool.
//!
//! Layers point one way; every module says what it is; nothing is too long to read on one screen.

#![expect(clippy::expect_used, reason = "a test may stop on a broken checkout")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first. A module may use its own layer and the ones before it. `proto` knows no event.
const LAYERS: &[&str] = &[
    "checksum", "limits", "event", "clock", "config", "meter", "enrich", "proto", "net", "wait",
    "store", "sim", "hub", "registry", "backup", "census", "doors", "observe", "shard", "cli",
];
const LINE_CHARS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
/// Above `#[cfg(test)]` only: a test may block, sleep and unwrap.
const BANNED: &[(&str, &str)] =
    &[("todo!", "finish it"), ("Instant::now()", "take `now` from the caller or crate::clock")];

#[test]
fn tidy() {
    let mut faults = Vec::new();
    for path in rust_files(Path::new("src")) {
        let text = fs::read_to_string(&path).expect("a source file is readable");
        let mut fault = |line: usize, what: String| {
            faults.push(format!("{}:{line}: {what}", path.display()));
        };
        check_file(&path, &text, &mut fault);
    }
    assert!(faults.is_empty(), "untidy:\n{}", faults.join("\n"));
}

fn check_file(path: &Path, text: &str, fault: &mut dyn FnMut(usize, String)) {
    if !text.starts_with("//!") {
        fault(1, "a module begins by saying what it is (`//!`)".into());
    }
    if text.lines().count() > FILE_LINES_MAX {
        fault(1, format!("more than {FILE_LINES_MAX} lines: split by noun"));
    }
    let own_layer = layer_of(path);
    let mut functions = Vec::new();
    let mut in_tests = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        in_tests |= line == "#[cfg(test)]";
        if line.chars().count() > LINE_CHARS_MAX {
            fault(number, format!("line over {LINE_CHARS_MAX} characters"));
        }
        for (banned, instead) in BANNED {
            if !in_tests && line.contains(banned) && !path.ends_with("clock.rs") {
                fault(number, format!("`{banned}`: {instead}"));
            }
        }
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if let Some((start, lines)) = function_ends(&mut functions, number, code, indent)
            && lines > FUNCTION_LINES_MAX
        {
            fault(start, format!("function over {FUNCTION_LINES_MAX} lines"));
        }
        if !code.starts_with("//") {
            for (place, _) in line.match_indices("crate::") {
                let used = &line[place + "crate::".len()..];
                let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next();
                let used = used.and_then(|used| LAYERS.iter().position(|layer| *layer == used));
                if used > own_layer && own_layer.is_some() {
                    fault(number, "an arrow points up the layers (see LAYERS)".into());
                }
            }
        }
    }
    if let Some((start, _)) = functions.first() {
        fault(*start, "the end of this function can't be found".into());
    }
}

/// The first line and the length of the function that ends with this line. Those that it lies in
/// are in `open`: where each begins, and how far it is indented.
fn function_ends(
    open: &mut Vec<(usize, usize)>,
    number: usize,
    code: &str,
    indent: usize,
) -> Option<(usize, usize)> {
    let mut words = code.split(' ').skip_while(|word| {
        let (modifier, _) = word.split_once('(').unwrap_or((word, ""));
        matches!(modifier, "pub" | "const" | "async" | "unsafe" | "extern" | "\"C\"")
    });
    if words.next() == Some("fn") {
        open.push((number, indent));
    }
    // A signature without a body, all on one line, or the end of what began so far left.
    let (start, depth) = *open.last()?;
    let ends = match code.chars().last()? {
        ';' => start == number || indent == depth && code.starts_with(')'),
        '}' => indent == depth,
        _ => false,
    };
    ends.then(|| open.pop().map(|_| (start, number + 1 - start)))?
}

#[test]
fn functions_are_measured_however_they_begin_and_wherever_they_are() {
    let text = "\
pub(super) async fn one(
    first: u8,
) -> u8
where
    u8: Copy,
{
    fn inner() {
        // fn
    }
    const fn empty() {}
    struct Held {
        call: fn(u8),
    }
}
trait Several {
    fn bare(&self);
    fn several(
        &self,
    ) -> u8;
    fn body(&self) -> u8 {
        match 1 {
            _ => 2,
        }
    }
}";
    let (mut open, mut seen) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let code = line.trim_start();
        seen.extend(function_ends(&mut open, index + 1, code, line.len() - code.len()));
    }
    assert_eq!(seen, [(7, 3), (10, 1), (1, 14), (16, 1), (17, 3), (20, 5)]);
    assert!(open.is_empty(), "{open:?}");
}

/// The layer of `src/<layer>/...` or `src/<layer>.rs`.
fn layer_of(path: &Path) -> Option<usize> {
    let first = path.components().nth(1)?.as_os_str().to_str()?;
    let first = first.strip_suffix(".rs").unwrap_or(first);
    LAYERS.iter().position(|layer| *layer == first)
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a source folder is readable") {
        let path = entry.expect("a folder entry is readable").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}
