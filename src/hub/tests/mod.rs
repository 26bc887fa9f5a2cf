//! Delivery against a naive model: a list of events, each with its frame.
//!
//! Bounds are tiny, so that every boundary of a chunk, an entry and the budget is met all the time.

mod consumer;
mod delivery;
mod follow;
mod model;
mod poison;
mod properties;
mod tail;
