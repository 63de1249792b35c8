//! Django's modules of `urlpatterns`: a router stands for each, and is filled when all are read.

use crate::generation::endpoints::routes::{Framework, Mount, Role, Router, RouterId};

use super::Interpreter;
use super::modules::Family;
use super::value::{Invocation, ModuleId, Value};

const PATTERNS: &str = "urlpatterns";
const ROOT: &str = "ROOT_URLCONF";

impl Interpreter<'_> {
    /// The router that stands for a module's patterns.
    pub fn urlconf(&mut self, module: ModuleId) -> RouterId {
        if let Some(known) = self.urlconfs.get(&module) {
            return *known;
        }
        let id = self.routers.add(Router::new(Framework::Django, Role::Part));
        self.urlconfs.insert(module, id);
        id
    }

    /// That of the module with a dotted name, as seen from where a call is written.
    pub fn urlconf_named(&mut self, call: &Invocation, name: &str) -> Option<RouterId> {
        let file = self.sources.path(&call.site.file)?;
        let importer = *self.module_at.get(file)?;
        self.urlconf_from(importer, name)
    }

    /// What a dotted name, `app.api.router`, leads to from where a call is written.
    pub fn named_object(&mut self, call: &Invocation, name: &str) -> Value {
        let importer = self.sources.path(&call.site.file).and_then(|file| self.module_at.get(file).copied());
        let (Some(importer), Some((module, last))) = (importer, name.rsplit_once('.')) else {
            return Value::Unknown;
        };
        let module = self.imported_module(importer, module);
        let value = self.member(&module, last);
        self.look_up(&value)
    }

    fn urlconf_from(&mut self, importer: ModuleId, name: &str) -> Option<RouterId> {
        match self.imported_module(importer, name) {
            Value::Module(module) => Some(self.urlconf(module)),
            _ => None,
        }
    }

    /// Fills all of them, and makes those an app that the settings name; without such settings,
    /// every one that no other includes.
    pub fn finish_urlconfs(&mut self) {
        let roots = self.named_roots();
        for id in self.modules_binding(PATTERNS) {
            self.urlconf(id);
        }
        for (module, id) in self.urlconfs.clone() {
            self.fill(module, id);
            if (roots.is_empty() || roots.contains(&id))
                && let Some(router) = self.routers.get_mut(id)
            {
                router.role = Role::App;
            }
        }
    }

    fn named_roots(&mut self) -> Vec<RouterId> {
        let mut roots = Vec::new();
        for module in self.modules_binding(ROOT) {
            let value = self.module_member(module, ROOT);
            if let Some(name) = self.text(&value) {
                roots.extend(self.urlconf_from(module, &name));
            }
        }
        roots
    }

    fn modules_binding(&self, name: &str) -> Vec<ModuleId> {
        let binds = |(at, module): (usize, &super::Module)| {
            let names = &self.heap.scope_at(module.scope).names;
            (module.family == Family::Python && names.contains_key(name)).then_some(ModuleId(at))
        };
        self.modules.iter().enumerate().filter_map(binds).collect()
    }

    fn fill(&mut self, module: ModuleId, id: RouterId) {
        let patterns = self.module_member(module, PATTERNS);
        let patterns = self.look_up(&patterns);
        let parts = match patterns {
            Value::Router(_) => vec![patterns],
            _ => self.elements(&patterns),
        };
        for part in parts {
            if let Value::Router(target) = self.look_up(&part) {
                self.add_mount(id, Mount { target: Some(target), ..Mount::default() });
            }
        }
    }
}
