use super::*;
use crate::domain::Metadata;
use crate::generation::BaseImages;
use crate::generation::testing::tree;

#[test]
fn an_order_is_read_back_by_counting() {
    let arguments = ["uvicorn".to_owned(), "main:app".to_owned()];
    let variables = BTreeMap::from([("A".to_owned(), "1=2".to_owned())]);
    let bytes = order("/app", &arguments, &variables).expect("an order");
    assert_eq!(bytes, b"/app\x002\x00uvicorn\x00main:app\x00A=1=2\x00");
    assert_eq!(order("/app", &["a\0b".to_owned()], &variables), None);
}

#[test]
fn a_keeper_is_told_what_to_load_and_what_to_run() {
    let plan = |files: &[(&str, &str)]| {
        crate::generation::plan(&Metadata::default(), &tree(files), &BaseImages::default()).expect("a plan")
    };
    let main = "from fastapi import FastAPI\napp = FastAPI()\n";
    let simple = plan(&[("main.py", main), ("requirements.txt", "fastapi\nuvicorn\n")]);
    let words = keeper(&simple).expect("a keeper");
    let at = words.iter().position(|word| word == "--").expect("an order");
    assert_eq!(words[at + 1..at + 4], ["/app", "uvicorn", "main:app"]);
    assert!(words[4..at].contains(&"fastapi".to_owned()), "{words:?}");
    // Fifty milliseconds for what only an app with models loads.
    assert!(!words.contains(&"pydantic.v1".to_owned()));
    let with_models = format!("{main}from pydantic import BaseModel\n");
    let with_models = plan(&[("main.py", &with_models), ("requirements.txt", "fastapi\nuvicorn\n")]);
    assert!(keeper(&with_models).expect("a keeper").contains(&"pydantic.v1".to_owned()));
    // The interpreter would run it in the process that is to stay free of the app.
    let customized =
        plan(&[("main.py", main), ("sitecustomize.py", ""), ("requirements.txt", "fastapi\nuvicorn\n")]);
    assert_eq!((keeper(&customized), warm(&customized)), (None, None));
    let package = r#"{"dependencies": {"express": "4"}, "scripts": {"start": "node server.js"}}"#;
    let node = plan(&[("server.js", "require('express')().listen(3000)"), ("package.json", package)]);
    assert_eq!(keeper(&node), None);
}

#[test]
fn the_program_has_our_words() {
    assert!(PYTHON.contains(&format!("called(\"{WAITING}\")")));
    assert!(PYTHON.contains(&format!("AGAIN = {AGAIN}\n")));
    assert!(NODE.contains(&format!("called(\"{WAITING}\")")));
}
