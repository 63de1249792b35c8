//! nginx in front of a server in the same container.
//!
//! It comes from the static base with the libraries it was linked to, so that it runs in any
//! image, whatever its distribution, and nothing has to be fetched.

use super::writer::Writer;

/// nginx, its libraries and the loader that finds them.
pub fn stage(out: &mut Writer, static_image: &str) {
    out.root_stage(static_image, "gateway");
    out.run(&[
        "program=$(command -v nginx)".to_owned(),
        "libraries=$(ldd \"$program\" | grep -o '/[^ )]*')".to_owned(),
        "mkdir -p /gateway/lib".to_owned(),
        "cp -L \"$program\" /gateway/nginx".to_owned(),
        "for library in $libraries; do cp -L \"$library\" /gateway/lib/; done".to_owned(),
        "cp /etc/nginx/mime.types /gateway/mime.types".to_owned(),
        "cp -L \"$(ldd \"$program\" | grep -o '/[^ ]*ld-[^ ]*')\" /gateway/loader".to_owned(),
    ]);
}

/// Into the image that is run.
pub fn copy(out: &mut Writer) {
    out.line("COPY --from=gateway /gateway/ /opt/gateway/");
}
