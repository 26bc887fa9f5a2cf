//! The page for people, at `/`: HTML, style and modules as they lie in `page/`, made part of the
//! binary. It needs nothing from elsewhere and asks this API like anybody else.

use crate::checksum::crc32c;

use super::guard;
use crate::proto::http::{Head, Response};

/// A file of the page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal $media_type:ident),+ $(,)?) => {
        &[$(Asset {
            name: $name,
            media_type: $media_type,
            bytes: include_bytes!(concat!("page/", $name)),
        }),+]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// What the pages load.
const ASSETS: &[Asset] = assets![
    "page.css" CSS,
    "docs.css" CSS,
    "icon.svg" SVG,
    "main.js" SCRIPT,
    "api.js" SCRIPT,
    "dialogs.js" SCRIPT,
    "dom.js" SCRIPT,
    "events.js" SCRIPT,
    "format.js" SCRIPT,
    "health.js" SCRIPT,
    "overview.js" SCRIPT,
    "spark.js" SCRIPT,
    "stream.js" SCRIPT,
    "tail.js" SCRIPT,
];

/// The page itself.
pub(super) const INDEX: &Asset =
    &Asset { name: "index.html", media_type: HTML, bytes: include_bytes!("page/index.html") };

/// What the pages load, by name.
pub(super) fn asset(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// The names of what the pages load.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().map(|asset| asset.name)
}

impl Asset {
    /// Changes when the file does.
    fn tag(&self) -> String {
        format!("\"{:08x}-{:x}\"", crc32c(self.bytes), self.bytes.len())
    }

    /// Whether the client has the file as it is (`If-None-Match`, RFC 9110 §13.1.2).
    pub(super) fn is_known(&self, head: &Head) -> bool {
        let tag = self.tag();
        head.has_token("if-none-match", "*")
            || head.has_token("if-none-match", &tag)
            || head.has_token("if-none-match", &format!("W/{tag}"))
    }

    /// The answer: the file, or that the client has it. It is to ask each time: the file is as old
    /// as the service that gave it.
    #[must_use]
    pub fn answer(&self, known: bool) -> Response {
        let response = if known {
            Response::new(304)
        } else {
            Response::new(200).with_body(self.media_type, self.bytes)
        };
        let response =
            response.with_header("etag", self.tag()).with_header("cache-control", "no-cache");
        if self.media_type == HTML { guard::page(response) } else { response }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static Asset> {
        ASSETS.iter().chain([INDEX])
    }

    fn text(asset: &Asset) -> &'static str {
        str::from_utf8(asset.bytes).unwrap()
    }

    #[test]
    fn everything_that_is_loaded_is_there_and_the_other_way_round() {
        let all: String = all().map(text).collect();
        for name in names().filter(|name| *name != "docs.css") {
            let (page, module) = (format!("\"page/{name}\""), format!("'./{name}'"));
            assert!(all.contains(&page) || all.contains(&module), "nobody loads {name}");
        }
        for (start, end) in [("\"page/", '"'), ("from './", '\'')] {
            for rest in all.split(start).skip(1) {
                let name = rest.split(end).next().unwrap();
                assert!(asset(name).is_some(), "{name} isn't there");
            }
        }
    }

    #[test]
    fn nothing_comes_from_elsewhere_and_no_text_becomes_markup() {
        for asset in all() {
            let text = text(asset).replace("http://www.w3.org/2000/svg", "");
            for outside in ["http://", "https://", "//cdn", "@import", "url("] {
                assert!(!text.contains(outside), "{}: {outside}", asset.name);
            }
            for markup in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]
            {
                assert!(!text.contains(markup), "{}: {markup}", asset.name);
            }
            // The policy allows neither.
            assert!(!text.contains("style=") && !text.contains(" onclick=\""), "{}", asset.name);
        }
    }

    #[test]
    fn who_has_a_file_is_not_sent_it_again() {
        let first = INDEX.answer(false);
        let tag = first.header("etag").unwrap().to_owned();
        for (value, known) in [
            (tag.clone(), true),
            (format!("\"x\", W/{tag}"), true),
            ("*".into(), true),
            ("\"x\"".into(), false),
            (text(INDEX).len().to_string(), false),
        ] {
            let request = format!("GET / HTTP/1.1\r\nhost: h\r\nif-none-match: {value}\r\n\r\n");
            let (head, _) = crate::proto::http::parse(request.as_bytes()).unwrap().unwrap();
            assert_eq!(INDEX.is_known(&head), known, "{value}");
        }
        let again = INDEX.answer(true);
        assert_eq!((again.status(), again.body().len()), (304, 0));
        assert_eq!(again.header("etag"), Some(&*tag));
    }
}
