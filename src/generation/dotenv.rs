//! `.env` files, as the popular readers of them read them.

use std::collections::BTreeMap;

use super::quoting::is_env_name;

/// Names and values; lines that are neither a comment nor an assignment are passed over.
/// References to other variables are not resolved.
pub fn read(text: &str) -> BTreeMap<String, String> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let pairs = lines.filter(|line| !line.starts_with('#')).filter_map(|line| {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=')?;
        let name = name.trim();
        let ok = is_env_name(name) && name.len() <= 200 && value.len() <= 32 * 1024 && !value.contains('\0');
        ok.then(|| (name.to_owned(), unquoted(value.trim())))
    });
    pairs.take(500).collect()
}

fn unquoted(value: &str) -> String {
    let inside = |quote: char| {
        let rest = value.strip_prefix(quote)?;
        rest.split_once(quote).map(|(inside, _)| inside)
    };
    if let Some(inside) = inside('\'') {
        return inside.to_owned();
    }
    if let Some(inside) = inside('"') {
        return inside.replace("\\n", "\n");
    }
    value.split(" #").next().unwrap_or_default().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn assignments_are_read() {
        let read = read("# c\nA=1\nexport B = 'x # y'\nC=\"a\\nb\" # z\nD=a b # c\nE=\n1F=x\nnonsense\n");
        let pairs: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("A", "1"), ("B", "x # y"), ("C", "a\nb"), ("D", "a b"), ("E", "")]);
    }
}
