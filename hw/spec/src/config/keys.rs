//! Every configuration key is declared once; reading, checking, writing and documenting a
//! configuration are visitors over that declaration.

use super::{CardConfig, ConfigError};
use std::fmt::{self, Write};

/// A key and what it means.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) doc: &'static str,
}

/// A key that has a default.
pub(super) const fn key(name: &'static str, doc: &'static str) -> Key {
    Key { name, required: false, doc }
}

/// A key every configuration must give.
pub(super) const fn required(name: &'static str, doc: &'static str) -> Key {
    Key { name, required: true, doc }
}

/// Values a number may take.
#[derive(Clone, Copy)]
pub(super) enum Allowed {
    Range(u32, u32),
    PowerOfTwo(u32, u32),
    /// 0 as well.
    ZeroOrPowerOfTwo(u32, u32),
}

impl Allowed {
    pub(super) fn holds(self, value: i64) -> bool {
        match self {
            Allowed::Range(low, high) => (i64::from(low)..=i64::from(high)).contains(&value),
            Allowed::PowerOfTwo(low, high) => {
                Allowed::Range(low, high).holds(value) && value.count_ones() == 1
            }
            Allowed::ZeroOrPowerOfTwo(low, high) => {
                value == 0 || Allowed::PowerOfTwo(low, high).holds(value)
            }
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::Range(low, high) => write!(f, "an integer from {low} to {high}"),
            Allowed::PowerOfTwo(low, high) => write!(f, "a power of two from {low} to {high}"),
            Allowed::ZeroOrPowerOfTwo(low, high) => {
                write!(f, "0 or a power of two from {low} to {high}")
            }
        }
    }
}

/// What a flag may be.
pub(super) const FLAG: &str = "true or false";

pub(super) type Checked = Result<(), ConfigError>;

/// What walks over the keys of a configuration. Slots hold the default or present value.
pub(super) trait Visitor {
    fn number(&mut self, key: Key, allowed: Allowed, slot: &mut u32) -> Checked;
    /// True or false; false may be left out, and is not written.
    fn flag(&mut self, key: Key, slot: &mut bool) -> Checked;
    fn text(&mut self, key: Key, allowed: &str, slot: &mut String) -> Checked;
    fn list(&mut self, key: Key, allowed: &str, slot: &mut Vec<String>) -> Checked;
    /// A list that may be left out, and is not written then.
    fn optional_list(&mut self, key: Key, allowed: &str, slot: &mut Vec<String>) -> Checked {
        self.list(key, allowed, slot)
    }
    /// Enters a table; false when it is to be skipped.
    fn enter(&mut self, table: &'static str, present: bool) -> Result<bool, ConfigError>;
    fn leave(&mut self);
    /// An error at `key` of the current table, or at one entry of its list.
    fn fault(
        &self,
        key: Key,
        entry: Option<usize>,
        value: &str,
        allowed: &str,
        next: &str,
    ) -> ConfigError;
}

/// One of several words. `later` words are known but not built yet.
pub(super) fn choice<T: Copy + PartialEq>(
    v: &mut dyn Visitor,
    key: Key,
    options: &[(&str, T)],
    slot: &mut T,
) -> Checked {
    let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
    let allowed = quoted(&names);
    let mut word = name_of(options, *slot).to_owned();
    v.text(key, &allowed, &mut word)?;
    *slot = pick(v, key, None, options, &word)?;
    Ok(())
}

/// A list without repetitions, each entry one of several words.
pub(super) fn choices<T: Copy + PartialEq>(
    v: &mut dyn Visitor,
    key: Key,
    options: &[(&str, T)],
    slot: &mut Vec<T>,
) -> Checked {
    let allowed = one_or_more(options);
    let mut words = words_of(options, slot);
    v.list(key, &allowed, &mut words)?;
    pick_all(v, key, options, &words, slot)
}

/// [`choices`] that may be left out.
pub(super) fn optional_choices<T: Copy + PartialEq>(
    v: &mut dyn Visitor,
    key: Key,
    options: &[(&str, T)],
    slot: &mut Vec<T>,
) -> Checked {
    let allowed = one_or_more(options);
    let mut words = words_of(options, slot);
    v.optional_list(key, &allowed, &mut words)?;
    pick_all(v, key, options, &words, slot)
}

fn one_or_more<T>(options: &[(&str, T)]) -> String {
    let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
    format!("a list of one or more of {}", quoted(&names))
}

fn words_of<T: Copy + PartialEq>(options: &[(&str, T)], values: &[T]) -> Vec<String> {
    values.iter().map(|x| name_of(options, *x).to_owned()).collect()
}

fn pick_all<T: Copy + PartialEq>(
    v: &dyn Visitor,
    key: Key,
    options: &[(&str, T)],
    words: &[String],
    slot: &mut Vec<T>,
) -> Checked {
    slot.clear();
    for (i, word) in words.iter().enumerate() {
        let value = pick(v, key, Some(i), options, word)?;
        if slot.contains(&value) {
            let (word, allowed) = (format!("{word:?}"), one_or_more(options));
            return Err(v.fault(key, Some(i), &word, &allowed, "remove the repeated entry"));
        }
        slot.push(value);
    }
    Ok(())
}

fn name_of<'a, T: Copy + PartialEq>(options: &[(&'a str, T)], value: T) -> &'a str {
    options.iter().find(|(_, option)| *option == value).map_or("", |(name, _)| name)
}

fn pick<T: Copy>(
    v: &dyn Visitor,
    key: Key,
    entry: Option<usize>,
    options: &[(&str, T)],
    word: &str,
) -> Result<T, ConfigError> {
    if let Some((_, value)) = options.iter().find(|(name, _)| *name == word) {
        return Ok(*value);
    }
    let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
    let next = match nearest(word, &names) {
        Some(name) => format!("did you mean {name:?}?"),
        None => "choose one of the allowed words".into(),
    };
    Err(v.fault(key, entry, &format!("{word:?}"), &quoted(&names), &next))
}

