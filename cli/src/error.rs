//! Why a command failed, in the one shape every error of this program has.

use std::error::Error;
use std::fmt;
use std::io::IsTerminal;
use std::path::Path;

use mattock_spec::ConfigError;
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};
use serde::Serialize;

/// What was asked, the argument or key at fault, its value, what is allowed and what to do next.
#[derive(Debug, Default)]
pub(crate) struct Failure {
    message: Box<str>,
    key: Box<str>,
    value: Box<str>,
    allowed: Box<str>,
    next: Box<str>,
    place: Option<Box<Place>>,
    usage: bool,
}

/// Where in a text the fault is.
#[derive(Debug)]
struct Place {
    source: NamedSource<String>,
    label: LabeledSpan,
    line: usize,
    column: usize,
}

/// The JSON form of a failure; every key is always there.
#[derive(Serialize)]
struct Report<'a> {
    error: &'a str,
    key: Option<&'a str>,
    value: Option<&'a str>,
    allowed: Option<&'a str>,
    next: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
}

impl Failure {
    /// `asked` went wrong for the reason told by `why`.
    pub(crate) fn new(asked: &str, why: impl fmt::Display) -> Self {
        Self { message: format!("{asked}: {why}").into(), ..Self::default() }
    }

    /// The argument `key` of `asked` has a `value` that is not allowed.
    pub(crate) fn argument(asked: &str, key: &str, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        let message = format!("{asked}: `{key}` is {value}");
        Self { message: message.into(), key: key.into(), value: value.into(), ..Self::default() }
    }

    /// A fault of a card configuration that was read from `text`, which came from `origin`.
    pub(crate) fn config(error: &ConfigError, origin: &str, text: &str) -> Self {
        let place = error.span.clone().map(|span| {
            let (line, column) = error.line_column(text).unwrap_or((1, 1));
            Box::new(Place {
                source: NamedSource::new(origin, text.to_owned()).with_language("toml"),
                label: LabeledSpan::at(span, "here"),
                line,
                column,
            })
        });
        let what = match (error.key.as_str(), error.value.as_str()) {
            ("", value) => value.to_owned(),
            (key, "") => format!("`{key}` is missing"),
            (key, value) => format!("`{key}` is {value}"),
        };
        Self {
            message: format!("card configuration {origin}: {what}").into(),
            key: error.key.clone().into(),
            value: error.value.clone().into(),
            allowed: error.allowed.clone().into(),
            next: error.next_step.clone().into(),
            place,
            usage: false,
        }
    }

    /// An operation on a file that the system refused.
    pub(crate) fn file(action: &str, path: &Path, source: &std::io::Error) -> Self {
        Self::new(action, format!("{}: {source}", path.display()))
    }

    /// What is allowed instead.
    pub(crate) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = allowed.into().into();
        self
    }

    /// What to do next.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into().into();
        self
    }

    /// Marks a mistake of the command line itself: exit code 2.
    pub(crate) fn usage(mut self) -> Self {
        self.usage = true;
        self
    }

    /// Process exit code: 2 for a mistake of the command line, 1 for everything else.
    pub(crate) fn exit_code(&self) -> u8 {
        if self.usage { 2 } else { 1 }
    }

    /// One JSON object on one line.
    pub(crate) fn json(&self) -> String {
        fn filled(text: &str) -> Option<&str> {
            (!text.is_empty()).then_some(text)
        }
        let report = Report {
            error: &self.message,
            key: filled(&self.key),
            value: filled(&self.value),
            allowed: filled(&self.allowed),
            next: filled(&self.next),
            line: self.place.as_ref().map(|place| place.line),
            column: self.place.as_ref().map(|place| place.column),
        };
        // A struct of strings and numbers always serialises.
        serde_json::to_string(&report).unwrap_or_default()
    }

    /// Text for a person, with a caret into the configuration where there is one.
    pub(crate) fn text(&self) -> String {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let theme =
            if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
        let mut text = String::new();
        match handler.render_report(&mut text, self) {
            Ok(()) => text.trim_end().to_owned(),
            Err(_) => self.message.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {}

impl miette::Diagnostic for Failure {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let parts = [("allowed", &self.allowed), ("next", &self.next)];
        let lines: Vec<String> = parts
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| format!("{name}: {text}"))
            .collect();
        if lines.is_empty() { None } else { Some(Box::new(lines.join("\n"))) }
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.place.as_ref().map(|place| &place.source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        Some(Box::new(std::iter::once(place.label.clone())))
    }
}

impl From<mattock_testbench::sim::OpenError> for Failure {
    fn from(error: mattock_testbench::sim::OpenError) -> Self {
        Self::new("card", error)
    }
}

impl From<mattock::Error> for Failure {
    fn from(error: mattock::Error) -> Self {
        Self { message: error.to_string().into(), ..Self::default() }
    }
}

/// The known word most like a mistyped one, if any is near.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let score = |name: &&str| strsim::jaro_winkler(word, name);
    known.iter().copied().filter(|n| score(n) > 0.7).max_by(|x, y| score(x).total_cmp(&score(y)))
}
