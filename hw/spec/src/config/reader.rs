//! Reads TOML into a configuration and remembers where each value stood.

use super::ConfigError;
use super::keys::{Allowed, Checked, FLAG, Key, Visitor, nearest};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) struct Reader<'t> {
    text: &'t str,
    root: Spanned<DeTable<'t>>,
    table: Option<&'static str>,
    /// Every key visited, by path; what is left over in the text is unknown.
    visited: Vec<String>,
    spans: BTreeMap<String, Range<usize>>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Result<Reader<'t>, ConfigError> {
        let root = DeTable::parse(text).map_err(|e| ConfigError {
            span: e.span(),
            ..ConfigError::new(
                "",
                format!("not TOML: {}", e.message()),
                "",
                "correct the syntax there",
            )
        })?;
        Ok(Reader { text, root, table: None, visited: Vec::new(), spans: BTreeMap::new() })
    }

    /// Adds the place of the error's key in the text, when the text has it.
    pub(super) fn locate(&self, mut error: ConfigError) -> ConfigError {
        let table = error.key.split_once('.').map_or("", |(table, _)| table);
        error.span =
            error.span.or_else(|| self.spans.get(&error.key).or(self.spans.get(table)).cloned());
        error
    }

    /// The first key that no visit asked for.
    pub(super) fn unknown_keys(&self) -> Checked {
        self.unknown_in("", self.root.get_ref())?;
        for (name, value) in self.root.get_ref() {
            if let DeValue::Table(table) = value.get_ref() {
                self.unknown_in(&format!("{}.", name.get_ref()), table)?;
            }
        }
        Ok(())
    }

    fn unknown_in(&self, path: &str, table: &DeTable<'_>) -> Checked {
        let known: Vec<&str> = self
            .visited
            .iter()
            .filter_map(|v| v.strip_prefix(path))
            .filter(|v| !v.contains('.'))
            .collect();
        for (name, _) in table {
            let word: &str = name.get_ref();
            if known.contains(&word) {
                continue;
            }
            let next = match nearest(word, &known) {
                Some(name) => format!("did you mean `{path}{name}`?"),
                None => "remove it".into(),
            };
            return Err(ConfigError {
                span: Some(name.span()),
                ..ConfigError::new(
                    format!("{path}{word}"),
                    "an unknown key",
                    known.join(", "),
                    next,
                )
            });
        }
        Ok(())
    }

    fn path(&self, key: &str) -> String {
        match self.table {
            Some(table) => format!("{table}.{key}"),
            None => key.to_owned(),
        }
    }

    /// The value of a key, noted as visited; an error when it is required and missing.
    fn take(
        &mut self,
        key: Key,
        allowed: &str,
    ) -> Result<Option<Spanned<DeValue<'t>>>, ConfigError> {
        let path = self.path(key.name);
        self.visited.push(path.clone());
        let table = match self.table {
            None => Some(self.root.get_ref()),
            Some(name) => self.root.get_ref().get(name).and_then(|v| v.get_ref().as_table()),
        };
        let found = table.and_then(|t| t.get(key.name)).cloned();
        match &found {
            Some(value) => {
                self.spans.insert(path, value.span());
            }
            None if key.required => {
                return Err(self.fault(key, None, "", allowed, &format!("add `{}`", key.name)));
            }
            None => {}
        }
        Ok(found)
    }

    fn wrong_type(&self, key: Key, value: &Spanned<DeValue<'_>>, allowed: &str) -> ConfigError {
        let written = self.text.get(value.span()).unwrap_or_default();
        let kind = value.get_ref().type_str();
        let shown = if written.len() <= 40 {
            format!("the {kind} {written}")
        } else {
            format!("a long {kind}")
        };
        let error = self.fault(key, None, &shown, allowed, "write a value of that type");
        ConfigError { span: Some(value.span()), ..error }
    }
}

impl Visitor for Reader<'_> {
    fn flag(&mut self, key: Key, slot: &mut bool) -> Checked {
        let Some(value) = self.take(key, FLAG)? else { return Ok(()) };
        let DeValue::Boolean(flag) = value.get_ref() else {
            return Err(self.wrong_type(key, &value, FLAG));
        };
        *slot = *flag;
        Ok(())
    }

    fn number(&mut self, key: Key, allowed: Allowed, slot: &mut u32) -> Checked {
        let Some(value) = self.take(key, &allowed.to_string())? else { return Ok(()) };
        let DeValue::Integer(integer) = value.get_ref() else {
            return Err(self.wrong_type(key, &value, &allowed.to_string()));
        };
        match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if allowed.holds(number) => {
                *slot = number as u32;
                Ok(())
            }
            _ => {
                let written = self.text.get(value.span()).unwrap_or_default().to_owned();
                Err(self.fault(
                    key,
                    None,
                    &written,
                    &allowed.to_string(),
                    "choose an allowed value",
                ))
            }
        }
    }

    fn text(&mut self, key: Key, allowed: &str, slot: &mut String) -> Checked {
        let Some(value) = self.take(key, allowed)? else { return Ok(()) };
        let DeValue::String(text) = value.get_ref() else {
            return Err(self.wrong_type(key, &value, allowed));
        };
        *slot = text.to_string();
        Ok(())
    }

    fn list(&mut self, key: Key, allowed: &str, slot: &mut Vec<String>) -> Checked {
        let Some(value) = self.take(key, allowed)? else { return Ok(()) };
        let DeValue::Array(entries) = value.get_ref() else {
            return Err(self.wrong_type(key, &value, allowed));
        };
        if entries.is_empty() {
            return Err(self.fault(key, None, "[]", allowed, "give at least one entry"));
        }
        slot.clear();
        for (i, entry) in entries.iter().enumerate() {
            let DeValue::String(text) = entry.get_ref() else {
                return Err(self.wrong_type(key, entry, allowed));
            };
            slot.push(text.to_string());
            self.spans.insert(format!("{}[{i}]", self.path(key.name)), entry.span());
        }
        Ok(())
    }

    fn enter(&mut self, table: &'static str, _: bool) -> Result<bool, ConfigError> {
        self.visited.push(table.to_owned());
        let Some(value) = self.root.get_ref().get(table) else { return Ok(false) };
        self.spans.insert(table.to_owned(), value.span());
        if value.get_ref().as_table().is_none() {
            let key = Key { name: table, required: false, doc: "" };
            return Err(self.wrong_type(key, value, &format!("a table `[{table}]`")));
        }
        self.table = Some(table);
        Ok(true)
    }

    fn leave(&mut self) {
        self.table = None;
    }

    fn fault(
        &self,
        key: Key,
        entry: Option<usize>,
        value: &str,
        allowed: &str,
        next: &str,
    ) -> ConfigError {
        let path = self.path(key.name);
        let place = entry.map_or(path.clone(), |i| format!("{path}[{i}]"));
        let span = self.spans.get(&place).cloned();
        self.locate(ConfigError { span, ..ConfigError::new(path, value, allowed, next) })
    }
}
