//! `mattock new`: a commented configuration to begin with.
//!
//! ```text
//! $ mattock new mine --from tiny
//! wrote mine.toml; look at it, then: mattock check mine.toml
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use mattock_spec::CardConfig;
use mattock_spec::config::config_markdown;
use serde::Serialize;

use crate::card::Chosen;
use crate::error::Failure;
use crate::files::write_file;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Name of the card, or path of the file to write (`.toml` is added to a name)
    #[arg(value_name = "NAME|PATH")]
    target: PathBuf,
    /// Card to begin with: a reference card or a TOML file
    #[arg(long, value_name = "NAME|PATH", default_value = "small")]
    from: String,
    /// Replace the file if there is one
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Report {
    path: String,
    name: String,
    from: String,
}

pub(crate) fn run(options: &Options, output: Output) -> Result<(), Failure> {
    let mut path = options.target.clone();
    if path.extension().is_none() {
        path.set_extension("toml");
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let chosen = Chosen::load(&options.from, "--from")?;
    let card = CardConfig { name: stem, ..chosen.config };
    card.check().map_err(|error| {
        Failure::argument("new", "NAME", &error.value).allowed(error.allowed).next(error.next_step)
    })?;
    if path.exists() && !options.force {
        return Err(Failure::argument("new", "PATH", format!("{}, which exists", path.display()))
            .allowed("a file that is not there yet")
            .next("choose another name, or replace the file with --force"));
    }
    write_file("new", &path, &commented(&card, &options.from))?;
    let path = path.display().to_string();
    let report = Report { path: path.clone(), name: card.name, from: options.from.clone() };
    output.result(&report, || format!("wrote {path}; look at it, then: mattock check {path}\n"));
    Ok(())
}

/// The canonical TOML of a card with each key's meaning and range beside it.
fn commented(card: &CardConfig, from: &str) -> String {
    let meanings = meanings();
    let (mut text, mut table) = (format!("# A card that begins as `{from}`.\n"), String::new());
    let toml = card.to_toml();
    let width = toml.lines().map(str::len).filter(|&width| width <= 34).max().unwrap_or(0);
    for line in toml.lines() {
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']').to_owned() + ".";
        }
        let key = line.split(" = ").next().unwrap_or_default();
        match meanings.get(&format!("{table}{key}")) {
            Some(meaning) => text += &format!("{line:width$}  # {meaning}\n"),
            None => text += &format!("{line}\n"),
        }
    }
    text
}

/// What each key means and may be, from the table of the manual.
fn meanings() -> BTreeMap<String, String> {
    let page = config_markdown();
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [key, allowed, _, meaning] = cells[..] else { return None };
        Some((
            key.strip_prefix('`')?.strip_suffix('`')?.to_owned(),
            format!("{meaning}: {allowed}"),
        ))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use mattock_spec::config::REFERENCE_NAMES;

    use super::*;

    #[test]
    fn comments_change_nothing() {
        for name in REFERENCE_NAMES {
            let card = CardConfig::reference(name).unwrap();
            let text = commented(&card, name);
            assert_eq!(CardConfig::from_toml(&text).unwrap(), card);
            let keys = text.lines().filter(|line| line.contains(" = "));
            assert!(keys.clone().all(|line| line.contains("  # ")), "{text}");
        }
    }

    #[test]
    fn the_file_reads_well() {
        let card = CardConfig::reference("bench16").unwrap();
        insta::assert_snapshot!(commented(&card, "bench16"));
    }
}
