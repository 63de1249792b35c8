//! Which generations are made ready although they did not ask for it: those of projects that are
//! likely to be launched.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::Orchestrator;
use crate::domain::Generation;
use crate::domain::text::ProjectId;

/// `PREVIEW_PREWARM_PROJECTS`, default none: `*` is every generation, `active` those of projects of
/// which their owner has a live preview, else the projects named, with commas between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Projects {
    #[default]
    None,
    All,
    Active,
    Named(BTreeSet<String>),
}

impl FromStr for Projects {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.trim() {
            "" => Ok(Self::None),
            "*" => Ok(Self::All),
            "active" => Ok(Self::Active),
            list => {
                let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
                let names: BTreeSet<String> = names.map(str::to_owned).collect();
                let are_names = names.iter().all(|name| ProjectId::rule().allows(name));
                are_names.then_some(Self::Named(names)).ok_or(())
            }
        }
    }
}

impl Orchestrator {
    /// Whether a generation that was stored is to be made ready for its launch.
    pub fn is_foreseen(&self, generation: &Generation) -> bool {
        let of_project =
            |is_it: &dyn Fn(&str) -> bool| generation.metadata.project_id.as_deref().is_some_and(is_it);
        let has_live = |project: &str| {
            let found = self.parts.registry.find(|preview| {
                preview.user_id == generation.owner
                    && preview.project_id.as_deref() == Some(project)
                    && preview.status.is_live()
                    && preview.parked_until.is_none()
            });
            found.is_some()
        };
        generation.metadata.prewarm
            || match &self.parts.config.parked.projects {
                Projects::None => false,
                Projects::All => true,
                Projects::Active => of_project(&has_live),
                Projects::Named(names) => of_project(&|project| names.contains(project)),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_names_of_projects() {
        let named = |names: &[&str]| Projects::Named(names.iter().map(|name| (*name).to_owned()).collect());
        for (text, projects) in [
            ("", Projects::None),
            ("*", Projects::All),
            ("active", Projects::Active),
            ("shop, desk,", named(&["desk", "shop"])),
        ] {
            assert_eq!(text.parse(), Ok(projects), "{text:?}");
        }
        assert_eq!("a shop".parse::<Projects>(), Err(()));
    }
}
