//! Properties of [`super::parse`].

use proptest::prelude::*;

use super::*;

fn head(text: &str) -> Head {
    let (head, used) = parse(text.as_bytes()).unwrap().unwrap();
    assert_eq!(used, text.len());
    head
}

#[track_caller]
fn refused(text: &str) -> Fault {
    parse(text.as_bytes()).expect_err(text)
}

/// A request of HTTP/1.1 with a Host and these header lines.
fn with(lines: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: h\r\n{lines}\r\n")
}

#[test]
fn a_head_says_what_was_asked() {
    let text = "POST /a%20b/c?x=1&y=%20 HTTP/1.1\r\nHOST: h:80\r\nx-a: 1\r\nX-A:  2 \r\n\r\n";
    let head = head(text);
    assert_eq!((head.method(), head.method_name()), (Method::Post, "POST"));
    assert_eq!((head.path(), head.query()), ("/a%20b/c", Some("x=1&y=%20")));
    assert_eq!((head.version(), head.host()), (Version::Http11, Some("h:80")));
    assert_eq!(head.header("X-a"), Some(&b"1"[..]));
    assert_eq!(head.headers("x-a").collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!(head.header("x-b"), None);
    assert_eq!(head.framing(), Framing::None);
}

#[test]
fn an_absolute_target_overrides_the_host() {
    for (target, host, path, query) in [
        ("http://a:1/b?c", "a:1", "/b", Some("c")),
        ("HTTPS://a", "a", "/", None),
        ("ws://a?c", "a", "/", Some("c")),
        ("/", "h", "/", None),
        ("//x/y?", "h", "//x/y", Some("")),
    ] {
        let head = head(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!((head.host(), head.path(), head.query()), (Some(host), path, query));
    }
}

#[test]
fn a_target_that_is_no_path_is_refused() {
    for target in ["*", "a", "a:80", "ftp://a/b", "http://", "http:///a", "/a#b", "http://u@a/"] {
        let text = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(refused(&text), Fault::Target, "{target}");
    }
}

#[test]
fn a_host_is_needed_once() {
    assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), Fault::HostMissing);
    assert_eq!(refused(&with("host: h\r\n")), Fault::HostTwice);
    for bad in ["a b", "a/b", "a\"", "u@a", "é"] {
        let text = format!("GET / HTTP/1.1\r\nHost: {bad}\r\n\r\n");
        assert_eq!(refused(&text), Fault::Host, "{bad}");
    }
    assert_eq!(head("GET / HTTP/1.1\r\nHost:\r\n\r\n").host(), None);
    assert_eq!(head("GET / HTTP/1.0\r\n\r\n").host(), None);
    assert_eq!(head("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n").host(), Some("[::1]:80"));
}

/// Each of these has been read differently by two servers in a row.
#[test]
fn nothing_that_could_smuggle_a_request_passes() {
    for (lines, fault) in [
        ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", Fault::BothFramings),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", Fault::BothFramings),
        ("Content-Length: 1\r\nContent-Length: 2\r\n", Fault::LengthsDiffer),
        ("Content-Length: 1, 1\r\n", Fault::Length),
        ("Content-Length: 1, 2\r\n", Fault::Length),
        ("Content-Length: +1\r\n", Fault::Length),
        ("Content-Length: -1\r\n", Fault::Length),
        ("Content-Length: 0x1\r\n", Fault::Length),
        ("Content-Length: 1 1\r\n", Fault::Length),
        ("Content-Length: 1.0\r\n", Fault::Length),
        ("Content-Length:\r\n", Fault::Length),
        ("Content-Length: 18446744073709551616\r\n", Fault::Length),
        ("Content-Length: 1\r\nContent-Length: x\r\n", Fault::Length),
        ("Content-Length : 1\r\n", Fault::Header),
        ("Content-Length: 1\r\n folded\r\n", Fault::Header),
        ("A: b\r\n Content-Length: 1\r\n", Fault::Header),
        ("A: b\rContent-Length: 1\r\n", Fault::Header),
        ("A: b\0\r\n", Fault::Header),
        ("A b\r\n", Fault::Header),
        (": b\r\n", Fault::Header),
        ("A: b\nContent-Length: 1\r\n", Fault::BareLineFeed),
        ("Transfer-Encoding: gzip\r\n", Fault::CodingUnknown),
        ("Transfer-Encoding: identity\r\n", Fault::CodingUnknown),
        ("Transfer-Encoding: xchunked\r\n", Fault::CodingUnknown),
        ("Transfer-Encoding: chunked;a=b\r\n", Fault::CodingUnknown),
        ("Transfer-Encoding: \"chunked\"\r\n", Fault::CodingUnknown),
        ("Transfer-Encoding: gzip, chunked\r\n", Fault::CodingUnknown),
        ("Transfer-Encoding: chunked, gzip\r\n", Fault::CodingUnknown),
        ("Transfer-Encoding: chunked, chunked\r\n", Fault::Coding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Fault::Coding),
        ("Transfer-Encoding: chunked,\r\n", Fault::Coding),
        ("Transfer-Encoding:\r\n", Fault::Coding),
    ] {
        assert_eq!(refused(&with(lines)), fault, "{lines:?}");
    }
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refused(old), Fault::Coding);
}

#[test]
fn good_framings_are_taken() {
    for (lines, framing) in [
        ("", Framing::None),
        ("Content-Length: 0\r\n", Framing::Length(0)),
        ("content-length: 007\r\n", Framing::Length(7)),
        ("Content-Length: 7\r\nContent-Length: 7\r\n", Framing::Length(7)),
        ("Content-Length: 18446744073709551615\r\n", Framing::Length(u64::MAX)),
        ("Transfer-Encoding: Chunked\r\n", Framing::Chunked),
        ("transfer-encoding:\tchunked \r\n", Framing::Chunked),
    ] {
        assert_eq!(head(&with(lines)).framing(), framing, "{lines:?}");
    }
}

