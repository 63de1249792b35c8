//! Which classes are models, and of what kind: by their decorators, by what they derive from
//! outside of the project, and else by the classes of the project they derive from.

use std::collections::HashMap;

use super::super::ModelKind;
use super::classes::{Class, last_name};

const MAX_STEPS: usize = 30;

/// Packages a file speaks of; they tell names apart that several packages use.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileFacts {
    django: bool,
    tortoise: bool,
    peewee: bool,
    ninja: bool,
    flask_sqlalchemy: bool,
    sqlalchemy: bool,
    documents: bool,
}

/// The kind of each class, in their order, and names of those that have one.
pub struct Kinds<'s> {
    pub of: Vec<Option<ModelKind>>,
    names: HashMap<&'s str, bool>,
}

/// Classes by their names.
struct Graph<'c, 's> {
    classes: &'c [Class<'s>],
    by_name: HashMap<&'s str, Vec<usize>>,
}

impl FileFacts {
    pub fn of(text: &str) -> Self {
        let speaks = |word: &str| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some();
        Self {
            django: speaks("django"),
            tortoise: speaks("tortoise"),
            peewee: speaks("peewee"),
            ninja: speaks("ninja"),
            flask_sqlalchemy: speaks("db.Model"),
            sqlalchemy: speaks("sqlalchemy") || speaks("Column("),
            documents: speaks("beanie") || speaks("mongoengine"),
        }
    }
}

impl Kinds<'_> {
    /// Whether some class of this name is a model.
    pub fn is_model(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }
}

/// The kinds of all classes.
pub fn all<'s>(classes: &[Class<'s>]) -> Kinds<'s> {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, class) in classes.iter().enumerate() {
        by_name.entry(class.name).or_default().push(at);
    }
    let graph = Graph { classes, by_name };
    let of: Vec<Option<ModelKind>> = (0..classes.len()).map(|at| graph.kind(at, &mut Vec::new())).collect();
    let named = classes.iter().zip(&of).filter(|(_, kind)| kind.is_some());
    let names = named.map(|(class, _)| (class.name, true)).collect();
    Kinds { of, names }
}

impl Graph<'_, '_> {
    fn kind(&self, at: usize, open: &mut Vec<usize>) -> Option<ModelKind> {
        let class = self.classes.get(at)?;
        if open.contains(&at) || open.len() > MAX_STEPS || matches!(class.name, "Meta" | "Config") {
            return None;
        }
        if let Some(kind) = class.decorators.iter().find_map(|name| by_decorator(name)) {
            return Some(kind);
        }
        open.push(at);
        let bases = class.bases.iter().filter(|base| !base.contains('='));
        let mut found = None;
        for base in bases {
            // A class of the project goes before one of a package of the same name.
            let own = self.nearest(last_name(base), class.file).filter(|own| *own != at);
            let kind = own.map_or_else(|| by_base(base, class), |own| self.kind(own, open));
            found = found.or(kind);
        }
        open.pop();
        let columns = || class.lines.iter().any(|line| is_column(line));
        // Mixins of columns derive from nothing.
        found.or_else(|| (class.facts.sqlalchemy && columns()).then_some(ModelKind::SqlAlchemy))
    }

    fn nearest(&self, name: &str, file: &str) -> Option<usize> {
        let all = self.by_name.get(name)?;
        let here = all.iter().find(|at| self.classes.get(**at).is_some_and(|class| class.file == file));
        here.or(all.first()).copied()
    }
}

fn is_column(line: &str) -> bool {
    line.split_once('=').is_some_and(|(_, value)| {
        let maker = value.trim_start().split('(').next().unwrap_or_default();
        matches!(last_name(maker), "Column" | "mapped_column")
    })
}

fn by_decorator(name: &str) -> Option<ModelKind> {
    match last_name(name) {
        "dataclass" => Some(ModelKind::Dataclass),
        "define" | "frozen" | "attrs" | "s" if name.starts_with("attr") || name == "define" => {
            Some(ModelKind::Dataclass)
        }
        _ => None,
    }
}

/// What deriving from a class of a package makes.
fn by_base(base: &str, class: &Class) -> Option<ModelKind> {
    let facts = &class.facts;
    Some(match last_name(base) {
        "BaseModel" | "GenericModel" | "RootModel" => ModelKind::Pydantic,
        "Schema" | "ModelSchema" if facts.ninja => ModelKind::Pydantic,
        "SQLModel" => ModelKind::SqlModel,
        "TypedDict" => ModelKind::TypedDict,
        "DeclarativeBase" | "DeclarativeBaseNoMeta" | "AsyncAttrs" | "DeclarativeMeta" => {
            ModelKind::SqlAlchemy
        }
        "Base" if facts.sqlalchemy => ModelKind::SqlAlchemy,
        "Document" | "EmbeddedDocument" if facts.documents => ModelKind::Document,
        "Model" if facts.tortoise => ModelKind::Tortoise,
        "Model" if facts.peewee => ModelKind::Peewee,
        "Model" if base != "models.Model" && (facts.flask_sqlalchemy || facts.sqlalchemy) => {
            ModelKind::SqlAlchemy
        }
        "Model" if base == "models.Model" || facts.django => ModelKind::Django,
        "AbstractUser" | "AbstractBaseUser" | "TimeStampedModel" | "MPTTModel" | "PolymorphicModel" => {
            ModelKind::Django
        }
        _ => return None,
    })
}
