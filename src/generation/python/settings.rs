//! Variables of the environment that classes and helpers of packages read: pydantic's settings,
//! decouple, environ, environs, Starlette's Config.

use tree_sitter::Node;

use super::imports::Import;
use super::scan::PyFile;
use crate::generation::plan::EnvRead;
use crate::generation::quoting::is_env_name;
use crate::generation::syntax::{children, line_of, string_value, text_of};

/// Whether a call such as `config("KEY")` or `env.str("KEY")` reads a variable here.
pub fn is_reader(function: &str, imports: &[Import]) -> bool {
    let from = |top: &str| imports.iter().any(|import| import.top() == top);
    match function {
        "config" => from("decouple") || imports.iter().any(|import| import.module == "starlette.config"),
        "env" => from("environ") || from("environs"),
        _ => {
            let reads = ["env.str", "env.int", "env.bool", "env.list", "env.db", "env.url", "env.float"];
            reads.contains(&function) && (from("environ") || from("environs"))
        }
    }
}

/// The fields of `class Settings(BaseSettings)`.
pub fn read(class: Node<'_>, text: &str, file: &mut PyFile) {
    let of = |node: Node<'_>| text_of(node, text);
    let is_settings = class.child_by_field_name("superclasses").is_some_and(|bases| {
        of(bases).trim_matches(['(', ')']).split(',').any(|base| base.trim().ends_with("BaseSettings"))
    });
    let Some(body) = class.child_by_field_name("body").filter(|_| is_settings) else { return };
    let prefix = prefix(of(body));
    for statement in children(body).into_iter().take(500) {
        let Some(field) = statement.named_child(0).filter(|node| node.kind() == "assignment") else {
            continue;
        };
        let (Some(name), Some(_)) = (field.child_by_field_name("left"), field.child_by_field_name("type"))
        else {
            continue;
        };
        let value = field.child_by_field_name("right");
        let (alias, has_default) = value.map_or((None, false), |value| field_of(of(value)));
        let own = of(name).to_ascii_uppercase();
        let name = alias.unwrap_or_else(|| format!("{prefix}{own}"));
        if is_env_name(&name) && own != "MODEL_CONFIG" && file.env.len() < 1000 {
            let path = file.path.clone();
            file.env.push(EnvRead { name, file: path, line: line_of(field), has_default });
        }
    }
}

/// The name `Field(…, env="X")` gives, and whether there is a default.
fn field_of(value: &str) -> (Option<String>, bool) {
    let Some(inner) = value.strip_prefix("Field(") else { return (None, value != "...") };
    let named = ["validation_alias=", "alias=", "env="].iter().find_map(|key| {
        let (_, rest) = inner.split_once(key)?;
        let end = rest.find([',', ')']).unwrap_or(rest.len());
        string_value(rest[..end].trim())
    });
    let required = inner.trim_start().starts_with("...");
    let gives = inner.contains("default")
        || !(inner.trim_start().starts_with(|c: char| c.is_alphabetic()) && inner.contains('='));
    (named, gives && !required)
}

/// `env_prefix="APP_"` of the class.
fn prefix(body: &str) -> String {
    let value =
        body.split_once("env_prefix").map(|(_, rest)| rest.trim_start_matches([' ', '=', ':', '"', '\'']));
    let prefix: String = value
        .unwrap_or_default()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(60)
        .collect();
    prefix.to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan;

    #[test]
    fn settings_and_helpers_are_read() {
        let file = scan(
            "settings.py",
            "from pydantic_settings import BaseSettings\nfrom decouple import config\nclass S(BaseSettings):\n    database_url: str\n    debug: bool = False\n    key: str = Field(..., env='API_KEY')\n    other: int = Field(default=1)\n    model_config = SettingsConfigDict(env_prefix='app_')\nA = config('A')\nB = config('B', default=1)\n",
        );
        let found: Vec<_> = file.env.iter().map(|read| (read.name.as_str(), read.has_default)).collect();
        assert_eq!(
            found,
            [
                ("APP_DATABASE_URL", false),
                ("APP_DEBUG", true),
                ("API_KEY", false),
                ("APP_OTHER", true),
                ("A", false),
                ("B", true)
            ]
        );
        let plain = scan("a.py", "import os\nx = config('A')\nclass A(B):\n    x: int\nos.environ['C']\n");
        assert_eq!(plain.env.len(), 1);
    }
}
