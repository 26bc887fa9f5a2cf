//! RabbitMQ's stream protocol, the client's side.

pub mod chunk;
