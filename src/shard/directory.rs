//! The event streams the service knows, as each shard sees them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::event::StreamName;
use crate::registry::EventStream;

/// One shard's copy of the registry.
#[derive(Debug, Default)]
pub(super) struct Directory {
    by_id: BTreeMap<i64, Arc<EventStream>>,
    by_uuid: HashMap<String, Arc<EventStream>>,
    /// Oldest first; none is empty.
    by_name: HashMap<StreamName, Vec<Arc<EventStream>>>,
}

impl Directory {
    /// Takes in what the registry holds.
    pub(super) fn new(event_streams: impl IntoIterator<Item = Arc<EventStream>>) -> Self {
        let mut directory = Self::default();
        for event_stream in event_streams {
            directory.insert(event_stream);
        }
        directory
    }

    pub(super) fn insert(&mut self, event_stream: Arc<EventStream>) {
        self.by_uuid.insert(event_stream.uuid.clone(), Arc::clone(&event_stream));
        let same = self.by_name.entry(event_stream.routing_key.clone()).or_default();
        same.push(Arc::clone(&event_stream));
        same.sort_by_key(|one| one.id);
        self.by_id.insert(event_stream.id, event_stream);
    }

    pub(super) fn remove(&mut self, event_stream: &EventStream) {
        self.by_uuid.remove(&event_stream.uuid);
        self.by_id.remove(&event_stream.id);
        if let Entry::Occupied(mut same) = self.by_name.entry(event_stream.routing_key.clone()) {
            same.get_mut().retain(|one| one.id != event_stream.id);
            if same.get().is_empty() {
                same.remove();
            }
        }
    }

    pub(super) fn by_uuid(&self, uuid: &str) -> Option<Arc<EventStream>> {
        self.by_uuid.get(uuid).cloned()
    }

    pub(super) fn by_id(&self, id: i64) -> Option<Arc<EventStream>> {
        self.by_id.get(&id).cloned()
    }

    /// All, oldest first.
    pub(super) fn all(&self) -> Vec<Arc<EventStream>> {
        self.by_id.values().cloned().collect()
    }

    /// Those that lead to the stream `name`, oldest first.
    pub(super) fn of_stream(&self, name: &StreamName) -> Vec<Arc<EventStream>> {
        self.by_name.get(name).cloned().unwrap_or_default()
    }

    /// How many streams are behind them.
    pub(super) fn streams(&self) -> usize {
        self.by_name.len()
    }

    /// The names of the streams behind them, each once.
    pub(super) fn names(&self) -> Vec<StreamName> {
        let mut names: Vec<_> = self.by_name.keys().cloned().collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event_stream(id: i64, uuid: &str, key: &str) -> Arc<EventStream> {
        let routing_key = StreamName::new(key).unwrap();
        Arc::new(EventStream { id, uuid: uuid.into(), routing_key })
    }

    #[test]
    fn both_ways_in_lead_to_the_same_and_end_together() {
        let (one, two) = (event_stream(1, "u1", "b"), event_stream(2, "u2", "b"));
        let mut directory = Directory::new([Arc::clone(&two), Arc::clone(&one)]);
        assert_eq!(directory.all(), [Arc::clone(&one), Arc::clone(&two)], "oldest first");
        assert_eq!(directory.names().len(), 1, "one stream behind two addresses");
        assert_eq!(directory.by_uuid("u2"), directory.by_id(2));
        let key = &one.routing_key;
        assert_eq!(directory.of_stream(key), directory.all());
        assert_eq!(directory.streams(), 1);
        directory.remove(&one);
        assert_eq!((directory.by_uuid("u1"), directory.by_id(1)), (None, None));
        assert_eq!(directory.all(), [Arc::clone(&two)]);
        assert_eq!(directory.of_stream(key), [Arc::clone(&two)]);
        directory.remove(&two);
        assert_eq!((directory.streams(), directory.names()), (0, Vec::new()));
    }
}
