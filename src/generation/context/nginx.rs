//! nginx's configuration: any user, read-only root, one folder of pages, and perhaps a server
//! behind some of the paths.

use crate::generation::container;
use crate::generation::recipe::{BothRecipe, BuiltPages, PhpRecipe, StaticRecipe};

/// What differs between the kinds of sites.
struct Site<'a> {
    types: &'a str,
    /// What a folder shows.
    index: &'a str,
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
const PAGE: &str = "index.html";
const OWN_PAGE: &str = "error_page 404 /404.html;";

/// Files as they lie in the tree.
pub fn of_files(site: &StaticRecipe, port: u16) -> String {
    let root = container::dir(&site.folder);
    let missing = if site.single_page { "/index.html" } else { "=404" };
    let not_found = if site.not_found_page { OWN_PAGE } else { "" };
    let index = if site.index.is_empty() { PAGE } else { &site.index };
    configuration(
        &Site { types: TYPES, index, root: &root, not_found, missing, maps: "", locations: "" },
        port,
    )
}

/// Pages that a build made.
pub fn of_built_pages(pages: &BuiltPages, port: u16) -> String {
    let (missing, not_found) = if pages.single_page { ("/index.html", "") } else { ("=404", OWN_PAGE) };
    let locations = below(&pages.base);
    let (root, maps) = ("/srv/pages", "");
    configuration(
        &Site { types: TYPES, index: PAGE, root, not_found, missing, maps, locations: &locations },
        port,
    )
}

/// Pages built to lie under a path lie at the top; they are found under that path too, where their
/// scripts expect to be.
fn below(base: &str) -> String {
    match base {
        "" => String::new(),
        base => format!(
            "        location = / {{ return 302 {base}/; }}\n        location = {base} {{ return 302 {base}/; }}\n        location ^~ {base}/ {{ rewrite ^{base}(/.*)$ $1 break; try_files $uri $uri/index.html $uri.html {{missing}}; }}\n"
        ),
    }
}

/// The server's paths go to it; so does what is neither a file nor a page asked for by a browser,
/// so that a path nobody knew of is answered too.
pub fn of_both(recipe: &BothRecipe, port: u16) -> String {
    let root = match &recipe.node {
        Some(_) => "/srv/pages".to_owned(),
        None => format!("/app/{}", recipe.pages_folder),
    };
    let mut locations = below(&recipe.pages.base);
    for prefix in &recipe.prefixes {
        locations.push_str(&format!("        location = {prefix} {{ {PASS} }}\n"));
        locations.push_str(&format!("        location ^~ {prefix}/ {{ {PASS} }}\n"));
    }
    if let Some(pages) = &recipe.pages_server {
        let maps = format!(
            "{}    upstream pages {{ server 127.0.0.1:{}; keepalive 16; }}\n",
            MAPS.replace("{server}", &recipe.server_port.to_string()),
            pages.port
        );
        let to_pages = PASS.replace("http://server", "http://pages");
        locations.push_str(&format!("        location @pages {{ {to_pages} }}\n"));
        let types = "/opt/gateway/mime.types";
        // Nothing lies there: whatever is not the server's is the pages'.
        let root = "/srv/pages";
        let site = Site {
            types,
            index: PAGE,
            root,
            not_found: "",
            missing: "@pages",
            maps: &maps,
            locations: &locations,
        };
        return configuration(&site, port);
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
    let site = Site {
        types,
        index: PAGE,
        root: &root,
        not_found: "",
        missing: "@missing",
        maps: &maps,
        locations: &locations,
    };
    configuration(&site, port)
}

/// Files as they are, pages by PHP, and every other path by the page that is asked first.
pub fn of_php(recipe: &PhpRecipe, port: u16) -> String {
    let root = container::dir(&recipe.root);
    let index = format!("{} index.html", recipe.index);
    let missing = format!("/{}$is_args$args", recipe.index);
    let site = Site {
        types: "/opt/gateway/mime.types",
        index: &index,
        root: &root,
        not_found: "",
        missing: &missing,
        maps: "    map $http_x_forwarded_proto $secure { default ''; https on; }\n",
        locations: PHP,
    };
    configuration(&site, port)
}

/// What PHP's server is told of a request. Where the served folder is the whole tree, what is for
/// the server alone is no page.
const PHP: &str = r#"        client_max_body_size 100m;
        location ~ ^/(vendor/|storage/logs/|composer\.(json|lock)$|package(-lock)?\.json$) { return 404; }
        location ~ \.(sql|sqlite3?|db|ini|log|sh|ya?ml)$ { return 404; }
        location ~ \.php(/|$) {
            fastcgi_split_path_info ^(.+?\.php)(/.*)?$;
            if (!-f $document_root$fastcgi_script_name) { return 404; }
            fastcgi_pass 127.0.0.1:9000;
            fastcgi_buffering off;
            fastcgi_read_timeout 3600s;
            fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
            fastcgi_param SCRIPT_NAME $fastcgi_script_name;
            fastcgi_param PATH_INFO $fastcgi_path_info;
            fastcgi_param DOCUMENT_ROOT $document_root;
            fastcgi_param DOCUMENT_URI $document_uri;
            fastcgi_param REQUEST_URI $request_uri;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param REQUEST_SCHEME $scheme;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param HTTPS $secure if_not_empty;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
            fastcgi_param SERVER_NAME $host;
            fastcgi_param SERVER_PORT $server_port;
            fastcgi_param SERVER_ADDR $server_addr;
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param REMOTE_PORT $remote_port;
            fastcgi_param GATEWAY_INTERFACE CGI/1.1;
            fastcgi_param REDIRECT_STATUS 200;
        }
"#;

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
        .replace("{index}", site.index)
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
        index {index};
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
