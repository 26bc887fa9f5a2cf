# ESS in a container: built where it will run, so one file serves amd64 and arm64.
#
#   docker build -t ess .
#   docker run -p 8080:8080 -p 8081:8081 -v ess-data:/data -v ess-logs:/logs ess
#
# Runs as user 65532 with a read-only root file system; /data and /logs are all it writes to.
# The default seccomp profiles of container engines refuse io_uring: it then runs on epoll and says so
# once. deploy/seccomp/README.md has a profile that allows it.

# Give a digest with these to build exactly the same again.
ARG RUST_IMAGE=rust:1.95-slim-trixie
ARG RUNTIME_IMAGE=debian:trixie-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /build
# Function names stay, for a panic's backtrace; line tables would be most of the image.
ENV CARGO_PROFILE_RELEASE_STRIP=debuginfo

# Dependencies alone, over an empty program: this layer is made again only when they change. Cargo
# wants the benchmarks and the example that Cargo.toml names to exist.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches docs/examples data logs \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs docs/examples/listen.rs \
    && sed -n '/^\[\[bench\]\]/{n;s/^name = "\(.*\)"$/benches\/\1.rs/p}' Cargo.toml > benches/list \
    && xargs -r touch < benches/list \
    && cargo build --release --locked --bin ess \
    && cargo clean --release --package ess

COPY src src
RUN cargo build --release --locked --bin ess


FROM ${RUNTIME_IMAGE}

ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="ess" \
      org.opencontainers.image.description="Durable event streams, pushed to very many WebSocket clients" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

# Nothing is run in this stage, so that it needs no emulation of the other architecture.
# The authorities that a broker's certificate is checked against.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /build/data /data
COPY --from=build --chown=65532:65532 /build/logs /logs
# What is in the binary, for whoever makes a bill of materials from the image.
COPY Cargo.lock LICENSE /usr/share/doc/ess/
COPY --from=build /build/target/release/ess /usr/local/bin/ess

ENV ESS_DATA_DIR=/data \
    ESS_LOG_DIR=/logs
VOLUME ["/data", "/logs"]
EXPOSE 8080 8081
USER 65532:65532
# The exec form: ess is PID 1 and gets SIGTERM itself.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/ess", "health"]
ENTRYPOINT ["/usr/local/bin/ess"]
CMD ["serve"]
