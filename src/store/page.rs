//! One page of a list, and the cursor to the next.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::StoreError;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// `next` of the page before; `None` for the first.
    pub cursor: Option<String>,
    /// Entries wanted, 1 to [`Page::MAX_LIMIT`]; what is outside counts as the nearer end.
    pub limit: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PageOf<T> {
    pub items: Vec<T>,
    /// Opaque. `None` when this was the last page.
    pub next: Option<String>,
}

/// Which list a cursor belongs to: one list's cursor means nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Generations,
    Previews,
    Events,
    Deliveries,
    ApiKeys,
    Audit,
}

/// The last entry of the page before, by the columns the list is ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    pub at: i64,
    pub id: String,
}

impl Page {
    pub const MAX_LIMIT: u32 = 500;

    pub fn first(limit: u32) -> Self {
        Self { cursor: None, limit }
    }

    pub(super) fn cursor(&self, list: List) -> Result<Option<Cursor>, StoreError> {
        self.cursor.as_deref().map(|text| Cursor::decode(list, text).ok_or(StoreError::Cursor)).transpose()
    }

    /// One more row than wanted: whether it is there says whether there is a next page.
    pub(super) fn fetch(&self) -> i64 {
        i64::from(self.limit.clamp(1, Self::MAX_LIMIT)) + 1
    }
}

impl<T> PageOf<T> {
    /// From up to [`Page::fetch`] rows.
    pub(super) fn of(mut items: Vec<T>, page: &Page, list: List, key: impl Fn(&T) -> Cursor) -> Self {
        let limit = page.limit.clamp(1, Page::MAX_LIMIT) as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| key(last).encode(list));
        Self { items, next }
    }
}

impl List {
    const fn tag(self) -> char {
        match self {
            Self::Generations => 'g',
            Self::Previews => 'p',
            Self::Events => 'e',
            Self::Deliveries => 'd',
            Self::ApiKeys => 'k',
            Self::Audit => 'a',
        }
    }
}

impl Cursor {
    fn encode(&self, list: List) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}{}:{}", list.tag(), self.at, self.id))
    }

    fn decode(list: List, text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (at, id) = text.strip_prefix(list.tag())?.split_once(':')?;
        // PostgreSQL refuses NUL in text; no id holds one.
        (!id.contains('\0')).then_some(Self { at: at.parse().ok()?, id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_and_only_in_its_list() {
        let cursor = Cursor { at: 1_700_000_000_123, id: "a:b".into() };
        let text = cursor.encode(List::Generations);
        assert_eq!(Cursor::decode(List::Generations, &text), Some(cursor));
        assert_eq!(Cursor::decode(List::Previews, &text), None);
        for bad in ["", "x", "%%%", "Z2c6", &URL_SAFE_NO_PAD.encode("g1:\0")] {
            assert_eq!(Cursor::decode(List::Generations, bad), None, "{bad:?}");
        }
    }
}
