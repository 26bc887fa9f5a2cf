//! Every operation of the API, once: the router and the API's description both read this.

use crate::proto::http::Method;

/// One method on one path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) method: Method,
    /// `{es_id}` stands for one segment that isn't empty.
    pub(super) path: &'static str,
    pub(super) name: Name,
    pub(super) summary: &'static str,
}

/// Which operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Name {
    Version,
    List,
    Create,
    Show,
    Delete,
    Publish,
    Live,
    Ready,
    Started,
    Metrics,
    LogLevel,
    SetLogLevel,
    OpenApi,
    Docs,
}

/// The operations. Those of one path stand together.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: Method::Get,
        path: "/event-stream/version/",
        name: Name::Version,
        summary: "Name and version of this service",
    },
    Operation {
        method: Method::Get,
        path: "/event-stream/",
        name: Name::List,
        summary: "All event streams",
    },
    Operation {
        method: Method::Post,
        path: "/event-stream/",
        name: Name::Create,
        summary: "Create an event stream for a routing key",
    },
    Operation {
        method: Method::Get,
        path: ITEM,
        name: Name::Show,
        summary: "One event stream and the state of its stream",
    },
    Operation {
        method: Method::Delete,
        path: ITEM,
        name: Name::Delete,
        summary: "Delete an event stream; with the last one of its routing key, the events",
    },
    Operation {
        method: Method::Post,
        path: "/event-stream/{es_id}/events",
        name: Name::Publish,
        summary: "Append events: the body is one, or with application/x-ndjson one a line",
    },
    Operation {
        method: Method::Get,
        path: "/livez",
        name: Name::Live,
        summary: "Whether the process works at all",
    },
    Operation {
        method: Method::Get,
        path: "/readyz",
        name: Name::Ready,
        summary: "Whether clients should be sent here, and if not, why",
    },
    Operation {
        method: Method::Get,
        path: "/startupz",
        name: Name::Started,
        summary: "Whether it has started",
    },
    Operation {
        method: Method::Get,
        path: "/metrics",
        name: Name::Metrics,
        summary: "What it has and does, for Prometheus",
    },
    Operation {
        method: Method::Get,
        path: "/log-level",
        name: Name::LogLevel,
        summary: "How much is logged now",
    },
    Operation {
        method: Method::Put,
        path: "/log-level",
        name: Name::SetLogLevel,
        summary: "Log more or less, until the next change or the end of the process",
    },
    Operation {
        method: Method::Get,
        path: "/openapi.json",
        name: Name::OpenApi,
        summary: "This description",
    },
    Operation {
        method: Method::Get,
        path: "/docs",
        name: Name::Docs,
        summary: "This description for people",
    },
];

const ITEM: &str = "/event-stream/{es_id}";

/// The segment of a path that is a parameter.
pub(super) const ID_SEGMENT: &str = "{es_id}";
