//! Routers, what hangs on them, and the endpoints that come of it.
//!
//! Reading sources gives a graph: routers hold routes and mount other routers under a prefix.
//! [`Routers::endpoints`] walks it from the apps down. Cycles end where they close, and the walk
//! is bounded, since one router may be mounted many times by another that is mounted many times.

use std::collections::{BTreeMap, BTreeSet};

use super::{Endpoint, Origin, path};
pub use super::{Parameter, Place};

const MAX_ENDPOINTS: usize = 5_000;
const MAX_VISITS: usize = 20_000;
const MAX_NESTING: usize = 50;
const MAX_PATH: usize = 1_000;
const MAX_TEXT: usize = 4_000;
const MAX_TAGS: usize = 20;
const MAX_PARAMETERS: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouterId(usize);

/// Whose rules a router follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framework {
    FastApi,
    Starlette,
    Aiohttp,
    /// Django Ninja, whose routers work as FastAPI's do.
    Ninja,
    Flask,
    Django,
    Express,
    Koa,
    Fastify,
    Hono,
    Nest,
    /// Routes that are files: Next.js and its kin.
    Files,
    /// net/http, chi and fiber.
    Go,
    /// gin, echo and gorilla/mux, for whom a slash at the end counts.
    Gin,
}

/// Where routers of one kind may be mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Python,
    Node,
    Go,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Serves by itself.
    App,
    /// Serves where it is mounted.
    Router,
    /// A piece of a list of routes; means nothing when nothing uses it.
    Part,
    /// A parameter that is an app by its name, of a function nothing was seen to call.
    Guess,
}

#[derive(Debug)]
pub struct Router {
    pub framework: Framework,
    pub role: Role,
    pub prefix: String,
    pub tags: Vec<String>,
    /// Kept out of the app's own documentation by its author.
    pub hidden: bool,
    pub routes: Vec<Route>,
    pub mounts: Vec<Mount>,
}

#[derive(Debug, Clone, Default)]
pub struct Route {
    /// In capitals.
    pub methods: Vec<String>,
    /// In the common notation, without the router's prefix.
    pub path: String,
    pub summary: Option<String>,
    pub description: Option<String>,
    pub tags: Vec<String>,
    /// Those that are known; of the path, the others are added.
    pub parameters: Vec<Parameter>,
    pub body: Option<String>,
    pub response: Option<String>,
    pub site: Site,
}

/// Where a route is written.
#[derive(Debug, Clone, Default)]
pub struct Site {
    pub file: String,
    pub line: u32,
}

#[derive(Debug, Clone, Default)]
pub struct Mount {
    /// `None` when it could not be told what is mounted.
    pub target: Option<RouterId>,
    /// `None` leaves the router its own.
    pub prefix: Option<String>,
    /// The prefix stands in for the router's own, as Flask's does.
    pub replaces_prefix: bool,
    pub tags: Vec<String>,
    pub hidden: bool,
}

#[derive(Debug, Default)]
pub struct Routers(Vec<Router>);

/// Where the walk stands.
#[derive(Debug, Clone, Default)]
struct Standing {
    prefix: String,
    tags: Vec<String>,
}

struct Walk<'a> {
    routers: &'a [Router],
    /// Routers the walk is inside of.
    open: Vec<RouterId>,
    reached: BTreeSet<RouterId>,
    visits: usize,
    found: BTreeMap<(String, String), Endpoint>,
}

impl Router {
    pub fn new(framework: Framework, role: Role) -> Self {
        Self {
            framework,
            role,
            prefix: String::new(),
            tags: Vec::new(),
            hidden: false,
            routes: Vec::new(),
            mounts: Vec::new(),
        }
    }
}

impl Framework {
    /// A prefix and what follows it, as the framework itself puts them together.
    fn join(self, prefix: &str, rest: &str) -> String {
        match self {
            Self::FastApi | Self::Starlette | Self::Aiohttp | Self::Django => format!("{prefix}{rest}"),
            Self::Flask | Self::Gin if rest == "/" && !prefix.is_empty() => {
                format!("{}/", prefix.trim_end_matches('/'))
            }
            _ if rest.is_empty() => prefix.to_owned(),
            _ if prefix.is_empty() => rest.to_owned(),
            _ => path::join(prefix, rest),
        }
    }

    const fn family(self) -> Family {
        match self {
            Self::FastApi | Self::Starlette | Self::Aiohttp | Self::Ninja | Self::Flask | Self::Django => {
                Family::Python
            }
            Self::Go | Self::Gin => Family::Go,
            _ => Family::Node,
        }
    }
}

impl Routers {
    pub fn add(&mut self, router: Router) -> RouterId {
        self.0.push(router);
        RouterId(self.0.len() - 1)
    }

    pub fn get(&self, id: RouterId) -> Option<&Router> {
        self.0.get(id.0)
    }

    pub fn get_mut(&mut self, id: RouterId) -> Option<&mut Router> {
        self.0.get_mut(id.0)
    }

    /// Changes every router.
    pub fn each(&mut self, change: impl FnMut(&mut Router)) {
        self.0.iter_mut().for_each(change);
    }

