//! Properties of [`super::Body`].

use proptest::prelude::*;

use super::super::{Head, parse};
use super::*;

/// Feeds `pieces` one after the other: the body, and how many bytes were used in all.
fn read<'a>(
    framing: Framing,
    bytes_max: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<u8>, usize, bool), Fault> {
    let mut body = Body::new(framing, bytes_max)?;
    let mut used = 0;
    for piece in pieces {
        let progress = body.feed(piece)?;
        used += progress.used;
        if progress.done {
            break;
        }
        assert_eq!(progress.used, piece.len(), "an unfinished body takes all there is");
    }
    let done = body.done();
    Ok((body.take(), used, done))
}

fn chunked(text: &[u8]) -> Result<(Vec<u8>, usize, bool), Fault> {
    let whole = read(Framing::Chunked, 1000, [text]);
    let bytewise = read(Framing::Chunked, 1000, text.chunks(1));
    assert_eq!(whole, bytewise, "{text:?}");
    whole
}

#[test]
fn good_chunks_are_put_together() {
    for (text, body) in [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("a\r\n0123456789\r\n1\r\nx\r\n000\r\n\r\n", "0123456789x"),
        ("A;name=value;q=\"a b\"\r\n0123456789\r\n0;x\r\n\r\n", "0123456789"),
        ("5  \r\nhello\r\n0 ; x\r\n\r\n", "hello"),
        ("0\r\nTrailer: one\r\nOther: two\r\n\r\n", ""),
        ("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello"),
    ] {
        let with_next = format!("{text}GET / HTTP/1.1");
        let expected = Ok((body.as_bytes().to_vec(), text.len(), true));
        assert_eq!(chunked(with_next.as_bytes()), expected, "{text:?}");
        for cut in 0..text.len() {
            assert!(!chunked(&text.as_bytes()[..cut]).unwrap().2, "{text:?} cut at {cut}");
        }
    }
}

#[test]
fn bad_chunks_are_refused() {
    for (text, fault) in [
        ("\r\n", Fault::Chunk),
        ("x\r\n", Fault::Chunk),
        ("-1\r\n", Fault::Chunk),
        ("0x5\r\n", Fault::Chunk),
        (" 5\r\n", Fault::Chunk),
        ("5 5\r\nhello", Fault::Chunk),
        (";a\r\n", Fault::Chunk),
        ("5\nhello\r\n", Fault::Chunk),
        ("5\rhello\r\n", Fault::Chunk),
        ("5;a\nhello\r\n", Fault::Chunk),
        ("5\r\nhello0\r\n\r\n", Fault::Chunk),
        ("5\r\nhello\n0\r\n\r\n", Fault::Chunk),
        ("5\r\nhello\r\r\n", Fault::Chunk),
        ("5\r\nhello\rx0\r\n\r\n", Fault::Chunk),
        ("00000000000000005\r\n", Fault::Chunk),
        ("0\r\nA: b\n\r\n", Fault::Trailer),
        ("0\r\n\n", Fault::Trailer),
        ("0\r\n\rx", Fault::Trailer),
        ("3e9\r\n", Fault::BodyTooLong { bytes_max: 1000 }),
        ("ffffffffffffffff\r\n", Fault::BodyTooLong { bytes_max: 1000 }),
    ] {
        assert_eq!(chunked(text.as_bytes()), Err(fault), "{text:?}");
    }
}

#[test]
fn a_length_is_bounded_before_a_byte_is_read() {
    let fault = Fault::BodyTooLong { bytes_max: 5 };
    assert_eq!(Body::new(Framing::Length(6), 5).unwrap_err(), fault);
    assert_eq!(Body::new(Framing::Length(u64::MAX), 5).unwrap_err(), fault);
    let got = read(Framing::Length(5), 5, [&b"hel"[..], b"lo", b"GET"]);
    assert_eq!(got, Ok((b"hello".to_vec(), 5, true)));
    for framing in [Framing::None, Framing::Length(0)] {
        assert_eq!(read(framing, 0, [&b"GET"[..]]), Ok((vec![], 0, true)));
    }
}

