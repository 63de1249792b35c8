//! W3C trace context: the header `traceparent`.

/// What a `traceparent` says, when it says it right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    header: String,
}

impl TraceContext {
    /// `{version}-{trace id}-{parent id}-{flags}` in lower-case hex, the ids not all zeros. Of
    /// versions to come what is known of this one is read, as the recommendation wants it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (head, rest) = text.split_at_checked(LENGTH)?;
        let mut parts = head.split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |part: &str, length| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let is_id = |part: &str, length| is_hex(part, length) && part.bytes().any(|b| b != b'0');
        let ok = parts.next().is_none()
            && is_hex(version, 2)
            && version != "ff"
            && is_id(trace, 32)
            && is_id(parent, 16)
            && is_hex(flags, 2);
        let ends = if version == "00" { rest.is_empty() } else { rest.is_empty() || rest.starts_with('-') };
        (ok && ends).then(|| Self { header: head.to_owned() })
    }

    /// A trace that begins here.
    pub fn fresh() -> Self {
        // All zeros mean none; one in 2^64 is mended.
        let (trace, parent) = (rand::random::<u128>().max(1), rand::random::<u64>().max(1));
        Self { header: format!("00-{trace:032x}-{parent:016x}-01") }
    }

    /// 32 lower-case hex digits.
    pub fn trace_id(&self) -> &str {
        &self.header[3..35]
    }

    /// As it is passed on.
    pub fn header(&self) -> &str {
        &self.header
    }
}

const LENGTH: usize = 55;

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_what_is_right_is_taken() {
        let context = TraceContext::parse(GOOD).expect("right");
        assert_eq!((context.trace_id(), context.header()), ("4bf92f3577b34da6a3ce929d0e0e4736", GOOD));
        let later = GOOD.replacen("00", "01", 1);
        assert!(TraceContext::parse(&format!("{later}-more")).is_some());
        for bad in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}-more"),
            &GOOD.to_uppercase(),
            &GOOD.replacen("00", "ff", 1),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &GOOD.replace('-', "_"),
            &GOOD.replacen("4bf92f", "4bf-2f", 1),
            &GOOD.replacen("4bf92f", "4b\u{e9}2f", 1),
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_fresh_one_is_right_and_nobody_elses() {
        let (one, other) = (TraceContext::fresh(), TraceContext::fresh());
        assert_eq!(TraceContext::parse(one.header()), Some(one.clone()));
        assert_ne!(one.trace_id(), other.trace_id());
    }
}
