//! The description of the API: OpenAPI 3.1.
//!
//! Paths, methods and summaries come from the table that routes; what each takes and gives is
//! here. Every answer shown is an example that says how it was asked for (`x-request`), and a test
//! asks a running service each of them.

mod examples;
mod operations;
mod schemas;

use serde_json::{Map, Value, json};

use super::table::{OPERATIONS, Operation};
use crate::proto::http::Method;
use examples::Examples;

/// The description as JSON.
pub(super) fn description() -> Value {
    let examples = Examples::read();
    let mut paths = Map::new();
    for one in OPERATIONS {
        let path = paths.entry(one.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = path {
            methods.insert(method(one).to_ascii_lowercase(), operations::describe(one, &examples));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ESS internal API",
            "description": "Creates, lists and deletes event streams and publishes events. \
                            Clients receive them as a WebSocket on the location of an event \
                            stream.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": schemas::all() },
    })
}

/// The method in capitals.
pub(super) fn method(one: &Operation) -> &'static str {
    match one.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Head | Method::Options | Method::Patch | Method::Other => {
            unreachable!("no operation has it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_described_and_every_reference_is_met() {
        let description = description();
        for one in OPERATIONS {
            let method = method(one).to_ascii_lowercase();
            let found = &description["paths"][one.path][&method];
            assert_eq!(found["summary"], one.summary);
            assert!(found["responses"].as_object().is_some_and(|all| !all.is_empty()));
        }
        let text = description.to_string();
        for place in text.split("\"#/components/schemas/").skip(1) {
            let name = place.split('"').next().unwrap();
            assert!(description["components"]["schemas"][name].is_object(), "{name}");
        }
    }

    #[test]
    fn every_example_is_one_of_a_documented_answer_and_every_operation_has_one() {
        let (description, examples) = (description(), Examples::read());
        let text = description.to_string();
        for one in OPERATIONS {
            let operation = &description["paths"][one.path][method(one).to_ascii_lowercase()];
            let id = operation["operationId"].as_str().unwrap();
            assert!(examples.of(id).next().is_some(), "{id}");
            for example in examples.of(id) {
                let status = example.status().to_string();
                assert!(operation["responses"][&status].is_object(), "{id} {status}");
                let request = example.request();
                let target = request["target"].as_str().unwrap();
                let fits = target.split('/').count() == one.path.split('/').count();
                assert!(fits, "{target} is no {}", one.path);
                assert!(text.contains(&request.to_string()), "{}", example.name());
            }
        }
    }
}
