//! One JavaScript or TypeScript file read for what it serves: ports listened on, modules
//! imported, environment variables.

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use crate::generation::plan::EnvRead;
use crate::generation::quoting::is_env_name;
use crate::generation::syntax::{children, each_node, first_error, line_of, parse, string_value, text_of};
use crate::generation::tagged::readable;

#[derive(Debug, Clone, Default)]
pub struct JsFile {
    pub path: String,
    /// Modules imported or required, with the line.
    pub imports: Vec<(String, usize)>,
    pub listens: Vec<Listen>,
    pub env: Vec<EnvRead>,
    /// It uses `import` or `export` statements.
    pub is_module: bool,
    /// The line of the first thing that is no JavaScript; only looked for in files that are parsed.
    pub syntax_error: Option<usize>,
}

/// One call that opens a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    pub port: PortSource,
    /// The address, where it is written there.
    pub host: Option<String>,
    /// Some address is given, written there or not.
    pub names_host: bool,
    pub line: usize,
}

/// Where a port comes from: `process.env.PORT || 3000` reads the variable and has a literal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortSource {
    pub from_env: bool,
    pub literal: Option<u16>,
}

/// Reads one file. Broken syntax is read as far as it can be.
///
/// Without `all_imports`, files that neither listen nor ask for variables are not parsed.
pub fn scan(path: &str, text: &str, all_imports: bool) -> JsFile {
    let is_module =
        text.lines().any(|line| ["import ", "import{", "export "].iter().any(|s| line.starts_with(s)));
    let mut file = JsFile { path: path.to_owned(), is_module, ..JsFile::default() };
    let telling = [
        "listen",
        "serve",
        "process.env",
        "import.meta.env",
        "Bun.env",
        "express",
        "onfigService",
        "export default {",
    ];
    let imports = all_imports && (is_module || text.contains("require") || text.contains("import("));
    if !imports && !telling.iter().any(|mark| text.contains(mark)) {
        return file;
    }
    let language = match path.rsplit('.').next() {
        Some("ts" | "mts" | "cts") => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
        Some("tsx") => tree_sitter_typescript::LANGUAGE_TSX,
        _ => tree_sitter_javascript::LANGUAGE,
    };
    let Some(tree) = parse(&language.into(), &readable(text)) else { return file };
    file.syntax_error = first_error(&tree);
    let has_schema = ["arse(process.env)", "arse({ ...process.env", "createEnv(", "arseAsync(process.env)"]
        .iter()
        .any(|mark| text.contains(mark));
    let (values, defaulted, settings) = Default::default();
    let mut scan = Scan { text, file: &mut file, values, defaulted, settings, has_schema };
    each_node(&tree, |node| scan.visit(node));
    file
}

struct Scan<'s> {
    text: &'s str,
    file: &'s mut JsFile,
    /// What variables hold, as far as it matters for a port.
    values: BTreeMap<&'s str, PortSource>,
    /// Where `process.env.X` stands in front of `||` or `??`.
    defaulted: BTreeSet<usize>,
    /// Names of parameters and variables that hold the settings of NestJS.
    settings: BTreeSet<&'s str>,
    /// The whole environment is handed to a schema of Zod's.
    has_schema: bool,
}

const MAX_FINDINGS: usize = 1000;

