//! Where a broker's nodes can be reached: as the operator says, and as they tell of each other.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use crate::config::Broker;
use crate::limits::BROKER_NODES_MAX;
use crate::proto::rabbit::response::Node;

/// Where a connection leads to.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Address {
    pub(super) host: Arc<str>,
    pub(super) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.host, self.port)
    }
}

/// The places of a broker.
pub(super) struct Places {
    broker: Arc<Broker>,
    /// Nodes that the broker has told of, the latest last.
    told: RefCell<Vec<Address>>,
}

impl Places {
    /// Nothing was told yet.
    pub(super) fn new(broker: Arc<Broker>) -> Self {
        Self { broker, told: RefCell::default() }
    }

    /// Where the operator says that it is: at least one.
    pub(super) fn entrances(&self) -> Vec<Address> {
        let broker = &self.broker;
        let usual = if broker.tls.is_some() { STREAM_TLS_PORT } else { STREAM_PORT };
        let port = broker.stream_port.unwrap_or(usual);
        let at = |host: &str| Address { host: host.into(), port };
        match &broker.stream_host {
            Some(host) => vec![at(host)],
            None => broker.hosts.iter().map(|host| at(&host.name)).collect(),
        }
    }

    /// The first entrance: where there is a balancer, the only one.
    pub(super) fn entrance(&self) -> Address {
        self.entrances().swap_remove(0)
    }

    /// The entrances, and then the nodes that were told of.
    pub(super) fn all(&self) -> Vec<Address> {
        let mut places = self.entrances();
        for place in &*self.told.borrow() {
            if !places.contains(place) {
                places.push(place.clone());
            }
        }
        places
    }

    /// Remembers where else the broker can be asked. Behind a balancer that is nowhere.
    pub(super) fn remember(&self, nodes: &[Node]) {
        if self.broker.stream_host.is_some() {
            return;
        }
        let mut told = self.told.borrow_mut();
        for place in nodes.iter().map(|node| self.advertised(node)) {
            told.retain(|one| *one != place);
            told.push(place);
        }
        let surplus = told.len().saturating_sub(BROKER_NODES_MAX);
        told.drain(..surplus);
    }

    /// Where a node wants to be reached, but for what the operator says of that.
    pub(super) fn advertised(&self, node: &Node) -> Address {
        let port = self.broker.stream_port.or_else(|| u16::try_from(node.port).ok()).unwrap_or(0);
        Address { host: node.host.as_str().into(), port }
    }
}

/// The stream plugin's port (`stream.listeners.tcp.default`).
const STREAM_PORT: u16 = 5552;

/// And with TLS (`stream.listeners.ssl.default`).
const STREAM_TLS_PORT: u16 = 5551;

#[cfg(test)]
mod tests {
    use super::super::tests::broker_at;
    use super::*;
    use crate::config::BrokerHost;

    fn told(places: &Places, hosts: impl Iterator<Item = usize>) {
        let node = |n: usize| Node { reference: 0, host: format!("n{n}"), port: 5552 };
        places.remember(&hosts.map(node).collect::<Vec<_>>());
    }

    fn texts(places: &Places) -> Vec<String> {
        places.all().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nodes_that_were_told_of_come_behind_the_entrances_and_are_bounded() {
        let host = |name: &str| BrokerHost { name: name.into(), port: 5672 };
        let hosts = vec![host("a"), host("n1")];
        let places = Places::new(Arc::new(Broker { hosts, ..broker_at(1, None) }));
        assert_eq!(texts(&places), ["a:5552", "n1:5552"]);
        told(&places, 1..3);
        told(&places, 2..3);
        assert_eq!(texts(&places), ["a:5552", "n1:5552", "n2:5552"]);
        told(&places, 3..3 + BROKER_NODES_MAX);
        let all = texts(&places);
        assert_eq!(all.len(), 2 + BROKER_NODES_MAX);
        assert_eq!(all[2], "n3:5552", "the oldest is forgotten");
    }

    #[test]
    fn behind_a_balancer_there_is_one_place() {
        let broker = Broker { stream_host: Some("lb".into()), ..broker_at(1, Some(7)) };
        let places = Places::new(Arc::new(broker));
        told(&places, 1..3);
        assert_eq!(texts(&places), ["lb:7"]);
        assert_eq!(places.entrance().to_string(), "lb:7");
    }
}
