//! One statement of a class body, as a field.

use super::super::{Field, ModelKind, one_line};
use super::classes::last_name;
use super::lines::{split_outside, without_comments};

/// The field a statement declares, if it does: `name: type = default`, or `name = Column(type)`.
pub fn of(kind: ModelKind, line: &str) -> Option<Field> {
    let end = line.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    let (name, rest) = line.split_at(end);
    let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_') && !name.starts_with("__");
    if !is_name
        || matches!(name, "model_config" | "def" | "async" | "class" | "pass" | "return" | "if" | "for")
    {
        return None;
    }
    let rest = without_comments(rest.trim_start());
    if let Some(annotated) = rest.strip_prefix(':') {
        return annotated_field(kind, name, annotated);
    }
    let value = rest.strip_prefix('=').filter(|value| !value.starts_with('='))?.trim();
    assigned(kind, name, value)
}

/// `name: type`, `name: type = default`.
fn annotated_field(kind: ModelKind, name: &str, annotated: &str) -> Option<Field> {
    let parts = split_outside(annotated, '=');
    let written = bare(&one_line(parts.first()?));
    if written.is_empty() || written.starts_with("ClassVar") || written.starts_with("typing.ClassVar") {
        return None;
    }
    let default = (parts.len() > 1).then(|| parts[1..].join("=").trim().to_owned());
    let optional = written.contains("None") || written.starts_with("Optional[");
    // `Mapped[int] = mapped_column(…)`
    if let Some(inside) = inside_of(&written, "Mapped").or_else(|| inside_of(&written, "WriteOnlyMapped")) {
        let value = default.as_deref().unwrap_or_default();
        let is_relation = value.split('(').next().is_some_and(|maker| last_name(maker) == "relationship");
        let required = !optional && !is_relation && !may_be_left_out(value);
        return Some(Field { name: name.to_owned(), kind: inside.to_owned(), required });
    }
    let required = match &default {
        None if kind == ModelKind::TypedDict => !written.starts_with("NotRequired"),
        None => !optional || kind == ModelKind::Dataclass || kind == ModelKind::Pydantic,
        Some(value) => is_open(value),
    };
    Some(Field { name: name.to_owned(), kind: written, required })
}

/// `Annotated[int, Field(gt=0)]` is an `int`.
fn bare(written: &str) -> String {
    let inside = written.strip_prefix("Annotated[").and_then(|rest| rest.strip_suffix(']'));
    let first = inside.and_then(|inside| split_outside(inside, ',').first().map(|first| first.trim()));
    first.unwrap_or(written).to_owned()
}

/// `Mapped[X]` to `X`, whatever module it is named in.
fn inside_of<'t>(written: &'t str, wrapper: &str) -> Option<&'t str> {
    let (before, inside) = written.split_once('[')?;
    (last_name(before) == wrapper).then_some(inside.strip_suffix(']')?)
}

/// `Field(...)`, `Field(min_length=1)`: a default that says that there is none.
fn is_open(value: &str) -> bool {
    let Some((maker, arguments)) = value.split_once('(') else { return value == "..." };
    if !matches!(last_name(maker), "Field" | "field" | "ib" | "attrib" | "PrivateAttr") {
        return false;
    }
    let arguments = arguments.trim_end().strip_suffix(')').unwrap_or(arguments);
    let parts = split_outside(arguments, ',');
    let first = parts.first().map_or("", |first| first.trim());
    let says_default = parts.iter().any(|part| {
        let name = part.split('=').next().unwrap_or(part).trim();
        part.contains('=') && matches!(name, "default" | "default_factory" | "factory")
    });
    !says_default && (first.is_empty() || first == "..." || first.split('=').count() > 1 && is_keyword(first))
}

fn is_keyword(part: &str) -> bool {
    part.split('=').next().is_some_and(|name| name.trim().chars().all(|c| c.is_alphanumeric() || c == '_'))
}

