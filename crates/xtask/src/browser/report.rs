//! The result that `run_all()` gives: `[{"name": …, "ok": …, "message": …}]`.

use std::fmt;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The outcome of one browser test.
#[derive(Debug, PartialEq, Eq)]
pub struct Case {
    pub name: String,
    pub ok: bool,
    /// Why it failed; may be empty.
    pub message: String,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let verdict = if self.ok { "ok" } else { "FAILED" };
        write!(formatter, "  {} ... {verdict}", self.name)?;
        for line in self.message.lines() {
            write!(formatter, "\n      {line}")?;
        }
        Ok(())
    }
}

/// Reads the cases of a run.
///
/// # Errors
/// When the text has another form, or holds no case: a run without tests has tested nothing.
pub fn parse(json: &str) -> Result<Vec<Case>> {
    let value: Value = serde_json::from_str(json).context("run_all() did not return JSON")?;
    let list = value.as_array().context("run_all() did not return a list")?;
    if list.is_empty() {
        bail!("run_all() ran no test");
    }
    list.iter()
        .map(|entry| {
            parse_case(entry)
                .with_context(|| format!("run_all(): not a case of the form {{name, ok, message}}: {entry}"))
        })
        .collect()
}

fn parse_case(entry: &Value) -> Option<Case> {
    let message = match entry.get("message") {
        None | Some(Value::Null) => "",
        Some(message) => message.as_str()?,
    };
    Some(Case {
        name: entry.get("name")?.as_str()?.to_owned(),
        ok: entry.get("ok")?.as_bool()?,
        message: message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_read_and_shown() {
        let cases = parse(
            r#"[{"name":"conv2d","ok":true,"message":""},
                {"name":"norm","ok":false,"message":"off by 3\nat 7"},
                {"name":"pool","ok":true}]"#,
        )
        .unwrap();
        let shown: Vec<String> = cases.iter().map(Case::to_string).collect();
        assert_eq!(shown[0], "  conv2d ... ok");
        assert_eq!(shown[1], "  norm ... FAILED\n      off by 3\n      at 7");
        assert_eq!(shown[2], "  pool ... ok");
    }

    #[test]
    fn anything_else_is_an_error() {
        for json in [
            "",
            "null",
            "[]",
            "{}",
            r#"[{"name":"a"}]"#,
            r#"[{"name":"a","ok":"yes"}]"#,
            r#"[{"name":"a","ok":true,"message":1}]"#,
        ] {
            assert!(parse(json).is_err(), "{json}");
        }
    }
}
