//! What holds for any input.

use std::time::Instant;

use proptest::prelude::*;

use super::super::own_dockerfile::instructions;
use super::super::testing::tree;
use super::super::{
    BaseImages, BuildInputs, Dialect, Part, context, dockerfile, explain_failure, image_tag, plan,
};
use super::{EXPRESS, FASTAPI};
use crate::domain::{FilePath, FileSet, Metadata, SourceFile};

const NAMES: [&str; 42] = [
    "main.py",
    "app/main.py",
    "src/app.py",
    "app/__init__.py",
    "requirements.txt",
    "pyproject.toml",
    "uv.lock",
    "poetry.lock",
    "package.json",
    "package-lock.json",
    "server.js",
    "src/index.ts",
    "index.html",
    ".dockerignore",
    "Dockerfile",
    ".env",
    ".env.example",
    "manage.py",
    "shop/settings.py",
    "settings.py",
    "pdm.lock",
    "Pipfile",
    "Pipfile.lock",
    "alembic.ini",
    "frontend/package.json",
    "frontend/src/main.tsx",
    "vite.config.ts",
    "angular.json",
    "pnpm-lock.yaml",
    "prisma/schema.prisma",
    "go.mod",
    "main.go",
    "Cargo.toml",
    "src/main.rs",
    "composer.json",
    "public/index.php",
    "Gemfile",
    "config.ru",
    "app.rb",
    "config/environments/production.rb",
    "pnpm-workspace.yaml",
    "a/package.json",
];

const SEEDS: [&str; 32] = [
    FASTAPI,
    EXPRESS,
    "from flask import Flask\ndef create_app():\n    app = Flask(__name__)\n    return app\n",
    "[project]\ndependencies=['fastapi', 'x\\ny']\n",
    "[tool.poetry.dependencies]\npython='^3'\nflask={version='^3',extras=['a']}\n",
    "[[package]]\nname='a'\nversion='1'\n",
    r#"{"scripts":{"start":"node server.js","build":"x"},"dependencies":{"express":"^4"},"workspaces":["a"]}"#,
    "fastapi\n-r other.txt\n-e .\n--x\n",
    "FROM python:3.11 AS a\nCOPY --from=a / /\nEXPOSE 80\n",
    "*\n!a\n**/b\n[a-",
    "import os\nos.environ['A']\nuvicorn.run(app, port=1)\n",
    "A=1\nB='\n",
    "",
    "import \"express\"; require('x\"; RUN id'); app.listen(70000)\n",
    "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
    "DATABASES={'default':{'ENGINE':'django.db.backends.postgresql'}}\nURL='postgresql+asyncpg://é@h/d'\n",
    "class S(BaseSettings):\n    a: str\n    b: int = Field(..., env='B')\nimport streamlit as st\n",
    r#"{"dependencies":{"next":"^15"},"packageManager":"pnpm@11.0.0","scripts":{"build":"tsc && vite build"}}"#,
    r#"{"devDependencies":{"vite":"5","@prisma/client":"5"},"main":"dist/x.js","name":"a\nRUN id"}"#,
    r#"{"projects":{"a b":{"architect":{"build":{"options":{"outputPath":{"base":"../x"},"ssr":true}}}}}}"#,
    "export default { root: './é', build: { outDir: \"../out\" } }\nfetch('http://localhost:8000')\n",
    "generator c {\n output = \"../x\"\n}\ndatasource db {\n provider = \"mysql\"\n url = env(\"U\")\n}\n",
    "module a\n\ngo 1.99\nrequire github.com/gin-gonic/gin v1.0.0\n",
    "package main\nfunc main() { os.Getenv(\"X\"); http.ListenAndServe(\":80\", nil) }\n",
    "[package]\nname='a'\n[[bin]]\nname='b'\n[dependencies]\naxum='1'\n",
    "TcpListener::bind(\"127.0.0.1:3000\")\n",
    r#"{"default":{"flask":{"version":"==3","extras":["a"]}}}"#,
    "sqlite3\nsklearn>=1\nPIL\n",
    r#"{"require":{"php":"^8.9","ext-é":"*","laravel/framework":"^11"}}"#,
    "source 'x'\nruby '3\ngem \"rails\"\ngem 'a\\nRUN id'\ngemspec\nrequire 'sinatra'\n",
    "config.force_ssl = true\n",
    r#"{"name":"a","homepage":"x","scripts":{"build":"x"},"dependencies":{"a":"workspace:*","react-scripts":"3"}}"#,
];

