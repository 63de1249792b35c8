//! A static site: the source and nginx's configuration onto the static base.

use super::Dialect;
use super::writer::{USER, Writer};
use crate::generation::plan::Plan;

pub fn write(plan: &Plan) -> String {
    // Nothing is installed, so the text is the same for every builder; system packages have no
    // use beside a file server.
    let mut out = Writer::new(Dialect::BuildKit);
    out.stage(&plan.base_image, "");
    out.line("COPY nginx.conf /etc/previewd/nginx.conf");
    out.line(&format!("COPY --chown={USER} app/ /app/"));
    out.finish(plan)
}
