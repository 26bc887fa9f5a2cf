//! What the Rust stream client would write, for `capture.py --rust`. Not a part of the build: see
//! README.md.
//!
//! Prints messages, one a line in hexadecimal. The client itself (0.11) can't speak to RabbitMQ
//! 3.10: it asks for the versions of commands when it connects, and the broker hangs up. Its
//! messages are encoded by this crate of its own.

use rabbitmq_stream_protocol::codec::Encoder;
use rabbitmq_stream_protocol::message::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let messages = [
        Message::builder().body("rust plain").build(),
        Message::builder()
            .body("rust properties")
            .properties()
            .message_id("rust-1".to_owned())
            .subject("subject")
            .content_type("text/plain")
            .message_builder()
            .build(),
        Message::builder()
            .body("rust annotations")
            .message_annotations()
            .insert("x-annotation", "value")
            .message_builder()
            .application_properties()
            .insert("property", "value")
            .message_builder()
            .build(),
        Message::builder().body("").build(),
        Message::builder().body("x".repeat(300)).build(),
    ];
    for message in messages {
        let mut encoded = Vec::new();
        message.encode(&mut encoded).map_err(|error| format!("{error:?}"))?;
        println!("{}", encoded.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }
    Ok(())
}
