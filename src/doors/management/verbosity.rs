//! The body that changes how much is logged: `{"log_level":"debug"}`.

use log::LevelFilter;

use super::creation::{members, required, unusable};
use crate::proto::http::{Head, Response};

/// The level that the body names, in any case.
pub(super) fn read(head: &Head, body: &[u8]) -> Result<LevelFilter, Response> {
    let members = members(head, body)?;
    let word = required(&members, "log_level")?;
    let expected = "expected off, error, warn, info, debug or trace";
    word.parse().map_err(|_| unusable("log_level", expected, word))
}
