//! The description of the API for people: one page made of the OpenAPI description, whole.
//!
//! It knows OpenAPI's members and no operation of ours, so nothing can be described in one and
//! missing in the other.

#![expect(clippy::indexing_slicing, reason = "a JSON value has null where it has no member")]

use std::fmt::Write as _;
use std::slice;

use serde_json::{Map, Value};

use super::openapi;
use super::table::OPERATIONS;

/// The page. It loads its style from here and nothing from elsewhere.
pub(super) fn page() -> String {
    let description = openapi::description();
    let (mut contents, mut operations) = (String::new(), String::new());
    // Those of one path stand together there, and what is wanted most comes first.
    for one in OPERATIONS {
        let method = openapi::method(one);
        let operation = &description["paths"][one.path][method.to_ascii_lowercase()];
        let (id, name) = (text(&operation["operationId"]), escaped(one.path));
        let _ = write!(
            contents,
            "<li><b class=\"{method}\">{method}</b> <a href=\"#{id}\">{name}</a> {}</li>",
            text(&operation["summary"])
        );
        write_operation(&mut operations, method, one.path, operation);
    }
    let mut schemas = String::new();
    for (name, schema) in members(&description["components"]["schemas"]) {
        let _ = write!(schemas, "<section class=\"card\"><h3 id=\"schema-{name}\">{name}</h3>");
        write_schema(&mut schemas, schema);
        schemas.push_str("</section>");
    }
    PAGE.replace("{version}", &text(&description["info"]["version"]))
        .replace("{description}", &text(&description["info"]["description"]))
        .replace("{contents}", &contents)
        .replace("{operations}", &operations)
        .replace("{schemas}", &schemas)
}

const PAGE: &str = r##"<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>ESS internal API</title>
  <link rel="icon" href="page/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="page/page.css">
  <link rel="stylesheet" href="page/docs.css">
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header><a class="brand" href="./"><img src="page/icon.svg" alt="" width="24" height="24"> ESS</a>
<span class="quiet">{version}</span>
<nav aria-label="Service"><a href="./">Streams</a></nav></header>
<main id="main" tabindex="-1">
<h1>Internal API</h1>
<p>{description} For programs: <a href="openapi.json">openapi.json</a>. Errors are
<code>{"detail":…}</code>. There is no login: whoever reaches this port may do everything.</p>
<nav aria-label="Operations"><ul class="contents">{contents}</ul></nav>
<h2>Operations</h2>
{operations}
<h2>Schemas</h2>
{schemas}
</main>
</body>
</html>
"##;

fn write_operation(out: &mut String, method: &str, path: &str, operation: &Value) {
    let id = text(&operation["operationId"]);
    let _ = write!(
        out,
        "<section class=\"card\" aria-labelledby=\"{id}\"><h3 id=\"{id}\"><b \
         class=\"{method}\">{method}</b> <code>{}</code></h3><p>{}</p>",
        escaped(path),
        text(&operation["summary"])
    );
    if let Some(parameters) = operation["parameters"].as_array() {
        out.push_str("<h4>Parameters</h4><dl>");
        for one in parameters {
            let _ = write!(
                out,
                "<dt><code>{}</code> <span class=\"quiet\">{}, {}</span></dt><dd>{}</dd>",
                text(&one["name"]),
                text(&one["in"]),
                kind(&one["schema"]),
                text(&one["description"])
            );
        }
        out.push_str("</dl>");
    }
    if let Some(content) = operation["requestBody"]["content"].as_object() {
        out.push_str("<h4>Body</h4><dl>");
        for (media_type, body) in content {
            let schema = &body["schema"];
            let _ = write!(
                out,
                "<dt><code>{media_type}</code> <span class=\"quiet\">{}</span></dt><dd>{}</dd>",
                kind(schema),
                text(&schema["description"])
            );
        }
        out.push_str("</dl>");
    }
    out.push_str("<h4>Answers</h4>");
    for (status, response) in members(&operation["responses"]) {
        write_response(out, method, status, response);
    }
    out.push_str("</section>");
}

