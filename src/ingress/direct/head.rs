//! The head of an answer: found, read, and judged for how its body ends.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use hyper::ext::ReasonPhrase;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode, Version};

use super::framing::Framing;

/// Header lines that an answer may have.
const MOST_LINES: usize = 100;

/// Bytes that its head may have.
const LONGEST: usize = 256 * 1024;

/// A head, and what is to be known about what follows it.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) response: Response<()>,
    pub(super) framing: Framing,
    /// The app keeps the connection open after this answer.
    pub(super) keeps: bool,
}

/// Takes the head of the answer off the front of what was read, once all of it is there. Those that
/// only announce another one (1xx but 101) are left out. `is_head` is whether the answer is to HEAD,
/// and so without a body. The error says what is wrong with it.
pub(super) fn take(input: &mut BytesMut, is_head: bool) -> Result<Option<Head>, &'static str> {
    loop {
        let Some(end) = end_of(input)? else { return Ok(None) };
        let head = read(input.split_to(end).freeze(), is_head)?;
        let status = head.response.status();
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Some(head));
        }
    }
}

fn end_of(input: &[u8]) -> Result<Option<usize>, &'static str> {
    if let Some(at) = memchr::memmem::find(input, b"\r\n\r\n") {
        return Ok(Some(at + 4));
    }
    // Bare newlines are taken too; and what is no head at all is told early.
    let mut lines = [const { MaybeUninit::uninit() }; MOST_LINES];
    match parse(input, &mut lines) {
        Ok((httparse::Status::Complete(end), _)) => Ok(Some(end)),
        Ok((httparse::Status::Partial, _)) if input.len() <= LONGEST => Ok(None),
        Ok((httparse::Status::Partial, _)) => Err("its head is too long"),
        Err(error) => Err(in_words(error)),
    }
}

type Lines<'a> = [MaybeUninit<httparse::Header<'a>>; MOST_LINES];

fn parse<'a, 'b>(
    input: &'a [u8],
    lines: &'b mut Lines<'a>,
) -> Result<(httparse::Status<usize>, httparse::Response<'b, 'a>), httparse::Error> {
    let mut response = httparse::Response::new(&mut []);
    let status =
        httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, input, lines)?;
    Ok((status, response))
}

fn in_words(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::TooManyHeaders => "its head has too many lines",
        httparse::Error::Status | httparse::Error::Version => "it does not begin like an answer",
        _ => "its head has a malformed line",
    }
}

fn read(bytes: Bytes, is_head: bool) -> Result<Head, &'static str> {
    let mut lines = [const { MaybeUninit::uninit() }; MOST_LINES];
    let (_, parsed) = parse(&bytes, &mut lines).map_err(in_words)?;
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or("its status is none")?;
    let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut headers = HeaderMap::with_capacity(parsed.headers.len() + 2);
    for line in &*parsed.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| "a header's name is none")?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(line.value));
        headers.append(name, value.map_err(|_| "a header's value is none")?);
    }
    let framing = framing(&mut headers, status, version, is_head)?;
    let keeps = keeps(&headers, version) && framing != Framing::ToTheEnd;
    let mut response = Response::new(());
    if let Some(reason) = parsed.reason.filter(|reason| status.canonical_reason() != Some(reason))
        && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
    {
        response.extensions_mut().insert(reason);
    }
    *response.status_mut() = status;
    *response.version_mut() = version;
    *response.headers_mut() = headers;
    Ok(Head { response, framing, keeps })
}

/// How the body ends (RFC 9112, 6.3). Of a length that is said several times one is left.
fn framing(
    headers: &mut HeaderMap,
    status: StatusCode,
    version: Version,
    is_head: bool,
) -> Result<Framing, &'static str> {
    let length = length(headers)?;
    if is_head || status.is_informational() || matches!(status.as_u16(), 204 | 304) {
        return Ok(Framing::Length(0));
    }
    if headers.contains_key(header::TRANSFER_ENCODING) {
        if version == Version::HTTP_10 {
            return Err("it has a Transfer-Encoding, which HTTP/1.0 does not know");
        }
        let last = headers.get_all(header::TRANSFER_ENCODING).iter().next_back();
        let codings = last.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_chunked =
            codings.rsplit(',').next().is_some_and(|coding| coding.trim().eq_ignore_ascii_case("chunked"));
        return Ok(if is_chunked { Framing::chunked() } else { Framing::ToTheEnd });
    }
    Ok(length.map_or(Framing::ToTheEnd, Framing::Length))
}

