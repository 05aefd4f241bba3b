//! Reads the event-flow log: one JSON object a line.

use serde_json::Value;
use std::fs;
use std::path::Path;

/// One line of the log: a station and its fields.
#[derive(Debug)]
pub struct Line(Value);

impl Line {
    /// The name of the station: `ctl`, `wakeup`, `deliver`…
    pub fn station(&self) -> &str {
        self.0["message"].as_str().unwrap_or_default()
    }

    /// A field that holds a number.
    pub fn number(&self, field: &str) -> Option<i64> {
        self.0[field].as_i64()
    }

    /// A field as text, whatever it holds. Empty if there is none.
    pub fn text(&self, field: &str) -> String {
        match &self.0[field] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// The lines of target `glasspoll::flow` in `log`.
///
/// # Panics
/// If a line is not JSON, or lacks a field that every line has.
pub fn read(log: &Path) -> Vec<Line> {
    let text = fs::read_to_string(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
    text.lines()
        .map(|line| {
            let value: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in: {line}"));
            for key in ["timestamp", "level", "target", "pid", "tid"] {
                assert!(!value[key].is_null(), "no {key} in: {line}");
            }
            Line(value)
        })
        .filter(|line| line.text("target") == "glasspoll::flow")
        .collect()
}
