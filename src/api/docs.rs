//! The API's description, and a page to read it.

use axum::Router;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use super::AppState;

#[derive(OpenApi)]
#[openapi(
    info(title = "previewd", description = "A generation goes in, a running, watched, disposable preview comes out."),
    modifiers(&Bearer),
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
pub fn pages(api: utoipa::openapi::OpenApi) -> Router<AppState> {
    SwaggerUi::new("/docs").url("/openapi.json", api).into()
}

/// The description alone, for `previewd openapi`. Needs no daemon.
pub fn openapi() -> utoipa::openapi::OpenApi {
    base().merge(super::described(&super::Config::default())).into_openapi()
}
