//! `loadgen import`: another tool's output as a result file of kind `imported`.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::{Exit, refuse};
use crate::exchange::{Given, ImportFormat, import, read_bounded};
use crate::result::RunResult;

/// What to import, and what is known beside it.
#[derive(Args, Debug)]
pub struct ImportCommand {
    /// The tool that wrote the file.
    #[arg(long, value_enum)]
    pub from: ImportFormat,
    /// Its output.
    pub file: PathBuf,
    /// Folder of the result file, `<id>.json`; `-` writes to standard output.
    #[arg(long, default_value = "target/loadgen")]
    pub out: PathBuf,
    /// What a comparison calls this result.
    #[arg(long)]
    pub label: Option<String>,
    /// What was measured, when the file does not say.
    #[arg(long)]
    pub product: Option<String>,
    /// Its version.
    #[arg(long)]
    pub product_version: Option<String>,
}

/// Reads the file and writes the result; a result that is there is not written again.
pub fn execute(options: &ImportCommand) -> Exit {
    let given = Given {
        label: options.label.clone(),
        product: options.product.clone(),
        product_version: options.product_version.clone(),
    };
    let imported =
        read_bounded(&options.file, options.from.bytes_max()).and_then(|bytes| import(options.from, &bytes, &given));
    let result = match imported {
        Ok(result) => result,
        Err(error) => return refuse(format_args!("{}: {error}", options.file.display()), Exit::ToolError),
    };
    match write(&result, &options.out) {
        Ok(Some(path)) => {
            // A closed pipe must not change the exit code.
            let _ = writeln!(std::io::stdout(), "result  {}", path.display());
            Exit::Fine
        }
        Ok(None) => Exit::Fine,
        Err(error) => refuse(format_args!("cannot write to {}: {error}", options.out.display()), Exit::ToolError),
    }
}

fn write(result: &RunResult, out: &Path) -> std::io::Result<Option<PathBuf>> {
    let mut json = serde_json::to_vec_pretty(result)?;
    json.push(b'\n');
    if out == Path::new("-") {
        std::io::stdout().lock().write_all(&json)?;
        return Ok(None);
    }
    fs::create_dir_all(out)?;
    let path = out.join(format!("{}.json", result.id));
    // As any new file: the umask decides, where a temporary one would be for its owner alone.
    let mode = Permissions::from_mode(0o666);
    let mut unfinished = tempfile::Builder::new().permissions(mode).tempfile_in(out)?;
    unfinished.write_all(&json)?;
    // Under its name whole or not at all, and never over another.
    unfinished.persist_noclobber(&path).map_err(|error| error.error)?;
    Ok(Some(path))
}
