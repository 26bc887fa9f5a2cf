//! Reading a stream's history for a consumer: from the store, or at the root.

use crate::event::{Cursor, Ordinal};
use crate::store::{ReadError, Reader, Reading, Store, StreamStore};

use super::branch::RootReader;
use super::home::Home;

/// A reader of a stream's history, wherever the store is.
pub(super) enum HistoryReader<S: Store> {
    /// The store is here.
    Here(<<S as Store>::Stream as StreamStore>::Reader),
    /// It is at the root.
    Root(RootReader),
}

impl<S: Store> HistoryReader<S> {
    /// One that begins at `from`; `None` while the stream is being opened.
    pub(super) fn new(home: &Home<S>, from: Cursor) -> Option<Self> {
        match (home.store(), home.trunk()) {
            (Some(store), _) => Some(Self::Here(store.reader(from))),
            (None, Some(trunk)) => Some(Self::Root(trunk.reader(from))),
            (None, None) => None,
        }
    }

    /// As [`Reader::cursor`].
    pub(super) fn cursor(&self) -> Cursor {
        match self {
            Self::Here(reader) => reader.cursor(),
            Self::Root(reader) => reader.cursor(),
        }
    }

    /// The oldest event that is retained, as far as the reader knows.
    pub(super) fn floor(&self, home: &Home<S>) -> Option<Ordinal> {
        match self {
            Self::Here(_) => home.store().map(|store| store.bounds().floor),
            Self::Root(reader) => Some(reader.floor()),
        }
    }

    /// As [`Reader::ready`].
    pub(super) async fn ready(&mut self) -> Result<(), ReadError> {
        match self {
            Self::Here(reader) => reader.ready().await,
            Self::Root(reader) => reader.ready().await,
        }
    }

    /// As [`Reader::read`].
    pub(super) async fn read(&mut self, bytes_max: usize) -> Result<Reading, ReadError> {
        match self {
            Self::Here(reader) => reader.read(bytes_max).await,
            Self::Root(reader) => reader.read(bytes_max).await,
        }
    }
}
