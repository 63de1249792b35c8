//! Which images a Dockerfile builds on or copies from, and what they become here.

use super::alpine::first_apk;
use super::caches::{self, mount_options};
use super::frontend::{leave_out_the_usual, syntax_line};
use super::parse::{Instruction, parse};
use super::variables::Variables;
use crate::generation::bases::{BaseImages, Resolved};
use crate::generation::error::PlanError;
use crate::generation::plan::{Notes, Place, Source};

/// A Dockerfile that may be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub text: String,
    /// What the final stage builds on in the end.
    pub base: String,
    /// Every image used, in order of first use.
    pub bases: Vec<String>,
}

struct Check<'a> {
    field: &'a str,
    /// The file to point at, when the text came as one.
    file: Option<&'a str>,
    bases: &'a BaseImages,
    /// The first line that installs with apk, until it was warned of.
    apk: Option<usize>,
    notes: &'a mut Notes,
    lines: Vec<String>,
    changed: bool,
    /// Name of each stage so far, if it has one, and what it builds on in the end.
    stages: Vec<(Option<String>, String)>,
    variables: Variables,
    images: Vec<String>,
}

/// `field` is what errors name; `file` is where decisions point.
pub fn check(
    text: &str,
    field: &str,
    file: Option<&str>,
    bases: &BaseImages,
    notes: &mut Notes,
) -> Result<Checked, PlanError> {
    let plain = leave_out_the_usual(text, file, notes);
    let checked = rewrite(plain.as_deref().unwrap_or(text), field, file, bases, notes)?;
    // What will be built is itself checked: a name may have been replaced in the wrong place, as
    // in a comment between continued lines, and the real one be left.
    let mut known = bases.clone();
    known.allowed.extend(checked.bases.iter().cloned());
    let again = rewrite(&checked.text, field, file, &known, &mut Notes::default())?;
    if again.text != checked.text {
        let message = "an image's name could not be replaced by ours; write ours".to_owned();
        return Err(PlanError::Dockerfile { field: field.to_owned(), line: 1, message });
    }
    Ok(checked)
}

fn rewrite(
    text: &str,
    field: &str,
    file: Option<&str>,
    bases: &BaseImages,
    notes: &mut Notes,
) -> Result<Checked, PlanError> {
    let refuse = |line, message: &str| PlanError::Dockerfile {
        field: field.to_owned(),
        line,
        message: message.to_owned(),
    };
    if let Some(line) = syntax_line(text) {
        return Err(refuse(line, "a syntax line fetches and runs a frontend of its own, which is refused"));
    }
    let lines = text.lines().map(str::to_owned).collect();
    let mut check = Check {
        field,
        file,
        bases,
        apk: first_apk(text),
        notes,
        lines,
        changed: false,
        stages: Vec::new(),
        variables: Variables::default(),
        images: Vec::new(),
    };
    let instructions = parse(text).map_err(|ambiguous| refuse(ambiguous.line, ambiguous.message))?;
    for instruction in &instructions {
        check.instruction(instruction)?;
    }
    let Some((_, base)) = check.stages.last().cloned() else {
        return Err(refuse(1, "expected a FROM instruction"));
    };
    let text = if check.changed { format!("{}\n", check.lines.join("\n")) } else { text.to_owned() };
    Ok(Checked { text, base, bases: check.images })
}

