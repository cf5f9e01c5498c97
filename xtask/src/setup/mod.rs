//! `cargo xtask setup`: finds or installs the outside tools.
//!
//! System packages come from apt when this user may install them; everything else goes into the
//! project's tool folder (`.tools`, or `$MATTOCK_TOOLS`). A second run finds everything, does
//! nothing and prints nothing.

mod apt;
mod venv;

use std::fs::{self, File, TryLockError};

use mattock_toolbox::{Job, Row, Status, Toolbox};

use crate::error::Error;

/// Every job that set-up prepares for.
pub(crate) const ALL_JOBS: &[Job] =
    &[Job::Build, Job::Simulate, Job::Trace, Job::Test, Job::Lint, Job::Timing, Job::Synth];
/// What `cargo xtask test` prepares for: no test places and routes for a board.
pub(crate) const TEST_JOBS: &[Job] =
    &[Job::Build, Job::Simulate, Job::Trace, Job::Test, Job::Lint, Job::Timing];

/// Installs what is missing, and fails if one of `jobs` still cannot be done.
pub(crate) fn setup(toolbox: &Toolbox, jobs: &[Job]) -> Result<(), Error> {
    let _lock = lock(toolbox)?;
    let mut rows = toolbox.report();
    let mut changed = apt::install_missing(toolbox, &rows)?;
    changed |= venv::install(toolbox)?;
    if jobs.contains(&Job::Synth) {
        changed |= venv::install_synth(toolbox)?;
    }
    // Any job may be the first of several; what all but `synth` need is ready once and for all.
    changed |=
        venv::warm_up(toolbox, if jobs.contains(&Job::Synth) { ALL_JOBS } else { TEST_JOBS })?;
    if changed {
        rows = toolbox.report();
        list_unavailable(&rows);
    }
    verdict(&rows, jobs)
}

/// Two set-ups at once would install into the same folder.
fn lock(toolbox: &Toolbox) -> Result<File, Error> {
    let folder = toolbox.folder();
    fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(Error::file(&path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {
            eprintln!("setup: waiting for another set-up in {}", folder.display());
        }
        Err(TryLockError::Error(error)) => return Err(Error::file(&path)(error)),
    }
    file.lock().map_err(Error::file(&path))?;
    Ok(file)
}

fn list_unavailable(rows: &[Row]) {
    for row in rows.iter().filter(|row| row.status == Status::Covered) {
        let problem = row.problem.as_deref().unwrap_or_default();
        eprintln!("setup: note: {problem} (not required: there is another)");
    }
}

fn verdict(rows: &[Row], jobs: &[Job]) -> Result<(), Error> {
    let missing: Vec<String> = rows
        .iter()
        .filter(|row| jobs.iter().any(|&job| row.prevents(job)))
        .map(|row| format!("\n  {}", row.problem.as_deref().unwrap_or(row.name)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Other(format!("set-up is not complete:{}", missing.concat())))
}
