//! What the API's description says of maps of files: names that are paths, contents as text or
//! base64.

use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::files::FileEntry;
use crate::domain::{FileSet, text};

/// The files of a generation.
pub fn entries() -> Object {
    by_path(RefOr::from(Ref::from_schema_name("FileEntry")))
}

/// Changes to them.
pub fn changes() -> Object {
    let null = null().description(Some("Takes the file away."));
    by_path(RefOr::T(Schema::from(OneOfBuilder::new().item(null).item(Ref::from_schema_name("FileEntry")))))
}

fn by_path(value: impl Into<AdditionalProperties<Schema>>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("By path. No path may be a folder of another."))
        .property_names(Some(text::TreePath::rule().schema()))
        .additional_properties(Some(value))
        .min_properties(Some(1))
        .max_properties(Some(FileSet::MAX_FILES))
        .build()
}

impl PartialSchema for FileEntry {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let named = encoded(text(), "utf-8");
        let binary = encoded(text::Base64::rule().schema(), "base64").required("encoding");
        OneOfBuilder::new().item(text()).item(named).item(binary).into()
    }
}

impl ToSchema for FileEntry {}

fn encoded(content: ObjectBuilder, encoding: &str) -> ObjectBuilder {
    let encoding = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([encoding]));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("content", content)
        .property("encoding", encoding)
        .property("mode", mode())
        .required("content")
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

fn mode() -> OneOfBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(u32::MAX));
    OneOfBuilder::new()
        .item(null())
        .item(text::FileMode::rule().schema())
        .item(number)
        .description(Some("Octal text `\"755\"`, or the number 493; only the executable bit is kept."))
}

fn null() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Null)
}
