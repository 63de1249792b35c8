//! What the API's description says of the parameters of all addresses alike.

use utoipa::PartialSchema as _;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};

use crate::domain::GenerationId;

pub fn describe(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        match parameter.parameter_in {
            ParameterIn::Path => name(parameter),
            _ => plain(parameter),
        }
    }
}

/// What stands in a path, by what the path calls it.
fn name(parameter: &mut Parameter) {
    let uuid = || {
        ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::Custom("uuid".to_owned())))
    };
    match parameter.name.as_str() {
        "gid" | "generation_id" | "other" => parameter.schema = Some(GenerationId::schema()),
        "id" => parameter.schema = Some(uuid().into()),
        _ => {}
    }
}

/// There is no null in an address, only what is absent; and no NUL in a text.
fn plain(parameter: &mut Parameter) {
    let Some(RefOr::T(schema)) = &mut parameter.schema else { return };
    if let Schema::OneOf(choice) = schema {
        choice.items.retain(|item| !is_null(item));
        if let [RefOr::T(only)] = choice.items.as_slice() {
            *schema = only.clone();
        }
    }
    let Schema::Object(object) = schema else { return };
    if let SchemaType::Array(types) = &mut object.schema_type {
        types.retain(|one| *one != Type::Null);
        if let [only] = types.as_slice() {
            object.schema_type = SchemaType::Type(only.clone());
        }
    }
    let is_free = object.pattern.is_none() && object.format.is_none() && object.enum_values.is_none();
    if is_free && object.schema_type == SchemaType::Type(Type::String) {
        object.pattern = Some(r"^[^\x00]*$".to_owned());
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}
