//! BuildKit: steps are vertices of a graph, told as they change.

use bollard::errors::Error as Bollard;
use bollard::moby::buildkit::v1::{StatusResponse, Vertex};
use bollard::models::BuildInfoAux;
use bollard::query_parameters::{BuildImageOptions, BuildImageOptionsBuilder, BuilderVersion};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;

use super::progress::{FailedStep, Progress};
use super::{BuildError, BuildRequest, exit_code};
use crate::engine::{Engine, EngineError};

pub(super) const NAME: &str = "buildkit";

/// The image's id, when BuildKit tells it.
pub(super) async fn build(
    engine: &Engine,
    request: &BuildRequest,
    progress: &mut Progress<'_>,
) -> Result<Option<String>, BuildError> {
    const CALL: &str = "build image";
    let (docker, _until_the_end) = engine.short_lived()?;
    let body = bollard::body_try_stream(request.context.open());
    let mut answers = Box::pin(docker.build_image(options(request), None, Some(body)));
    let mut image = None;
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(answer) => match answer.aux {
                Some(BuildInfoAux::BuildKit(status)) => report(status, progress).await,
                Some(BuildInfoAux::Default(id)) => image = id.id.or(image),
                None => {}
            },
            Err(Bollard::DockerStreamError { error }) => return Err(failure(error, progress.take_failed())),
            Err(error) => return Err(EngineError::from_bollard(CALL, error).into()),
        }
    }
    Ok(image)
}

/// BuildKit itself is refused, rather than what should be built: the engine does not take the
/// request, or the session that goes with it.
pub(super) fn is_refusal(error: &BuildError) -> bool {
    match error {
        BuildError::Engine(EngineError::Refused { status, .. }) => matches!(status, 400 | 405 | 501),
        BuildError::Engine(EngineError::Missing { .. }) => true,
        // The engine has no code for it.
        BuildError::Rejected { message } => message.contains("no active session"),
        _ => false,
    }
}

fn options(request: &BuildRequest) -> BuildImageOptions {
    let options = BuildImageOptionsBuilder::default()
        .dockerfile(&request.dockerfile)
        .t(&request.tag)
        .buildargs(&request.all_build_args())
        .labels(&request.all_labels())
        .version(BuilderVersion::BuilderBuildKit)
        .session(&uuid::Uuid::new_v4().to_string());
    match &request.network {
        Some(network) => options.networkmode(network).build(),
        None => options.build(),
    }
}

async fn report(status: StatusResponse, progress: &mut Progress<'_>) {
    // A message may hold a step's start, its lines and its end.
    for vertex in &status.vertexes {
        if let Some(started) = &vertex.started {
            let at = moment(started.seconds, started.nanos);
            progress.start(&vertex.digest, &vertex.name, !is_housekeeping(vertex), at).await;
        }
    }
    for log in &status.logs {
        progress.output(&log.vertex, &log.msg).await;
    }
    for vertex in &status.vertexes {
        // The steps beside the one that failed are only stopped.
        let error = Some(vertex.error.clone())
            .filter(|error| !error.is_empty() && !error.ends_with("context canceled"));
        if let Some(completed) = &vertex.completed {
            let at = moment(completed.seconds, completed.nanos);
            progress.finish(&vertex.digest, vertex.cached, at, error).await;
        }
    }
}

fn failure(error: String, failed: Option<FailedStep>) -> BuildError {
    let Some(failed) = failed else { return BuildError::Rejected { message: error } };
    if let Some(image) = failed.name.strip_prefix("[internal] load metadata for ") {
        return BuildError::BaseMissing { image: image.to_owned(), reason: failed.error };
    }
    if failed.name.starts_with("[internal]") {
        return BuildError::Rejected { message: failed.error };
    }
    let exit_code = exit_code(&failed.error);
    BuildError::StepFailed { step: failed.name, exit_code, reason: failed.error, tail: failed.tail }
}

/// What is not of the Dockerfile: loading it, the context, what is known of the base image.
/// Its own steps begin `[2/3]` or `[stage 2/3]`.
fn is_housekeeping(vertex: &Vertex) -> bool {
    let of_dockerfile = vertex.name.starts_with('[') && !vertex.name.starts_with("[internal]");
    !of_dockerfile && !vertex.name.starts_with("exporting")
}

fn moment(seconds: i64, nanos: i32) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, u32::try_from(nanos).unwrap_or(0)).unwrap_or_default()
}
