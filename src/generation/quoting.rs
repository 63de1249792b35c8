//! The one place where data is written into a Dockerfile, a shell line or a command.
//!
//! Nothing quoted here can end the word it stands in, nor the line, nor the instruction. Control
//! characters, which no value legitimately holds by the time it gets here, become spaces.

/// One word of a POSIX shell script. Newlines are kept: not for a Dockerfile.
pub fn sh_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+/:=,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\0', "").replace('\'', r"'\''"))
}

/// One word of the shell line of a `RUN` instruction.
pub fn run_word(text: &str) -> String {
    let word = sh_word(&one_line(text));
    // A backslash right before the end of the line would continue it; sh_word leaves none bare.
    debug_assert!(!word.ends_with('\\'));
    word
}

/// A command in exec form: `["uvicorn","app.main:app"]`.
pub fn exec_form(argv: &[String]) -> String {
    let cleaned: Vec<String> = argv.iter().map(|word| one_line(word)).collect();
    let quoted: Vec<String> = cleaned.iter().map(|word| json_string(word)).collect();
    format!("[{}]", quoted.join(", "))
}

/// The value of an `ENV` instruction, quotes included; `$` is only a character.
pub fn env_value(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in one_line(text).chars() {
        if matches!(c, '"' | '\\' | '$') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// A folder may be written bare into a Dockerfile or an nginx configuration.
pub fn is_plain_path(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
}

/// A shell would take it for the name of a variable.
pub fn is_env_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Splits a command as a shell would split it into words, without giving any character but
/// blanks, quotes and the backslash a meaning. `None` when a quote is not closed or nothing is
/// there.
pub fn split_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    (!words.is_empty()).then_some(words)
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_split_as_a_shell_splits_them() {
        let split = |text| split_words(text).expect("a command");
        assert_eq!(split("uvicorn  app.main:app"), ["uvicorn", "app.main:app"]);
        assert_eq!(split(r#"a "b c" 'd "e' f\ g "#), ["a", "b c", "d \"e", "f g"]);
        assert_eq!(split("a '' b#c"), ["a", "", "b#c"]);
        assert_eq!(split_words("a 'b"), None);
        assert_eq!(split_words("a \\"), None);
        assert_eq!(split_words("  "), None);
    }

    proptest! {
        #[test]
        fn a_quoted_word_is_read_back_as_it_was(text in "[^\0]*") {
            prop_assert_eq!(split_words(&sh_word(&text)), Some(vec![text]));
        }

        #[test]
        fn nothing_quoted_leaves_its_line(text in any::<String>()) {
            for quoted in [run_word(&text), exec_form(std::slice::from_ref(&text)), env_value(&text)] {
                prop_assert!(!quoted.chars().any(char::is_control));
                prop_assert!(!quoted.ends_with('\\'));
            }
        }

        #[test]
        fn exec_form_is_json(argv in proptest::collection::vec("[^\\p{Cc}]*", 0..5)) {
            let back: Vec<String> = serde_json::from_str(&exec_form(&argv)).expect("JSON");
            prop_assert_eq!(back, argv);
        }

        #[test]
        fn an_env_value_ends_where_it_should(text in any::<String>()) {
            let quoted = env_value(&text);
            let inner = &quoted[1..quoted.len() - 1];
            let mut chars = inner.chars();
            while let Some(c) = chars.next() {
                prop_assert!(!matches!(c, '"' | '$'));
                if c == '\\' {
                    prop_assert!(matches!(chars.next(), Some('"' | '\\' | '$')));
                }
            }
        }
    }
}
