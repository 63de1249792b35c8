//! Development servers: reached from anywhere, whatever name the visitor used.

use super::{FASTAPI, brief, metadata, planned, shown, tree};
use crate::domain::Mode;
use crate::generation::Recipe;

fn dev(files: &[(&str, &str)]) -> (String, String, u16) {
    brief(&metadata(|m| m.mode = Some(Mode::Dev)), files)
}

#[test]
fn each_framework_is_started_by_its_own_development_server() {
    for (text, start) in [
        (r#"{"dependencies":{"next":"15.0.0"}}"#, "next dev -H 0.0.0.0 -p 3000"),
        (r#"{"dependencies":{"next":"^16"}}"#, "next dev -H 0.0.0.0 -p 3000 --webpack"),
        (r#"{"dependencies":{"nuxt":"3"}}"#, "nuxt dev --host 0.0.0.0 --port 3000"),
        (r#"{"dependencies":{"astro":"5"}}"#, "astro dev --host 0.0.0.0 --port 4321"),
        (
            r#"{"dependencies":{"@angular/core":"17"}}"#,
            "ng serve --host 0.0.0.0 --port 4200 --disable-host-check",
        ),
        (r#"{"dependencies":{"react-scripts":"5"}}"#, "react-scripts start"),
        (r#"{"dependencies":{"@nestjs/core":"10"}}"#, "nest start --watch"),
        (r#"{"dependencies":{"express":"4"},"scripts":{"dev":"nodemon index.js"}}"#, "npm run --silent dev"),
        (r#"{"dependencies":{"express":"4"},"main":"index.js"}"#, "node --watch index.js"),
    ] {
        assert_eq!(dev(&[("package.json", text), ("index.js", "")]).1, start, "{text}");
    }
    assert!(dev(&[("main.py", FASTAPI)]).1.ends_with("--reload"));
    let manage = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'a.settings')";
    assert_eq!(dev(&[("manage.py", manage)]).1, "python -m previewd_django runserver 0.0.0.0:8000");
}

#[test]
fn vite_answers_to_any_host() {
    let files = [
        ("package.json", r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"5"}}"#),
        ("index.html", ""),
    ];
    let (framework, start, port) = dev(&files);
    assert_eq!((framework.as_str(), port), ("vite", 5173));
    assert!(start.contains("allowedHosts: true") && start.contains("host: '0.0.0.0'"), "{start}");
    let with = metadata(|m| m.mode = Some(Mode::Dev));
    let Recipe::Node(node) = planned(&with, &tree(&files)).recipe else {
        panic!("nothing is served as files")
    };
    assert!(!node.builds() && node.dev_dependencies);
    insta::assert_snapshot!("vite_for_development", shown(&with, &files));
}