/// `name = Column(Integer)`, `name = models.CharField(…)`, `name = fields.IntField(…)`.
fn assigned(kind: ModelKind, name: &str, value: &str) -> Option<Field> {
    let (maker, rest) = value.split_once('(')?;
    let is_dotted = maker.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
    if !is_dotted || maker.is_empty() {
        return None;
    }
    let arguments = rest.trim_end().strip_suffix(')').unwrap_or(rest);
    let last = last_name(maker);
    let (kind, required) = match kind {
        ModelKind::SqlAlchemy | ModelKind::SqlModel => match last {
            "Column" | "mapped_column" => (column_type(arguments)?, must_be_given(arguments)),
            "relationship" | "dynamic_loader" => (related(arguments)?, false),
            _ => return None,
        },
        ModelKind::Django | ModelKind::Tortoise | ModelKind::Peewee | ModelKind::Document => {
            if !last.ends_with("Field") && !last.ends_with("Key") && !last.contains("Relation") {
                return None;
            }
            (field_type(last, arguments), !may_be_left_out(arguments))
        }
        _ => return None,
    };
    Some(Field { name: name.to_owned(), kind: one_line(&kind), required })
}

/// A `Column("id", Integer)` of a table that is made by a call.
pub fn column(text: &str) -> Option<Field> {
    let (maker, rest) = text.split_once('(')?;
    if last_name(maker) != "Column" {
        return None;
    }
    let arguments = rest.trim_end().strip_suffix(')').unwrap_or(rest);
    let parts = split_outside(arguments, ',');
    let name = parts.first()?.trim().trim_matches(['"', '\'']);
    let kind = column_type(arguments)?;
    Some(Field { name: name.to_owned(), kind: one_line(&kind), required: must_be_given(arguments) })
}

/// The first argument that is a type: a name may stand before it.
fn column_type(arguments: &str) -> Option<String> {
    let parts = split_outside(arguments, ',').into_iter().map(str::trim);
    let is_type = |part: &&str| {
        let maker = part.split('(').next().unwrap_or(part);
        !part.is_empty() && !part.starts_with(['"', '\'']) && !maker.contains('=')
    };
    let found =
        parts.filter(is_type).map(|part| part.trim_start_matches("sa.").trim_start_matches("db.")).next();
    Some(found.unwrap_or("unknown").to_owned())
}

/// `"User"`, `User`, `lambda: User`.
fn related(arguments: &str) -> Option<String> {
    let first = split_outside(arguments, ',').into_iter().next()?.trim();
    let name = first.trim_start_matches("lambda:").trim().trim_matches(['"', '\'']);
    (!name.is_empty() && !name.contains('=')).then(|| name.to_owned())
}

/// `CharField`; with what it points to, `ForeignKey(User)`.
fn field_type(last: &str, arguments: &str) -> String {
    let points = last.contains("Foreign")
        || last.starts_with("OneTo")
        || last.starts_with("ManyTo")
        || last.contains("Reference");
    let first = split_outside(arguments, ',').into_iter().next().unwrap_or_default().trim();
    let first = first.strip_prefix("to=").unwrap_or(first).trim_matches(['"', '\'']);
    match points && !first.is_empty() && !first.contains('=') {
        true => format!("{last}({first})"),
        false => last.to_owned(),
    }
}

/// Columns may be null unless they say otherwise.
fn must_be_given(arguments: &str) -> bool {
    let says = |part: &&str| {
        part.split_once('=').is_some_and(|(key, value)| key.trim() == "nullable" && value.trim() == "False")
    };
    split_outside(arguments, ',').iter().any(says) && !may_be_left_out(arguments)
}

/// What is filled in, or may be nothing.
fn may_be_left_out(arguments: &str) -> bool {
    let yes = |part: &str, name: &str| {
        part.split_once('=').is_some_and(|(key, value)| {
            let key = key.rsplit('(').next().unwrap_or(key).trim();
            key == name && value.trim().starts_with("True")
        })
    };
    let given = |part: &str, name: &str| part.split_once('=').is_some_and(|(key, _)| key.trim() == name);
    let parts = split_outside(arguments, ',');
    parts.iter().any(|part| {
        let part = part.trim();
        ["null", "blank", "nullable", "primary_key", "auto_now", "auto_now_add", "pk"]
            .iter()
            .any(|name| yes(part, name))
            || ["default", "server_default", "default_factory", "insert_default"]
                .iter()
                .any(|name| given(part, name))
    })
}
