//! The keys a configuration knows, collected from a value in which every optional key is set, and
//! the search for the one that was probably meant.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ConfigError;

/// The dotted names of all keys and sections.
pub(super) struct KnownKeys {
    /// True for a section, false for a key that holds a value.
    names: BTreeMap<String, bool>,
}

impl KnownKeys {
    /// Collects the keys of `complete`, which must hold a value for every optional key.
    pub(super) fn of<T: Serialize>(complete: &T) -> Result<Self, ConfigError> {
        let table = toml::Table::try_from(complete).map_err(|error| ConfigError::Write(error.to_string()))?;
        let mut names = BTreeMap::new();
        collect("", &table, &mut names);
        Ok(Self { names })
    }

    pub(super) fn is_section(&self, name: &str) -> bool {
        self.names.get(name) == Some(&true)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The names of all keys that hold a value.
    #[cfg(test)]
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter(|(_, section)| !**section).map(|(name, _)| name.as_str())
    }

    /// The message for a key that does not exist.
    pub(super) fn unknown(&self, name: &str) -> String {
        match self.nearest(name) {
            Some(nearest) => format!("unknown key \"{name}\"; did you mean \"{nearest}\"?"),
            None => format!("unknown key \"{name}\""),
        }
    }

    fn nearest(&self, name: &str) -> Option<&str> {
        let leaf = |dotted: &str| dotted.rsplit('.').next().unwrap_or(dotted).to_owned();
        let wanted = leaf(name);
        self.names
            .iter()
            .filter(|(_, section)| !**section)
            .map(|(known, _)| {
                // A right name in the wrong section is a likelier slip than another name nearby.
                let whole = strsim::damerau_levenshtein(name, known);
                let last = strsim::damerau_levenshtein(&wanted, &leaf(known));
                ((2 * last + 1).min(whole), whole, known.as_str())
            })
            .min()
            .map(|(_, _, known)| known)
    }
}

fn collect(prefix: &str, table: &toml::Table, names: &mut BTreeMap<String, bool>) {
    for (key, value) in table {
        let name = join(prefix, key);
        if let toml::Value::Table(inner) = value {
            collect(&name, inner, names);
            names.insert(name, true);
        } else {
            names.insert(name, false);
        }
    }
}

/// `prefix.key`, or `key` at the root.
pub(super) fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

/// The name most similar to `name`; none when there are no names.
pub(crate) fn most_similar<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Who gives the beginning of a name means it, however long the rest is.
    names.into_iter().min_by_key(|known| (!known.starts_with(name), strsim::damerau_levenshtein(name, known)))
}
