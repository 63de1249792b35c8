//! Packages that a Django project names only as text: in its lists of apps and middleware, as the
//! engine of its database, as a kind of field.

use std::collections::BTreeSet;

use super::packages::package_of;
use super::scan::PyFile;
use crate::generation::project::Project;

pub struct Named {
    pub package: String,
    pub file: String,
    pub line: usize,
}

/// Apps whose package has another name; those of `packages` are known by it.
const APPS: [(&str, &str); 36] = [
    ("adminsortable2", "django-admin-sortable2"),
    ("anymail", "django-anymail"),
    ("auditlog", "django-auditlog"),
    ("axes", "django-axes"),
    ("bootstrap4", "django-bootstrap4"),
    ("bootstrap5", "django-bootstrap5"),
    ("channels", "channels"),
    ("ckeditor", "django-ckeditor"),
    ("cloudinary", "cloudinary"),
    ("cloudinary_storage", "django-cloudinary-storage"),
    ("colorfield", "django-colorfield"),
    ("compressor", "django-compressor"),
    ("constance", "django-constance"),
    ("daphne", "daphne"),
    ("dj_rest_auth", "dj-rest-auth"),
    ("djoser", "djoser"),
    ("graphene_django", "graphene-django"),
    ("guardian", "django-guardian"),
    ("imagekit", "django-imagekit"),
    ("import_export", "django-import-export"),
    ("jazzmin", "django-jazzmin"),
    ("knox", "django-rest-knox"),
    ("mptt", "django-mptt"),
    ("oauth2_provider", "django-oauth-toolkit"),
    ("phonenumber_field", "django-phonenumber-field[phonenumbers]"),
    ("polymorphic", "django-polymorphic"),
    ("rest_framework_gis", "djangorestframework-gis"),
    ("silk", "django-silk"),
    ("simple_history", "django-simple-history"),
    ("storages", "django-storages"),
    ("tailwind", "django-tailwind"),
    ("taggit", "django-taggit"),
    ("tinymce", "django-tinymce"),
    ("unfold", "django-unfold"),
    ("wagtail", "wagtail"),
    ("whitenoise", "whitenoise"),
];

/// Apps of other names whose package is called as they are.
const OPENINGS: [&str; 5] = ["django_", "crispy_", "drf_", "rest_framework", "easy_thumbnails"];

const LISTS: [&str; 5] = ["INSTALLED_APPS", "MIDDLEWARE", "THIRD_PARTY_APPS", "DJANGO_APPS", "EXTERNAL_APPS"];

/// Each package once, where it is first named. `local` are names that the tree answers to.
pub fn named(project: &Project<'_>, local: &BTreeSet<&str>) -> Vec<Named> {
    let mut found: Vec<Named> = Vec::new();
    for file in project.python() {
        let Some(text) = project.text(&file.path) else { continue };
        let from_lists = in_lists(text).into_iter().filter_map(|(line, entry)| {
            let top = entry.split('.').next().filter(|top| !local.contains(top))?;
            Some((line, package_of_app(top)?))
        });
        let all = from_lists.chain(engine(file, text)).chain(image_field(file, text));
        for (line, package) in all.collect::<Vec<_>>() {
            if !found.iter().any(|named| named.package == package) {
                found.push(Named { package, file: file.path.clone(), line });
            }
        }
    }
    found
}

/// With another of these, such a database is reached as well.
pub fn does_as_well(package: &str) -> &'static [&'static str] {
    match package {
        "psycopg2-binary" => &["psycopg2", "psycopg", "psycopg-binary"],
        _ => &[],
    }
}

fn package_of_app(top: &str) -> Option<String> {
    if top == "django" {
        return None;
    }
    let listed = APPS.iter().find(|app| app.0 == top).map(|app| app.1.to_owned());
    listed.or_else(|| {
        // Any other may be an app of the project whose folder is missing, so a name alone is no package.
        let package = package_of(top)?;
        let is_known =
            package != top.replace('_', "-") || OPENINGS.iter().any(|opening| top.starts_with(opening));
        is_known.then_some(package)
    })
}

/// The texts in `INSTALLED_APPS = […]` and the like, with their lines.
fn in_lists(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    if !LISTS.iter().any(|list| text.contains(list)) {
        return found;
    }
    let mut depth = 0_usize;
    for (index, line) in text.lines().enumerate() {
        let mut rest = line;
        if depth == 0 {
            let Some(value) = value_of_list(line) else { continue };
            rest = value;
        }
        while let Some(at) = rest.find(['[', '(', ']', ')', '\'', '"', '#']) {
            let mark = rest.as_bytes()[at];
            rest = &rest[at + 1..];
            match mark {
                b'[' | b'(' => depth += 1,
                b']' | b')' => depth = depth.saturating_sub(1),
                b'#' => break,
                quote => {
                    let Some((entry, after)) = rest.split_once(char::from(quote)) else { break };
                    if found.len() < 500 {
                        found.push((index + 1, entry));
                    }
                    rest = after;
                }
            }
        }
    }
    found
}

/// What follows the sign in `INSTALLED_APPS += [`.
fn value_of_list(line: &str) -> Option<&str> {
    let rest = LISTS.iter().find_map(|list| line.strip_prefix(list))?.trim_start();
    rest.strip_prefix("+=").or_else(|| rest.strip_prefix('='))
}

fn engine(file: &PyFile, text: &str) -> Option<(usize, String)> {
    let settings = file.path.contains("settings");
    let package = |line: &str| {
        let (_, engine) =
            line.split_once("django.db.backends.").filter(|_| !line.trim_start().starts_with('#'))?;
        engine.starts_with("postgresql").then_some("psycopg2-binary")
    };
    let mut lines = text.lines().enumerate().filter(|_| settings);
    lines.find_map(|(index, line)| Some((index + 1, package(line)?.to_owned())))
}

/// Django refuses to start without Pillow when a model has one.
fn image_field(file: &PyFile, text: &str) -> Option<(usize, String)> {
    let of_django = file.imports.iter().any(|import| import.module.starts_with("django.db"));
    let says = |line: &str| line.contains("models.ImageField(") && !line.trim_start().starts_with('#');
    let index = text.lines().position(says).filter(|_| of_django)?;
    Some((index + 1, "pillow".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    #[test]
    fn packages_named_as_text_are_found() {
        let settings = "INSTALLED_APPS = [\n  'django.contrib.auth',\n  'rest_framework.authtoken',  # 'taggit'\n  \"corsheaders\", 'crispy_bootstrap5',\n  'blog', 'missing',\n]\nINSTALLED_APPS += ('storages',)\nMIDDLEWARE = ['whitenoise.middleware.WhiteNoiseMiddleware']\nX = ['mptt']\nDATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql'}}\n";
        let files = tree(&[
            ("core/settings.py", settings),
            (
                "blog/models.py",
                "from django.db import models\nclass P(models.Model):\n    i = models.ImageField()\n",
            ),
        ]);
        let found = project_of(&files, |project| named(project, &BTreeSet::from(["blog", "core"])));
        let shown: Vec<(&str, usize)> =
            found.iter().map(|named| (named.package.as_str(), named.line)).collect();
        assert_eq!(
            shown,
            [
                ("pillow", 3),
                ("djangorestframework", 3),
                ("django-cors-headers", 4),
                ("crispy-bootstrap5", 4),
                ("django-storages", 7),
                ("whitenoise", 8),
                ("psycopg2-binary", 10),
            ]
        );
    }
}
