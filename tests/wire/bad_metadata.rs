//! Syntax of a shell or a Dockerfile, and every other value that is none, in the metadata: 422
//! with the field's name, or only ever data.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::refusal::invalid;

/// What somebody who means harm would write.
const HOSTILE: [&str; 8] =
    ["x\nRUN id", "$(id)", "`id`", "../../etc", "a\0b", "x; rm -rf /", "x\r\nENTRYPOINT [\"sh\"]", "x && id"];

/// Fields of text that take none of [`HOSTILE`].
const TEXTS: [&str; 9] = [
    "projectId",
    "parentGenerationId",
    "language",
    "framework",
    "pythonVersion",
    "nodeVersion",
    "dbVersion",
    "dockerImageName",
    "healthCheckEndpoint",
];

fn body(metadata: Value) -> Value {
    json!({ "metadata": metadata, "files": { "main.py": "print('hello')" } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_text_is_refused_by_field() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let put = async |metadata: Value| ann.put("/api/v2/generations/bad", &body(metadata)).await;
    for hostile in HOSTILE {
        for field in TEXTS {
            assert_eq!(
                invalid(&put(json!({ field: hostile })).await),
                format!("metadata.{field}"),
                "{hostile:?}"
            );
        }
        let packages = json!({ "systemPackages": ["curl", hostile] });
        assert_eq!(invalid(&put(packages).await), "metadata.systemPackages[1]", "{hostile:?}");
        let secrets = json!({ "secrets": [hostile] });
        assert_eq!(invalid(&put(secrets).await), "metadata.secrets[0]", "{hostile:?}");
        let environment = json!({ "environment": { hostile: "x" } });
        assert_eq!(invalid(&put(environment).await), format!("metadata.environment[{hostile:?}]"));
    }
    // A name is one line of a label, and a path is no syntax in a command.
    for hostile in HOSTILE.iter().filter(|text| text.contains(char::is_control)) {
        assert_eq!(invalid(&put(json!({ "name": hostile })).await), "metadata.name", "{hostile:?}");
    }
    for hostile in HOSTILE.iter().filter(|text| !text.starts_with("..")) {
        for field in ["entryPoint", "migrationCommand", "seedCommand"] {
            assert_eq!(
                invalid(&put(json!({ field: hostile })).await),
                format!("metadata.{field}"),
                "{hostile:?}"
            );
        }
    }
    let value = json!({ "environment": { "KEY": "a\0b" } });
    assert_eq!(invalid(&put(value).await), "metadata.environment[\"KEY\"]");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_no_kind_or_size_are_refused_by_field() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let long = "x".repeat(300);
    let many: Vec<String> = (0..201).map(|n| format!("package{n}")).collect();
    let table = [
        (json!({ "colour": "red" }), "colour"),
        (json!({ "port": 0 }), "port"),
        (json!({ "port": -1 }), "port"),
        (json!({ "port": 65536 }), "port"),
        (json!({ "port": "8000" }), "port"),
        (json!({ "port": 80.5 }), "port"),
        (json!({ "port": u64::MAX }), "port"),
        (json!({ "healthCheckInterval": 0 }), "healthCheckInterval"),
        (json!({ "healthCheckInterval": -1 }), "healthCheckInterval"),
        (json!({ "healthCheckInterval": 3601 }), "healthCheckInterval"),
        (json!({ "healthCheckInterval": 9_223_372_036_854_775_808_u64 }), "healthCheckInterval"),
        (json!({ "healthCheckInterval": "NaN" }), "healthCheckInterval"),
        (json!({ "healthCheckEndpoint": "health" }), "healthCheckEndpoint"),
        (json!({ "healthCheckEndpoint": "//other.example/x" }), "healthCheckEndpoint"),
        (json!({ "healthCheckEndpoint": "http://other.example/" }), "healthCheckEndpoint"),
        (json!({ "mode": "turbo" }), "mode"),
        (json!({ "prewarm": "yes" }), "prewarm"),
        (json!({ "dbType": "oracle" }), "dbType"),
        (json!({ "requiresMigrations": 1 }), "requiresMigrations"),
        (json!({ "pythonVersion": "latest" }), "pythonVersion"),
        (json!({ "nodeVersion": 20 }), "nodeVersion"),
        (json!({ "name": long }), "name"),
        (json!({ "projectId": long }), "projectId"),
        (json!({ "name": "" }), "name"),
        (json!({ "dockerImageName": "Not An Image" }), "dockerImageName"),
        (json!({ "dockerImageName": "a//b" }), "dockerImageName"),
        (json!({ "dockerImageName": "a:b:c" }), "dockerImageName"),
        (json!({ "environment": ["A=B"] }), "environment"),
        (json!({ "environment": { "A": 1 } }), "environment.A"),
        (json!({ "environment": { "1A": "x" } }), "environment[\"1A\"]"),
        (json!({ "environment": { "A": "x".repeat(33 * 1024) } }), "environment[\"A\"]"),
        (json!({ "secrets": "KEY" }), "secrets"),
        (json!({ "systemPackages": [1] }), "systemPackages[0]"),
        (json!({ "systemPackages": ["-y"] }), "systemPackages[0]"),
        (json!({ "systemPackages": many }), "systemPackages"),
        (json!({ "generatedDockerfile": "# syntax=evil/frontend\nFROM scratch" }), "generatedDockerfile"),
        (json!({ "generatedDockerfile": "FROM scratch\0" }), "generatedDockerfile"),
        (json!({ "parentGenerationId": "../x" }), "parentGenerationId"),
    ];
    for (metadata, field) in table {
        let answer = ann.put("/api/v2/generations/bad", &body(metadata.clone())).await;
        assert_eq!(invalid(&answer), format!("metadata.{field}"), "{metadata}");
    }
    let list = ann.get("/api/v2/generations").await.json();
    assert_eq!(list["generations"], json!([]), "nothing of it was stored");
    app.finish().await;
}

/// What cannot be planned can be stored and looked at; whoever builds it hears why not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_point_that_does_not_exist_is_named_when_it_is_needed() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let table = [
        (json!({ "entryPoint": "uvicorn app.nowhere:app" }), "metadata.entryPoint"),
        (json!({ "entryPoint": "python gone.py" }), "metadata.entryPoint"),
        (json!({ "entryPoint": "'" }), "metadata.entryPoint"),
        (json!({ "pythonVersion": "2.4", "entryPoint": "python main.py" }), "metadata.pythonVersion"),
        (json!({ "generatedDockerfile": "FROM evil/image\nCMD [\"x\"]" }), "metadata.generatedDockerfile"),
    ];
    for (number, (metadata, field)) in table.into_iter().enumerate() {
        let path = format!("/api/v2/generations/entry-{number}");
        assert_eq!(ann.put(&path, &body(metadata.clone())).await.status, 201, "{metadata}");
        let answers = [
            ann.get(&format!("{path}/dockerfile")).await,
            ann.post(&format!("{path}/build"), &json!({})).await,
            ann.post(&format!("{path}/preview/launch"), &json!({})).await,
        ];
        for answer in answers {
            assert_eq!(invalid(&answer), field, "{metadata}");
        }
    }
    app.finish().await;
}