    /// All endpoints, by path and method.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let mut walk = Walk {
            routers: &self.0,
            open: Vec::new(),
            reached: BTreeSet::new(),
            visits: 0,
            found: BTreeMap::new(),
        };
        let mounted = self.mounted();
        walk.every(|id, router| router.role == Role::App && !mounted.contains(&id));
        // An app that only a cycle mounts, and what a function nobody calls sets up.
        walk.every(|_, router| router.role == Role::App);
        walk.every(|_, router| router.role == Role::Guess);
        self.add_unreached(&mut walk, Family::Python);
        self.add_unreached(&mut walk, Family::Node);
        walk.found.into_values().collect()
    }

    /// Routers mounted by another one.
    fn mounted(&self) -> BTreeSet<RouterId> {
        let targets = |(at, router): (usize, &Router)| {
            router
                .mounts
                .iter()
                .filter_map(|mount| mount.target)
                .filter(move |id| id.0 != at)
                .collect::<Vec<_>>()
        };
        self.0.iter().enumerate().flat_map(targets).collect()
    }

    /// Routers nobody mounts are not served. But where an app mounts something that could not be
    /// followed, or where no app was found, they are taken to be what it mounts.
    fn add_unreached(&self, walk: &mut Walk, family: Family) {
        let ours = || self.0.iter().filter(|router| router.framework.family() == family);
        let blind = ours().flat_map(|router| &router.mounts).find(|mount| mount.target.is_none());
        let has_app = ours().any(|router| matches!(router.role, Role::App | Role::Guess));
        if blind.is_none() && has_app {
            return;
        }
        let place = Standing {
            prefix: blind.and_then(|mount| mount.prefix.clone()).unwrap_or_default(),
            tags: blind.map(|mount| mount.tags.clone()).unwrap_or_default(),
        };
        let mounted = self.mounted();
        let is_ours = |router: &Router| router.role == Role::Router && router.framework.family() == family;
        walk.every_at(&place, |id, router| is_ours(router) && !mounted.contains(&id));
        walk.every_at(&place, |_, router| is_ours(router));
    }
}

impl Walk<'_> {
    fn every(&mut self, wanted: impl Fn(RouterId, &Router) -> bool) {
        self.every_at(&Standing::default(), wanted);
    }

    /// Walks from each wanted router that was not reached before.
    fn every_at(&mut self, place: &Standing, wanted: impl Fn(RouterId, &Router) -> bool) {
        for (at, router) in self.routers.iter().enumerate() {
            let id = RouterId(at);
            if !self.reached.contains(&id) && wanted(id, router) {
                self.visit(id, place.clone(), true);
            }
        }
    }

    /// Walks a router that stands at `place`, its own prefix added unless `place` stands in for it.
    fn visit(&mut self, id: RouterId, mut place: Standing, own_prefix: bool) {
        self.visits += 1;
        let Some(router) = self.routers.get(id.0) else { return };
        let closes_cycle = self.open.contains(&id) || self.open.len() > MAX_NESTING;
        if router.hidden || closes_cycle || self.visits > MAX_VISITS || place.prefix.len() > MAX_PATH {
            return;
        }
        self.open.push(id);
        self.reached.insert(id);
        if own_prefix {
            place.prefix = router.framework.join(&place.prefix, &router.prefix);
        }
        add_tags(&mut place.tags, &router.tags);
        for route in &router.routes {
            self.add(router.framework, &place, route);
        }
        for mount in router.mounts.iter().filter(|mount| !mount.hidden) {
            self.follow(router, &place, mount);
        }
        self.open.pop();
    }

    fn follow(&mut self, from: &Router, place: &Standing, mount: &Mount) {
        let Some(target) = mount.target else { return };
        // What a function nobody calls mounts may well be mounted elsewhere, under its real prefix.
        if from.role == Role::Guess && self.reached.contains(&target) {
            return;
        }
        let mut place = place.clone();
        add_tags(&mut place.tags, &mount.tags);
        if let Some(prefix) = &mount.prefix {
            place.prefix = from.framework.join(&place.prefix, prefix);
        }
        let replaced = mount.replaces_prefix && mount.prefix.is_some();
        self.visit(target, place, !replaced);
    }

    /// The first to claim a path and method keeps it, as in a router.
    fn add(&mut self, framework: Framework, place: &Standing, route: &Route) {
        let path = path::rooted(framework.join(&place.prefix, &route.path));
        if path.len() > MAX_PATH {
            return;
        }
        let mut tags = place.tags.clone();
        add_tags(&mut tags, &route.tags);
        for method in &route.methods {
            let key = (path.clone(), method.clone());
            if self.found.len() >= MAX_ENDPOINTS || self.found.contains_key(&key) {
                continue;
            }
            let endpoint = Endpoint {
                method: method.clone(),
                path: path.clone(),
                summary: route.summary.as_deref().and_then(clip),
                description: route.description.as_deref().and_then(clip),
                tags: tags.clone(),
                parameters: parameters(route, &path),
                body: route.body.clone(),
                response: route.response.clone(),
                source: Origin::Code,
                differences: Vec::new(),
                file: route.site.file.clone(),
                line: route.site.line,
            };
            self.found.insert(key, endpoint);
        }
    }
}

/// The parameters of a path in its order, then the others a route is known to take.
fn parameters(route: &Route, path: &str) -> Vec<Parameter> {
    let mut all: Vec<Parameter> = Vec::new();
    for name in path::names(path) {
        let known = route.parameters.iter().find(|parameter| parameter.name == name);
        let kind = known.and_then(|parameter| parameter.kind.clone());
        if !all.iter().any(|parameter| parameter.name == name) {
            all.push(Parameter { name: name.to_owned(), place: Place::Path, kind, required: true });
        }
    }
    let is_other = |parameter: &&Parameter| {
        parameter.place != Place::Path && !path::names(path).any(|name| name == parameter.name)
    };
    all.extend(route.parameters.iter().filter(is_other).take(MAX_PARAMETERS).cloned());
    all
}

/// Text for a reader: trimmed, of bounded length, `None` when nothing is left.
pub fn clip(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.chars().take(MAX_TEXT).collect())
}

/// Adds what is not there yet.
pub fn add_tags(tags: &mut Vec<String>, more: &[String]) {
    for tag in more {
        if tags.len() < MAX_TAGS && !tag.trim().is_empty() && tag.len() <= 200 && !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
}
