//! Why no plan can be made: always which field, and what was expected or looked for.

use crate::domain::Invalid;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// `metadata.entryPoint` names something that is not among the files, or is no command.
    #[error("metadata.entryPoint: {message}")]
    EntryPoint { message: String },
    /// `metadata.pythonVersion` or `metadata.nodeVersion` for which there is no base image.
    #[error("{field}: no base image for version {asked}; there is {available}")]
    Version { field: &'static str, asked: String, available: String },
    /// An own Dockerfile that cannot be accepted; `line` counts from 1.
    #[error("{field}, line {line}: {message}")]
    Dockerfile { field: String, line: usize, message: String },
    /// Nothing among the files looks like an app.
    #[error("files: nothing to start was found; looked for {looked_for}")]
    NothingToStart { looked_for: String },
    /// The framework the metadata names has nothing to start among the files.
    #[error("metadata.framework: no {framework} app among the files; looked for {looked_for}")]
    Framework { framework: String, looked_for: String },
}

impl PlanError {
    /// The field at fault, as the caller wrote it.
    pub fn field(&self) -> &str {
        match self {
            Self::EntryPoint { .. } => "metadata.entryPoint",
            Self::Version { field, .. } => field,
            Self::Dockerfile { field, .. } => field,
            Self::NothingToStart { .. } => "files",
            Self::Framework { .. } => "metadata.framework",
        }
    }

    /// What is wrong with it, without the field.
    pub fn message(&self) -> String {
        let whole = self.to_string();
        let rest = whole.strip_prefix(self.field()).unwrap_or(&whole);
        rest.trim_start_matches([':', ',', ' ']).to_owned()
    }

    /// As the error every refused input becomes.
    pub fn invalid(&self) -> Invalid {
        Invalid::new(self.field(), self.message())
    }
}
