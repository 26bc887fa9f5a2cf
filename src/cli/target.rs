//! What a person may call an event stream: its id, its location, its uuid or its routing key.

use uuid::Uuid;

use super::api::{Api, EventStream};
use super::exit::{Exit, Failure};
use super::table::cell;

/// Those of `all` that a person may mean by `target`: the one at this location or with this uuid,
/// or else all with this routing key.
pub(super) fn matching<'a>(all: &'a [EventStream], target: &str) -> Vec<&'a EventStream> {
    let by_address = all.iter().find(|one| one.location == target || uuid_of(one) == target);
    match by_address {
        Some(one) => vec![one],
        None => all.iter().filter(|one| one.routing_key == target).collect(),
    }
}

/// The event stream to publish to or listen to: any of a routing key's is as good as the others.
pub(super) fn find(api: &Api, target: &str) -> Result<EventStream, Failure> {
    let all = api.list()?;
    matching(&all, target).first().map(|one| (*one).clone()).ok_or_else(|| unknown(target))
}

pub(super) fn unknown(target: &str) -> Failure {
    let target = cell(target);
    Failure::new(
        Exit::Unknown,
        format!(
            "no event stream has the routing key, uuid or location \"{target}\"; make one \
                 with: ess streams create '{target}'"
        ),
    )
}

/// Whether this is a uuid as we give them out: then it needs no looking up.
pub(super) fn is_uuid(target: &str) -> bool {
    target.len() == Uuid::nil().hyphenated().to_string().len() && Uuid::try_parse(target).is_ok()
}

/// The last part of a location. An old service's are not in a uuid's form.
fn uuid_of(one: &EventStream) -> &str {
    one.location.rsplit_once('/').map_or("", |(_, uuid)| uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(id: u64, uuid: &str, routing_key: &str) -> EventStream {
        let location = format!("ws://localhost:8080/event-stream/{uuid}");
        EventStream { id, location, routing_key: routing_key.into() }
    }

    #[test]
    fn an_address_means_one_and_a_routing_key_all_of_its() {
        let all = [one(1, "u1", "a"), one(2, "u2", "b"), one(3, "u3", "a"), one(4, "u4", "u1")];
        let ids =
            |target: &str| -> Vec<_> { matching(&all, target).iter().map(|one| one.id).collect() };
        assert_eq!(ids("a"), [1, 3]);
        assert_eq!(ids("u2"), [2]);
        assert_eq!(ids("u1"), [1], "an address is stronger than a routing key");
        assert_eq!(ids("ws://localhost:8080/event-stream/u3"), [3]);
        assert!(ids("c").is_empty() && ids("").is_empty());
    }

    #[test]
    fn a_uuid_is_known_by_its_form() {
        assert!(is_uuid("8f2c1f5e-96a2-4b4e-9d4c-1f1b6a3c2d1e"));
        for other in ["weather", "8f2c1f5e96a24b4e9d4c1f1b6a3c2d1e", "", "vytxeTZskVKR7C7WgdSP3d"] {
            assert!(!is_uuid(other), "{other}");
        }
    }
}
