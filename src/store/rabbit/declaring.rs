//! Streams made and deleted in the broker, for sites without an Account Server.

use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};

use super::Shared;
use super::fault::Fault;
use crate::event::StreamName;
use crate::proto::rabbit::{Code, request};
use crate::store::amqp::Fault as AmqpFault;
use crate::store::{Declaration, DeclareError, Declared, StoreError};

impl Shared {
    /// Makes the stream where there is none, and binds it to the exchange.
    pub(super) async fn declare(
        &self,
        name: &StreamName,
        declaration: &Declaration,
    ) -> Result<Declared, DeclareError> {
        let arguments = arguments(declaration);
        let create = |correlation| request::create_stream(correlation, name.as_str(), &arguments);
        let created = match self.command(create).await.map_err(|fault| declaring(&fault))? {
            Code::OK => true,
            Code::STREAM_EXISTS => false,
            // It is there with other arguments; where none are asked for, it is as it is wanted.
            Code::PRECONDITION_FAILED if arguments.is_empty() => false,
            Code::PRECONDITION_FAILED => return Err(DeclareError::Differs),
            code => return Err(declaring(&Fault::Told(code))),
        };
        let exchange: Arc<str> = self.broker.exchange().into();
        if let Err(fault) = self.bind(&exchange, name).await {
            if created && let Err(left) = self.destroy(name).await {
                warn!("{name}: made in the broker, but can't be bound, and is left there: {left}");
            }
            return Err(fault.declaring());
        }
        let how = if created { "made" } else { "was there" };
        info!("{name}: {how} in the broker, bound to exchange {exchange:?}");
        Ok(Declared { created, exchange })
    }

    async fn bind(&self, exchange: &str, name: &StreamName) -> Result<(), AmqpFault> {
        self.amqp.declare_exchange(exchange, self.broker.exchange_kind).await?;
        self.amqp.bind(exchange, name.as_str(), name.as_str()).await
    }

    /// Deletes the stream and all that is in it. Fine when there is none.
    pub(super) async fn destroy(&self, name: &StreamName) -> Result<(), StoreError> {
        let delete = |correlation| request::delete_stream(correlation, name.as_str());
        match self.command(delete).await {
            Ok(Code::OK) => {
                info!("{name}: deleted in the broker");
                Ok(())
            }
            Ok(Code::STREAM_DOES_NOT_EXIST) => Ok(()),
            Ok(code) => Err(StoreError(Fault::Told(code).to_string().into())),
            Err(fault) => Err(StoreError(fault.to_string().into())),
        }
    }

    async fn command(&self, request: impl FnOnce(u32) -> Vec<u8>) -> Result<Code, Fault> {
        self.pool.any().await?.command(request).await
    }
}

/// The arguments of a stream (`rabbit_stream_queue`); ages are written in seconds.
fn arguments(declaration: &Declaration) -> Vec<(&'static str, String)> {
    let age = declaration.age.map(|age: Duration| ("max-age", format!("{}s", age.as_secs())));
    let bytes = declaration.bytes.map(|bytes| ("max-length-bytes", bytes.to_string()));
    age.into_iter().chain(bytes).collect()
}

fn declaring(fault: &Fault) -> DeclareError {
    let text = fault.to_string().into();
    match fault {
        Fault::Unreachable { .. } | Fault::Refused { .. } | Fault::Lost(_) => {
            DeclareError::Unreachable(text)
        }
        Fault::Missing | Fault::Told(_) | Fault::Closed => DeclareError::Failed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_written_as_the_broker_reads_it() {
        let week = Duration::from_secs(7 * 24 * 60 * 60);
        let both = Declaration { age: Some(week), bytes: Some(1 << 30) };
        let expected = [("max-age", "604800s".into()), ("max-length-bytes", "1073741824".into())];
        assert_eq!(arguments(&both), expected);
        assert!(arguments(&Declaration::default()).is_empty());
    }
}
