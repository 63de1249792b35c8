//! Pages and a server in one tree.

use super::{FASTAPI, brief, metadata, planned, tree};
use crate::domain::{FileSet, Metadata, Mode};
use crate::generation::{BuildInputs, Part, Recipe, context};

const VITE: &str = r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"^5"}}"#;

fn full_stack() -> FileSet {
    tree(&[
        (
            "backend/main.py",
            "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/api/tides')\ndef tides(): return []\n@app.get('/health')\ndef health(): return 1\n",
        ),
        ("backend/requirements.txt", "fastapi\nuvicorn\n"),
        ("frontend/package.json", VITE),
        ("frontend/index.html", "<script type=module src=/main.js></script>"),
        (
            "frontend/main.js",
            "const base = import.meta.env.VITE_API_URL || 'http://localhost:8000';\nfetch(`${base}/api/tides`)\n",
        ),
    ])
}

#[test]
fn python_beside_vite() {
    let plan = planned(&Metadata::default(), &full_stack());
    let json = serde_json::to_string_pretty(&plan).expect("JSON");
    let text = format!("{}\n----\n{json}\n", super::dockerfile(&plan, super::Dialect::BuildKit));
    insta::assert_snapshot!("python_beside_vite", text);
}

#[test]
fn the_context_holds_both_and_what_stands_between() {
    let files = full_stack();
    let plan = planned(&Metadata::default(), &files);
    let mut archive = Vec::new();
    context(&plan, &files, &BuildInputs::default(), &Part::Whole, &mut archive).expect("written");
    let mut tar = tar::Archive::new(archive.as_slice());
    let mut found = std::collections::BTreeMap::new();
    for entry in tar.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a name").to_string_lossy().into_owned();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).expect("text");
        found.insert(name, text);
    }
    assert!(
        found.contains_key("pages-deps/package.json") && found.contains_key("deps/backend/requirements.txt"),
        "{:?}",
        found.keys()
    );
    assert!(found["both.sh"].starts_with("#!/bin/bash"));
    insta::assert_snapshot!("nginx_of_both", found["nginx.conf"]);
}

#[test]
fn pages_of_every_kind_are_put_in_front_of_servers_of_every_kind() {
    let express = r#"{"scripts":{"start":"node index.js"},"dependencies":{"express":"4"}}"#;
    let node = [
        ("server/package.json", express),
        ("server/index.js", "listen(5000)"),
        ("client/package.json", r#"{"dependencies":{"react-scripts":"5"}}"#),
    ];
    let (framework, start, port) = brief(&Metadata::default(), &node);
    assert_eq!((framework.as_str(), port), ("express+create-react-app", 8080));
    assert_eq!(start, "bash /etc/previewd/both.sh node index.js");
    let go = [
        ("go.mod", "module a\n"),
        ("main.go", "package main\nfunc main() { http.ListenAndServe(\":8080\", nil) }\n"),
        ("web/package.json", VITE),
    ];
    assert_eq!(brief(&Metadata::default(), &go).0, "go+vite");
    assert_eq!(brief(&Metadata::default(), &go).2, 8081, "not the server's own");
    let plain = [("main.py", FASTAPI), ("frontend/index.html", "<p>hi")];
    assert_eq!(brief(&Metadata::default(), &plain).0, "fastapi+static");
    let served = [
        (
            "main.py",
            "from fastapi import FastAPI\napp = FastAPI()\napp.mount('/', StaticFiles(directory='frontend'))\n",
        ),
        plain[1],
    ];
    assert_eq!(brief(&Metadata::default(), &served).0, "fastapi", "it serves them itself");
}

const VITE_AND_EXPRESS: &str = r#"{"scripts":{"dev":"concurrently \"vite\" \"node server/index.js\"","build":"tsc && vite build"},"dependencies":{"express":"4"},"devDependencies":{"vite":"5"}}"#;

/// One package.json, whose pages nothing but Vite's own server would hand out.
#[test]
fn pages_and_a_server_of_one_package() {
    let server = "require('express')().get('/api/x', f).use(express.static('uploads')).listen(3001)\n";
    let all = |server: &'static str| {
        [
            ("package.json", VITE_AND_EXPRESS),
            ("index.html", "<script type=module src=/src/main.js>"),
            ("src/main.js", "fetch('http://localhost:3001/api/x')\n"),
            ("server/index.js", server),
        ]
    };
    let plan = planned(&Metadata::default(), &tree(&all(server)));
    assert_eq!((plan.framework.as_str(), plan.port), ("express+vite", 8080));
    assert_eq!(
        plan.start.as_deref().map(|start| start.join(" ")).as_deref(),
        Some("bash /etc/previewd/both.sh node server/index.js")
    );
    let Recipe::Both(both) = &plan.recipe else { panic!("{:?}", plan.recipe) };
    let Recipe::Node(server) = both.server.as_ref() else { panic!("{:?}", both.server) };
    assert!(!server.builds() && !server.dev_dependencies, "{server:?}");
    assert!(both.node.as_ref().is_some_and(|pages| pages.builds()) && both.server_port == 3001);
    assert_eq!(both.own_addresses, ["http://localhost:3001"]);
    let builds = plan.decisions.iter().filter(|decision| decision.what == "build").count();
    assert_eq!(builds, 1, "{:?}", plan.decisions);
    // The pages are made among packages of their own, where the link to the server's would lie.
    let text = super::dockerfile(&plan, super::Dialect::Classic);
    assert!(text.contains("ln -s /opt/node/node_modules /app/node_modules"), "{text}");
    let itself = "require('express')().use(express.static(path.join(__dirname, '../dist'))).listen(3001)\n";
    assert_eq!(brief(&Metadata::default(), &all(itself)).0, "express", "it hands them out itself");
    let development = metadata(|m| m.mode = Some(Mode::Dev));
    assert_eq!(brief(&development, &all("listen(3001)")).0, "express", "Vite's own server does");
}

