//! Waiting for each other, between tasks of one shard.

mod bell;
mod permits;

pub use bell::Bell;
pub use permits::{Permit, Permits};
