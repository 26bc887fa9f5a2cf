//! The registry on real files.

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

fn name(text: &str) -> StreamName {
    StreamName::new(text).unwrap()
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn open(&self) -> Registry {
        Registry::open(&self.path()).unwrap()
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("event-streams.db")
    }
}

#[test]
fn what_is_created_is_there_after_a_restart() {
    let place = Place::new();
    let mut registry = place.open();
    let first = registry.create(&name("abc")).unwrap();
    let second = registry.create(&name("abc")).unwrap();
    assert_eq!((first.id, second.id), (1, 2));
    assert_ne!(first.uuid, second.uuid);
    drop(registry);
    assert_eq!(place.open().list().unwrap(), [first, second]);
}

#[test]
fn an_id_is_never_given_twice() {
    let place = Place::new();
    let mut registry = place.open();
    registry.create(&name("a")).unwrap();
    let newest = registry.create(&name("b")).unwrap();
    registry.delete(newest.id).unwrap().unwrap();
    drop(registry);
    assert_eq!(place.open().create(&name("c")).unwrap().id, newest.id + 1);
}

#[test]
fn only_the_last_event_stream_takes_the_log_with_it() {
    let place = Place::new();
    let mut registry = place.open();
    let first = registry.create(&name("a")).unwrap();
    let second = registry.create(&name("a")).unwrap();
    assert!(!registry.delete(first.id).unwrap().unwrap().last_of_stream);
    assert!(registry.pending_removals().unwrap().is_empty());
    let deleted = registry.delete(second.id).unwrap().unwrap();
    assert_eq!(deleted, Deleted { event_stream: second, last_of_stream: true });
    drop(registry);
    let mut registry = place.open();
    assert_eq!(registry.pending_removals().unwrap(), [name("a")]);
    registry.removed(&name("a")).unwrap();
    assert!(registry.pending_removals().unwrap().is_empty());
    assert_eq!(registry.delete(999).unwrap(), None);
}

#[test]
fn a_database_of_the_reference_opens_as_it_is() {
    let place = Place::new();
    let reference = Connection::open(place.path()).unwrap();
    reference
        .execute_batch(
            "CREATE TABLE es (id INTEGER PRIMARY KEY, uuid TEXT, routing_key TEXT);
             INSERT INTO es (uuid, routing_key) VALUES ('vytxeTZskVKR7C7WgdSP3d', 'old');
             INSERT INTO es (uuid, routing_key) VALUES ('noKeyAtAll00000000000x', NULL);
             INSERT INTO es (uuid, routing_key) VALUES ('emptyKey0000000000000x', '');
             INSERT INTO es (uuid, routing_key) VALUES (NULL, 'x');",
        )
        .unwrap();
    drop(reference);
    let mut registry = place.open();
    let listed = registry.list().unwrap();
    let old = "vytxeTZskVKR7C7WgdSP3d".to_owned();
    assert_eq!(listed, [EventStream { id: 1, uuid: old, routing_key: name("old") }]);
    assert_eq!(registry.create(&name("new")).unwrap().id, 5);
    drop(registry);
    // And the reference reads what we wrote.
    let reference = Connection::open(place.path()).unwrap();
    let insert = "INSERT INTO es (uuid, routing_key) VALUES ('u', 'k')";
    assert_eq!(reference.execute(insert, []).unwrap(), 1);
    let count = "SELECT count(*) FROM es";
    assert_eq!(reference.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 6);
}

#[test]
fn a_routing_key_is_data_and_never_sql() {
    let place = Place::new();
    let mut registry = place.open();
    let nasty = name("'; DROP TABLE es; -- \u{0}\"\n");
    let made = registry.create(&nasty).unwrap();
    assert_eq!(registry.list().unwrap(), [made]);
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let place = Place::new();
    std::fs::write(place.path(), "hello, I am a text file and not small at all".repeat(40))
        .unwrap();
    let fault = Registry::open(&place.path()).unwrap_err().to_string();
    assert!(fault.contains("event-streams.db") && fault.contains("SQLite"), "{fault}");
}
