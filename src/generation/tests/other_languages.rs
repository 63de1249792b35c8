//! Go, Rust, PHP and Ruby.

use super::{brief, metadata, planned, tree};
use crate::domain::{Metadata, Mode};

snapshot!(
    go_with_the_standard_library,
    Metadata::default(),
    [
        ("go.mod", "module tide\n\ngo 1.19\n"),
        (
            "main.go",
            "package main\n\nimport (\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc main() {\n\tport := os.Getenv(\"PORT\")\n\tif port == \"\" {\n\t\tport = \"8085\"\n\t}\n\thttp.ListenAndServe(\":\"+port, nil)\n}\n"
        ),
    ]
);
snapshot!(
    go_of_several_programs,
    Metadata::default(),
    [
        (
            "go.mod",
            "module tide\n\ngo 1.23\n\nrequire (\n\tgithub.com/gin-gonic/gin v1.10.0\n\tgithub.com/mattn/go-sqlite3 v1.14.0\n)\n"
        ),
        ("cmd/migrate/main.go", "package main\nfunc main() {}\n"),
        ("cmd/server/main.go", "package main\nfunc main() { r.Run(\":9090\") }\n"),
        ("migrations/1.up.sql", "CREATE TABLE a (b int);"),
        ("migrations/1.down.sql", "DROP TABLE a;"),
    ]
);
snapshot!(
    rust,
    Metadata::default(),
    [
        ("Cargo.toml", "[package]\nname = \"tide\"\nversion = \"0.1.0\"\n[dependencies]\naxum = \"0.7\"\n"),
        ("Cargo.lock", "version = 3\n"),
        ("src/main.rs", "async fn main() {\n    let l = TcpListener::bind(\"0.0.0.0:3000\").await;\n}\n"),
    ]
);

snapshot!(
    php_alone,
    Metadata::default(),
    [("index.php", "<?php echo 'tide';\n"), ("api.php", "<?php\n"), ("style.css", "p {}\n")]
);
snapshot!(
    slim,
    Metadata::default(),
    [
        (
            "composer.json",
            "{\n  \"require\": {\n    \"php\": \"^8.3\",\n    \"ext-imagick\": \"*\",\n    \"slim/slim\": \"^4\"\n  }\n}"
        ),
        ("composer.lock", "{}"),
        ("public/index.php", "<?php require __DIR__ . '/../vendor/autoload.php';\n"),
    ]
);
snapshot!(
    laravel_in_development,
    metadata(|metadata| metadata.mode = Some(Mode::Dev)),
    [
        ("composer.json", r#"{"require":{"php":"^8.2","laravel/framework":"^11.0"}}"#),
        ("public/index.php", "<?php\n"),
        ("artisan", "#!/usr/bin/env php\n"),
        (".env.example", "APP_KEY=\n"),
        ("package.json", r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"^5"}}"#),
        ("vite.config.js", "export default {}\n"),
    ]
);
snapshot!(
    sinatra,
    Metadata::default(),
    [
        ("Gemfile", "source 'https://rubygems.org'\nruby '3.3.0'\ngem 'sinatra'\n"),
        ("app.rb", "require 'sinatra'\n\nget '/' do\n  'tide'\nend\n"),
    ]
);
snapshot!(
    rails,
    Metadata::default(),
    [
        ("Gemfile", "source 'https://rubygems.org'\ngem 'rails', '~> 7.1'\ngem 'puma'\n"),
        ("Gemfile.lock", "GEM\n"),
        ("config.ru", "run Rails.application\n"),
        ("config/application.rb", "module Tide\nend\n"),
        (
            "config/environments/production.rb",
            "Rails.application.configure do\n  config.force_ssl = true\nend\n"
        ),
    ]
);

#[test]
fn pages_beside_a_server_in_ruby_have_one_address_with_it() {
    let (framework, start, port) = brief(
        &Metadata::default(),
        &[
            ("backend/Gemfile", "gem 'sinatra'\ngem 'puma'\n"),
            ("backend/config.ru", "run Sinatra::Application\n"),
            ("frontend/package.json", r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"5"}}"#),
        ],
    );
    let expected = "bash /etc/previewd/both.sh bundle exec puma -b tcp://0.0.0.0:9292 config.ru";
    assert_eq!((framework.as_str(), start.as_str(), port), ("sinatra+vite", expected, 8080));
}

#[test]
fn a_program_without_a_module_is_compiled_too() {
    let (framework, start, port) = brief(
        &Metadata::default(),
        &[("main.go", "package main\nfunc main() { http.ListenAndServe(\":80\", nil) }\n")],
    );
    assert_eq!((framework.as_str(), start.as_str(), port), ("go", "/opt/go/program", 80));
}

#[test]
fn every_image_a_build_starts_from_is_named() {
    let plan = planned(&Metadata::default(), &tree(&[("main.go", "package main\nfunc main() {}\n")]));
    assert_eq!(plan.base_images(), ["previewd/static:1", "previewd/go:1"]);
}
