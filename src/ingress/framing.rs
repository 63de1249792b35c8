//! Refuses requests whose length two parsers could read differently.
//!
//! hyper resolves a head that has both `Content-Length` and `Transfer-Encoding` by itself and hides
//! that it did. RFC 9112 allows a server to refuse it, and a proxy should: nobody honest sends it. So
//! the bytes are followed here as they are read, only as far as needed to know where heads begin. The
//! second of the two header lines is spoilt in place, which makes hyper's parser answer 400 and close.

/// Where one connection stands between the bytes it has been shown.
#[derive(Debug)]
pub(super) struct Framing {
    place: Place,
    /// What is known of a line whose end has not been read yet.
    line: PartialLine,
    /// What is known of the size of the chunk that comes.
    size: ChunkSize,
    length: Option<u64>,
    chunked: bool,
    heads: u64,
}

/// What the visitor is in the middle of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing: between two requests.
    Idle,
    Head,
    Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    RequestLine,
    HeaderLines,
    /// Bytes to skip: the rest of a body of known length.
    Body(u64),
    ChunkSize,
    /// Bytes to skip: the rest of a chunk and the line end after it.
    Chunk(u64),
    Trailers,
}

/// The beginning of a line that came in several reads. The lines that matter are short: a longer one is
/// remembered no further than this.
#[derive(Debug)]
struct PartialLine {
    bytes: [u8; PARTIAL_LINE],
    length: usize,
}

const PARTIAL_LINE: usize = 64;

impl Framing {
    pub(super) fn new() -> Self {
        let (place, line) = (Place::RequestLine, PartialLine::EMPTY);
        Self { place, line, size: ChunkSize::default(), length: None, chunked: false, heads: 0 }
    }

    /// Complete request heads seen so far.
    pub(super) fn heads(&self) -> u64 {
        self.heads
    }

    pub(super) fn progress(&self) -> Progress {
        match self.place {
            Place::RequestLine if self.line.length == 0 => Progress::Idle,
            Place::RequestLine | Place::HeaderLines => Progress::Head,
            _ => Progress::Body,
        }
    }

    /// Follows what was just read, and spoils what is ambiguous in it.
    pub(super) fn inspect(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let used = match self.place {
                Place::Body(rest) => self.skip(rest, bytes.len(), Place::Body, Place::RequestLine),
                Place::Chunk(rest) => self.skip(rest, bytes.len(), Place::Chunk, Place::ChunkSize),
                Place::ChunkSize => self.read_size(bytes),
                _ => self.read_line(bytes),
            };
            bytes = &mut bytes[used..];
        }
    }

    fn skip(&mut self, rest: u64, available: usize, same: fn(u64) -> Place, next: Place) -> usize {
        let available = available as u64;
        let used = rest.min(available);
        self.place = if rest > available { same(rest - used) } else { next };
        used as usize
    }

    /// Takes the line that says how long a chunk is, or the part of it that is there: zeros before a size
    /// and what follows it may be as long as anybody likes.
    fn read_size(&mut self, bytes: &[u8]) -> usize {
        let end = memchr::memchr(b'\n', bytes);
        self.size.read(&bytes[..end.unwrap_or(bytes.len())]);
        let Some(end) = end else { return bytes.len() };
        self.place = match std::mem::take(&mut self.size).bytes {
            0 => Place::Trailers,
            size => Place::Chunk(size.saturating_add(2)),
        };
        end + 1
    }

    /// Takes one line, or the part of it that is there; answers how many bytes that was.
    fn read_line(&mut self, bytes: &mut [u8]) -> usize {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.line.push(bytes);
            return bytes.len();
        };
        let ambiguous = if self.line.length == 0 {
            self.end_line(without_cr(&bytes[..end]))
        } else {
            let mut line = std::mem::replace(&mut self.line, PartialLine::EMPTY);
            line.push(&bytes[..end]);
            let kept = &line.bytes[..line.length];
            // Of one that is longer it is not known where it ends.
            self.end_line(if line.length < PARTIAL_LINE { without_cr(kept) } else { kept })
        };
        if ambiguous {
            bytes[0] = 0;
        }
        end + 1
    }

    /// One whole line; true when it makes the head ambiguous.
    fn end_line(&mut self, line: &[u8]) -> bool {
        match self.place {
            // Empty lines before a request are allowed, and mean nothing.
            Place::RequestLine if line.is_empty() => {}
            Place::RequestLine => self.place = Place::HeaderLines,
            Place::HeaderLines if line.is_empty() => self.end_head(),
            Place::HeaderLines => return self.header(line),
            Place::Trailers if line.is_empty() => self.place = Place::RequestLine,
            Place::Trailers | Place::Body(_) | Place::ChunkSize | Place::Chunk(_) => {}
        }
        false
    }

    fn header(&mut self, line: &[u8]) -> bool {
        if let Some(value) = value_of(line, b"content-length:") {
            // What is no number, or differs from the first, hyper refuses. A padded one may be cut off here.
            self.length.get_or_insert(decimal(value));
            return self.chunked || line.len() >= PARTIAL_LINE - 1;
        }
        if value_of(line, b"transfer-encoding:").is_some() {
            let again = std::mem::replace(&mut self.chunked, true);
            return again || self.length.is_some();
        }
        false
    }

    fn end_head(&mut self) {
        self.heads += 1;
        let length = self.length.take().unwrap_or(0);
        self.place = match std::mem::take(&mut self.chunked) {
            true => Place::ChunkSize,
            false if length > 0 => Place::Body(length),
            false => Place::RequestLine,
        };
    }
}