/// Seeds cut, joined and sprinkled with anything.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(SEEDS.to_vec()).prop_map(|seed| seed.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => "\\PC{0,30}".prop_map(String::into_bytes),
    ];
    (proptest::collection::vec(piece, 0..4), any::<proptest::sample::Index>(), any::<bool>()).prop_map(
        |(pieces, at, cut)| {
            let mut bytes = pieces.concat();
            if cut && !bytes.is_empty() {
                bytes.truncate(at.index(bytes.len()));
            }
            bytes
        },
    )
}

fn files() -> impl Strategy<Value = FileSet> {
    let name = proptest::sample::select(NAMES.to_vec());
    proptest::collection::btree_map(name, content(), 1..8).prop_map(|files| {
        let files = files.into_iter().map(|(path, content)| {
            (
                FilePath::parse(path).expect("a path"),
                SourceFile { content: content.into(), executable: false },
            )
        });
        FileSet::new(files, 1 << 20).expect("a tree")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn no_tree_breaks_the_planner(files in files(), entry in proptest::option::of("(uvicorn|gunicorn|python|node|npm run|) ?[a-z.:/]{0,12}")) {
        let metadata = Metadata { entry_point: entry, ..Metadata::default() };
        if let Ok(plan) = plan(&metadata, &files, &BaseImages::default()) {
            for dialect in [Dialect::BuildKit, Dialect::Classic] {
                let text = dockerfile(&plan, dialect);
                prop_assert!(!instructions(&text).expect("plain").is_empty());
                context(&plan, &files, &BuildInputs::default(), &Part::Whole, std::io::sink()).expect("written");
            }
            image_tag(&plan, &files, &[]);
        }
    }

    /// Whatever a build prints, it is understood or left alone.
    #[test]
    fn no_output_breaks_the_explanation(files in files(), output in content(), more in "(Because|npm error|you require|only|depends on|failed to resolve|error TS|[@a-z=<>\"'(): .\n])*") {
        let output = format!("{}{more}", String::from_utf8_lossy(&output));
        let tail: Vec<String> = output.lines().map(str::to_owned).collect();
        explain_failure(&Metadata::default(), &files, &tail);
    }

    /// Whatever stands where a name may stand, it adds no instruction.
    #[test]
    fn data_adds_no_instruction(evil in any::<String>(), system in any::<String>(), words in proptest::collection::vec(any::<String>(), 1..4)) {
        let python = tree(&[("main.py", FASTAPI), ("requirements.txt", "fastapi\n")]);
        let node = tree(&[("server.js", EXPRESS), ("package.json", r#"{"dependencies":{"express":"4"},"scripts":{"build":"x"}}"#)]);
        let php = tree(&[("index.php", ""), ("composer.json", r#"{"require":{"slim/slim":"4"}}"#), ("package.json", r#"{"scripts":{"build":"x"},"dependencies":{"a":"1"}}"#)]);
        let ruby = tree(&[("config.ru", ""), ("Gemfile", "gem 'rack'\n")]);
        for files in [python, node, php, ruby] {
            let mut plan = plan(&Metadata::default(), &files, &BaseImages::default()).expect("a plan");
            plan.system_packages = vec!["a".into()];
            add(&mut plan, "plain");
            replace_last(&mut plan, "plain");
            let expected: Vec<usize> = counts(&plan);
            plan.system_packages = vec![system.clone()];
            plan.start = Some(words.clone());
            plan.environment.values_mut().for_each(|value| *value = evil.clone());
            replace_last(&mut plan, &evil);
            prop_assert_eq!(counts(&plan), expected, "{}", dockerfile(&plan, Dialect::BuildKit));
        }
    }
}

fn counts(plan: &super::Plan) -> Vec<usize> {
    [Dialect::BuildKit, Dialect::Classic]
        .map(|dialect| instructions(&dockerfile(plan, dialect)).expect("plain").len())
        .to_vec()
}

fn add(plan: &mut super::Plan, package: &str) {
    add_to(&mut plan.recipe, package);
}

fn add_to(recipe: &mut super::super::Recipe, package: &str) {
    use super::super::Recipe;
    match recipe {
        Recipe::Python(recipe) => recipe.packages.push(package.to_owned()),
        Recipe::Node(recipe) => recipe.packages.push(package.to_owned()),
        Recipe::Site(recipe) => recipe.node.packages.push(package.to_owned()),
        Recipe::Both(recipe) => {
            recipe.node.iter_mut().for_each(|node| node.packages.push(package.to_owned()));
            add_to(&mut recipe.server, package);
        }
        Recipe::Go(recipe) => recipe.package = package.to_owned(),
        Recipe::Rust(recipe) => recipe.binary = package.to_owned(),
        Recipe::Php(recipe) => recipe.prepare = vec![vec![package.to_owned()]],
        Recipe::Ruby(recipe) => recipe.prepare = vec![vec![package.to_owned()]],
        Recipe::Static(_) | Recipe::Dockerfile(_) => {}
    }
}

fn replace_last(plan: &mut super::Plan, package: &str) {
    replace_in(&mut plan.recipe, package);
    add(plan, package);
}

fn replace_in(recipe: &mut super::super::Recipe, package: &str) {
    use super::super::Recipe;
    match recipe {
        Recipe::Python(recipe) => {
            recipe.packages.pop();
            recipe.requirements.push(package.to_owned());
            recipe.prepare = vec![vec![package.to_owned()]];
        }
        Recipe::Node(recipe) => evil_build(recipe, package),
        Recipe::Site(recipe) => {
            evil_build(&mut recipe.node, package);
            recipe.pages.folders = vec![package.to_owned()];
        }
        Recipe::Both(recipe) => {
            recipe.node.iter_mut().for_each(|node| evil_build(node, package));
            recipe.own_addresses = vec![package.to_owned()];
            replace_in(&mut recipe.server, package);
        }
        Recipe::Php(recipe) => {
            recipe.assets.iter_mut().for_each(|assets| evil_build(&mut assets.node, package));
        }
        Recipe::Ruby(recipe) => recipe.without = package.to_owned(),
        Recipe::Go(_) | Recipe::Rust(_) | Recipe::Static(_) | Recipe::Dockerfile(_) => {}
    }
}

fn evil_build(recipe: &mut super::super::NodeRecipe, evil: &str) {
    recipe.packages.pop();
    recipe.build = vec![vec!["npm".to_owned(), "run".to_owned(), evil.to_owned()]];
    recipe.build_otherwise = vec![evil.to_owned()];
    recipe.prepare.iter_mut().flatten().for_each(|word| *word = evil.to_owned());
    recipe.build_environment.values_mut().for_each(|value| *value = evil.to_owned());
}

#[test]
fn two_hundred_files_are_planned_quickly() {
    let mut files: Vec<(String, String)> = (0..198)
        .map(|i| (format!("app/m{i}.py"), format!("import os\nfrom app.m{} import x\n\n\nclass M{i}:\n    def f(self, a: int) -> int:\n        return a + {i}\n", i / 2).repeat(6)))
        .collect();
    files.push(("app/main.py".into(), FASTAPI.into()));
    files.push(("requirements.txt".into(), "fastapi\nuvicorn\n".into()));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let files = tree(&files);
    let bases = BaseImages::default();
    let best = (0..5)
        .map(|_| {
            let start = Instant::now();
            plan(&Metadata::default(), &files, &bases).expect("a plan");
            start.elapsed()
        })
        .min()
        .expect("measured");
    println!("200 files: {best:?}");
    // The promise is 50 ms of an optimised build; this one is not, and shares its machine.
    assert!(best.as_millis() < 250, "{best:?}");
}
