//! Is it up, is it ready, and if not, why: the answers to probes.
//!
//! ```text
//! {"status":"ready","parts":{"shard 0":{"status":"ok"},"store":{"status":"ok"}}}
//! {"status":"not ready","parts":{…,"store":{"status":"trouble","reason":"RabbitMQ can't be …"}}}
//! ```

use crate::proto::http::{Response, json_string};

/// What a probe asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Probe {
    /// Does the process work at all? Slow to fail: a restart must be what helps.
    Live,
    /// Should clients be sent here? Fast to fail: not while it stops, nor without its store.
    Ready,
    /// Has it started?
    Started,
}

/// What was found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Health {
    /// Each part, by its name, and what is wrong with it.
    pub parts: Vec<(String, Option<String>)>,
}

impl Health {
    /// Adds a part.
    pub fn part(&mut self, name: impl Into<String>, trouble: Option<String>) {
        self.parts.push((name.into(), trouble));
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.parts.iter().all(|(_, trouble)| trouble.is_none())
    }
}

/// The answer to a probe: 200 when all is well, else 503.
#[must_use]
pub fn answer(probe: Probe, health: &Health) -> Response {
    let (well, ill) = match probe {
        Probe::Live => ("alive", "not alive"),
        Probe::Ready => ("ready", "not ready"),
        Probe::Started => ("started", "not started"),
    };
    let (code, status) = if health.is_well() { (200, well) } else { (503, ill) };
    let parts: Vec<_> = health
        .parts
        .iter()
        .map(|(name, trouble)| {
            let name = json_string(name);
            match trouble {
                None => format!("{name}:{{\"status\":\"ok\"}}"),
                Some(why) => {
                    format!("{name}:{{\"status\":\"trouble\",\"reason\":{}}}", json_string(why))
                }
            }
        })
        .collect();
    let body = format!("{{\"status\":\"{status}\",\"parts\":{{{}}}}}", parts.join(","));
    Response::json(code, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_in_trouble_is_enough_and_says_why() {
        let mut health = Health::default();
        health.part("shard 0", None);
        let told = |probe, health: &Health| {
            let response = answer(probe, health);
            (response.status(), String::from_utf8(response.body().to_vec()).unwrap())
        };
        let well = r#"{"status":"ready","parts":{"shard 0":{"status":"ok"}}}"#;
        assert_eq!(told(Probe::Ready, &health), (200, well.into()));
        health.part("store", Some("\"away\"".into()));
        let (status, body) = told(Probe::Live, &health);
        assert_eq!(status, 503);
        assert!(body.starts_with(r#"{"status":"not alive","#), "{body}");
        assert!(body.ends_with(r#""store":{"status":"trouble","reason":"\"away\""}}}"#), "{body}");
        assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
    }
}
