//! Pages and a server that are packages of one workspace of JavaScript.

use super::{FASTAPI, dockerfile, metadata, planned, tree};
use crate::domain::{FileSet, Metadata};
use crate::generation::{BuildInputs, Dialect, Part, Plan, Recipe, context};

const ROOT: &str = r#"{"workspaces":["apps/*","packages/*"],"devDependencies":{"turbo":"2"}}"#;
const NEXT: &str =
    r#"{"name":"web","scripts":{"build":"next build"},"dependencies":{"next":"14","@acme/ui":"*"}}"#;
const VITE: &str = r#"{"name":"web","scripts":{"build":"vite build"},"devDependencies":{"vite":"5"}}"#;
const EXPRESS: &str = r#"{"name":"api","scripts":{"start":"node index.js"},"dependencies":{"express":"4"}}"#;
const SERVER: &str = "const app = require('express')();\napp.get('/tides', f);\napp.listen(5000);\n";

fn workspace(apps: &[(&str, &str)]) -> FileSet {
    let mut files = vec![
        ("package.json", ROOT),
        ("turbo.json", "{}"),
        ("packages/ui/package.json", r#"{"name":"@acme/ui"}"#),
    ];
    files.extend(apps);
    tree(&files)
}

fn text(plan: &Plan) -> String {
    dockerfile(plan, Dialect::BuildKit)
}

fn packed(plan: &Plan, files: &FileSet) -> String {
    let mut archive = Vec::new();
    context(plan, files, &BuildInputs::default(), &Part::Whole, &mut archive).expect("written");
    String::from_utf8_lossy(&archive).into_owned()
}

/// One installation, one stage, and both are built in it.
#[test]
fn next_and_express_are_installed_once() {
    let files = workspace(&[
        ("apps/web/package.json", NEXT),
        ("apps/web/app/page.tsx", "fetch('http://localhost:5000/tides')\n"),
        ("apps/api/package.json", EXPRESS),
        ("apps/api/index.js", SERVER),
    ]);
    let plan = planned(&Metadata::default(), &files);
    assert_eq!((plan.framework.as_str(), plan.working_dir.as_str()), ("express+next", "/app/apps/api"));
    assert!(
        !plan.warnings.iter().any(|warning| warning.message.contains("not started")),
        "{:?}",
        plan.warnings
    );
    insta::assert_snapshot!("next_and_express_of_one_workspace", text(&plan));
    let packed = packed(&plan, &files);
    // Programs are found in the package's own folder, then at the top.
    let path = "PATH=/app/apps/web/node_modules/.bin:/app/node_modules/.bin:/opt/pages/bin:$PATH";
    assert!(packed.contains("cd /app/apps/web || exit 1") && packed.contains(path), "{packed}");
}

#[test]
fn what_only_the_pages_need_is_installed_for_both() {
    let files = workspace(&[
        ("apps/web/package.json", VITE),
        ("apps/api/package.json", EXPRESS),
        ("apps/api/index.js", SERVER),
    ]);
    let plan = planned(&Metadata::default(), &files);
    assert_eq!(plan.framework, "express+vite");
    let Recipe::Both(both) = &plan.recipe else { panic!("{:?}", plan.recipe) };
    let Recipe::Node(server) = both.server.as_ref() else { panic!("{:?}", both.server) };
    assert!(both.is_one_workspace() && server.dev_dependencies, "{server:?}");
    let text = text(&plan);
    assert_eq!(text.matches("npm install").count(), 2, "one command, and its second try: {text}");
    assert!(
        text.contains("WORKDIR /app/apps/web")
            && text.contains("COPY --from=build --chown=10001:10001 /tmp/built/pages/ /srv/pages/"),
        "{text}"
    );
}

/// The packages lie among the source, where the pages' own server looks for them.
#[test]
fn pages_of_a_workspace_before_a_server_of_another_language() {
    let files = workspace(&[
        ("apps/web/package.json", NEXT),
        ("apps/api/main.py", FASTAPI),
        ("apps/api/requirements.txt", "fastapi\n"),
    ]);
    let plan = planned(&Metadata::default(), &files);
    assert_eq!((plan.framework.as_str(), plan.working_dir.as_str()), ("fastapi+next", "/app/apps/api"));
    let text = text(&plan);
    assert!(text.contains("COPY --from=pages-build --chown=10001:10001 /app/ /app/"), "{text}");
    assert!(text.contains("COPY --from=pages-runtime /runtime/ /opt/pages/"), "{text}");
    assert!(!text.contains("COPY --from=pages-deps"), "{text}");
}

#[test]
fn one_of_the_workspace_alone_when_the_metadata_says_so() {
    let files = workspace(&[
        ("apps/web/package.json", NEXT),
        ("apps/api/package.json", EXPRESS),
        ("apps/api/index.js", SERVER),
    ]);
    let plan = planned(&metadata(|m| m.framework = Some("next".into())), &files);
    assert_eq!(plan.framework, "next");
}
