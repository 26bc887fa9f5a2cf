//! The registry on real files.

use std::fs;

use tempfile::TempDir;

use super::*;

/// A folder with a database path in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("event-streams.db")
    }

    fn open(&self) -> Registry {
        Registry::open(&self.path()).unwrap()
    }

    /// A file as the reference's `sqlite3` module leaves it.
    fn written_by_the_reference(records: &str) -> Self {
        let place = Self::new();
        place.raw().execute_batch(REFERENCE_TABLE).unwrap();
        place.raw().execute_batch(records).unwrap();
        place
    }

    /// Another program at the same file.
    fn raw(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }
}

const REFERENCE_TABLE: &str =
    "CREATE TABLE IF NOT EXISTS es (id INTEGER PRIMARY KEY, uuid TEXT, routing_key TEXT)";

fn key(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

fn removal(name: &str, destroys: bool) -> Removal {
    Removal { routing_key: key(name), destroys }
}

#[test]
fn what_was_created_is_listed_also_after_a_restart() {
    let place = Place::new();
    let mut registry = place.open();
    let created = ["abc", "abc", "'; DROP TABLE es; --", "é\0\n"].map(|name| {
        let one = registry.create(key(name)).unwrap();
        assert_eq!(one.routing_key.as_str(), name);
        one
    });
    assert_eq!(created.each_ref().map(|one| one.id), [1, 2, 3, 4]);
    assert_ne!(created[0].uuid, created[1].uuid);
    assert_eq!(registry.list().unwrap(), created);
    drop(registry);
    assert_eq!(place.open().list().unwrap(), created);
}

#[test]
fn an_address_is_a_random_uuid() {
    let created = Place::new().open().create(key("abc")).unwrap();
    let uuid = uuid::Uuid::parse_str(&created.uuid).unwrap();
    assert_eq!(uuid.get_version_num(), 4);
    assert_eq!(created.uuid, uuid.hyphenated().to_string());
}

#[test]
fn an_id_is_never_given_twice() {
    let place = Place::new();
    let mut registry = place.open();
    for name in ["a", "b", "c"] {
        registry.create(key(name)).unwrap();
    }
    for id in [3, 2, 1] {
        assert!(registry.delete(id, false).unwrap().is_some());
    }
    assert_eq!(registry.create(key("d")).unwrap().id, 4);
    registry.delete(4, false).unwrap();
    drop(registry);
    assert_eq!(place.open().create(key("e")).unwrap().id, 5);
}

#[test]
fn an_id_of_the_reference_is_never_given_again() {
    let records = "INSERT INTO es (uuid, routing_key) VALUES ('u1', 'a'), ('u2', 'b')";
    let place = Place::written_by_the_reference(records);
    let mut registry = place.open();
    registry.delete(2, false).unwrap();
    assert_eq!(registry.create(key("c")).unwrap().id, 3);
    // The reference at work again, behind our back: SQLite gives it the next free id.
    place.raw().execute("INSERT INTO es (uuid, routing_key) VALUES ('u4', 'd')", []).unwrap();
    registry.delete(4, false).unwrap();
    assert_eq!(registry.create(key("e")).unwrap().id, 5);
}

#[test]
fn a_file_of_the_reference_opens_as_it_is() {
    let records = "INSERT INTO es (uuid, routing_key) VALUES
        ('vytxeTZskVKR7C7WgdSP3d', 'abc'), ('nQoHzWBpZgUXhUKhAyqTwQ', 'abc')";
    let place = Place::written_by_the_reference(records);
    let listed = place.open().list().unwrap();
    let expected = [(1, "vytxeTZskVKR7C7WgdSP3d"), (2, "nQoHzWBpZgUXhUKhAyqTwQ")];
    let expected =
        expected.map(|(id, uuid)| EventStream { id, uuid: uuid.into(), routing_key: key("abc") });
    assert_eq!(listed, expected);
}

#[test]
fn records_that_are_none_are_passed_over() {
    let long = "x".repeat(256);
    let place = Place::written_by_the_reference(&format!(
        "INSERT INTO es (id, uuid, routing_key) VALUES
            (1, NULL, 'a'), (2, 'u2', NULL), (3, '', 'a'), (4, 'u4', ''), (5, 'u5', '{long}'),
            (6, X'75', 'a'), (7, 'u7', X'61'), (8, 'u8', CAST(X'FF' AS TEXT)),
            (9, 'good', 'a'), (10, 'good', 'b'), (11, 'better', 'a'), (-3, 'odd', 'a')"
    ));
    let mut registry = place.open();
    let listed = registry.list().unwrap();
    let listed: Vec<_> = listed.iter().map(|one| (one.id, &*one.uuid)).collect();
    assert_eq!(listed, [(-3, "odd"), (9, "good"), (11, "better")]);
    for id in 1..=8 {
        assert_eq!(registry.delete(id, false).unwrap(), None, "{id}");
    }
    assert_eq!(registry.create(key("a")).unwrap().id, 12);
}

#[test]
fn only_the_last_event_stream_takes_its_stream_along() {
    let place = Place::new();
    let mut registry = place.open();
    let [first, second, other] = ["a", "a", "b"].map(|name| registry.create(key(name)).unwrap());
    let deleted = registry.delete(first.id, false).unwrap();
    assert_eq!(deleted, Some(Deleted { event_stream: first.clone(), removal: None }));
    assert_eq!(registry.pending_removals().unwrap(), []);
    let deleted = registry.delete(second.id, false).unwrap();
    assert_eq!(deleted, Some(Deleted { event_stream: second, removal: Some(removal("a", false)) }));
    assert_eq!(registry.pending_removals().unwrap(), [removal("a", false)]);
    assert_eq!(registry.delete(first.id, false).unwrap(), None);
    assert_eq!(registry.list().unwrap(), [other]);
}

#[test]
fn a_removal_is_remembered_until_it_is_done() {
    let place = Place::new();
    let mut registry = place.open();
    for name in ["a", "b"] {
        let one = registry.create(key(name)).unwrap();
        registry.delete(one.id, false).unwrap();
    }
    drop(registry);
    let mut registry = place.open();
    let both = [removal("a", false), removal("b", false)];
    assert_eq!(registry.pending_removals().unwrap(), both);
    let pending = RegistryError::RemovalPending { routing_key: key("a") };
    assert_eq!(registry.create(key("a")), Err(pending));
    registry.removed(&key("a")).unwrap();
    registry.removed(&key("never there")).unwrap();
    assert!(registry.create(key("a")).is_ok());
    drop(registry);
    assert_eq!(place.open().pending_removals().unwrap(), [removal("b", false)]);
}

#[test]
fn only_a_stream_that_was_made_for_us_or_is_forced_is_destroyed() {
    let place = Place::new();
    let mut registry = place.open();
    let ids = ["ours", "theirs", "forced", "shared", "shared"]
        .map(|name| registry.create(key(name)).unwrap().id);
    registry.declared(&key("ours")).unwrap();
    registry.declared(&key("ours")).unwrap();
    let mut destroys = |id, force| {
        let deleted = registry.delete(id, force).unwrap().unwrap();
        deleted.removal.map(|removal| removal.destroys)
    };
    assert_eq!(destroys(ids[0], false), Some(true));
    assert_eq!(destroys(ids[1], false), Some(false));
    assert_eq!(destroys(ids[2], true), Some(true));
    assert_eq!(destroys(ids[3], true), None, "somebody else still needs it");
    assert_eq!(destroys(ids[4], false), Some(false), "that was the other one's wish");
    drop(registry);
    let mut registry = place.open();
    let pending = [("forced", true), ("ours", true), ("shared", false), ("theirs", false)];
    let pending = pending.map(|(name, destroys)| removal(name, destroys));
    assert_eq!(registry.pending_removals().unwrap(), pending);
    // Once it is gone, the next one of that name is nobody's until it is declared again.
    registry.removed(&key("ours")).unwrap();
    let again = registry.create(key("ours")).unwrap();
    let deleted = registry.delete(again.id, false).unwrap().unwrap();
    assert_eq!(deleted.removal, Some(removal("ours", false)));
}

#[test]
fn a_creation_that_is_withdrawn_leaves_its_stream_alone() {
    let place = Place::new();
    let mut registry = place.open();
    let created = registry.create(key("a")).unwrap();
    registry.withdraw(created.id).unwrap();
    assert_eq!(registry.list().unwrap(), []);
    assert_eq!(registry.pending_removals().unwrap(), []);
    let next = registry.create(key("a")).unwrap();
    assert_eq!(next.id, created.id, "nobody was told its id");
    assert_ne!(next.uuid, created.uuid);
    // One that is no longer the last.
    let last = registry.create(key("b")).unwrap();
    registry.withdraw(next.id).unwrap();
    assert_eq!(registry.create(key("a")).unwrap().id, last.id + 1);
}

/// The one file holds what was answered, with nothing beside it: another program that knows only
/// rollback journals reads it, also if we die right now.
#[test]
fn what_was_answered_is_in_the_one_file() {
    let (place, copy) = (Place::new(), Place::new());
    let mut registry = place.open();
    let created = registry.create(key("abc")).unwrap();
    let names: Vec<_> = fs::read_dir(place.0.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    fs::copy(place.path(), copy.path()).unwrap();
    let select = "SELECT uuid FROM es WHERE id = 1 AND routing_key = 'abc'";
    let uuid: String = copy.raw().query_row(select, [], |row| row.get(0)).unwrap();
    assert_eq!(uuid, created.uuid);
    // Bytes 18 and 19 of the header: 1 is the rollback journal (SQLite file format §1.3.3).
    assert_eq!(fs::read(place.path()).unwrap()[18..20], [1, 1]);
}

#[test]
fn an_answer_waits_for_the_disk() {
    let registry = Place::new().open();
    let pragma = |name: &str| {
        registry.connection.query_row(&format!("PRAGMA {name}"), [], |row| {
            row.get_ref(0).map(|value| format!("{value:?}"))
        })
    };
    assert_eq!(pragma("synchronous").unwrap(), "Integer(3)");
    assert!(pragma("journal_mode").unwrap().contains(&format!("{:?}", b"delete")));
}

#[test]
fn a_file_in_write_ahead_mode_is_taken_over() {
    let place = Place::written_by_the_reference("INSERT INTO es VALUES (7, 'u', 'a')");
    place.raw().query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    assert_eq!(place.open().list().unwrap().len(), 1);
    assert_eq!(fs::read(place.path()).unwrap()[18..20], [1, 1]);
}

#[test]
fn a_locked_file_is_told_and_nothing_is_changed() {
    let place = Place::new();
    let mut registry = Registry::open_within(&place.path(), Duration::ZERO).unwrap();
    let created = registry.create(key("a")).unwrap();
    let other = place.raw();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let locked = RegistryError::Locked { path: place.path() };
    assert_eq!(Registry::open_within(&place.path(), Duration::ZERO).unwrap_err(), locked);
    assert_eq!(registry.create(key("b")).unwrap_err(), locked);
    assert_eq!(registry.delete(created.id, false).unwrap_err(), locked);
    assert_eq!(registry.list().unwrap_err(), locked);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(registry.list().unwrap(), [created]);
    assert_eq!(registry.create(key("b")).unwrap().id, 2);
}

#[test]
fn a_change_waits_for_another_program_but_not_for_ever() {
    let registry = Place::new().open();
    let select = "PRAGMA busy_timeout";
    let waits: i64 = registry.connection.query_row(select, [], |row| row.get(0)).unwrap();
    assert_eq!(waits.unsigned_abs(), REGISTRY_BUSY_MS_MAX);
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let place = Place::new();
    let text = "this is a diary, not a database. ".repeat(100);
    fs::write(place.path(), &text).unwrap();
    let fault = Registry::open(&place.path()).unwrap_err();
    assert!(matches!(fault, RegistryError::Damaged { .. }), "{fault}");
    assert!(fault.to_string().contains("event-streams.db"), "{fault}");
    assert_eq!(fs::read_to_string(place.path()).unwrap(), text);
}

#[test]
fn another_table_of_that_name_is_refused() {
    let place = Place::new();
    for columns in ["name TEXT", "id INTEGER PRIMARY KEY", "id INTEGER PRIMARY KEY, uuid TEXT"] {
        let table = format!("DROP TABLE IF EXISTS es; CREATE TABLE es ({columns})");
        place.raw().execute_batch(&table).unwrap();
        let fault = Registry::open(&place.path()).unwrap_err();
        assert!(matches!(fault, RegistryError::Damaged { .. }), "{fault}");
    }
}

#[test]
fn a_damaged_file_is_refused_at_the_start() {
    let place = Place::written_by_the_reference(
        "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 500)
         INSERT INTO es (uuid, routing_key) SELECT n, 'a long routing key that fills pages'
         FROM number",
    );
    assert_eq!(place.open().list().unwrap().len(), 500);
    let mut bytes = fs::read(place.path()).unwrap();
    let third_page = 2 * 4096..3 * 4096;
    bytes[third_page].fill(0xA5);
    fs::write(place.path(), bytes).unwrap();
    let fault = Registry::open(&place.path()).unwrap_err();
    assert!(matches!(fault, RegistryError::Damaged { .. }), "{fault}");
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let place = Place::new();
    let nowhere = place.0.path().join("missing").join("event-streams.db");
    for path in [nowhere.as_path(), place.0.path()] {
        let fault = Registry::open(path).unwrap_err();
        assert!(matches!(fault, RegistryError::Unwritable { .. }), "{fault}");
        assert!(fault.to_string().contains(&path.display().to_string()), "{fault}");
    }
}

#[test]
fn the_last_id_of_all_is_given_once() {
    let place = Place::written_by_the_reference(&format!(
        "INSERT INTO es (id, uuid, routing_key) VALUES ({}, 'u', 'a')",
        i64::MAX - 1
    ));
    let mut registry = place.open();
    assert_eq!(registry.create(key("a")).unwrap().id, i64::MAX);
    let exhausted = RegistryError::Exhausted { path: place.path() };
    assert_eq!(registry.create(key("a")).unwrap_err(), exhausted);
    registry.delete(i64::MAX, false).unwrap();
    assert_eq!(registry.create(key("a")).unwrap_err(), exhausted);
}
