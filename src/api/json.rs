//! JSON bodies whose errors name the field.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_path_to_error::Segment;

use super::problem::ApiError;
use crate::domain::Invalid;

/// A body parsed as JSON, whatever its content type; an empty body is the default value.
pub struct Json<T>(pub T);

impl<S, T> FromRequest<S> for Json<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| super::body::rejected(&rejection, rejection.status(), super::SMALL_BODY))?;
        parse(if bytes.is_empty() { b"{}" } else { &bytes }).map(Self)
    }
}

/// Text that is no JSON is malformed (400); JSON of another shape is invalid (422) and names
/// the place.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::Malformed("it is empty".to_owned()));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let inner = error.inner();
        match inner.classify() {
            serde_json::error::Category::Data => {
                ApiError::Invalid(Invalid::new(field_of(&error), inner.to_string()))
            }
            _ => ApiError::Malformed(inner.to_string()),
        }
    })?;
    reader.end().map_err(|error| ApiError::Malformed(error.to_string()))?;
    Ok(value)
}

/// For fields of a struct's type that shall be nothing but a JSON object: derived code also takes
/// the members as an array, and no array at all for a struct of optional ones.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Object)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// As everywhere: `metadata.port`, `systemPackages[1]`, `files["src/a.py"]`. Empty when it is the
/// whole.
fn field_of(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let mut field = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => field.push_str(&format!("[{index}]")),
            Segment::Map { key } if !is_word(key) => field.push_str(&format!("[{key:?}]")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                if !field.is_empty() {
                    field.push('.');
                }
                field.push_str(key);
            }
            Segment::Unknown => {}
        }
    }
    // The place of what is missing is the object that lacks it.
    let message = error.inner().to_string();
    match message.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        Some((missing, _)) if field.is_empty() => missing.to_owned(),
        Some((missing, _)) => format!("{field}.{missing}"),
        None => field,
    }
}

fn is_word(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Metadata;

    #[test]
    fn an_error_names_the_field_and_says_whether_it_was_json_at_all() {
        let invalid = |text: &str| match parse::<Metadata>(text.as_bytes()) {
            Err(ApiError::Invalid(invalid)) => invalid.field,
            other => panic!("{other:?}"),
        };
        assert_eq!(invalid(r#"{"port": "x"}"#), "port");
        assert_eq!(invalid(r#"{"systemPackages": ["a", 1]}"#), "systemPackages[1]");
        assert_eq!(invalid(r#"{"colour": 1}"#), "colour");
        assert_eq!(invalid(r#"{"environment": {"A B": 1}}"#), "environment[\"A B\"]");
        assert_eq!(invalid("[]"), "");
        let missing = parse::<crate::api::upload::PutBody>(b"{}");
        assert!(matches!(missing, Err(ApiError::Invalid(invalid)) if invalid.field == "files"));
        assert!(matches!(parse::<Metadata>(b"{"), Err(ApiError::Malformed(_))));
        assert!(matches!(parse::<Metadata>(b"{} {}"), Err(ApiError::Malformed(_))));
    }
}