#[test]
fn pages_with_a_server_of_their_own_are_what_a_visitor_sees() {
    let files = [("api/main.py", FASTAPI), ("web/package.json", r#"{"dependencies":{"next":"15"}}"#)];
    let development = metadata(|m| m.mode = Some(Mode::Dev));
    assert_eq!(brief(&development, &files).0, "next");
    let plan = planned(&development, &tree(&files));
    assert!(
        plan.warnings.iter().any(|warning| warning.message.contains("fastapi is not started")),
        "{:?}",
        plan.warnings
    );
    assert_eq!(brief(&metadata(|m| m.framework = Some("fastapi".into())), &files).0, "fastapi");
}

/// Both servers and nginx in one image; a path is the server's where its code answers it and no
/// page does.
#[test]
fn next_in_front_of_python() {
    let files = tree(&[
        (
            "backend/main.py",
            "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/tides')\ndef tides(): return []\n@app.get('/api/moon')\ndef moon(): return 1\n",
        ),
        ("backend/requirements.txt", "fastapi\n"),
        (
            "frontend/package.json",
            r#"{"scripts":{"build":"next build"},"dependencies":{"next":"14","react":"18"}}"#,
        ),
        (
            "frontend/app/page.tsx",
            "const url = process.env.NEXT_PUBLIC_API_URL;\nexport default () => null;\n",
        ),
        ("frontend/app/api/own/route.ts", "export const GET = () => Response.json(1);\n"),
    ]);
    let plan = planned(&Metadata::default(), &files);
    let json = serde_json::to_string_pretty(&plan).expect("JSON");
    let text = format!("{}\n----\n{json}\n", super::dockerfile(&plan, super::Dialect::BuildKit));
    insta::assert_snapshot!("next_in_front_of_python", text);
    let mut archive = Vec::new();
    context(&plan, &files, &BuildInputs::default(), &Part::Whole, &mut archive).expect("written");
    let archive = String::from_utf8_lossy(&archive);
    assert!(
        archive.contains("cd /app/frontend || exit 1") && archive.contains("upstream pages"),
        "{archive}"
    );
}

/// The same line is not said to be missing and to be set.
#[test]
fn variables_of_the_build_are_not_missing() {
    let files = tree(&[
        ("main.py", FASTAPI),
        ("web/package.json", VITE),
        ("web/src/a.js", "fetch(import.meta.env.VITE_API_URL + import.meta.env.VITE_KEY)\n"),
    ]);
    let plan = planned(&Metadata::default(), &files);
    assert!(plan.decisions.iter().any(|decision| decision.choice.starts_with("VITE_API_URL=")));
    assert_eq!(plan.environment_missing, ["VITE_KEY"]);
}

/// The packages of the two lie apart, for they may be of different versions.
#[test]
fn next_in_front_of_a_server_in_a_package_of_its_own() {
    let next = r#"{"name":"web","scripts":{"build":"next build"},"dependencies":{"next":"14"}}"#;
    let express = r#"{"name":"api","scripts":{"start":"node index.js"},"dependencies":{"express":"4"}}"#;
    let page = "fetch(`${process.env.NEXT_PUBLIC_API_URL || 'http://localhost:5000'}/tides`)\n";
    let server = "const app = require('express')();\napp.get('/tides', f);\napp.listen(5000);\n";
    let apart = [
        ("frontend/package.json", next),
        ("frontend/app/page.tsx", page),
        ("backend/package.json", express),
        ("backend/index.js", server),
    ];
    let plan = planned(&Metadata::default(), &tree(&apart));
    assert_eq!((plan.framework.as_str(), plan.working_dir.as_str()), ("express+next", "/app/backend"));
    let Recipe::Both(both) = &plan.recipe else { panic!("{:?}", plan.recipe) };
    assert_eq!((both.server_port, both.prefixes.as_slice()), (5000, ["/tides".to_owned()].as_slice()));
    assert_eq!(both.server_start, ["node", "index.js"]);
    assert_eq!(both.own_addresses, ["http://localhost:5000"]);
    let text = super::dockerfile(&plan, super::Dialect::BuildKit);
    for line in [
        "COPY --from=deps /opt/node/node_modules /opt/node/node_modules",
        "COPY --from=pages-deps /app/frontend/node_modules /opt/pages/node_modules",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

/// `apps` begins like `/app` itself.
#[test]
fn folders_below_apps_are_what_they_are() {
    let next = r#"{"name":"web","scripts":{"build":"next build"},"dependencies":{"next":"14"}}"#;
    let text = super::dockerfile(
        &planned(
            &Metadata::default(),
            &tree(&[("apps/web/package.json", next), ("apps/api/main.py", FASTAPI)]),
        ),
        super::Dialect::BuildKit,
    );
    assert!(
        text.contains("--exclude=./apps/web/node_modules")
            && text.contains("/tmp/built/app/apps/web/node_modules"),
        "{text}"
    );
}
