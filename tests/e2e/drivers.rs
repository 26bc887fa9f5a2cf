//! io_uring may be refused: by a container's profile, or for want of locked memory.

use crate::support::{Foreign, Library, Server};

/// EPERM (Docker, containerd), ENOSYS (podman), ENOMEM (`ulimit -l`).
const REFUSALS: [i32; 3] = [1, 38, 12];

#[test]
fn where_io_uring_is_refused_epoll_serves_and_one_line_says_so() {
    let library = Foreign::start(Library::Websockets);
    for errno in REFUSALS {
        let server = Server::start_refused(errno, "auto");
        let stream = server.create("abc");
        let client = library.open(&server.url(&stream.uuid, ""));
        server.publish(stream.id, "text");
        assert!(client.text().starts_with("text|ordinal: 1|"), "errno {errno}");
        server.terminate();
        let log = server.log_to_end();
        let told: Vec<_> = log.iter().filter(|line| line.contains("driver:")).collect();
        assert_eq!(told.len(), 1, "errno {errno}: {log:#?}");
        assert!(told[0].contains("epoll") && told[0].contains("io_uring is refused"), "{told:?}");
    }
}

#[test]
fn where_io_uring_is_demanded_and_refused_the_service_does_not_start() {
    for errno in REFUSALS {
        let (status, log) = Server::refused_to_start(errno, "io-uring");
        assert_eq!(status.code(), Some(1), "errno {errno}");
        let told = log
            .iter()
            .any(|line| line.contains("io_uring is refused") && line.contains("--driver auto"));
        assert!(told, "errno {errno}: {log:#?}");
    }
}
