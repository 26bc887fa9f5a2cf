//! A real RabbitMQ node with streams, of its own: `tests/broker/run` under orders.
//!
//! Folder, node name, ports, cookie and epmd are private; the machine's own RabbitMQ is not touched.
//! A [`Broker`] ends with its value, and also when this process is killed: the program sees its
//! standard input close. [`Broker::shared`] is one for the whole test binary, for tests that use
//! stream names of their own and leave the node alone; it takes a node some 6 to 12 s to start.
//! While a test panics, the end of the node's log is printed.

mod certificates;
mod cluster;
mod orders;
mod publisher;

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use serde_json::Value;

use certificates::CLIENT;
pub(crate) use certificates::Certificates;
pub(crate) use cluster::Cluster;
use orders::Orders;
pub(crate) use publisher::{Packing, Publisher, StreamPublisher};

use super::toolchain;

/// Lines of the node's log that a failed test prints.
const LOG_LINES: usize = 60;

/// Compiles the reader of stream connections again from what its file keeps of its source.
const REPAIR_EXTERNAL_LOGIN: &str = "
    {ok, {_, [{_, {_, Forms}}]}} =
        beam_lib:chunks(code:which(rabbit_stream_reader), [abstract_code]),
    Repair = fun
        R({record_field, A, {atom, _, authentication_state} = Field,
            {atom, B, peer_properties_exchanged}}) -> {record_field, A, Field, {atom, B, none}};
        R(Tuple) when is_tuple(Tuple) -> list_to_tuple(R(tuple_to_list(Tuple)));
        R([Head | Rest]) -> [R(Head) | R(Rest)];
        R(Other) -> Other
    end,
    {ok, Module, Binary} = compile:forms(Repair(Forms), []),
    {module, _} = code:load_binary(Module, \"repaired\", Binary).";

/// One running (or killed) node.
pub(crate) struct Broker {
    orders: Orders,
    node: Node,
}

/// What the program said about a node: pid, ports, folder.
pub(crate) struct Node {
    facts: Value,
}

/// The shared node, on loan to a test.
pub(crate) struct Shared(&'static Broker);

impl Broker {
    /// Starts a node and waits until it serves clients.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`Self::start`], with these lines in its configuration
    /// (`("stream.advertised_host", "broker.example")`).
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::run(|command| {
            for (key, value) in settings {
                command.arg("--set").arg(format!("{key}={value}"));
            }
        })
    }

    /// Starts a node that also speaks TLS and knows the user [`CLIENT`] by certificate; with
    /// `demanding`, whoever has no certificate is refused.
    pub(crate) fn start_tls(demanding: bool) -> (Self, Certificates) {
        let certificates = Certificates::new();
        let broker = Self::run(|command| {
            let demand = format!("ssl_options.fail_if_no_peer_cert={demanding}");
            command.arg("--tls").arg(certificates.folder()).args(["--set", &demand]);
        });
        // One call instead of two: rabbitmqctl takes seconds to start.
        broker.ctl(&[
            "eval",
            &format!(
                "rabbit_auth_backend_internal:add_user(<<\"{CLIENT}\">>, <<\"{CLIENT}\">>, \
                 <<\"test\">>), rabbit_auth_backend_internal:set_permissions(<<\"{CLIENT}\">>, \
                 <<\"/\">>, <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"test\">>)."
            ),
        ]);
        (broker, certificates)
    }

    /// The node that all tests of this process share, started by the first that asks.
    pub(crate) fn shared() -> Shared {
        static SHARED: OnceLock<Broker> = OnceLock::new();
        Shared(SHARED.get_or_init(Self::start))
    }

    /// As [`Self::start_tls`] with `demanding`, for all tests of this process.
    pub(crate) fn shared_tls() -> (Shared, &'static Certificates) {
        static SHARED: OnceLock<(Broker, Certificates)> = OnceLock::new();
        let (broker, certificates) = SHARED.get_or_init(|| Self::start_tls(true));
        (Shared(broker), certificates)
    }

    fn run(arguments: impl FnOnce(&mut Command)) -> Self {
        use std::os::unix::process::CommandExt;

        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broker/run");
        let mut command = Command::new(toolchain::python());
        // Ctrl-C is for the tests; the program ends in its own way when they have.
        command.arg(program).arg("--orders").process_group(0);
        arguments(&mut command);
        let mut orders = Orders::start(&mut command);
        let facts = orders.answer().unwrap_or_else(|failed| panic!("no RabbitMQ: {failed}"));
        Self { orders, node: Node { facts } }
    }

    /// kill -9, with everything that the node started.
    pub(crate) fn kill(&mut self) {
        self.order("kill");
    }

    /// Stops the node in order.
    pub(crate) fn stop(&mut self) {
        self.order("stop");
    }

    /// Starts the node again after [`Self::kill`] or [`Self::stop`], on the same ports and data.
    pub(crate) fn restart(&mut self) {
        self.order("start");
    }

    fn order(&mut self, order: &str) {
        let answer = self.orders.ask(order);
        let answer = answer.unwrap_or_else(|failed| panic!("RabbitMQ: {order}: {failed}"));
        self.node.facts["pid"] = answer["pid"].clone();
    }

    /// Every process that must be gone when this is.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let epmd = self.facts["epmd"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        [Some(self.orders.id()), epmd, self.pid()].into_iter().flatten().collect()
    }
}

