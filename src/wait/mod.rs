//! Waiting for each other, between tasks of one shard.

mod bell;
mod permits;
mod race;

pub use bell::Bell;
pub use permits::{Permit, Permits};
pub use race::unless;
