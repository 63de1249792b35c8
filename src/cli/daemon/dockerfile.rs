//! `previewd dockerfile`: what would be built. Needs no daemon and no engine.

use super::DockerfileArgs;
use crate::cli::output::{Cell, Console, Tone};
use crate::cli::settings::Globals;
use crate::cli::upload::Upload;
use crate::generation::{self, Dialect, Plan};

pub async fn dockerfile(globals: Globals, args: DockerfileArgs) -> anyhow::Result<()> {
    let config = super::load(&globals, &args.settings, None)?;
    let upload = Upload::read(&args.dir, args.metadata.as_deref())?;
    upload.metadata.validate()?;
    let plan = generation::plan(&upload.metadata, &upload.files, &config.orchestrator.images.bases)?;
    let console = Console::new(globals.json);
    for note in &upload.notes {
        console.note(note);
    }
    match (globals.json, args.explain) {
        (true, _) => console.value(&plan)?,
        (false, true) => explain(&console, &plan)?,
        (false, false) => console.write(generation::dockerfile(&plan, Dialect::BuildKit).as_bytes())?,
    }
    Ok(())
}

fn explain(console: &Console, plan: &Plan) -> anyhow::Result<()> {
    let place = |file: &Option<String>, line: &Option<usize>| match (file, line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, _) => String::new(),
    };
    let rows: Vec<_> = plan
        .decisions
        .iter()
        .map(|decision| {
            vec![
                Cell::new(&decision.what),
                Cell::toned(&decision.choice, Tone::Good),
                Cell::new(&decision.reason),
                Cell::new(place(&decision.file, &decision.line)),
            ]
        })
        .collect();
    console.table(&["WHAT", "CHOICE", "WHY", "WHERE"], &rows)?;
    for warning in &plan.warnings {
        let at = place(&warning.file, &warning.line);
        let at = if at.is_empty() { at } else { format!(" ({at})") };
        console.note(&format!("warning: {}{at}", warning.message));
    }
    Ok(())
}
