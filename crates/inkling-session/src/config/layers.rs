//! Puts a configuration together from layers: a preset or file first, then overrides in the order
//! they were given. Remembers where each key was set, so that every complaint can say so.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::keys::{KnownKeys, join};
use super::{CaseConfig, ConfigError, Place, Problem, RunConfig};
use crate::presets;

/// The merged layers of a configuration, not yet checked.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    table: Table,
    places: BTreeMap<String, Place>,
}

impl Layers {
    /// No layers: every key has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a preset by name.
    ///
    /// # Errors
    /// When there is no such preset; the error names the most similar one.
    pub fn preset(&mut self, name: &str) -> Result<(), ConfigError> {
        let preset = presets::find(name)?;
        self.text(&format!("preset {name}"), preset.text)
    }

    /// Adds a TOML file.
    ///
    /// # Errors
    /// When the file cannot be read or is not TOML.
    pub fn file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        self.text(&path.display().to_string(), &text)
    }

    /// Adds TOML text; `source` is how complaints call it.
    ///
    /// # Errors
    /// When the text is not TOML.
    pub fn text(&mut self, source: &str, text: &str) -> Result<(), ConfigError> {
        let syntax = |error: toml::de::Error| ConfigError::Syntax {
            place: Place { source: source.to_owned(), line: error.span().map(|span| line_of(text, span.start)) },
            message: error.message().trim().replace('\n', ", "),
        };
        let spans = DeTable::parse(text).map_err(syntax)?;
        let table: Table = toml::from_str(text).map_err(syntax)?;
        self.remember(source, text, "", spans.get_ref());
        merge(&mut self.table, table);
        Ok(())
    }

    /// Adds an override written like `training.steps=2000`. The value is read as TOML; what is
    /// no TOML value counts as a string.
    ///
    /// # Errors
    /// When there is no `=` or the key is empty.
    pub fn assign(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let (key, text) = assignment.split_once('=').ok_or_else(|| ConfigError::Override(assignment.to_owned()))?;
        let key = key.trim();
        if key.split('.').any(|segment| segment.trim().is_empty()) {
            return Err(ConfigError::Override(assignment.to_owned()));
        }
        self.set(&format!("--set {assignment}"), key, value_of(text));
        Ok(())
    }

    /// Sets one dotted key; `source` is how complaints call the place, such as `--seed`.
    pub fn set(&mut self, source: &str, key: &str, value: Value) {
        let mut segments: Vec<&str> = key.split('.').map(str::trim).collect();
        let name = segments.join(".");
        let place = Place { source: source.to_owned(), line: None };
        self.remember_value(&name, &value, &place);
        let mut table = Table::new();
        if let Some(last) = segments.pop() {
            table.insert(last.to_owned(), value);
        }
        for segment in segments.into_iter().rev() {
            table = Table::from_iter([(segment.to_owned(), Value::Table(table))]);
        }
        merge(&mut self.table, table);
    }

    /// The checked configuration of a run.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] lists every unknown key, or else the first value of a wrong type,
    /// or else every value that cannot be.
    pub fn run_config(&self) -> Result<RunConfig, ConfigError> {
        let mut config: RunConfig = self.read(&RunConfig::complete())?;
        config.head.settle(config.training.algorithm);
        self.refuse(config.problems())?;
        Ok(config)
    }

    /// The checked case of `inkling grad`.
    ///
    /// # Errors
    /// As for [`Layers::run_config`].
    pub fn case_config(&self) -> Result<CaseConfig, ConfigError> {
        let config: CaseConfig = self.read(&CaseConfig::complete())?;
        self.refuse(config.problems())?;
        Ok(config)
    }

    fn read<T: Serialize + DeserializeOwned>(&self, complete: &T) -> Result<T, ConfigError> {
        let known = KnownKeys::of(complete)?;
        let mut unknown = Vec::new();
        find_unknown(&known, "", &self.table, &mut unknown);
        self.refuse(unknown.into_iter().map(|key| Problem::new(&key, known.unknown(&key))).collect())?;
        serde_path_to_error::deserialize(self.table.clone()).map_err(|error| {
            let path = error.path().to_string();
            let key = path.split('[').next().unwrap_or_default().trim_matches('.');
            let message = in_plain_words(&error.inner().message().trim().replace('\n', ", "));
            let problem =
                if key.is_empty() { Problem::new("", message) } else { Problem::new(key, format!("{key}: {message}")) };
            ConfigError::Invalid(vec![self.located(problem)])
        })
    }

    fn refuse(&self, problems: Vec<Problem>) -> Result<(), ConfigError> {
        if problems.is_empty() {
            return Ok(());
        }
        Err(ConfigError::Invalid(problems.into_iter().map(|p| self.located(p)).collect()))
    }

    fn located(&self, mut problem: Problem) -> Problem {
        // A key without a place of its own may lie in a table that has one.
        let mut name = problem.key.as_str();
        loop {
            if let Some(place) = self.places.get(name) {
                problem.place = Some(place.clone());
                break;
            }
            match name.rsplit_once('.') {
                Some((parent, _)) => name = parent,
                None => break,
            }
        }
        problem
    }

    fn remember(&mut self, source: &str, text: &str, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = join(prefix, key.get_ref());
            let place = Place { source: source.to_owned(), line: Some(line_of(text, key.span().start)) };
            if let DeValue::Table(inner) = value.get_ref() {
                self.remember(source, text, &name, inner);
            }
            self.places.insert(name, place);
        }
    }

    fn remember_value(&mut self, name: &str, value: &Value, place: &Place) {
        if let Value::Table(table) = value {
            for (key, inner) in table {
                self.remember_value(&join(name, key), inner, place);
            }
        }
        self.places.insert(name.to_owned(), place.clone());
    }
}

/// The types that a message of the reader names, as a user calls them.
fn in_plain_words(message: &str) -> String {
    let types = [
        ("expected u64", "expected a whole number, zero or above"),
        ("expected u32", "expected a whole number, zero or above"),
        ("expected f64", "expected a number"),
        ("expected f32", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("unknown variant", "there is no"),
    ];
    types.iter().fold(message.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn value_of(text: &str) -> Value {
    let bare = || Value::String(text.trim().to_owned());
    match toml::from_str::<Table>(&format!("value = {text}")) {
        // A line break in the text could smuggle in further keys.
        Ok(mut table) if table.len() == 1 => table.remove("value").unwrap_or_else(bare),
        _ => bare(),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn merge(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(lower)), Value::Table(upper)) => merge(lower, upper),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

fn find_unknown(known: &KnownKeys, prefix: &str, table: &Table, unknown: &mut Vec<String>) {
    for (key, value) in table {
        let name = join(prefix, key);
        match value {
            Value::Table(inner) if known.is_section(&name) || (!known.contains(&name) && !inner.is_empty()) => {
                find_unknown(known, &name, inner, unknown);
            }
            _ if known.contains(&name) => {}
            _ => unknown.push(name),
        }
    }
}
