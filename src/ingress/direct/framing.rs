//! Where the body of an answer ends, followed as its bytes come. No I/O.

use bytes::{Buf, Bytes, BytesMut};

/// What is left of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes.
    Length(u64),
    /// All until the connection ends.
    ToTheEnd,
    Chunked(Chunked),
}

/// Where in a chunked body it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunked {
    /// The line with a chunk's size.
    Size,
    /// So many bytes of a chunk.
    Data(u64),
    /// The line end after it.
    After,
    /// Lines after the last chunk, of which so many bytes were read.
    Trailers(usize),
    Over,
}

/// What the bytes that are there come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Data(Bytes),
    /// There is more to be read.
    More,
    Over,
    /// It is not framed as it should be.
    Broken,
}

/// Of a line with a chunk's size, extensions and all.
const LONGEST_SIZE: usize = 1024;

const LONGEST_TRAILERS: usize = 16 * 1024;

impl Framing {
    pub(super) const fn chunked() -> Self {
        Self::Chunked(Chunked::Size)
    }

    /// Whether nothing more of it will come.
    pub(super) const fn is_over(self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunked::Over))
    }

    /// Whether the end of the connection is the end of it, and not a break.
    pub(super) const fn ends_with_connection(self) -> bool {
        matches!(self, Self::ToTheEnd) || self.is_over()
    }

    /// The bytes that are still to come, where that is known.
    pub(super) const fn left(self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(left),
            Self::Chunked(Chunked::Over) => Some(0),
            Self::ToTheEnd | Self::Chunked(_) => None,
        }
    }

    /// Takes the next piece of the body off the front of what was read.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Piece {
        match self {
            Self::Length(0) => Piece::Over,
            _ if input.is_empty() => Piece::More,
            Self::Length(left) => Piece::Data(up_to(input, left)),
            Self::ToTheEnd => Piece::Data(input.split().freeze()),
            Self::Chunked(place) => place.next(input),
        }
    }
}

impl Chunked {
    fn next(&mut self, input: &mut BytesMut) -> Piece {
        loop {
            match self {
                Self::Over => return Piece::Over,
                _ if input.is_empty() => return Piece::More,
                Self::Data(left) => {
                    let data = up_to(input, left);
                    if *left == 0 {
                        *self = Self::After;
                        self.settle(input);
                    }
                    return Piece::Data(data);
                }
                _ => {
                    if let Some(stop) = self.step(input) {
                        return stop;
                    }
                }
            }
        }
    }

    /// Goes on behind a chunk as far as that needs no reading: an end that is there already is
    /// known at once. What is broken is found again by the next call.
    fn settle(&mut self, input: &mut BytesMut) {
        while !matches!(self, Self::Data(_) | Self::Over) && !input.is_empty() {
            if self.step(input).is_some() {
                return;
            }
        }
    }

    /// One line of the framing; why it cannot go on, if so. Then nothing was taken.
    fn step(&mut self, input: &mut BytesMut) -> Option<Piece> {
        let longest = match self {
            Self::After => 2,
            Self::Size => LONGEST_SIZE,
            Self::Trailers(read) => LONGEST_TRAILERS.saturating_sub(*read),
            Self::Data(_) | Self::Over => return None,
        };
        let Some(end) = memchr::memchr(b'\n', &input[..input.len().min(longest)]) else {
            return Some(if input.len() < longest { Piece::More } else { Piece::Broken });
        };
        let Some(line) = input[..end].strip_suffix(b"\r") else { return Some(Piece::Broken) };
        let next = match self {
            Self::After if line.is_empty() => Self::Size,
            Self::Size => match size(line) {
                None => return Some(Piece::Broken),
                Some(0) => Self::Trailers(0),
                Some(size) => Self::Data(size),
            },
            Self::Trailers(_) if line.is_empty() => Self::Over,
            Self::Trailers(read) => Self::Trailers(*read + end + 1),
            Self::After | Self::Data(_) | Self::Over => return Some(Piece::Broken),
        };
        *self = next;
        input.advance(end + 1);
        None
    }
}

