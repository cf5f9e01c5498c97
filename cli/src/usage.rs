//! Mistakes of the command line, brought from clap's form into ours.

use std::error::Error;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::Failure;

/// The failure that tells what clap found; `None` when it is no fault but a text the user asked for,
/// such as `--help`, or the help that stands in for a command that was not given.
pub(crate) fn failure(error: &clap::Error) -> Option<Failure> {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return None;
    }
    let text = |kind| error.get(kind).map(words).filter(|text| !text.is_empty());
    let asked = "command line";
    let argument = text(ContextKind::InvalidArg);
    let value = text(ContextKind::InvalidValue);
    let failure = match (error.kind(), argument, value) {
        (ErrorKind::InvalidSubcommand, ..) => {
            let word = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            Failure::argument(asked, "command", format!("{word:?}, which there is not"))
        }
        (ErrorKind::UnknownArgument, Some(argument), _) => {
            Failure::new(asked, format!("there is no argument `{argument}`"))
        }
        (ErrorKind::MissingRequiredArgument, Some(argument), _) => {
            Failure::new(asked, format!("`{argument}` is missing"))
        }
        (ErrorKind::ArgumentConflict, Some(argument), _) => {
            let other = text(ContextKind::PriorArg).unwrap_or_default();
            Failure::new(asked, format!("`{argument}` and `{other}` exclude each other"))
        }
        (_, Some(argument), Some(value)) => {
            Failure::argument(asked, &argument, format!("{value:?}"))
        }
        (_, Some(argument), None) => Failure::new(asked, format!("`{argument}` needs a value")),
        _ => Failure::new(asked, first_line(error)),
    };
    let allowed = text(ContextKind::ValidValue)
        .or_else(|| error.source().map(|source| source.to_string()))
        .or_else(|| text(ContextKind::ValidSubcommand))
        .unwrap_or_default();
    let near =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue]
            .into_iter()
            .find_map(text);
    let next = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "see `mattock help`, or the command with `--help`".into(),
    };
    Some(failure.allowed(allowed).next(next).usage())
}

fn words(value: &ContextValue) -> String {
    match value {
        ContextValue::String(word) => word.clone(),
        ContextValue::Strings(words) => words.join(", "),
        ContextValue::StyledStr(word) => word.to_string(),
        ContextValue::StyledStrs(words) => {
            words.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        ContextValue::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}