#[test]
fn chunks_are_bounded_in_all() {
    let most = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(read(Framing::Chunked, 5, [&most[..]]).unwrap().0, b"abcde");
    let fault = Fault::BodyTooLong { bytes_max: 5 };
    assert_eq!(read(Framing::Chunked, 5, [&b"3\r\nabc\r\n3"[..]]), Err(fault));
}

#[test]
fn a_promise_allocates_nothing() {
    let mut body = Body::new(Framing::Length(1 << 40), 1 << 40).unwrap();
    body.feed(b"abc").unwrap();
    assert!(body.take().capacity() < 64);
    let mut body = Body::new(Framing::Chunked, 1 << 40).unwrap();
    body.feed(b"ffffffff\r\nabc").unwrap();
    assert!(body.take().capacity() < 64);
}

#[test]
fn extensions_and_trailers_are_bounded_on_both_sides() {
    // Each of the two chunks has half of the extension bytes, the `;` is not one of them.
    let half = "e".repeat(HTTP_CHUNK_EXTENSIONS_BYTES_MAX / 2);
    let most = format!("1;{half}\r\nx\r\n0;{half}\r\n\r\n");
    assert!(chunked(most.as_bytes()).unwrap().2);
    let more = format!("1;{half}\r\nx\r\n0;{half}e\r\n\r\n");
    assert_eq!(chunked(more.as_bytes()), Err(Fault::ExtensionsTooLong));

    let most = format!("0\r\n{}\r\n\r\n", "t".repeat(HTTP_TRAILERS_BYTES_MAX));
    assert!(chunked(most.as_bytes()).unwrap().2);
    let more = format!("0\r\n{}\r\n\r\n", "t".repeat(HTTP_TRAILERS_BYTES_MAX + 1));
    assert_eq!(chunked(more.as_bytes()), Err(Fault::TrailersTooLong));
}

/// A connection's whole life: requests are cut out of whatever pieces arrive.
fn requests(pieces: &[&[u8]]) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    let mut found = Vec::new();
    let mut kept: Vec<u8> = Vec::new();
    let mut open: Option<(Head, Body)> = None;
    for piece in pieces {
        kept.extend_from_slice(piece);
        loop {
            if let Some((head, body)) = &mut open {
                let progress = body.feed(&kept)?;
                kept.drain(..progress.used);
                if !progress.done {
                    break;
                }
                found.push((head.path().to_owned(), body.take()));
                open = None;
            }
            let Some((head, used)) = parse(&kept)? else { break };
            kept.drain(..used);
            let body = Body::new(head.framing(), 1000)?;
            open = Some((head, body));
        }
    }
    Ok(found)
}

fn pipeline() -> impl Strategy<Value = Vec<(Vec<u8>, bool)>> {
    prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), any::<bool>()), 0..5)
}

proptest! {
    #[test]
    fn any_cut_of_a_pipeline_gives_the_same_requests(
        bodies in pipeline(),
        chunk in 1usize..20,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut wire = Vec::new();
        let mut expected = Vec::new();
        for (number, (body, as_chunks)) in bodies.iter().enumerate() {
            let path = format!("/{number}");
            wire.extend(format!("POST {path} HTTP/1.1\r\nhost: h\r\n").bytes());
            if *as_chunks {
                wire.extend(b"transfer-encoding: chunked\r\n\r\n");
                for part in body.chunks(chunk) {
                    wire.extend(format!("{:x};e\r\n", part.len()).bytes());
                    wire.extend(part);
                    wire.extend(b"\r\n");
                }
                wire.extend(b"0\r\nt: u\r\n\r\n");
            } else {
                wire.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
                wire.extend(body);
            }
            expected.push((path, body.clone()));
        }
        let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        places.extend([0, wire.len()]);
        places.sort_unstable();
        let pieces: Vec<_> = places.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect();
        prop_assert_eq!(requests(&pieces), Ok(expected));
    }

    #[test]
    fn no_chunks_panic_and_any_cut_agrees(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "5", "0", "a", ";", " ", "\r\n", "\r", "\n", "hello", "x:y", "ffffffffffff",
            ]),
            0..20,
        ),
    ) {
        let _ = chunked(parts.concat().as_bytes());
    }
}