#[test]
fn what_is_no_http_1_is_refused_with_a_name() {
    for (text, fault) in [
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Fault::Version),
        ("GET / HTTP/0.9\r\n\r\n", Fault::Version),
        ("GET / HTTP/1.2\r\n\r\n", Fault::Version),
        ("GET /\r\n\r\n", Fault::RequestLine),
        ("GET  / HTTP/1.1\r\n\r\n", Fault::RequestLine),
        ("\x16\x03\x01\x02\0\x01\0\x01\u{7c}\x03\x03", Fault::RequestLine),
        ("GET / HTTP/1.1\nHost: h\r\n\r\n", Fault::BareLineFeed),
        ("GET / HTTP/1.1\r\nHost: h\r\n\n", Fault::BareLineFeed),
    ] {
        assert_eq!(refused(text), fault, "{text:?}");
    }
}

#[test]
fn keep_alive_follows_version_and_tokens() {
    for (version, lines, keep_alive) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: x, CLOSE\r\n", false),
        ("1.1", "Connection: Upgrade\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let text = format!("GET / HTTP/{version}\r\nHost: h\r\n{lines}\r\n");
        assert_eq!(head(&text).keep_alive(), keep_alive, "{text:?}");
    }
}

#[test]
fn only_a_client_with_a_body_waits_for_continue() {
    let expect = "Expect: 100-Continue\r\n";
    assert!(head(&with(&format!("{expect}Content-Length: 1\r\n"))).expects_continue());
    assert!(head(&with(&format!("{expect}Transfer-Encoding: chunked\r\n"))).expects_continue());
    assert!(!head(&with(&format!("{expect}Content-Length: 0\r\n"))).expects_continue());
    assert!(!head(&with(expect)).expects_continue());
    assert!(!head(&with("Content-Length: 1\r\n")).expects_continue());
    let old = format!("POST / HTTP/1.0\r\n{expect}Content-Length: 1\r\n\r\n");
    assert!(!head(&old).expects_continue());
}

#[test]
fn a_head_is_bounded_on_both_sides() {
    let of_length = |length: usize| {
        let frame = with("A: \r\n").len();
        with(&format!("A: {}\r\n", "x".repeat(length - frame)))
    };
    let longest = of_length(HTTP_HEAD_BYTES_MAX);
    assert_eq!(longest.len(), HTTP_HEAD_BYTES_MAX);
    assert_eq!(head(&longest).header("a").unwrap().len(), longest.len() - with("A: \r\n").len());
    let longer = of_length(HTTP_HEAD_BYTES_MAX + 1);
    assert_eq!(refused(&longer), Fault::HeadTooLong);
    assert!(parse(&longer.as_bytes()[..HTTP_HEAD_BYTES_MAX - 1]).unwrap().is_none());
    assert_eq!(refused(&longer[..HTTP_HEAD_BYTES_MAX]), Fault::HeadTooLong);
}

#[test]
fn header_fields_are_bounded_on_both_sides() {
    let most = "A: b\r\n".repeat(HTTP_HEADERS_MAX - 1);
    assert_eq!(head(&with(&most)).headers("a").count(), HTTP_HEADERS_MAX - 1);
    assert_eq!(refused(&with(&format!("{most}A: b\r\n"))), Fault::TooManyHeaders);
}

#[test]
fn every_fault_closes_with_a_json_answer() {
    for (fault, status) in [
        (Fault::RequestLine, 400),
        (Fault::BodyTooLong { bytes_max: 7 }, 413),
        (Fault::HeadTooLong, 431),
        (Fault::CodingUnknown, 501),
        (Fault::Version, 505),
    ] {
        let response = fault.response();
        assert_eq!(response.status(), status);
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["detail"], fault.to_string());
    }
}

proptest! {
    /// A head that is whole only at its last byte is asked for until then and never refused.
    #[test]
    fn any_cut_of_a_good_head_waits(value in "[ -~]{0,40}", tail in any::<Vec<u8>>()) {
        let text = with(&format!("A: {value}\r\n"));
        for cut in 0..text.len() {
            prop_assert!(parse(&text.as_bytes()[..cut]).unwrap().is_none(), "{cut}");
        }
        let bytes = [text.as_bytes(), &tail].concat();
        let (head, used) = parse(&bytes).unwrap().unwrap();
        prop_assert_eq!(used, text.len());
        prop_assert_eq!(head.header("a").unwrap(), value.trim_ascii().as_bytes());
    }

    /// More bytes never turn a refusal into something else.
    #[test]
    fn a_refusal_stands(bytes in hostile(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(bytes.len() + 1);
        if let Err(fault) = parse(&bytes[..cut]) {
            prop_assert_eq!(parse(&bytes).unwrap_err(), fault);
        }
    }
}

/// Bytes that look like requests for a while.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(&b"GET "[..]),
        Just(&b"/a?b"[..]),
        Just(&b" HTTP/1.1"[..]),
        Just(&b"\r\n"[..]),
        Just(&b"\n"[..]),
        Just(&b"\r"[..]),
        Just(&b"Host: h\r\n"[..]),
        Just(&b"Content-Length: 5\r\n"[..]),
        Just(&b"Transfer-Encoding: chunked\r\n"[..]),
        Just(&b" "[..]),
        Just(&b"\0"[..]),
        Just(&b"\xFF"[..]),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}
