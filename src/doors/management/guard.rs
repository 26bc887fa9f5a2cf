//! What a person's browser must not be made to do: the internal port has no login, so whoever
//! reaches it may change things, and a browser reaches it for every page it shows.
//!
//! A browser names the page's origin in every request that changes something (Fetch §3.2), and no
//! page can leave that out or lie. Programs send none. So a request that has an `Origin` has to
//! have its own host's. Pages of other origins can't read answers either: nothing here sends
//! `Access-Control-Allow-Origin`, and a preflight is answered 405.
//!
//! *Not here*: DNS rebinding, where a foreign name is made to mean our address: origin and host are
//! then both that name (`docs/operate/security.md`).

use crate::proto::http::{Head, Method, Response};

/// Refuses a request that would change something for a page of another site.
///
/// # Errors
///
/// 403 that names the origin and the host it had to be.
pub(super) fn same_origin(head: &Head) -> Result<(), Response> {
    if matches!(head.method(), Method::Get | Method::Head) {
        return Ok(());
    }
    let host = head.host().unwrap_or_default();
    match head.headers("origin").find(|origin| !is_of(origin, host)) {
        None => Ok(()),
        Some(origin) => Err(refusal(&String::from_utf8_lossy(origin), host)),
    }
}

/// Whether `origin` (`scheme://host[:port]`) is a page of `host` (`host[:port]`). The scheme may
/// be either: what a proxy in front speaks isn't known here.
fn is_of(origin: &[u8], host: &str) -> bool {
    let origin = String::from_utf8_lossy(origin).to_ascii_lowercase();
    let host = host.to_ascii_lowercase();
    [("http://", ":80"), ("https://", ":443")].iter().any(|(scheme, port)| {
        let bare = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_owned();
        let own = bare(&host);
        origin.strip_prefix(scheme).is_some_and(|origin| !own.is_empty() && bare(origin) == own)
    })
}

fn refusal(origin: &str, host: &str) -> Response {
    let detail = format!(
        "A page of {origin} may not change anything here, only pages of {host} may. Programs send \
         no Origin header; a proxy in front has to pass the Host header on"
    );
    Response::detail(403, &detail)
}

/// The response as browsers should take it: as what it says it is, and only for pages from here.
#[must_use]
pub fn guarded(response: Response) -> Response {
    response
        .with_header("x-content-type-options", "nosniff")
        .with_header("cross-origin-resource-policy", "same-origin")
}

/// An HTML page of ours: its own files and nothing else, no frame around it, no markup from text.
pub(super) fn page(response: Response) -> Response {
    response
        .with_header("content-security-policy", CONTENT_SECURITY_POLICY)
        .with_header("cross-origin-opener-policy", "same-origin")
        .with_header("referrer-policy", "no-referrer")
}

/// `ws:` and `wss:`, because locations lead to another port or host.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::http::parse;

    fn asked(method: &str, host: &str, more: &str) -> Result<(), u16> {
        let text = format!("{method} / HTTP/1.1\r\nhost: {host}\r\n{more}\r\n");
        let (head, _) = parse(text.as_bytes()).unwrap().unwrap();
        same_origin(&head).map_err(|response| response.status())
    }

    #[test]
    fn a_page_changes_things_only_at_its_own_host() {
        for (host, origin, expected) in [
            ("localhost:8081", "http://localhost:8081", Ok(())),
            ("LocalHost:8081", "HTTP://localhost:8081", Ok(())),
            ("ess.example", "https://ess.example", Ok(())),
            ("ess.example:443", "https://ess.example", Ok(())),
            ("ess.example", "http://ess.example:80", Ok(())),
            ("[::1]:8081", "http://[::1]:8081", Ok(())),
            ("localhost:8081", "http://localhost:8080", Err(403)),
            ("localhost:8081", "http://localhost", Err(403)),
            ("localhost", "https://localhost:80", Err(403)),
            ("localhost:8081", "http://evil.example", Err(403)),
            ("localhost:8081", "http://localhost:8081.evil.example", Err(403)),
            ("localhost:8081", "null", Err(403)),
            ("localhost:8081", "localhost:8081", Err(403)),
            ("localhost:8081", "", Err(403)),
            ("localhost:8081", "chrome-extension://localhost:8081", Err(403)),
            ("", "http://", Err(403)),
        ] {
            let origin = format!("origin: {origin}\r\n");
            for method in ["POST", "DELETE", "PUT", "PATCH", "OPTIONS", "X"] {
                assert_eq!(asked(method, host, &origin), expected, "{method} {host} {origin}");
            }
            for method in ["GET", "HEAD"] {
                assert_eq!(asked(method, host, &origin), Ok(()), "{method} changes nothing");
            }
        }
    }

    #[test]
    fn a_program_passes_and_a_second_origin_does_not() {
        assert_eq!(asked("POST", "h:1", ""), Ok(()));
        let both = "origin: http://h:1\r\norigin: http://evil.example\r\n";
        assert_eq!(asked("POST", "h:1", both), Err(403));
    }
}
