//! The Gemfile, read by its lines and written so that it fits the Ruby there is.

use crate::generation::plan::Place;
use crate::generation::project::{Project, join};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gemfile {
    /// `api/Gemfile`.
    pub path: String,
    /// Names of gems and the lines they stand in, from 1.
    pub gems: Vec<(String, usize)>,
    /// The Ruby it asks for, and the line.
    pub ruby: Option<(String, usize)>,
    /// It refers to files beside it.
    pub is_local: bool,
    text: String,
}

impl Gemfile {
    pub fn read(project: &Project<'_>, folder: &str) -> Option<Self> {
        let path = join(folder, "Gemfile");
        let text = project.text(&path)?.to_owned();
        let mut gemfile = Self { path, ..Self::default() };
        for (index, line) in text.lines().enumerate().take(2000) {
            let line = line.trim();
            if let Some(name) = line.strip_prefix("gem ").and_then(quoted) {
                gemfile.gems.push((name.to_owned(), index + 1));
            }
            if let Some(rest) = line.strip_prefix("ruby ") {
                gemfile.ruby = Some((quoted(rest).unwrap_or(rest).to_owned(), index + 1));
            }
            let refers = line.starts_with("gemspec") || line.starts_with("eval_gemfile");
            gemfile.is_local |= refers || line.contains("path:") || line.contains(":path =>");
        }
        gemfile.text = text;
        Some(gemfile)
    }

    pub fn lists(&self, gem: &str) -> bool {
        self.gems.iter().any(|(name, _)| name == gem)
    }

    /// Where a gem stands in it.
    pub fn place(&self, gem: &str) -> Option<Place> {
        let (_, line) = self.gems.iter().find(|(name, _)| name == gem)?;
        Place::line(&self.path, *line)
    }

    /// The text without the Ruby it asks for, which Bundler insists on, and with more gems.
    pub fn fitted(&self, more: &[&str]) -> String {
        let mut text = String::new();
        for (index, line) in self.text.lines().enumerate() {
            if self.ruby.as_ref().is_some_and(|(_, at)| *at == index + 1) {
                text.push_str("# ");
            }
            text.push_str(line);
            text.push('\n');
        }
        more.iter().for_each(|gem| text.push_str(&format!("gem \"{gem}\"\n")));
        text
    }
}

/// What stands in quotes at the beginning.
fn quoted(text: &str) -> Option<&str> {
    let text = text.trim();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    text[1..].split(quote).next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    #[test]
    fn a_gemfile_is_read_and_fitted() {
        let text = "source 'https://rubygems.org'\nruby '3.3.0'\n\ngem 'sinatra', '~> 4.0'\ngroup :test do\n  gem \"rspec\"\nend\n";
        let gemfile =
            project_of(&tree(&[("Gemfile", text)]), |project| Gemfile::read(project, "")).expect("read");
        assert_eq!(gemfile.gems, [("sinatra".to_owned(), 4), ("rspec".to_owned(), 6)]);
        assert_eq!(gemfile.ruby, Some(("3.3.0".to_owned(), 2)));
        assert!(!gemfile.is_local);
        let fitted = gemfile.fitted(&["puma"]);
        assert!(fitted.contains("\n# ruby '3.3.0'\n") && fitted.ends_with("end\ngem \"puma\"\n"), "{fitted}");
    }
}
