//! Where the tree lies in the container: in `/app`.

/// The directory of one of the tree's folders, which is empty for the top.
pub fn dir(folder: &str) -> String {
    match folder {
        "" => "/app".to_owned(),
        folder => format!("/app/{folder}"),
    }
}

/// The folder of the tree that a directory is.
pub fn folder(dir: &str) -> &str {
    // Once: `apps` begins like `/app` itself.
    dir.strip_prefix("/app").unwrap_or_default().trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_and_its_directory_are_told_from_each_other() {
        for (name, at) in
            [("", "/app"), ("web", "/app/web"), ("apps/web", "/app/apps/web"), ("app", "/app/app")]
        {
            assert_eq!((dir(name).as_str(), folder(at)), (at, name));
        }
    }
}
