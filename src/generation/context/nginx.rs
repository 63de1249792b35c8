//! nginx's configuration for a static site: any user, read-only root, one folder.

use crate::generation::recipe::StaticRecipe;

/// The folder is one of the fixed names a site may lie in.
pub fn configuration(site: &StaticRecipe, port: u16) -> String {
    let root = if site.folder.is_empty() { "/app".to_owned() } else { format!("/app/{}", site.folder) };
    let not_found = if site.not_found_page { "error_page 404 /404.html;" } else { "" };
    let template = TEMPLATE.replace("{root}", &root).replace("{not_found}", not_found);
    template.replace("{port}", &port.to_string())
}

const TEMPLATE: &str = r#"worker_processes 1;
daemon off;
pid /tmp/nginx.pid;
error_log stderr notice;
events {
    worker_connections 512;
}
http {
    include /etc/nginx/mime.types;
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
    server {
        listen {port};
        listen [::]:{port};
        root {root};
        index index.html;
        {not_found}
        location / {
            try_files $uri $uri/ $uri.html =404;
            add_header Cache-Control no-cache;
        }
        location ~ /\.(?!well-known/) {
            return 404;
        }
    }
}
"#;
