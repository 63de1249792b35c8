//! The API's description, and a page to read it.

use axum::Router;
use axum::http::StatusCode;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as OpenApiDocument, Ref, RefOr, Schema};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use super::upload::FileEntry;
use super::{AppState, addresses, auth};

#[derive(OpenApi)]
#[openapi(
    info(title = "previewd", description = "A generation goes in, a running, watched, disposable preview comes out."),
    modifiers(&Bearer),
    components(schemas(FileEntry)),
    security(("bearer" = []))
)]
struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = api.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// An empty router that carries the description's head.
pub fn base() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Description::openapi())
}

/// `/openapi.json`, and `/docs` from assets inside the binary.
pub fn pages(api: OpenApiDocument) -> Router<AppState> {
    SwaggerUi::new("/docs").url("/openapi.json", with_problems(api)).into()
}

/// The description alone, for `previewd openapi`. Needs no daemon.
pub fn openapi() -> OpenApiDocument {
    with_problems(base().merge(super::routes(&super::Config::default())).into_openapi())
}

const PROBLEM_JSON: &str = "application/problem+json";

/// Every operation may answer with a problem, and every problem has the media type of one.
fn with_problems(mut api: OpenApiDocument) -> OpenApiDocument {
    auth::rules::describe(&mut api);
    let problem = || Ref::from_schema_name("Problem");
    for item in api.paths.paths.values_mut() {
        for operation in operations(item) {
            addresses::describe(operation);
            let responses = &mut operation.responses.responses;
            for (status, response) in responses.iter_mut() {
                if let RefOr::T(response) = response {
                    describe(status, response);
                    name_problems(response, &problem().into());
                }
            }
            let content = ContentBuilder::new().schema(Some(problem())).build();
            let any = ResponseBuilder::new().description("Any error").content(PROBLEM_JSON, content).build();
            responses.entry("default".to_owned()).or_insert(any.into());
        }
    }
    api
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

/// The specification wants a description of every response; the status's own words will do.
fn describe(status: &str, response: &mut Response) {
    let known = status.parse().ok().and_then(|code: u16| StatusCode::from_u16(code).ok());
    if response.description.is_empty()
        && let Some(reason) = known.and_then(|status| status.canonical_reason())
    {
        response.description = reason.to_owned();
    }
}

fn name_problems(response: &mut Response, problem: &RefOr<Schema>) {
    if let Some(RefOr::T(content)) = response.content.get("application/json")
        && content.schema.as_ref() == Some(problem)
        && let Some(content) = response.content.shift_remove("application/json")
    {
        response.content.insert(PROBLEM_JSON.to_owned(), content);
    }
}
