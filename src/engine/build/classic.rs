//! The builder of engines without BuildKit. It prints one text for a person, in which lines of
//! its own frame what the steps print.

use bollard::errors::Error as Bollard;
use bollard::models::{BuildInfo, BuildInfoAux};
use bollard::query_parameters::{BuildImageOptions, BuildImageOptionsBuilder, BuilderVersion};
use chrono::Utc;
use futures_util::StreamExt;

use super::progress::Progress;
use super::{BuildError, BuildRequest, exit_code};
use crate::engine::{Engine, EngineError};

pub(super) const NAME: &str = "classic";

/// The image's id, when the builder tells it.
pub(super) async fn build(
    engine: &Engine,
    request: &BuildRequest,
    progress: &mut Progress<'_>,
) -> Result<Option<String>, BuildError> {
    const CALL: &str = "build image";
    let (docker, _until_the_end) = engine.short_lived()?;
    let body = bollard::body_try_stream(request.context.open());
    let mut answers = Box::pin(docker.build_image(options(request), None, Some(body)));
    let mut transcript = Transcript::default();
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(answer) => transcript.read(answer, progress).await,
            Err(Bollard::DockerStreamError { error }) => return Err(transcript.fail(error, progress).await),
            Err(error) => return Err(EngineError::from_bollard(CALL, error).into()),
        }
    }
    transcript.end_step(progress, None).await;
    Ok(transcript.image)
}

fn options(request: &BuildRequest) -> BuildImageOptions {
    let dockerfile = request.classic_dockerfile.as_ref().unwrap_or(&request.dockerfile);
    let mut options = BuildImageOptionsBuilder::default()
        .dockerfile(dockerfile)
        .t(&request.tag)
        .buildargs(&request.all_build_args())
        .labels(&request.all_labels())
        .version(BuilderVersion::BuilderV1)
        .rm(true)
        .forcerm(true);
    if let Some(memory) = request.memory_bytes {
        // The library has 31 bits for it.
        let memory = i32::try_from(memory).unwrap_or(i32::MAX);
        options = options.memory(memory).memswap(memory);
    }
    match &request.network {
        Some(network) => options.networkmode(network).build(),
        None => options.build(),
    }
}

/// Where in the text we are.
#[derive(Default)]
struct Transcript {
    /// `1`, and whether it came from the cache.
    step: Option<(String, bool)>,
    /// Of the current step: `FROM app:1`.
    instruction: String,
    partial: String,
    image: Option<String>,
}

/// One line of the builder's own.
#[derive(Debug, PartialEq)]
enum Line<'a> {
    Step {
        number: &'a str,
        of: &'a str,
        instruction: &'a str,
    },
    UsingCache,
    /// `---> Running in …`, `Removing intermediate container …`: of no interest.
    Frame,
    Output,
}

impl Transcript {
    async fn read(&mut self, answer: BuildInfo, progress: &mut Progress<'_>) {
        if let Some(BuildInfoAux::Default(id)) = answer.aux {
            self.image = id.id.or(self.image.take());
        }
        // The builder paints what comes from stderr.
        let text = answer.stream.unwrap_or_default().replace("\u{1b}[91m", "").replace("\u{1b}[0m", "");
        // Its own lines may come in two pieces.
        self.partial.push_str(&text);
        while let Some(end) = self.partial.find('\n') {
            let line: String = self.partial.drain(..=end).collect();
            self.line(&line, progress).await;
        }
        const PARTIAL_MAX: usize = 8 * 1024;
        if self.partial.len() > PARTIAL_MAX {
            let piece = std::mem::take(&mut self.partial);
            self.print(&piece, progress).await;
        }
    }

    async fn line(&mut self, line: &str, progress: &mut Progress<'_>) {
        match Line::parse(line) {
            Line::Step { number, of, instruction } => {
                self.end_step(progress, None).await;
                self.step = Some((number.to_owned(), false));
                self.instruction = instruction.to_owned();
                let name = format!("[{number}/{of}] {instruction}");
                progress.start(number, &name, true, Utc::now()).await;
            }
            Line::UsingCache => {
                if let Some((_, cached)) = &mut self.step {
                    *cached = true;
                }
            }
            Line::Frame => {}
            Line::Output => self.print(line, progress).await,
        }
    }

