//! How a generation comes in: JSON, an archive, or a form with both.
//!
//! Whatever the shape, the result is the same [`Upload`], and the same limits hold: the bytes of
//! all files together, their number, and paths that stay in the tree.

mod archive;
mod files;
mod schema;

use axum::body::Bytes;
use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header;
use serde::Deserialize;

use super::problem::ApiError;
use super::room::{self, Held};
use super::{body, json};
use crate::domain::{FileSet, Invalid, Metadata, Patch};

#[cfg(fuzzing)]
pub use archive::unpack;
pub use files::FileEntry;

/// A checked generation, not yet stored.
pub struct Upload {
    pub metadata: Metadata,
    pub files: FileSet,
}

/// The JSON shape.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutBody {
    #[serde(default, deserialize_with = "json::object")]
    metadata: Metadata,
    /// By path: text, or `{content, encoding, mode}`.
    #[serde(deserialize_with = "files::entries")]
    #[schema(schema_with = schema::entries)]
    files: Vec<(String, FileEntry)>,
}

/// Changed files.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchBody {
    /// By path: text, or `{content, encoding, mode}`; null takes the file away.
    #[serde(deserialize_with = "files::changes")]
    #[schema(schema_with = schema::changes)]
    files: Vec<(String, Option<FileEntry>)>,
}

/// Where an archive may carry its metadata.
const METADATA_FILE: &str = "preview.json";

/// Old tars say nowhere in their bytes what they are.
const TAR_TYPES: [&str; 2] = ["application/x-tar", "application/tar"];

pub async fn read(request: Request, max_bytes: u64) -> Result<Upload, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().trim().to_ascii_lowercase();
    let held = Held::of(&request);
    let upload = if kind.starts_with("multipart/form-data") {
        let form = Multipart::from_request(request, &()).await;
        form_upload(form.map_err(|error| ApiError::Malformed(error.body_text()))?, max_bytes, held).await?
    } else {
        let limit = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        let bytes = Bytes::from_request(request, &()).await;
        let bytes = bytes.map_err(|error| body::rejected(&error, error.status(), limit))?;
        let named = TAR_TYPES.contains(&kind.as_str());
        let work = move || match named || archive::is_archive(&bytes) {
            true => archive_upload(&bytes, None, max_bytes),
            false => json_upload(&bytes, max_bytes),
        };
        room::within(held, work).await?
    };
    upload.metadata.validate().map_err(|invalid| invalid.within("metadata"))?;
    Ok(upload)
}

/// The body of a PATCH: at least one file, within the limits of a generation.
pub fn patch(body: &[u8], max_bytes: u64) -> Result<Patch, ApiError> {
    let PatchBody { files } = json::parse(body)?;
    if files.is_empty() {
        return Err(Invalid::new("files", "expected at least one file").into());
    }
    files::decode_changes(files, max_bytes)
}

fn json_upload(body: &[u8], max_bytes: u64) -> Result<Upload, ApiError> {
    let PutBody { metadata, files } = json::parse(body)?;
    Ok(Upload { metadata, files: files::decode(files, max_bytes)? })
}

/// Metadata of the form wins over a `preview.json` inside.
fn archive_upload(body: &[u8], metadata: Option<Metadata>, max_bytes: u64) -> Result<Upload, ApiError> {
    let files = archive::unpack(body, max_bytes)?;
    let metadata = match (metadata, files.text(METADATA_FILE)) {
        (Some(metadata), _) => metadata,
        (None, Some(text)) => json::parse(text.as_bytes()).map_err(|error| in_file(error, METADATA_FILE))?,
        (None, None) => Metadata::default(),
    };
    Ok(Upload { metadata, files })
}

fn in_file(error: ApiError, file: &str) -> ApiError {
    match error {
        ApiError::Invalid(invalid) => ApiError::Invalid(invalid.within(file)),
        other => other,
    }
}

async fn form_upload(mut form: Multipart, max_bytes: u64, held: Option<Held>) -> Result<Upload, ApiError> {
    let (mut metadata, mut body) = (None, None);
    let limit = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    let unread = |error: MultipartError| match body::rejected(&error, error.status(), limit) {
        // It knows better what is wrong with the form.
        ApiError::Malformed(_) => ApiError::Malformed(error.body_text()),
        refusal => refusal,
    };
    while let Some(field) = form.next_field().await.map_err(unread)? {
        let name = field.name().unwrap_or_default().to_owned();
        let is_second = if name == "metadata" { metadata.is_some() } else { body.is_some() };
        if is_second {
            return Err(Invalid::new(name, "expected metadata and archive once each").into());
        }
        let bytes = field.bytes().await.map_err(unread)?;
        match name.as_str() {
            "metadata" => metadata = Some(json::parse(&bytes).map_err(|error| in_file(error, "metadata"))?),
            "archive" | "files" | "file" => body = Some(bytes),
            other => return Err(Invalid::new(other, "expected the fields metadata and archive").into()),
        }
    }
    let body = body.ok_or_else(|| Invalid::new("archive", "expected a tar, tar.gz or zip"))?;
    room::within(held, move || archive_upload(&body, metadata, max_bytes)).await
}
