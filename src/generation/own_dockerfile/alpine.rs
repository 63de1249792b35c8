//! Dockerfiles that were written for Alpine and cannot be built on our images, which are Debian's.

use super::parse::parse;
use crate::generation::bases::{BaseImages, Resolved};

/// The line of the first step that installs packages with `apk`, where the image it is meant for
/// is replaced by one of ours.
pub fn installs_with_apk(text: &str, bases: &BaseImages) -> Option<usize> {
    let instructions = parse(text).ok()?;
    let is_replaced =
        |image: &str| image.contains("alpine") && matches!(bases.resolve(image), Resolved::Alias { .. });
    let images = instructions.iter().filter(|one| one.keyword == "FROM");
    let mut named = images.filter_map(|one| one.rest.split_whitespace().find(|word| !word.starts_with("--")));
    if !named.any(is_replaced) {
        return None;
    }
    first_apk(text)
}

/// The line of the first step that uses `apk`.
pub fn first_apk(text: &str) -> Option<usize> {
    let instructions = parse(text).ok()?;
    let uses_apk = |rest: &str| {
        let words = rest.split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')'));
        words.collect::<Vec<_>>().windows(2).any(|pair| pair[0] == "apk" && !pair[1].is_empty())
    };
    instructions.iter().find(|one| one.keyword == "RUN" && uses_apk(&one.rest)).map(|one| one.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_with_apk_on_an_image_of_ours_is_found() {
        let bases = BaseImages::default();
        let found = |text: &str| installs_with_apk(text, &bases);
        assert_eq!(found("FROM node:20-alpine\nRUN a && apk add --no-cache git\n"), Some(2));
        assert_eq!(found("FROM --platform=x node:20-alpine AS a\nWORKDIR /a\nRUN apk update\n"), Some(3));
        assert_eq!(found("FROM node:20-alpine\nRUN npm ci\n"), None);
        assert_eq!(found("FROM node:20\nRUN apk add git\n"), None, "it never worked");
        assert_eq!(found("FROM node:20-alpine\nRUN echo tapk add\n"), None);
        let allowed = BaseImages { allowed: vec!["node:*".into()], ..BaseImages::default() };
        assert_eq!(installs_with_apk("FROM node:20-alpine\nRUN apk add git\n", &allowed), None);
    }
}
