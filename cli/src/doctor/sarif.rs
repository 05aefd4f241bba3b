//! Findings as SARIF 2.1.0, which code hosts read. The place of a finding is its process, and the line of source that
//! added its descriptor, if that is known.

use std::io::{self, Write};

use serde_json::json;

use super::finding::Code;
use super::finding::CLASSES;
use super::seen::Seen;
use super::{id, Finding};
use crate::symbols::Frame;

/// Where the pages of the classes are.
const PAGES: &str = "docs/doctor.md";

/// For code hosts.
pub fn sarif(seen: &Seen, out: &mut impl Write) -> io::Result<()> {
    let rules: Vec<_> = CLASSES.iter().map(|(_, name, advice)| rule(name, advice)).collect();
    let results: Vec<_> = seen.findings.iter().map(|finding| result(seen, finding)).collect();
    let exit = seen.ended.map(|ended| ended.code());
    let mut invocation = json!({ "executionSuccessful": exit.is_none_or(|exit| exit == 0) });
    if let Some(exit) = exit {
        invocation["exitCode"] = exit.into();
    }
    let all = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "glasspoll doctor",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "invocations": [invocation],
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

fn rule(name: &str, advice: &str) -> serde_json::Value {
    json!({
        "id": id::of(name),
        "shortDescription": { "text": name },
        "help": { "text": format!("{advice} More: glasspoll doctor --explain {}, or {PAGES}", id::of(name)) },
    })
}

fn result(seen: &Seen, finding: &Finding) -> serde_json::Value {
    let unknown = finding.unknown.iter().map(|what| format!("not known: {what}"));
    let lines: Vec<String> =
        [finding.title.clone()].into_iter().chain(finding.evidence.clone()).chain(unknown).collect();
    let name = format!("{} {}", seen.comm(finding.pid), finding.pid);
    let mut place = json!({ "logicalLocations": [{ "name": name.trim_start(), "kind": "process" }] });
    if let Some(source) = finding.code.iter().find_map(Code::source) {
        place["physicalLocation"] = physical(source);
    }
    json!({
        "ruleId": id::of(finding.name),
        "level": finding.severity.name(),
        "message": { "text": lines.join("\n") },
        "occurrenceCount": finding.count,
        "locations": [place],
    })
}

/// A place in the source.
fn physical(frame: &Frame) -> serde_json::Value {
    let mut place = json!({ "artifactLocation": { "uri": frame.file } });
    if let Some(line) = frame.line.filter(|line| *line != 0) {
        place["region"] = json!({ "startLine": line });
    }
    place
}

#[cfg(test)]
mod tests {
    use super::super::finding::Tally;
    use super::super::seen::Ended;
    use super::super::Severity;
    use super::*;

    #[test]
    fn a_result_has_a_rule_a_level_and_a_message() {
        let mut seen = Seen::new(0);
        let mut tally = Tally::new();
        tally.add(1, 5, 77);
        let finding = Finding::new(3, Severity::Note, 42, "fd 5: HUP".into(), &tally);
        seen.findings.push(finding.because("twice").unknown("why"));
        seen.ended = Some(Ended { status: Some(3), signal: None });
        let mut out = Vec::new();
        sarif(&seen, &mut out).unwrap();
        let all: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let (run, result) = (&all["runs"][0], &all["runs"][0]["results"][0]);
        assert_eq!(
            (all["version"].as_str(), run["invocations"][0]["exitCode"].as_u64()),
            (Some("2.1.0"), Some(3))
        );
        assert_eq!(
            (result["ruleId"].as_str(), result["level"].as_str()),
            (Some("hang-up-spin"), Some("note"))
        );
        assert_eq!(result["message"]["text"], "fd 5: HUP\ntwice\nnot known: why");
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert!(rules.len() == CLASSES.len() && rules.iter().any(|rule| rule["id"] == result["ruleId"]));
        assert_eq!(result["locations"][0]["logicalLocations"][0]["name"], "42");
    }
}
