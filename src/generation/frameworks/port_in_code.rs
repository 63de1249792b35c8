//! The port that code names, where nothing else does: for apps whose Dockerfile is their own.

use crate::generation::plan::Place;
use crate::generation::project::Project;

/// A port, what names it, and where.
pub struct PortInCode {
    pub port: u16,
    pub reason: String,
    pub place: Option<Place>,
}

/// Of the language that the base image is for, as far as its name tells, before the other.
pub fn port_in_code(project: &Project<'_>, base: &str) -> Option<PortInCode> {
    match base.contains("node") || base.contains("bun") {
        true => javascript(project).or_else(|| python(project)),
        false => python(project).or_else(|| javascript(project)),
    }
}

fn python(project: &Project<'_>) -> Option<PortInCode> {
    let mut runs = project.python().iter().flat_map(|file| file.runs.iter().map(move |run| (file, run)));
    let in_code = runs.find_map(|(file, run)| {
        let reason = format!("{}(…) in the code names it", run.call);
        Some(PortInCode { port: run.port?, reason, place: Place::line(&file.path, run.line) })
    });
    gunicorn(project).or(in_code)
}

/// Its settings are a file of Python that it reads by itself.
fn gunicorn(project: &Project<'_>) -> Option<PortInCode> {
    const FILE: &str = "gunicorn.conf.py";
    let text = project.text(FILE)?;
    text.lines().zip(1..).find_map(|(line, number)| {
        let value = line.strip_prefix("bind")?.trim_start().strip_prefix('=')?;
        let address = value.split(['"', '\'']).nth(1)?;
        let port = address.rsplit_once(':')?.1.parse().ok()?;
        let reason = "gunicorn's settings bind to it".to_owned();
        Some(PortInCode { port, reason, place: Place::line(FILE, number) })
    })
}

fn javascript(project: &Project<'_>) -> Option<PortInCode> {
    let mut listens =
        project.node().iter().flat_map(|file| file.listens.iter().map(move |listen| (file, listen)));
    listens.find_map(|(file, listen)| {
        let reason = match listen.port.from_env {
            true => "the code reads PORT and falls back to this",
            false => "the code listens on it",
        };
        let place = Place::line(&file.path, listen.line);
        Some(PortInCode { port: listen.port.literal?, reason: reason.to_owned(), place })
    })
}
