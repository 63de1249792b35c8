//! The `previewd` program: everything is in the library's `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    previewd::cli::main()
}