fn up_to(input: &mut BytesMut, left: &mut u64) -> Bytes {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= length as u64;
    input.split_to(length).freeze()
}

/// Hexadecimal digits, perhaps with extensions behind them.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or(line).trim_ascii_end();
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    u64::from_str_radix(text, 16).ok()
}

/// The body that these reads make, how the last of them was taken, and what was left over.
#[cfg(any(test, fuzzing))]
fn read<'a>(mut framing: Framing, reads: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Piece, Vec<u8>) {
    let (mut input, mut body, mut last) = (BytesMut::new(), Vec::new(), Piece::More);
    for read in reads {
        input.extend_from_slice(read);
        while last == Piece::More {
            match framing.next(&mut input) {
                Piece::Data(data) => {
                    body.extend_from_slice(&data);
                    if framing.is_over() {
                        last = Piece::Over;
                    }
                }
                Piece::More => break,
                stop => last = stop,
            }
        }
    }
    (body, last, input.to_vec())
}

/// A chunked body that comes in these reads, if it is whole.
#[cfg(fuzzing)]
pub fn unchunk<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let (body, last, _) = read(Framing::chunked(), reads);
    (last == Piece::Over).then_some(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The body that these reads make, how the last of them was taken, and what was left over.
    fn read(framing: Framing, reads: &[&[u8]]) -> (Vec<u8>, Piece, Vec<u8>) {
        super::read(framing, reads.iter().copied())
    }

    #[test]
    fn a_length_ends_where_it_says() {
        let (body, last, rest) = read(Framing::Length(5), &[b"he", b"llo more"]);
        assert_eq!((&body[..], last, &rest[..]), (&b"hello"[..], Piece::Over, &b" more"[..]));
        assert_eq!(read(Framing::Length(0), &[b""]).1, Piece::Over);
        assert_eq!(read(Framing::ToTheEnd, &[b"a", b"b"]).0, b"ab");
    }

    #[test]
    fn the_end_is_known_with_the_last_chunk() {
        let mut framing = Framing::chunked();
        let mut input = BytesMut::from(&b"2\r\nhi\r\n0\r\n\r\n"[..]);
        assert_eq!(framing.next(&mut input), Piece::Data(Bytes::from_static(b"hi")));
        assert!(framing.is_over() && input.is_empty());
    }

    #[test]
    fn chunks_that_are_none_are_broken() {
        for wire in [
            "x\r\n",
            "\r\n",
            "-1\r\n",
            "0x1\r\n",
            " 1\r\na\r\n",
            "1\na\r\n",
            "1\r\nab\r\n0\r\n\r\n",
            "10000000000000000\r\n",
            "1;\n",
        ] {
            let (_, last, _) = read(Framing::chunked(), &[wire.as_bytes()]);
            assert_eq!(last, Piece::Broken, "{wire:?}");
        }
        assert_eq!(read(Framing::chunked(), &["1;".repeat(600).as_bytes()]).1, Piece::Broken);
        let endless = format!("0\r\n{}", "Name: value\r\n".repeat(2000));
        assert_eq!(read(Framing::chunked(), &[endless.as_bytes()]).1, Piece::Broken);
    }

    proptest! {
        #[test]
        fn however_it_is_cut_it_is_the_same_body(
            chunks in prop::collection::vec("[a-z\r\n]{1,40}", 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let sized = |chunk: &String| format!("{:x};e=\"1\"\r\n{chunk}\r\n", chunk.len());
            let mut wire: String = chunks.iter().map(sized).collect();
            wire.push_str("0\r\nTrailer: 1\r\n\r\nnext");
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
            cuts.extend([0, wire.len()]);
            cuts.sort_unstable();
            let reads: Vec<&[u8]> = cuts.windows(2).map(|pair| &wire.as_bytes()[pair[0]..pair[1]]).collect();
            let (body, last, _) = read(Framing::chunked(), &reads);
            prop_assert_eq!(last, Piece::Over);
            prop_assert_eq!(body, chunks.concat().into_bytes());
        }
    }
}