    async fn print(&mut self, text: &str, progress: &mut Progress<'_>) {
        if let Some((step, _)) = &self.step {
            progress.output(step, text.as_bytes()).await;
        }
    }

    async fn end_step(&mut self, progress: &mut Progress<'_>, error: Option<String>) {
        let rest = std::mem::take(&mut self.partial);
        if !rest.is_empty() {
            self.print(&rest, progress).await;
        }
        if let Some((step, cached)) = self.step.take() {
            progress.finish(&step, cached, Utc::now(), error).await;
        }
    }

    async fn fail(mut self, error: String, progress: &mut Progress<'_>) -> BuildError {
        self.end_step(progress, Some(error.clone())).await;
        if let Some(image) = self.instruction.strip_prefix("FROM ") {
            let image = image.split_whitespace().find(|word| !word.starts_with("--")).unwrap_or(image);
            return BuildError::BaseMissing { image: image.to_owned(), reason: error };
        }
        match progress.take_failed() {
            Some(failed) => BuildError::StepFailed {
                step: failed.name,
                exit_code: exit_code(&error),
                reason: error,
                tail: failed.tail,
            },
            None => BuildError::Rejected { message: error },
        }
    }
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Self {
        let line = line.trim_end_matches(['\r', '\n']);
        if let Some((count, instruction)) = line.strip_prefix("Step ").and_then(|rest| rest.split_once(" : "))
            && let Some((number, of)) = count.split_once('/')
            && [number, of].iter().all(|text| text.parse::<u32>().is_ok())
        {
            return Self::Step { number, of, instruction };
        }
        if line == " ---> Using cache" {
            return Self::UsingCache;
        }
        let frames =
            [" ---> ", "Removing intermediate container ", "Successfully built ", "Successfully tagged "];
        match frames.iter().any(|frame| line.starts_with(frame)) {
            true => Self::Frame,
            false => Self::Output,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::domain::BuildEvent;

    /// What a real engine printed, for a build whose second step fails.
    const TRANSCRIPT: &[&str] = &[
        "Step 1/3 : FROM app:1\n",
        " ---> 3ccea0e7fa87\n",
        "Step 2/3 : COPY . /app/",
        "\n",
        " ---> Using cache\n",
        " ---> 17d3cb1de6a2\n",
        "Step 3/3 : RUN make\n",
        " ---> Running in 0f1c7a5b2d11\n",
        "Step by step\n",
        "\u{1b}[91mno rule\n\u{1b}[0m",
        "\u{1b}[0mRemoving intermediate container 0f1c7a5b2d11\n",
    ];

    #[tokio::test]
    async fn a_transcript_becomes_steps() {
        let (events, mut received) = mpsc::channel(100);
        let mut progress = Progress::new(&events);
        let mut transcript = Transcript::default();
        for text in TRANSCRIPT {
            let answer = BuildInfo { stream: Some((*text).to_owned()), ..Default::default() };
            transcript.read(answer, &mut progress).await;
        }
        let error = "The command '/bin/sh -c make' returned a non-zero code: 2".to_owned();
        let failed = transcript.fail(error.clone(), &mut progress).await;
        let expected = BuildError::StepFailed {
            step: "[3/3] RUN make".into(),
            exit_code: Some(2),
            reason: error,
            tail: vec!["Step by step".into(), "no rule".into()],
        };
        assert_eq!(failed, expected);
        let mut cached = Vec::new();
        while let Ok(event) = received.try_recv() {
            if let BuildEvent::Finished { cached: from_cache, .. } = event {
                cached.push(from_cache);
            }
        }
        assert_eq!(cached, [false, true, false]);
    }

    #[tokio::test]
    async fn a_failing_from_is_a_missing_base() {
        let (events, _received) = mpsc::channel(100);
        let mut progress = Progress::new(&events);
        let mut transcript = Transcript::default();
        let text = "Step 1/1 : FROM --platform=linux/amd64 no/such:1 AS base\n".to_owned();
        transcript.read(BuildInfo { stream: Some(text), ..Default::default() }, &mut progress).await;
        let failed = transcript.fail("pull access denied".into(), &mut progress).await;
        let expected =
            BuildError::BaseMissing { image: "no/such:1".into(), reason: "pull access denied".into() };
        assert_eq!(failed, expected);
    }
}
