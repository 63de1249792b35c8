//! The examples `--help` ends with. A test types each of them in.

pub const TOP: &str = "\
Examples:
  previewd serve
  previewd launch ./my-app --follow
  previewd ps

Settings: PREVIEW_URL, PREVIEW_TOKEN, PREVIEW_DATA_DIR. Exit codes: 0 done, 1 failed, 2 wrong usage.";

pub const SERVE: &str = "\
Examples:
  previewd serve
  previewd serve --listen 0.0.0.0:8000 --data-dir /var/lib/previewd --config /etc/previewd.toml";

pub const LAUNCH: &str = "\
Examples:
  previewd launch ./my-app
  previewd launch ./my-app --env LOG_LEVEL=debug --follow
  previewd launch ./my-app --id shop-v2 --metadata shop.json --tier pro --json

What .gitignore and .dockerignore leave out is not uploaded. Without --metadata, DIR/preview.json
is used when it is there.";

pub const PS: &str = "\
Examples:
  previewd ps
  previewd ps --all --project shop
  previewd ps --status unhealthy --json";

pub const STATUS: &str = "Example:\n  previewd status shop-v2";

pub const STOP: &str = "Examples:\n  previewd stop shop-v2\n  previewd stop shop-v1 shop-v2";

pub const RESTART: &str = "Example:\n  previewd restart shop-v2";

pub const PAUSE: &str = "Example:\n  previewd pause shop-v2";

pub const RESUME: &str = "Example:\n  previewd resume shop-v2";

pub const EXTEND: &str = "\
Examples:
  previewd extend shop-v2 30m
  previewd extend shop-v2 1h30m

DURATION is a number of seconds, or made of d, h, m and s.";

pub const ENDPOINTS: &str = "Example:\n  previewd endpoints shop-v2";

pub const COMPARE: &str = "\
Examples:
  previewd compare shop-v1 shop-v2
  previewd compare shop-v1 shop-v2 --json

The output reads as a diff from the first to the second. Neither needs a preview; response times
and error rates are told where both have answered requests.";

pub const REQUEST: &str = "\
Examples:
  previewd request shop-v2 GET /health
  previewd request shop-v2 POST /items --data '{\"name\": \"tea\"}'
  previewd request shop-v2 GET /items --query limit=2 --header 'Accept: application/json' --include
  previewd request shop-v2 PUT /photo --data @photo.b64 --fail

The body goes to stdout, the status line to stderr. --data @FILE reads a file, --data @- stdin.";

pub const LOGS: &str = "\
Examples:
  previewd logs shop-v2
  previewd logs shop-v2 -f --level WARNING
  previewd logs shop-v2 --since 10m --search timeout --source app

With --json every line is one JSON object.";

pub const STATS: &str = "\
Examples:
  previewd stats
  previewd stats shop-v2
  previewd stats --no-stream

Figures are painted anew every second until Ctrl-C; with --json, --no-stream or elsewhere than on a
terminal they are printed once. CPU % is of the cores a preview may use.";

pub const SYNC: &str = "\
Examples:
  previewd sync ./my-app shop-v2
  previewd sync ./my-app shop-v2 --once
  previewd sync ./my-app shop-v2 --json

The preview first gets what the directory has. What .gitignore and .dockerignore leave out is not
sent. The generation stays as it was.";

pub const EVENTS: &str = "Example:\n  previewd events shop-v2";

pub const DATABASE: &str = "\
Examples:
  previewd database shop-v2
  previewd database shop-v2 --query 'SELECT id, name FROM items LIMIT 5'
  previewd database shop-v2 --reset";

pub const SHARE: &str = "\
Examples:
  previewd share shop-v2
  previewd share shop-v2 --ttl 2h
  previewd share shop-v2 --list
  previewd share shop-v2 --revoke 0123456789ab

The link is printed alone on stdout. A preview launched as private opens to nobody else.";

pub const AUDIT: &str = "\
Examples:
  previewd audit
  previewd audit --user alice --since 2d
  previewd audit --action visitPreview --target shop-v2 --json

Visits are gathered for PREVIEW_AUDIT_VISITS seconds: TIMES says how many requests one entry stands
for, RESULT whether the preview was open to them.";

pub const KEYS: &str = "\
Examples:
  previewd keys create --name ci
  previewd keys create --name platform --scope read --scope launch --scope act --ttl 90d
  previewd keys list
  previewd keys revoke 0123456789ab

The key is printed alone on stdout, once. Requests bring it as a bearer token.";

pub const DOCKERFILE: &str = "\
Examples:
  previewd dockerfile ./my-app
  previewd dockerfile ./my-app --explain
  previewd dockerfile ./my-app --metadata shop.json";

pub const TOKEN: &str = "\
Examples:
  previewd token --user alice
  previewd token --user ops --role admin --tier enterprise --ttl 12h

The token is printed alone on stdout: PREVIEW_TOKEN=$(previewd token --user alice)";

pub const DOCTOR: &str = "Examples:\n  previewd doctor\n  previewd doctor --json";

pub const GC: &str = "Examples:\n  previewd gc --dry-run\n  previewd gc";

pub const RESEAL: &str = "\
Example:
  previewd reseal

With PREVIEW_SEAL_KEYS put the new key first there, reseal, and take the old ones away.";

pub const MIGRATE: &str = "Example:\n  previewd migrate --config /etc/previewd.toml";

pub const CONFIG: &str = "Examples:\n  previewd config\n  previewd config --config /etc/previewd.toml --json";

pub const OPENAPI: &str = "Example:\n  previewd openapi";
