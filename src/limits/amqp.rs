//! The bounds of RabbitMQ by AMQP 0.9.1.

use std::time::Duration;

/// Channels opened on one connection before another is made: half of what a broker allows by
/// default (`channel_max`, 2047), because a channel that the broker closes takes its number along.
pub const AMQP_CHANNELS_MAX: u16 = 1_000;

/// Shortest heartbeat that is asked for, in seconds: amqprs sends one each half of it, rounded
/// down, and 0 is without a pause.
pub const AMQP_HEARTBEAT_SECONDS_MIN: u16 = 2;

/// Channels that publishes spread over, each with one publish under way: by routing key, so that
/// those of one stream stay in order.
pub const AMQP_LANES: usize = 16;

/// Publishes that wait for their lane; whoever brings more waits.
pub const AMQP_LANE_BATCHES_MAX: usize = 16;

/// Messages of a lane that the broker has not confirmed yet: all lanes together stay well below the
/// 8,192 frames that amqprs queues, because a full queue makes it panic when the broker goes.
pub const AMQP_UNCONFIRMED_MAX: usize = 256;

/// Bytes of such messages, unless a single one is larger.
pub const AMQP_UNCONFIRMED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Pause between frames that push out what TLS has kept of a publish (see `store::amqp`).
pub const AMQP_NUDGE_PAUSE: Duration = Duration::from_millis(50);

/// Messages of a queue that are on their way and not acknowledged: bounds what is held of a stream
/// to so many of its largest events, twice.
pub const AMQP_PREFETCH: u16 = 64;

/// Orders that wait for the thread that speaks AMQP; whoever brings more waits.
pub const AMQP_ORDERS_MAX: usize = 256;

/// How long that thread takes at the most to close its connections when the service ends.
pub const AMQP_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
