//! Building again after one source file changed, beside the first build.

use anyhow::Context;

use crate::answer::first_ok;
use crate::apps::Shop;
use crate::daemon::Daemon;
use crate::launch_cold::marker;
use crate::table::{Goal, Line, Pairs};

const PAIRS: usize = 5;

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let daemon = Daemon::start(&[]).await?;
    let mut pairs = Pairs::default();
    for at in 0..=PAIRS {
        let (first, again) = (format!("bench-first-{at}"), format!("bench-again-{at}"));
        let marker = marker(&first);
        daemon.put(&first, &Shop::new(&first, &marker).body()).await?;
        let built = daemon.build(&first).await.context("the first build")?;
        // The id is in app/main.py, and nowhere else.
        daemon.put(&again, &Shop::new(&again, &marker).body()).await?;
        let rebuilt = daemon.build(&again).await.context("the second build")?;
        let address = daemon.launch_and_wait(&again).await?;
        first_ok(address, &again).await?;
        daemon.stop(&again).await?;
        // The first pair fills uv's cache mount, as it is on a host in use.
        if at > 0 {
            pairs.push(rebuilt, built);
        }
    }
    daemon.end().await?;
    let notes = vec![
        "ours: POST build of a generation that differs in app/main.py, until built; then launched and asked"
            .to_owned(),
        "baseline: our own first build of FastAPI, SQLAlchemy, psycopg, wheels from uv's cache mount"
            .to_owned(),
    ];
    Ok(vec![pairs.line("rebuild", Goal::AtMost(0.1), notes)])
}
