//! nginx's configuration: any user, read-only root, one folder of pages, and perhaps a server
//! behind some of the paths.

use crate::generation::recipe::{BothRecipe, StaticRecipe};

/// What differs between the kinds of sites.
struct Site<'a> {
    types: &'a str,
    root: &'a str,
    /// `error_page` or nothing.
    not_found: &'a str,
    /// Where paths without a file go.
    missing: &'a str,
    /// At the level of http.
    maps: &'a str,
    /// At the level of the server.
    locations: &'a str,
}

const TYPES: &str = "/etc/nginx/mime.types";
const OWN_PAGE: &str = "error_page 404 /404.html;";

/// Files as they lie in the tree, in one of the fixed folders a site may lie in.
pub fn of_files(site: &StaticRecipe, port: u16) -> String {
    let root = if site.folder.is_empty() { "/app".to_owned() } else { format!("/app/{}", site.folder) };
    let missing = if site.single_page { "/index.html" } else { "=404" };
    let not_found = if site.not_found_page { OWN_PAGE } else { "" };
    configuration(&Site { types: TYPES, root: &root, not_found, missing, maps: "", locations: "" }, port)
}

/// Pages that a build made.
pub fn of_built_pages(single_page: bool, port: u16) -> String {
    let (missing, not_found) = if single_page { ("/index.html", "") } else { ("=404", OWN_PAGE) };
    configuration(
        &Site { types: TYPES, root: "/srv/pages", not_found, missing, maps: "", locations: "" },
        port,
    )
}

/// The server's paths go to it; so does what is neither a file nor a page asked for by a browser,
/// so that a path nobody knew of is answered too.
pub fn of_both(recipe: &BothRecipe, port: u16) -> String {
    let root = match &recipe.node {
        Some(_) => "/srv/pages".to_owned(),
        None => format!("/app/{}", recipe.pages_folder),
    };
    let mut locations = String::new();
    for prefix in &recipe.prefixes {
        locations.push_str(&format!("        location = {prefix} {{ {PASS} }}\n"));
        locations.push_str(&format!("        location ^~ {prefix}/ {{ {PASS} }}\n"));
    }
    let page = if recipe.pages.single_page { "/index.html" } else { "/404.html" };
    locations.push_str(&format!(
        "        location @missing {{ if ($wants_page) {{ return 418; }} error_page 418 = @page; {PASS} }}\n"
    ));
    locations.push_str(&format!(
        "        location @page {{ try_files {page} =404; add_header Cache-Control no-cache; }}\n"
    ));
    let maps = MAPS.replace("{server}", &recipe.server_port.to_string());
    let types = "/opt/gateway/mime.types";
    let site =
        Site { types, root: &root, not_found: "", missing: "@missing", maps: &maps, locations: &locations };
    configuration(&site, port)
}

/// Streams and WebSockets go through as they are.
const PASS: &str = "proxy_pass http://server; proxy_http_version 1.1; proxy_buffering off; \
    proxy_request_buffering off; client_max_body_size 0; proxy_read_timeout 3600s; \
    proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade; \
    proxy_set_header Connection $connection_upgrade;";

const MAPS: &str = r#"    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    map $request_method$http_accept $wants_page { default 0; ~^GET.*text/html 1; }
    upstream server { server 127.0.0.1:{server}; keepalive 16; }
"#;

fn configuration(site: &Site<'_>, port: u16) -> String {
    TEMPLATE
        .replace("{types}", site.types)
        .replace("{maps}", site.maps)
        .replace("{locations}", site.locations)
        .replace("{root}", site.root)
        .replace("{not_found}", site.not_found)
        .replace("{missing}", site.missing)
        .replace("{port}", &port.to_string())
}

const TEMPLATE: &str = r#"worker_processes 1;
daemon off;
pid /tmp/nginx.pid;
error_log stderr notice;
events {
    worker_connections 512;
}
http {
    include {types};
    default_type application/octet-stream;
    charset utf-8;
    access_log /dev/stdout;
    client_body_temp_path /tmp/nginx-body;
    proxy_temp_path /tmp/nginx-proxy;
    fastcgi_temp_path /tmp/nginx-fastcgi;
    uwsgi_temp_path /tmp/nginx-uwsgi;
    scgi_temp_path /tmp/nginx-scgi;
    sendfile on;
    gzip on;
    gzip_types text/css text/javascript application/javascript application/json image/svg+xml;
    absolute_redirect off;
    server_tokens off;
{maps}    server {
        listen {port};
        listen [::]:{port};
        root {root};
        index index.html;
        {not_found}
{locations}        location / {
            try_files $uri $uri/ $uri.html {missing};
            add_header Cache-Control no-cache;
        }
        location ~ /\.(?!well-known/) {
            return 404;
        }
    }
}
"#;