fn write_response(out: &mut String, method: &str, status: &str, response: &Value) {
    let content = members(&response["content"]);
    let kinds: Vec<_> = content
        .clone()
        .map(|(media_type, body)| match media_type.as_str() {
            "application/json" => kind(&body["schema"]),
            other => escaped(other),
        })
        .collect();
    let head = format!(
        "<b class=\"status s{}\">{status}</b> {} <span class=\"quiet\">{}</span>",
        status.get(..1).unwrap_or_default(),
        text(&response["description"]),
        kinds.join(", ")
    );
    let mut examples = String::new();
    for (_, body) in content {
        for (name, example) in members(&body["examples"]) {
            let answer = serde_json::to_string_pretty(&example["value"]).unwrap_or_default();
            let _ = write!(
                examples,
                "<figure><figcaption>{}</figcaption><pre tabindex=\"0\">{}\n\n{}</pre></figure>",
                escaped(name),
                escaped(&request(method, &example["x-request"])),
                escaped(&answer)
            );
        }
    }
    let _ = write!(out, "<div class=\"answer\">{head}");
    if !examples.is_empty() {
        let _ = write!(out, "<details><summary>For example</summary>{examples}</details>");
    }
    out.push_str("</div>");
}

/// A request as curl sends it.
fn request(method: &str, request: &Value) -> String {
    let mut command = format!(
        "curl {}'localhost:8081{}'",
        match method {
            "GET" | "POST" => String::new(),
            other => format!("-X {other} "),
        },
        request["target"].as_str().unwrap_or_default()
    );
    for (name, value) in members(&request["headers"]) {
        let _ = write!(command, " -H '{name}: {}'", value.as_str().unwrap_or_default());
    }
    if let Some(body) = request["body"].as_str() {
        let quoted = body.replace('\n', "\\n").replace('\'', "\\'");
        let _ = write!(command, " \\\n    --data-binary $'{quoted}'");
    }
    command
}

fn write_schema(out: &mut String, schema: &Value) {
    if let Some(description) = schema["description"].as_str() {
        let _ = write!(out, "<p>{}</p>", escaped(description));
    }
    let parts = schema["allOf"].as_array().map_or_else(|| slice::from_ref(schema), Vec::as_slice);
    for part in parts {
        if part["$ref"].is_string() {
            let _ = write!(out, "<p>All of {}, and:</p>", kind(part));
        }
        let required = part["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        out.push_str("<dl>");
        for (name, member) in members(&part["properties"]) {
            let maybe =
                if required.iter().any(|one| one == name) { "" } else { ", may be missing" };
            let _ = write!(
                out,
                "<dt><code>{}</code> <span class=\"quiet\">{}{maybe}</span></dt><dd>{}</dd>",
                escaped(name),
                kind(member),
                text(&member["description"])
            );
        }
        out.push_str("</dl>");
    }
}

/// What a schema allows, in a few words of HTML.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    let mut words = match (&schema["type"], &schema["enum"], &schema["const"]) {
        (Value::String(name), ..) if name == "array" => {
            format!("array of {}", kind(&schema["items"]))
        }
        (Value::String(name), ..) => name.clone(),
        (Value::Array(names), ..) => names.iter().map(text).collect::<Vec<_>>().join(" or "),
        (_, Value::Array(values), _) => {
            let all: Vec<_> = values.iter().map(|one| escaped(&one.to_string())).collect();
            format!("one of {}", all.join(", "))
        }
        (.., constant) if !constant.is_null() => escaped(&constant.to_string()),
        _ => "anything".to_owned(),
    };
    for (name, said) in [
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("minLength", "at least this long:"),
        ("maxLength", "at most this long:"),
        ("pattern", "like"),
        ("default", "default"),
    ] {
        let bound = &schema[name];
        if !bound.is_null() {
            let bound = bound.as_str().map_or_else(|| bound.to_string(), str::to_owned);
            let _ = write!(words, ", {said} <code>{}</code>", escaped(&bound));
        }
    }
    words
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> + Clone {
    value.as_object().map(Map::iter).into_iter().flatten()
}

/// A string as HTML; nothing for anything else.
fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_operation_and_loads_nothing_from_elsewhere() {
        let page = page();
        for one in OPERATIONS {
            assert!(page.contains(one.path) && page.contains(one.summary), "{}", one.path);
        }
        for outside in ["src=\"http", "href=\"http", "<script", "@import", "style=", "src=\"//"] {
            assert!(!page.contains(outside), "{outside}");
        }
        for place in ["{version}", "{operations}", "{contents}", "{schemas}", "{description}"] {
            assert!(!page.contains(place), "{place} was not filled in");
        }
    }

    #[test]
    fn every_link_inside_the_page_leads_somewhere() {
        let page = page();
        for rest in page.split("href=\"#").skip(1) {
            let id = rest.split('"').next().unwrap();
            assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
        }
    }

    #[test]
    fn no_text_becomes_markup() {
        assert_eq!(escaped("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
