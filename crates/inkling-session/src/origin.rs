//! Where weights come from that others trained: their source, licence and checksum, kept in the
//! file that they are stored in.

use serde::{Deserialize, Serialize};

/// The version of the fields.
const FORMAT: u32 = 1;

/// The source of weights, stored as JSON in the metadata of their safetensors file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    format: u32,
    /// The address or the file that they were taken from.
    pub source: String,
    /// The file inside the source, where that is an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The SHA-256 of the source, 64 hexadecimal digits.
    pub sha256: String,
    /// The licence and its holder, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

impl Origin {
    /// An origin of the present format.
    pub fn new(source: String, member: Option<String>, sha256: String, licence: Option<String>) -> Self {
        Self { format: FORMAT, source, member, sha256, licence }
    }

    /// The origin as JSON.
    ///
    /// # Errors
    /// With the serialiser's message.
    pub fn to_json(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|error| error.to_string())
    }

    /// Reads an origin from JSON.
    ///
    /// # Errors
    /// When it is no origin, or one of another format.
    pub fn of_json(text: &str) -> Result<Self, String> {
        let wrong = |reason: String| format!("the origin in its metadata cannot be read ({reason}); import it again");
        let origin: Self = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        match origin.format {
            FORMAT => Ok(origin),
            other => Err(wrong(format!("format {other}, and this program reads format {FORMAT}"))),
        }
    }

    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self::new(
            "https://example.org/net.whl".to_owned(),
            Some("models/net.pth".to_owned()),
            "00".repeat(32),
            Some("MIT".to_owned()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_read_back_and_refuse_nonsense() {
        let json = Origin::example().to_json().unwrap();
        assert_eq!(Origin::of_json(&json).unwrap(), Origin::example());
        for (from, to) in [("\"format\":1", "\"format\":2"), ("\"source\"", "\"sauce\"")] {
            let changed = json.replace(from, to);
            assert_ne!(changed, json);
            assert!(Origin::of_json(&changed).unwrap_err().contains("import it again"), "{changed}");
        }
    }
}