impl Deref for Broker {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl Node {
    /// What rabbitmqctl prints for these arguments.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> String {
        let environment = self.facts["env"].as_object().expect("the program told it");
        let environment = environment.iter().map(|(name, value)| (name, value.as_str()));
        let output = Command::new(self.text("ctl"))
            .env_clear()
            .envs(environment.filter_map(|(name, value)| Some((name, value?))))
            .args(arguments)
            .output()
            .expect("rabbitmqctl can be started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let fault = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rabbitmqctl {arguments:?} failed: {text}{fault}");
        text
    }

    /// Takes out what makes the stream plugin of RabbitMQ 3.10.8 crash on a login by certificate, as
    /// 3.10.25 did: the login's state isn't overwritten by a word before it has begun.
    pub(crate) fn repair_external_login(&self) {
        self.ctl(&["eval", REPAIR_EXTERNAL_LOGIN]);
    }

    /// `amqp://guest:guest@127.0.0.1:PORT/`, as `ESS_AMPQ_URL` has it.
    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@{}:{}/", self.text("host"), self.amqp_port())
    }

    /// The same over TLS, by the name in the certificate.
    pub(crate) fn tls_url(&self) -> String {
        format!("amqps://guest:guest@localhost:{}/", self.port("amqps"))
    }

    /// AMQP 0.9.1.
    pub(crate) fn amqp_port(&self) -> u16 {
        self.port("amqp")
    }

    /// The stream protocol.
    pub(crate) fn stream_port(&self) -> u16 {
        self.port("stream")
    }

    /// The stream protocol over TLS.
    pub(crate) fn stream_tls_port(&self) -> u16 {
        self.port("stream_tls")
    }

    fn port(&self, name: &str) -> u16 {
        let port = self.facts["ports"][name].as_u64().and_then(|port| u16::try_from(port).ok());
        port.unwrap_or_else(|| panic!("this node has no port for {name}"))
    }

    /// The node's process, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.facts["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
    }

    /// Its folder, which must be gone when this is.
    pub(crate) fn folder(&self) -> PathBuf {
        PathBuf::from(self.text("folder"))
    }

    fn text(&self, fact: &str) -> &str {
        self.facts[fact].as_str().expect("the program told it")
    }

    fn print_log(&self) {
        let log = fs::read(self.text("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("--- the end of RabbitMQ's log ---");
        for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
            eprintln!("{line}");
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if thread::panicking() {
            self.print_log();
        }
    }
}

impl Deref for Shared {
    type Target = Broker;

    fn deref(&self) -> &Broker {
        self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.print_log();
        }
    }
}

impl Certificates {
    /// As the programs take them: authority, certificate, key.
    fn client_files(&self) -> [PathBuf; 3] {
        ["ca.pem", "client.pem", "client-key.pem"].map(|name| self.file(name))
    }
}
