//! Go: which files matter, where imports lead, and the routers of `net/http`, chi, gin, echo,
//! fiber and gorilla/mux.

mod lower;
mod routers;

pub use lower::{GoFile, lower};
pub use routers::{STRICT, construct, knows, method, method_of_route};

use super::interpreter::Resolved;
use super::sources::Sources;
use super::syntax::holds_any;

/// Words of which a file that registers routes holds one.
const WORDS: &[&str] = &[
    "HandleFunc(",
    ".Handle(",
    "chi.",
    "gin.",
    "echo.",
    "fiber.",
    "mux.",
    "http.NewServeMux",
    "ListenAndServe",
    ".GET(",
    ".POST(",
    ".PUT(",
    ".PATCH(",
    ".DELETE(",
    ".Get(\"",
    ".Post(\"",
    ".Put(\"",
    ".Delete(\"",
    ".Group(",
    ".Route(",
    ".Mount(",
    ".MethodFunc(",
];
const MAIN: &str = "func main()";

/// Types by which one can tell that a router is handed in.
const ROUTER_TYPES: &[&str] = &[
    "gin.Engine",
    "gin.RouterGroup",
    "gin.IRouter",
    "gin.IRoutes",
    "chi.Router",
    "chi.Mux",
    "http.ServeMux",
    "echo.Echo",
    "echo.Group",
    "fiber.App",
    "fiber.Router",
    "fiber.Group",
    "mux.Router",
];

/// Whether a file, or a function, may register routes.
pub fn may_register(text: &str) -> bool {
    holds_any(text, WORDS)
}

/// Whether a file is read although nothing imports it.
pub fn may_start(text: &str) -> bool {
    may_register(text) || text.contains(MAIN)
}

/// Whether a parameter of this type is a router.
pub fn is_router_type(annotation: &str) -> bool {
    ROUTER_TYPES.contains(&annotation.trim_start_matches('*'))
}

/// Where `import from` leads: below the path that a `go.mod` gives its folder.
pub fn resolve(sources: &Sources, from: &str) -> Resolved {
    let within = |(folder, module): &(&str, &str)| {
        let rest = from.strip_prefix(module)?;
        let rest = if rest.is_empty() { "" } else { rest.strip_prefix('/')? };
        let path = match (*folder, rest) {
            ("", rest) => rest.to_owned(),
            (folder, "") => folder.to_owned(),
            (folder, rest) => format!("{folder}/{rest}"),
        };
        sources.folder(&path).map(|folder| Resolved::Folder(folder.to_owned()))
    };
    sources.go_modules().iter().find_map(within).unwrap_or_else(|| Resolved::External(from.to_owned()))
}