impl<'s> Scan<'s> {
    fn of(&self, node: Node<'_>) -> &'s str {
        text_of(node, self.text)
    }

    fn visit(&mut self, node: Node<'s>) {
        match node.kind() {
            "import_statement" => self.import(node.child_by_field_name("source")),
            "call_expression" => self.call(node),
            "variable_declarator" => self.declared(node),
            "export_statement" => self.exported(node),
            "required_parameter" | "optional_parameter" => self.parameter(node),
            "binary_expression" => self.with_default(node),
            "member_expression" => self.env_read(node),
            "subscript_expression" => self.env_subscript(node),
            "pair" if self.has_schema => self.env_schema(node),
            _ => {}
        }
    }

    fn import(&mut self, source: Option<Node<'s>>) {
        let Some(source) = source else { return };
        if let Some(module) = string_value(self.of(source))
            && self.file.imports.len() < MAX_FINDINGS
        {
            self.file.imports.push((module, line_of(source)));
        }
    }

    fn call(&mut self, node: Node<'s>) {
        let (Some(function), Some(arguments)) =
            (node.child_by_field_name("function"), node.child_by_field_name("arguments"))
        else {
            return;
        };
        let name = match function.kind() {
            "member_expression" => function.child_by_field_name("property").map(|property| self.of(property)),
            _ => Some(self.of(function)),
        };
        match name {
            Some("require" | "import") => self.import(arguments.named_child(0)),
            Some("listen" | "serve") => self.listen(arguments, line_of(node)),
            Some("get" | "getOrThrow") => self.config_service(function, arguments),
            _ => {}
        }
    }

    fn listen(&mut self, arguments: Node<'s>, line: usize) {
        let arguments: Vec<Node<'_>> = children(arguments).into_iter().take(8).collect();
        let ports = arguments.iter().take(2).map(|argument| self.port(*argument, 0));
        let Some(port) = ports.into_iter().find(|port| *port != PortSource::default()) else { return };
        let mut host = arguments.iter().skip(1).find_map(|argument| string_value(self.of(*argument)));
        let is_address = |it: &Node<'_>| !it.kind().contains("function") && it.kind() != "object";
        let mut names_host = arguments.iter().skip(1).any(is_address);
        if let Some(object) = arguments.iter().find(|argument| argument.kind() == "object") {
            let value = self.pair(*object, &["host", "hostname", "path"]);
            host = value.and_then(|value| string_value(self.of(value)));
            names_host = value.is_some() || self.of(*object).contains("...");
        }
        if self.file.listens.len() < MAX_FINDINGS {
            self.file.listens.push(Listen { port, host, names_host, line });
        }
    }

    /// `export default { port: 3000, fetch }`, which Bun serves.
    fn exported(&mut self, node: Node<'s>) {
        let value = node.child_by_field_name("value").filter(|value| value.kind() == "object");
        let Some(port) = value.filter(|value| self.of(*value).contains("fetch")).map(|it| self.port(it, 0))
        else {
            return;
        };
        if port != PortSource::default() && self.file.listens.len() < MAX_FINDINGS {
            let line = line_of(node);
            self.file.listens.push(Listen { port, host: None, names_host: false, line });
        }
    }

    fn declared(&mut self, node: Node<'s>) {
        let (Some(name), Some(value)) = (node.child_by_field_name("name"), node.child_by_field_name("value"))
        else {
            return;
        };
        if name.kind() == "identifier" && self.of(value).ends_with("(ConfigService)") {
            self.settings.insert(self.of(name));
        } else if name.kind() == "identifier" {
            let port = self.port(value, 0);
            if port != PortSource::default() && self.values.len() < MAX_FINDINGS {
                self.values.insert(self.of(name), port);
            }
        } else if name.kind() == "object_pattern" && self.of(value) == "process.env" {
            self.destructured(name);
        }
    }

    /// `const { PORT = 3000, KEY } = process.env`.
    fn destructured(&mut self, pattern: Node<'s>) {
        for part in children(pattern).into_iter().take(100) {
            let (name, default) = match part.kind() {
                "object_assignment_pattern" => {
                    (part.child_by_field_name("left"), part.child_by_field_name("right"))
                }
                _ => (Some(part), None),
            };
            let Some(name) = name.map(|name| self.of(name)) else { continue };
            if name == "PORT" {
                let literal = default.and_then(|value| self.port(value, 0).literal);
                self.values.insert("PORT", PortSource { from_env: true, literal });
            }
            self.add_env(name, line_of(part), default.is_some());
        }
    }

    /// What an expression says of a port.
    fn port(&self, node: Node<'s>, depth: usize) -> PortSource {
        let inner = |field: &str| node.child_by_field_name(field).map(|node| self.port(node, depth + 1));
        let none = PortSource::default();
        if depth > 8 {
            return none;
        }
        match node.kind() {
            "number" | "string" => {
                let text = self.of(node).trim_matches(['"', '\'']);
                PortSource { from_env: false, literal: text.parse().ok().filter(|port| *port > 0) }
            }
            "identifier" => self.values.get(self.of(node)).copied().unwrap_or(none),
            "member_expression" => {
                PortSource { from_env: self.of(node) == "process.env.PORT", literal: None }
            }
            "binary_expression" => {
                let (left, right) = (inner("left").unwrap_or(none), inner("right").unwrap_or(none));
                PortSource {
                    from_env: left.from_env || right.from_env,
                    literal: right.literal.or(left.literal),
                }
            }
            "ternary_expression" => {
                let (yes, no) = (inner("consequence").unwrap_or(none), inner("alternative").unwrap_or(none));
                PortSource { from_env: yes.from_env || no.from_env, literal: no.literal.or(yes.literal) }
            }
            "unary_expression" => inner("argument").unwrap_or(none),
            "parenthesized_expression" => node.named_child(0).map_or(none, |node| self.port(node, depth + 1)),
            "call_expression" if self.is_conversion(node) => node
                .child_by_field_name("arguments")
                .and_then(|arguments| arguments.named_child(0))
                .map_or(none, |node| self.port(node, depth + 1)),
            "call_expression" => self.configured_port(node, depth),
            "object" => self.pair(node, &["port"]).map_or(none, |node| self.port(node, depth + 1)),
            "shorthand_property_identifier" => self.values.get(self.of(node)).copied().unwrap_or(none),
            _ => none,
        }
    }

    /// `configService.get('PORT', 3000)`.
    fn configured_port(&self, call: Node<'s>, depth: usize) -> PortSource {
        let arguments = call.child_by_field_name("arguments").map(children).unwrap_or_default();
        let property = call.child_by_field_name("function").and_then(|it| it.child_by_field_name("property"));
        let reads = matches!(property.map(|property| self.of(property)), Some("get" | "getOrThrow"));
        match arguments.as_slice() {
            [name, rest @ ..] if reads && string_value(self.of(*name)).as_deref() == Some("PORT") => {
                let default = rest.first().and_then(|node| self.port(*node, depth + 1).literal);
                PortSource { from_env: true, literal: default }
            }
            _ => PortSource::default(),
        }
    }

    fn is_conversion(&self, call: Node<'s>) -> bool {
        let function = call.child_by_field_name("function").map(|function| self.of(function));
        matches!(function, Some("Number" | "parseInt" | "Number.parseInt" | "String"))
    }

    /// The value of one of an object's keys.
    fn pair(&self, object: Node<'s>, keys: &[&str]) -> Option<Node<'s>> {
        children(object).into_iter().take(30).find_map(|part| match part.kind() {
            "pair" => {
                let key = part.child_by_field_name("key").map(|key| self.of(key))?;
                keys.contains(&key).then(|| part.child_by_field_name("value"))?
            }
            "shorthand_property_identifier" => keys.contains(&self.of(part)).then_some(part),
            _ => None,
        })
    }

    /// Notes that what stands in front of `||` and `??` has a default.
    fn with_default(&mut self, node: Node<'s>) {
        let operator = node.child_by_field_name("operator").map(|operator| self.of(operator));
        let Some(mut left) = node.child_by_field_name("left") else { return };
        if !matches!(operator, Some("||" | "??")) || self.defaulted.len() >= MAX_FINDINGS {
            return;
        }
        for _ in 0..4 {
            let inner = match left.kind() {
                "call_expression" => {
                    left.child_by_field_name("arguments").and_then(|arguments| arguments.named_child(0))
                }
                "unary_expression" => left.child_by_field_name("argument"),
                "parenthesized_expression" => left.named_child(0),
                _ => None,
            };
            let Some(inner) = inner else { break };
            left = inner;
        }
        self.defaulted.insert(left.start_byte());
    }

    fn env_read(&mut self, node: Node<'s>) {
        let text = self.of(node);
        if text.len() > 300 {
            return;
        }
        // What Vite itself gives is no variable of the environment.
        let own = ["MODE", "DEV", "PROD", "SSR", "BASE_URL"];
        let name = ["process.env.", "import.meta.env.", "Bun.env."]
            .iter()
            .find_map(|object| text.strip_prefix(object))
            .filter(|name| !text.starts_with("import.") || !own.contains(name));
        if let Some(name) = name {
            let has_default = self.defaulted.contains(&node.start_byte());
            self.add_env(name, line_of(node), has_default);
        }
    }

    /// `process.env["X"]`.
    fn env_subscript(&mut self, node: Node<'s>) {
        let object = node.child_by_field_name("object").map(|object| self.of(object));
        let Some(index) = node.child_by_field_name("index") else { return };
        if matches!(object, Some("process.env" | "import.meta.env" | "Bun.env"))
            && let Some(name) = string_value(self.of(index))
        {
            let has_default = self.defaulted.contains(&node.start_byte());
            self.add_env(&name, line_of(node), has_default);
        }
    }

    /// `DATABASE_URL: z.string().url()` of a schema for the whole environment.
    fn env_schema(&mut self, node: Node<'s>) {
        let (Some(key), Some(value)) = (node.child_by_field_name("key"), node.child_by_field_name("value"))
        else {
            return;
        };
        let (name, kind) = (self.of(key), self.of(value));
        let is_name = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if is_name && kind.trim_start().starts_with("z.") && kind.len() <= 1000 {
            let may_lack = [".default(", ".optional()", ".nullish()", ".catch("];
            self.add_env(name, line_of(key), may_lack.iter().any(|mark| kind.contains(mark)));
        }
    }

    /// `private config: ConfigService`.
    fn parameter(&mut self, node: Node<'s>) {
        let (Some(name), Some(kind)) =
            (node.child_by_field_name("pattern"), node.child_by_field_name("type"))
        else {
            return;
        };
        let kind = self.of(kind).trim_start_matches(':').trim_start();
        if kind.starts_with("ConfigService") && self.settings.len() < MAX_FINDINGS {
            self.settings.insert(self.of(name));
        }
    }

    /// `configService.get('X', default)` of NestJS.
    fn config_service(&mut self, function: Node<'s>, arguments: Node<'s>) {
        let Some(object) = function.child_by_field_name("object").map(|object| self.of(object)) else {
            return;
        };
        let is_one = self.settings.contains(object.trim_start_matches("this."));
        if object.len() > 60 || !(is_one || object.to_ascii_lowercase().ends_with("configservice")) {
            return;
        }
        let given = children(arguments);
        if let Some(first) = given.first()
            && let Some(name) = string_value(self.of(*first))
            && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        {
            let has_default = given.len() > 1 || self.defaulted.contains(&first.start_byte());
            self.add_env(&name, line_of(function), has_default);
        }
    }

    fn add_env(&mut self, name: &str, line: usize, has_default: bool) {
        if is_env_name(name) && self.file.env.len() < MAX_FINDINGS {
            let (name, file) = (name.to_owned(), self.file.path.clone());
            self.file.env.push(EnvRead { name, file, line, has_default });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(text: &str) -> (bool, Option<u16>, Option<String>) {
        let name = if text.contains(": number") { "a.ts" } else { "a.js" };
        let file = scan(name, text, true);
        let listen = file.listens.first().unwrap_or_else(|| panic!("{text}"));
        (listen.port.from_env, listen.port.literal, listen.host.clone())
    }

    #[test]
    fn a_schema_of_the_environment_names_its_variables() {
        let text = "import { z } from 'zod';\nconst schema = z.object({\n  PORT: z.coerce.number().default(1),\n\
                    \x20 DATABASE_URL: z.string().url(),\n  name: z.string(),\n});\nexport default schema.parse(process.env);\n";
        let found = |text: &str| {
            let env = scan("env.ts", text, true).env.into_iter();
            env.map(|read| (read.name, read.line, read.has_default)).collect::<Vec<_>>()
        };
        assert_eq!(found(text), [("PORT".to_owned(), 3, true), ("DATABASE_URL".to_owned(), 4, false)]);
        assert_eq!(found(&text.replace("process.env", "body")), []);
    }

    #[test]
    fn settings_of_nest_are_variables_whatever_holds_them() {
        let text = "const a = { f: (c: ConfigService) => c.get<string>('DB_HOST') };\nclass B {\n  constructor(private readonly config: ConfigService<Env>, m: Map) {\n\
                    \x20   this.config.getOrThrow('DB_NAME'); m.get('NOT_ONE');\n  }\n}\nconst s = app.get(ConfigService);\ns.get('KEY', 1);\n";
        let env = scan("a.ts", text, false).env.into_iter();
        let found: Vec<_> = env.map(|read| (read.name, read.line, read.has_default)).collect();
        let expected = [("DB_HOST", 1, false), ("DB_NAME", 4, false), ("KEY", 8, true)];
        assert_eq!(found, expected.map(|(name, line, default)| (name.to_owned(), line, default)));
    }

    #[test]
    fn ports_are_found_however_they_are_written() {
        assert_eq!(listen("app.listen(3000)"), (false, Some(3000), None));
        assert_eq!(
            listen("app.listen(process.env.PORT || 4000, '0.0.0.0')"),
            (true, Some(4000), Some("0.0.0.0".into()))
        );
        assert_eq!(
            listen("const port = Number(process.env.PORT ?? '4001'); app.listen(port, () => {})"),
            (true, Some(4001), None)
        );
        assert_eq!(
            listen("const PORT = parseInt(process.env.PORT, 10) || 4002\nserver.listen(PORT)"),
            (true, Some(4002), None)
        );
        assert_eq!(
            listen(
                "const { PORT = 4003 } = process.env; http.createServer().listen({ port: PORT, host: 'localhost' })"
            ),
            (true, Some(4003), Some("localhost".into()))
        );
        assert_eq!(
            listen("const port: number = +(process.env.PORT || 4004);\nfastify.listen({ port })"),
            (true, Some(4004), None)
        );
        assert_eq!(
            listen("const port: number = config.get<number>('PORT', 4005);\nawait app.listen(port)"),
            (true, Some(4005), None)
        );
        assert_eq!(listen("serve({ fetch: app.fetch, port: 8787 })"), (false, Some(8787), None));
        assert_eq!(listen("export default { fetch: app.fetch, port: 4006 }"), (false, Some(4006), None));
        assert!(scan("a.js", "export default { port: 1 }", true).listens.is_empty());
        assert!(scan("a.js", "events.listen('message', f)", true).listens.is_empty());
    }

    #[test]
    fn an_address_given_in_any_way_is_seen() {
        let names = |text: &str| scan("a.js", text, true).listens[0].names_host;
        for text in [
            "app.listen({ port: 1, host: process.env.HOST })",
            "app.listen({ port: 1, ...options })",
            "app.listen(1, HOST, () => {})",
            "const host = '::'; app.listen({ port: 1, host })",
        ] {
            assert!(names(text), "{text}");
        }
        for text in ["app.listen({ port: 1 })", "app.listen(1, () => {})", "app.listen(1, function () {})"] {
            assert!(!names(text), "{text}");
        }
    }

    #[test]
    fn imports_and_variables_are_read() {
        let file = scan(
            "a.mjs",
            "import express from 'express';\nconst x = require(\"pg\");\nprocess.env.KEY;\nprocess.env.URL || 'x'; const { A, B = 1 } = process.env",
            true,
        );
        assert_eq!(file.imports, [("express".to_owned(), 1), ("pg".to_owned(), 2)]);
        assert!(file.is_module);
        let env: Vec<_> = file.env.iter().map(|read| (read.name.as_str(), read.has_default)).collect();
        assert_eq!(env, [("KEY", false), ("URL", true), ("A", false), ("B", true)]);
    }

    #[test]
    fn any_source_ends_soon() {
        for text in ["", "((((", "import {", "\u{0}"] {
            scan("a.js", text, true);
        }
        scan("a.js", &format!("listen{}", "(".repeat(60_000)), true);
        scan("a.js", &format!("listen;{}", "a?b:{".repeat(12_000)), true);
        scan("a.ts", &format!("listen;{}", "`${".repeat(20_000)), true);
    }
}
