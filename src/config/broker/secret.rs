//! A text that must not be seen by accident.
//!
//! Neither `Debug` nor `Display` shows it. It is not wiped from memory: it stands in the process'
//! environment anyway.

use std::fmt;

/// A password.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being seen.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for whoever has to be told.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_told_to_nobody_who_does_not_ask() {
        let secret = Secret::new("guess".into());
        assert_eq!((format!("{secret}"), format!("{secret:#?}")), ("***".into(), "***".into()));
        assert_eq!(secret.expose(), "guess");
    }
}