impl PartialLine {
    const EMPTY: Self = Self { bytes: [0; PARTIAL_LINE], length: 0 };

    fn push(&mut self, bytes: &[u8]) {
        let room = self.bytes.len() - self.length;
        let taken = room.min(bytes.len());
        self.bytes[self.length..self.length + taken].copy_from_slice(&bytes[..taken]);
        self.length += taken;
    }
}

/// Of a line of hexadecimal digits, up to what is none. One that is too large is 0, as what is no number:
/// hyper ends such a connection by itself.
#[derive(Debug, Default)]
struct ChunkSize {
    bytes: u64,
    is_over: bool,
}

impl ChunkSize {
    fn read(&mut self, line: &[u8]) {
        for byte in line {
            if self.is_over {
                return;
            }
            let digit = char::from(*byte).to_digit(16);
            let next =
                digit.map(|digit| self.bytes.checked_mul(16).and_then(|size| size.checked_add(digit.into())));
            self.is_over = !matches!(next, Some(Some(_)));
            self.bytes = next.map_or(self.bytes, Option::unwrap_or_default);
        }
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The value of a header line, if it is the one of this (lower case) name and colon.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(value)
}

/// 0 for what is no number: hyper ends such a connection by itself.
fn decimal(value: &[u8]) -> u64 {
    std::str::from_utf8(value.trim_ascii()).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What hyper would be given of requests that come in these reads, and how many heads they have.
#[cfg(fuzzing)]
pub fn follow_requests<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, u64) {
    let (mut framing, mut passed) = (Framing::new(), Vec::new());
    for read in reads {
        let start = passed.len();
        passed.extend_from_slice(read);
        framing.inspect(&mut passed[start..]);
    }
    (passed, framing.heads())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the bytes are left alone, however they are cut into reads.
    fn passes(wire: &str) -> bool {
        let verdicts: Vec<bool> = (1..=wire.len())
            .map(|size| {
                let mut framing = Framing::new();
                let mut bytes = wire.as_bytes().to_vec();
                bytes.chunks_mut(size).for_each(|read| framing.inspect(read));
                bytes == wire.as_bytes()
            })
            .collect();
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{wire:?}: {verdicts:?}");
        verdicts[0]
    }

    #[test]
    fn two_lengths_of_one_request_are_refused_in_either_order() {
        let length_first =
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunked_first =
            "POST / HTTP/1.1\r\ntransfer-encoding:chunked\r\nX: y\r\nCONTENT-LENGTH: 5\r\n\r\n";
        let twice = "POST / HTTP/1.1\nTransfer-Encoding: chunked\nTransfer-Encoding: x\n\n";
        assert!(!passes(length_first));
        assert!(!passes(chunked_first));
        assert!(!passes(twice));
        assert!(!passes(&format!("\r\nGET / HTTP/1.1\r\n\r\n{length_first}")));
    }

    #[test]
    fn bodies_that_look_like_heads_are_left_alone() {
        let inner = "a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let sized = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
        let chunked = format!(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x};e=1\r\n{inner}\r\n1\r\n\n\r\n0\r\nT: 1\r\n\r\n",
            inner.len()
        );
        assert!(passes(&format!("{sized}{chunked}{sized}GET / HTTP/1.1\r\n\r\n")));
        assert!(
            !passes(&format!("{sized}{chunked}POST /{inner}")),
            "the message after them is inspected again"
        );
    }

    #[test]
    fn a_size_may_have_any_number_of_zeros_before_it_and_words_behind() {
        let (zeros, words) = ("0".repeat(100), "x".repeat(100));
        let inner = "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let size = inner.len();
        let chunk = format!("{zeros}{size:x} ;{words}\r\n{inner}\r\n{zeros};{words}\r\n\r\n");
        let whole = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
        assert!(passes(&whole), "what looks like a head lies in the chunk");
        assert!(!passes(&format!("{whole}{inner}")), "the message after it is inspected");
    }

    #[test]
    fn progress_tells_a_half_sent_head_from_an_idle_connection() {
        let mut framing = Framing::new();
        let mut show = |text: &str| {
            framing.inspect(&mut text.as_bytes().to_vec());
            (framing.progress(), framing.heads())
        };
        assert_eq!(show("GE"), (Progress::Head, 0));
        assert_eq!(show("T / HTTP/1.1\r\n"), (Progress::Head, 0));
        assert_eq!(show("Content-Length: 3\r\n\r\nab"), (Progress::Body, 1));
        assert_eq!(show("c"), (Progress::Idle, 1));
    }

    proptest::proptest! {
        /// However the bytes are cut into reads, the verdict and the place are the same, and nothing but
        /// header lines of a length is ever touched.
        #[test]
        fn cuts_between_reads_mean_nothing(
            // No NUL: a line that has one is refused already, and spoiling it may change nothing.
            wire in "(GET / HTTP/1\\.1\r\n|Content-Length: |Transfer-Encoding: chunked|\r\n|\n|5|0|0{70}|ffffffffffffffff|a|:| |\t{70}|X: y\r\n){0,40}",
            cut in 1..64_usize,
        ) {
            let follow = |size: usize| {
                let mut framing = Framing::new();
                let mut bytes = wire.as_bytes().to_vec();
                bytes.chunks_mut(size).for_each(|read| framing.inspect(read));
                // What comes after a line that is spoilt is never read.
                (bytes == wire.as_bytes()).then(|| (framing.heads(), framing.progress()))
            };
            proptest::prop_assert_eq!(follow(cut), follow(wire.len().max(1)));
        }
    }
}
