//! A static site: the source and nginx's configuration onto the static base.

use super::writer::{USER, Writer};
use super::{Dialect, ENVIRONMENT};
use crate::generation::plan::Plan;

pub fn write(plan: &Plan) -> String {
    // Nothing is installed, so the text is the same for every builder; system packages have no
    // use beside a file server.
    let mut out = Writer::new(Dialect::BuildKit);
    environment(&mut out, plan);
    source(&mut out, ENVIRONMENT);
    out.finish(plan)
}

pub fn environment(out: &mut Writer, plan: &Plan) {
    out.stage(&plan.base_image, ENVIRONMENT);
    out.line("COPY nginx.conf /etc/previewd/nginx.conf");
    out.place_for_source();
}

pub fn source(out: &mut Writer, environment: &str) {
    out.stage(environment, "");
    out.line(&format!("COPY --chown={USER} app/ /app/"));
}