fn length(headers: &mut HeaderMap) -> Result<Option<u64>, &'static str> {
    let mut said = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = said.next() else { return Ok(None) };
    if said.any(|other| other != first) {
        return Err("it has several lengths");
    }
    let is_number = !first.is_empty() && first.as_bytes().iter().all(u8::is_ascii_digit);
    let number = first.to_str().ok().filter(|_| is_number).and_then(|text| text.parse().ok());
    let number = number.ok_or("its length is no number")?;
    let first = first.clone();
    headers.insert(header::CONTENT_LENGTH, first);
    Ok(Some(number))
}

fn keeps(headers: &HeaderMap, version: Version) -> bool {
    let says = |word: &str| {
        let said = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
        said.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(word))
    };
    !says("close") && (version != Version::HTTP_10 || says("keep-alive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> Result<Option<Head>, &'static str> {
        take(&mut BytesMut::from(text), false)
    }

    fn whole(text: &str) -> Head {
        taken(text).expect("valid").expect("whole")
    }

    #[test]
    fn a_head_is_read_once_all_of_it_is_there_and_what_follows_stays() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=1\r\nset-cookie: b=ü\r\n\r\nhi";
        let end = text.len() - 2;
        for cut in 0..end {
            let mut input = BytesMut::from(&text.as_bytes()[..cut]);
            assert!(take(&mut input, false).expect("not wrong").is_none(), "{cut}");
            assert_eq!(input.len(), cut);
        }
        let mut input = BytesMut::from(text);
        let head = take(&mut input, false).expect("valid").expect("whole");
        assert_eq!(&input[..], b"hi");
        assert_eq!((head.framing, head.keeps), (Framing::Length(2), true));
        assert_eq!(head.response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(head.response.extensions().get::<ReasonPhrase>(), None);
    }

    #[test]
    fn announcements_are_left_out_and_a_change_of_protocol_is_not() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
                    HTTP/1.1 404 Nothing Here\r\nContent-Length: 0\r\n\r\n";
        let head = whole(text);
        assert_eq!(head.response.status(), 404);
        assert!(head.response.extensions().get::<ReasonPhrase>().is_some(), "the app's own words");
        assert_eq!(whole("HTTP/1.1 101 Switching Protocols\r\n\r\n").response.status(), 101);
    }

    #[test]
    fn the_end_of_a_body_is_told_from_its_head() {
        for (lines, framing, keeps) in [
            ("1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 7", Framing::Length(7), true),
            ("1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 7", Framing::chunked(), true),
            ("1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked", Framing::chunked(), true),
            ("1.1 200 OK\r\nTransfer-Encoding: gzip", Framing::ToTheEnd, false),
            ("1.1 200 OK\r\nX: y", Framing::ToTheEnd, false),
            ("1.1 204 No Content\r\nX: y", Framing::Length(0), true),
            ("1.1 304 Not Modified\r\nContent-Length: 9", Framing::Length(0), true),
            ("1.1 200 OK\r\nContent-Length: 1\r\nConnection: x, Close", Framing::Length(1), false),
            ("1.0 200 OK\r\nContent-Length: 1", Framing::Length(1), false),
            ("1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive", Framing::Length(1), true),
        ] {
            let head = whole(&format!("HTTP/{lines}\r\n\r\n"));
            assert_eq!((head.framing, head.keeps), (framing, keeps), "{lines}");
        }
        let to_head = take(&mut BytesMut::from("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"), true);
        let to_head = to_head.expect("valid").expect("whole");
        assert_eq!(to_head.framing, Framing::Length(0));
        assert_eq!(to_head.response.headers()["content-length"], "7");
        assert_eq!(whole("HTTP/1.1 200 OK\nContent-Length: 3\n\n").framing, Framing::Length(3));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for lines in [
            "1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
            "1.1 200 OK\r\nContent-Length: +1",
            "1.1 200 OK\r\nContent-Length: 1, 1",
            "1.1 200 OK\r\nContent-Length: 99999999999999999999",
            "1.1 200 OK\r\nContent-Length:",
            "1.0 200 OK\r\nTransfer-Encoding: chunked",
            "1.1 200 OK\r\nX : y",
            "1.1 200 OK\r\nX: a\r\n folded",
            "1.1 2000 OK\r\nX: y",
        ] {
            assert!(taken(&format!("HTTP/{lines}\r\n\r\n")).is_err(), "{lines}");
        }
        assert!(taken("SSH-2.0-OpenSSH_9.6\r\n").is_err());
        assert!(taken(&format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(101))).is_err());
        assert!(taken(&format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(LONGEST))).is_err());
    }
}
