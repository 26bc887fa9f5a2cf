//! What has to be in a broker before messages can go round: exchanges and bindings.

use std::sync::Arc;

use amqprs::channel::{ExchangeDeclareArguments, QueueBindArguments};

use super::fault::Fault;
use super::links::{Links, Opened};
use crate::config::ExchangeKind;

/// What is wanted in the broker.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// A durable exchange.
    Exchange { name: Arc<str>, kind: ExchangeKind },
    /// A queue, bound to an exchange.
    Binding { exchange: Arc<str>, queue: Arc<str>, routing_key: Arc<str> },
}

/// Declares it. Fine when it is there, as it is wanted.
pub(super) async fn declare(wanted: &Wanted, links: &Links) -> Result<(), Fault> {
    let opened = links.channel().await?;
    let declared = match wanted {
        Wanted::Exchange { name, kind } => declare_exchange(&opened, name, *kind).await,
        Wanted::Binding { exchange, queue, routing_key } => {
            let bind = QueueBindArguments::new(queue, exchange, routing_key);
            opened.channel.queue_bind(bind).await.map_err(|_| opened.fault())
        }
    };
    opened.close().await;
    declared
}

/// Declares a durable exchange.
pub(super) async fn declare_exchange(
    opened: &Opened,
    name: &str,
    kind: ExchangeKind,
) -> Result<(), Fault> {
    let declare = ExchangeDeclareArguments::new(name, kind.word()).durable(true).finish();
    opened.channel.exchange_declare(declare).await.map_err(|_| opened.fault())
}