impl Check<'_> {
    fn instruction(&mut self, instruction: &Instruction) -> Result<(), PlanError> {
        match instruction.keyword.as_str() {
            "FROM" => self.from(instruction),
            "ARG" | "ENV" => {
                self.variables.remember(&instruction.rest);
                Ok(())
            }
            // Engines before 23 read the lines of a here-document as instructions, later ones do
            // not: in one of the two readings an image could hide.
            "COPY" | "ADD" | "RUN" | "ONBUILD" if instruction.rest.contains("<<") => {
                let message = "here-documents, and << in general, are not accepted in RUN, COPY, ADD and ONBUILD: copy a file or use printf";
                Err(self.refuse(instruction, message))
            }
            "COPY" | "ADD" | "RUN" => self.flags(instruction, &instruction.rest),
            "ONBUILD" => {
                let inner = instruction.rest.split_once(char::is_whitespace).map_or("", |(_, rest)| rest);
                self.flags(instruction, inner.trim_start())
            }
            "USER" => {
                let message = "whatever it says, the container runs as 10001:10001";
                self.notes.warn(message, self.place(instruction.line));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn from(&mut self, instruction: &Instruction) -> Result<(), PlanError> {
        let words: Vec<&str> = instruction.rest.split_whitespace().collect();
        let flags = words.iter().take_while(|word| word.starts_with("--")).count();
        let (named, alias) = match &words[flags..] {
            [image] => (*image, None),
            [image, r#as, name] if r#as.eq_ignore_ascii_case("as") => (*image, Some(*name)),
            _ => return Err(self.refuse(instruction, "expected FROM image, or FROM image AS name")),
        };
        self.variables.begin_stage();
        let Some(image) = self.variables.expand_global(named).filter(|image| !image.is_empty()) else {
            let message = "the image's name depends on an ARG without a default";
            return Err(self.refuse(instruction, message));
        };
        let (base, written) = match self.stage_named(&image) {
            Some(base) => (base, image),
            None => {
                let base = self.image(instruction, &image)?;
                (base.clone(), base)
            }
        };
        if written != named {
            let mut line: Vec<&str> = vec!["FROM"];
            line.extend(&words[..flags]);
            line.push(&written);
            line.extend(&words[flags + 1..]);
            let line = line.join(" ");
            self.replace(instruction, line);
        }
        self.stages.push((alias.map(str::to_ascii_lowercase), base));
        Ok(())
    }

    /// `--from=` of COPY and the `from=` of a RUN mount.
    fn flags(&mut self, instruction: &Instruction, rest: &str) -> Result<(), PlanError> {
        for flag in rest.split_whitespace().take_while(|word| word.starts_with("--")) {
            if flag.contains(['"', '\'', '\\', '`']) {
                return Err(self.refuse(instruction, "quotes and escapes in flags are not accepted"));
            }
            let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
            if name.eq_ignore_ascii_case("--mount") {
                let scoped = caches::scoped(value).map_err(|message| self.refuse(instruction, &message))?;
                if let Some(scoped) = scoped {
                    let scoped = format!("{name}={scoped}");
                    self.replace_part(instruction, flag, &scoped, char::is_whitespace)?;
                }
            }
            // Of a key given twice the engine takes the last, so each is looked at.
            let images: Vec<&str> = match name.to_ascii_lowercase().as_str() {
                "--from" => vec![value],
                "--mount" => mount_options(value, &["from"]).collect(),
                _ => Vec::new(),
            };
            for from in images.into_iter().filter(|from| !from.is_empty()) {
                self.copied_from(instruction, from)?;
            }
        }
        Ok(())
    }

    fn copied_from(&mut self, instruction: &Instruction, from: &str) -> Result<(), PlanError> {
        if from.contains('$') {
            return Err(self.refuse(instruction, "expected the name of a stage or image, not a variable"));
        }
        if self.is_stage(from) {
            return Ok(());
        }
        let image = self.image(instruction, from)?;
        if image == from {
            return Ok(());
        }
        let (old, new) = (format!("from={from}"), format!("from={image}"));
        let ends = |c: char| !c.is_ascii_alphanumeric() && !"._-/:@".contains(c);
        self.replace_part(instruction, &old, &new, ends)
    }

    /// In the first line of the instruction that has it as a whole, up to what `ends` it.
    fn replace_part(
        &mut self,
        instruction: &Instruction,
        old: &str,
        new: &str,
        ends: fn(char) -> bool,
    ) -> Result<(), PlanError> {
        let whole = |text: &str| {
            let mut found = text.match_indices(old).map(|(at, _)| at);
            found.find(|at| text[at + old.len()..].chars().next().is_none_or(ends))
        };
        let found = (instruction.line..=instruction.last_line)
            .find_map(|line| Some((line, whole(self.lines.get(line - 1)?)?)));
        match found {
            Some((line, at)) => {
                self.lines[line - 1].replace_range(at..at + old.len(), new);
                self.changed = true;
                Ok(())
            }
            None => Err(self.refuse(instruction, "names of images and mounts may not be split over lines")),
        }
    }

    /// The image as it is called here.
    fn image(&mut self, instruction: &Instruction, image: &str) -> Result<String, PlanError> {
        let place = self.place(instruction.line);
        let resolved = match self.bases.resolve(image) {
            Resolved::Allowed => image.to_owned(),
            Resolved::Alias { image: ours, other_version } => {
                let reason = format!("{image} names the same runtime");
                self.notes.decide("base image", &ours, Source::Detected, reason, place.clone());
                if let Some(version) = other_version {
                    self.notes.warn(format!("{image} is asked for; there is only version {version}"), place);
                }
                if let Some(line) = self.apk.take_if(|_| image.contains("alpine")) {
                    let message = "ours is a Debian, so apk is not there; use apt-get";
                    self.notes.warn(message, self.place(line));
                }
                ours
            }
            Resolved::Refused => {
                let allowed = self.bases.allowed.join(", ");
                let message = format!("base image {image:?} is not on the list of allowed ones ({allowed})");
                return Err(self.refuse(instruction, &message));
            }
        };
        if !self.images.contains(&resolved) {
            self.images.push(resolved.clone());
        }
        Ok(resolved)
    }

    /// What the stage of that name builds on in the end. FROM knows stages by name only.
    fn stage_named(&self, name: &str) -> Option<String> {
        let lower = name.to_ascii_lowercase();
        let mut stages = self.stages.iter().rev();
        stages.find(|(stage, _)| stage.as_deref() == Some(lower.as_str())).map(|(_, base)| base.clone())
    }

    /// There is a stage of that name or number.
    fn is_stage(&self, name: &str) -> bool {
        let numbered = || name.parse::<usize>().is_ok_and(|number| number < self.stages.len());
        self.stage_named(name).is_some() || numbered()
    }

    fn replace(&mut self, instruction: &Instruction, line: String) {
        for number in instruction.line..=instruction.last_line {
            if let Some(old) = self.lines.get_mut(number - 1) {
                *old = String::new();
            }
        }
        if let Some(first) = self.lines.get_mut(instruction.line - 1) {
            *first = line;
            self.changed = true;
        }
    }

    fn place(&self, line: usize) -> Option<Place> {
        Place::line(self.file.unwrap_or(self.field), line)
    }

    fn refuse(&self, instruction: &Instruction, message: &str) -> PlanError {
        let (field, message) = (self.field.to_owned(), message.to_owned());
        PlanError::Dockerfile { field, line: instruction.line, message }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn checked(text: &str) -> Result<Checked, PlanError> {
        check(
            text,
            "files[\"Dockerfile\"]",
            Some("Dockerfile"),
            &BaseImages::default(),
            &mut Notes::default(),
        )
    }

    #[test]
    fn an_allowed_file_stays_as_it_is() {
        let text = "# mine\nFROM previewd/python:3.11\nCOPY . .\nEXPOSE 9000/tcp 1\nCMD [\"x\"]";
        let checked = checked(text).expect("allowed");
        assert_eq!(checked.text, text);
    }

    #[test]
    fn apk_is_missed_by_those_who_use_it() {
        let warned = |text: &str| {
            let mut notes = Notes::default();
            check(text, "f", Some("Dockerfile"), &BaseImages::default(), &mut notes).expect("allowed");
            let apk = notes.warnings.into_iter().filter(|warning| warning.message.contains("apk"));
            apk.map(|warning| warning.line).collect::<Vec<_>>()
        };
        assert_eq!(warned("FROM node:20-alpine\nRUN npm i\n"), []);
        assert_eq!(
            warned("ARG V=20\nFROM node:$V-alpine AS a\nFROM node:20-alpine\nRUN apk add git\n"),
            [Some(4)]
        );
    }

    #[test]
    fn names_are_replaced_by_ours() {
        let text = "ARG V=3.11\nFROM python:${V}-slim AS deps\nFROM --platform=linux/amd64 \\\n  node:20 as web\nFROM deps\nCOPY --from=web /a /b\nCOPY --from=0 /a /b\nCOPY --from=nginx:1 /a /b\nRUN --mount=type=bind,from=node:20,target=/x true\n";
        let checked = checked(text).expect("allowed");
        assert_eq!(
            checked.text,
            "ARG V=3.11\nFROM previewd/python:3.11 AS deps\nFROM --platform=linux/amd64 previewd/node:20 as web\n\nFROM deps\nCOPY --from=web /a /b\nCOPY --from=0 /a /b\nCOPY --from=previewd/static:1 /a /b\nRUN --mount=type=bind,from=previewd/node:20,target=/x true\n"
        );
        assert_eq!(checked.base, "previewd/python:3.11");
        assert_eq!(checked.bases, ["previewd/python:3.11", "previewd/node:20", "previewd/static:1"]);
    }

    #[test]
    fn everything_else_is_refused_by_line() {
        for (text, line) in [
            ("FROM evil", 1),
            ("FROM previewd/python:3.11\nCOPY --from=evil /a /b", 2),
            ("FROM previewd/python:3.11\nRUN --mount=type=bind,from=evil,target=/x true", 2),
            ("FROM previewd/python:3.11\nRUN --mount=\"type=bind,target=/a b,from=evil\" true", 2),
            ("FROM previewd/python:3.11\nONBUILD COPY --from=evil /a /b", 2),
            ("ARG X\nFROM $X", 2),
            ("FROM previewd/python:3.11 AS a\nCOPY --from=later /a /b\nFROM a AS later", 2),
            ("FROM a b c d", 1),
            ("RUN x", 1),
            ("#syntax=evil/frontend\nFROM previewd/python:3.11", 1),
            ("", 1),
            ("FROM previewd/python:3.11\nFROM 0", 2),
            ("FROM previewd/python:3.11 AS a\nRUN --mount=from=a,from=evil,target=/x true", 2),
            ("FROM previewd/python:3.11\nRUN a \\\u{a0}\nFROM evil", 3),
            ("FROM previewd/python:3.11\nRUN a \\\\\nFROM evil", 2),
            ("FROM previewd/python:3.11\nRUN <<EOF\nFROM previewd/python:3.11 AS evil\nEOF", 2),
            ("FROM previewd/python:3.11\nRUN cat <\\\n<E > x\nE\nRUN x", 2),
            ("FROM previewd/python:3.11\nCOPY \\\n# from=python:3.11\n --from=python:3.11 /a /b", 1),
        ] {
            match checked(text) {
                Err(PlanError::Dockerfile { line: at, .. }) => assert_eq!(at, line, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn caches_of_ours_cannot_be_named() {
        let run = |mount: &str| checked(&format!("FROM previewd/python:3.11\nRUN --mount={mount} true\n"));
        for ours in [
            "type=cache,target=/var/cache/previewd/uv",
            "type=cache,target=/var/cache/x/..//previewd/uv",
            "type=cache,id=previewd-uv,target=/x",
            "TYPE=Cache,ID=/previewd-uv,dst=/x",
            "type=bind,type=cache,destination=previewd-uv",
            "type=cache,id=$X,target=/x",
            "type=cache,target=/var/${X}",
            "type=$X,target=/x",
        ] {
            assert!(matches!(run(ours), Err(PlanError::Dockerfile { line: 2, .. })), "{ours}");
        }
        for theirs in
            ["type=cache,target=/home/a/.cache/pip,from=previewd/node:20", "type=tmpfs,target=/previewd"]
        {
            assert!(run(theirs).is_ok(), "{theirs}");
        }
    }

    #[test]
    fn caches_are_of_one_owner() {
        let run = |mount: &str| {
            let text = format!("FROM previewd/python:3.11\nRUN --mount={mount} true type=cache\n");
            checked(&text).expect("allowed").text.lines().nth(1).expect("a line").to_owned()
        };
        for (theirs, id) in [
            ("type=cache,target=/root/.cache/pip", "root/.cache/pip"),
            ("type=cache,id=pip,target=/x", "pip"),
            ("type=cache,id=a,id=b,dst=/x", "b"),
            ("type=cache,id={owner}/x,id=other,target=/x", "other"),
        ] {
            assert_eq!(run(theirs), format!("RUN --mount={theirs},id={{owner}}/{id} true type=cache"));
        }
        let both = "type=cache,target=/ab --mount=type=cache,target=/a --mount=type=cache,target=/a";
        assert_eq!(
            run(both),
            "RUN --mount=type=cache,target=/ab,id={owner}/ab --mount=type=cache,target=/a,id={owner}/a \
             --mount=type=cache,target=/a,id={owner}/a true type=cache"
        );
        assert_eq!(run("type=tmpfs,target=/x"), "RUN --mount=type=tmpfs,target=/x true type=cache");
        let split = "FROM previewd/python:3.11\nRUN --mount=type=cache,tar\\\nget=/x true\n";
        assert!(checked(split).is_err(), "what cannot be given to its owner is refused");
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in any::<String>(), tail in "(FROM|RUN|COPY|ARG|EXPOSE|ENV|\\$|\\{|=|--from| |\n|a|0|\\\\){0,40}") {
            let _ = checked(&text);
            let _ = checked(&tail);
        }

        #[test]
        fn no_image_off_the_list_is_ever_built_on(tail in "(FROM |RUN |COPY |ARG |evil|x=evil|--from=|--mount=from=|AS |\\$x|\\$\\{x:-evil\\}| |\n|\\\\\n|previewd/a){0,30}") {
            if let Ok(checked) = checked(&tail) {
                for instruction in parse(&checked.text).expect("plain").iter().filter(|i| i.keyword == "FROM") {
                    let image = instruction.rest.split_whitespace().find(|word| !word.starts_with("--"));
                    let image = image.unwrap_or_default();
                    prop_assert!(image != "evil" || checked.text.to_lowercase().contains("as evil"), "{}", checked.text);
                }
            }
        }
    }
}