pub(super) fn quoted(names: &[&str]) -> String {
    names.iter().map(|n| format!("{n:?}")).collect::<Vec<_>>().join(" or ")
}

/// The known word most like a mistyped one, if any is near.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let score = |name: &&str| strsim::jaro_winkler(word, name);
    known.iter().copied().filter(|n| score(n) > 0.7).max_by(|x, y| score(x).total_cmp(&score(y)))
}

/// Checks the values of a configuration that was not read from text.
#[derive(Default)]
pub(super) struct Checker {
    path: String,
}

impl Visitor for Checker {
    fn number(&mut self, key: Key, allowed: Allowed, slot: &mut u32) -> Checked {
        if allowed.holds(i64::from(*slot)) {
            return Ok(());
        }
        Err(self.fault(
            key,
            None,
            &slot.to_string(),
            &allowed.to_string(),
            "choose an allowed value",
        ))
    }

    fn flag(&mut self, _: Key, _: &mut bool) -> Checked {
        Ok(())
    }

    fn text(&mut self, _: Key, _: &str, _: &mut String) -> Checked {
        Ok(())
    }

    fn list(&mut self, key: Key, allowed: &str, slot: &mut Vec<String>) -> Checked {
        if slot.is_empty() {
            return Err(self.fault(key, None, "[]", allowed, "give at least one entry"));
        }
        Ok(())
    }

    fn optional_list(&mut self, _: Key, _: &str, _: &mut Vec<String>) -> Checked {
        Ok(())
    }

    fn enter(&mut self, table: &'static str, present: bool) -> Result<bool, ConfigError> {
        self.path = format!("{table}.");
        Ok(present)
    }

    fn leave(&mut self) {
        self.path.clear();
    }

    fn fault(
        &self,
        key: Key,
        _: Option<usize>,
        value: &str,
        allowed: &str,
        next: &str,
    ) -> ConfigError {
        ConfigError::new(format!("{}{}", self.path, key.name), value, allowed, next)
    }
}

/// Prints the canonical TOML: every key, in declaration order.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) text: String,
}

impl Writer {
    fn line(&mut self, key: Key, value: impl fmt::Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{} = {value}", key.name);
    }
}

impl Visitor for Writer {
    fn number(&mut self, key: Key, _: Allowed, slot: &mut u32) -> Checked {
        self.line(key, slot);
        Ok(())
    }

    fn flag(&mut self, key: Key, slot: &mut bool) -> Checked {
        if *slot {
            self.line(key, true);
        }
        Ok(())
    }

    fn text(&mut self, key: Key, _: &str, slot: &mut String) -> Checked {
        self.line(key, toml::Value::String(slot.clone()));
        Ok(())
    }

    fn list(&mut self, key: Key, _: &str, slot: &mut Vec<String>) -> Checked {
        let list = slot.iter().cloned().map(toml::Value::String).collect();
        self.line(key, toml::Value::Array(list));
        Ok(())
    }

    fn optional_list(&mut self, key: Key, allowed: &str, slot: &mut Vec<String>) -> Checked {
        if slot.is_empty() { Ok(()) } else { self.list(key, allowed, slot) }
    }

    fn enter(&mut self, table: &'static str, present: bool) -> Result<bool, ConfigError> {
        if present {
            let _ = write!(self.text, "\n[{table}]\n");
        }
        Ok(present)
    }

    fn leave(&mut self) {}

    fn fault(
        &self,
        key: Key,
        _: Option<usize>,
        value: &str,
        allowed: &str,
        next: &str,
    ) -> ConfigError {
        ConfigError::new(key.name, value, allowed, next)
    }
}

/// A Markdown table of every key: type, default, meaning.
pub fn config_markdown() -> String {
    let mut page = Page { path: String::new(), text: String::new() };
    page.text += "| key | allowed | default | meaning |\n|---|---|---|---|\n";
    let mut example = CardConfig::everything();
    // The page never rejects a value.
    let _ = example.visit(&mut page);
    page.text
}

struct Page {
    path: String,
    text: String,
}

impl Page {
    fn row(&mut self, key: Key, allowed: impl fmt::Display, default: impl fmt::Display) {
        let default = if key.required { "required".to_owned() } else { format!("`{default}`") };
        let path = &self.path;
        let _ =
            writeln!(self.text, "| `{path}{}` | {allowed} | {default} | {} |", key.name, key.doc);
    }
}

impl Visitor for Page {
    fn number(&mut self, key: Key, allowed: Allowed, slot: &mut u32) -> Checked {
        self.row(key, allowed, slot);
        Ok(())
    }

    fn flag(&mut self, key: Key, slot: &mut bool) -> Checked {
        self.row(key, FLAG, slot);
        Ok(())
    }

    fn text(&mut self, key: Key, allowed: &str, slot: &mut String) -> Checked {
        self.row(key, allowed, slot);
        Ok(())
    }

    fn list(&mut self, key: Key, allowed: &str, slot: &mut Vec<String>) -> Checked {
        self.row(key, allowed, format!("{slot:?}"));
        Ok(())
    }

    fn enter(&mut self, table: &'static str, _: bool) -> Result<bool, ConfigError> {
        self.path = format!("{table}.");
        Ok(true)
    }

    fn leave(&mut self) {
        self.path.clear();
    }

    fn fault(
        &self,
        key: Key,
        _: Option<usize>,
        value: &str,
        allowed: &str,
        next: &str,
    ) -> ConfigError {
        ConfigError::new(key.name, value, allowed, next)
    }
}
