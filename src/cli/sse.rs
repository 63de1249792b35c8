//! Server-sent events, parsed as they arrive.
//!
//! Bytes come in chunks cut anywhere, also inside a character or between CR and LF; the events
//! that come out do not depend on where.

/// One event with its fields as sent. `data` lines are joined by `\n`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event:` field; empty when there was none.
    pub kind: String,
    pub data: String,
    /// The last `id:` seen, in this event or an earlier one.
    pub id: Option<String>,
}

/// The peer sent a line or an event longer than [`Parser::LONGEST`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an event is longer than {} bytes", Parser::LONGEST)]
pub struct TooLong;

#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    kind: String,
    data: String,
    has_data: bool,
    id: Option<String>,
    /// The last byte was CR: an LF that follows belongs to it.
    after_cr: bool,
    past_first_line: bool,
}

impl Parser {
    pub const LONGEST: usize = 1024 * 1024;

    /// Takes the next bytes and gives the events they complete.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<Vec<SseEvent>, TooLong> {
        let mut events = Vec::new();
        for &byte in chunk {
            let lf_of_crlf = byte == b'\n' && std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if lf_of_crlf => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    events.extend(self.end_of_line());
                }
                _ => {
                    self.after_cr = false;
                    self.line.push(byte);
                }
            }
            if self.line.len() + self.data.len() > Self::LONGEST {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    fn end_of_line(&mut self) -> Option<SseEvent> {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let mut line = text.as_ref();
        if !std::mem::replace(&mut self.past_first_line, true) {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            return self.end_of_event();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.kind),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // `retry`, comments (an empty field) and fields of the future.
            _ => {}
        }
        None
    }

    fn end_of_event(&mut self) -> Option<SseEvent> {
        let kind = std::mem::take(&mut self.kind);
        let data = std::mem::take(&mut self.data);
        match std::mem::take(&mut self.has_data) {
            true => Some(SseEvent { kind, data, id: self.id.clone() }),
            false => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &[u8]) -> Vec<SseEvent> {
        Parser::default().feed(text).expect("short")
    }

    #[test]
    fn fields_comments_and_ids_follow_the_standard() {
        let events = parse(
            "\u{feff}: hello\nid: 7\nevent: log\ndata: a\ndata:b\ndata\n\nretry: 5\n\ndata:  c\r\n\r\nid: x\0\rdata: ü\r\r"
                .as_bytes(),
        );
        let event =
            |kind: &str, data: &str| SseEvent { kind: kind.into(), data: data.into(), id: Some("7".into()) };
        assert_eq!(events, [event("log", "a\nb\n"), event("", " c"), event("", "ü")]);
    }

    #[test]
    fn an_unfinished_event_is_not_one() {
        assert_eq!(parse(b"data: a\n"), []);
        assert_eq!(parse(b"data: a"), []);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut parser = Parser::default();
        let chunk = vec![b'x'; 64 * 1024];
        let fed = (0..17).map(|_| parser.feed(&chunk)).collect::<Result<Vec<_>, _>>();
        assert_eq!(fed, Err(TooLong));
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            "(data|event|id|retry|): ?[a-zäß:\u{feff} ]{0,8}".prop_map(String::from),
            Just(String::new()),
            Just("data: {\"a\":1}".to_owned()),
        ];
        let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
        prop::collection::vec((line, end), 0..20)
            .prop_map(|lines| lines.into_iter().flat_map(|(l, e)| (l + e).into_bytes()).collect())
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_events(
            bytes in stream(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for pair in cuts.windows(2) {
                events.extend(parser.feed(&bytes[pair[0]..pair[1]]).expect("short"));
            }
            prop_assert_eq!(events, parse(&bytes));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let whole = parse(&bytes);
            let mut parser = Parser::default();
            let single: Vec<_> = bytes.iter().flat_map(|b| parser.feed(&[*b]).expect("short")).collect();
            prop_assert_eq!(whole, single);
        }
    }
}
