//! Several nodes that are one broker: `tests/broker/run --nodes` under orders.
//!
//! Each listens at an address of its own (127.0.0.1, 127.0.0.2, …), all at the same ports.

use super::{Broker, Node};

/// The nodes, running or killed. They end with this value, and with this process.
pub(crate) struct Cluster {
    broker: Broker,
    others: Vec<Node>,
}

impl Cluster {
    /// Starts so many nodes and waits until all of them serve clients.
    pub(crate) fn start(nodes: usize) -> Self {
        let mut broker = Broker::run(|command| {
            command.arg("--nodes").arg(nodes.to_string());
        });
        let others = broker.node.facts["others"].take();
        let others = others.as_array().expect("a list of nodes").clone();
        let others = others.into_iter().map(|facts| Node { facts }).collect();
        let this = Self { broker, others };
        assert_eq!(1 + this.others.len(), nodes);
        this
    }

    /// One of them, from 0 on.
    pub(crate) fn node(&self, index: usize) -> &Node {
        match index.checked_sub(1) {
            None => &self.broker,
            Some(index) => &self.others[index],
        }
    }

    /// kill -9, with everything that the node started.
    pub(crate) fn kill(&mut self, index: usize) {
        self.order("kill", index);
    }

    /// Starts a node again after [`Self::kill`], on the same ports and data.
    pub(crate) fn restart(&mut self, index: usize) {
        self.order("start", index);
    }

    fn order(&mut self, order: &str, index: usize) {
        let answer = self.broker.orders.ask(&format!("{order} {}", index + 1));
        answer.unwrap_or_else(|failed| panic!("RabbitMQ: {order} {index}: {failed}"));
    }

    /// The node that leads a stream, as the node `asked` sees it.
    pub(crate) fn leader(&self, stream: &str, asked: usize) -> Option<usize> {
        let listed = self.node(asked).ctl(&["-q", "list_queues", "name", "leader"]);
        let leader = listed.lines().find_map(|line| line.strip_prefix(stream)?.strip_prefix('\t'));
        let name = leader?.trim();
        (0..=self.others.len()).find(|index| self.node(*index).text("name") == name)
    }

    /// The URL that names all nodes.
    pub(crate) fn url(&self) -> String {
        let places = (0..=self.others.len()).map(|index| {
            let node = self.node(index);
            format!("{}:{}", node.text("host"), node.amqp_port())
        });
        format!("amqp://guest:guest@{}/", places.collect::<Vec<_>>().join(","))
    }
}
