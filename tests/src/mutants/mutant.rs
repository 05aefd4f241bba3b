//! One change of the code, as cargo-mutants lists it.

use super::Options;
use crate::documents::root;
use serde_json::Value;
use std::process::Command;

/// A change that a test should notice.
#[derive(Debug)]
pub struct Mutant {
    /// Where it is, and what it does.
    pub name: String,
    /// A patch for `patch -p0`.
    pub diff: String,
}

impl Mutant {
    /// The changes of the files that the options choose.
    ///
    /// # Errors
    /// If cargo-mutants cannot list them.
    pub fn list(options: &Options) -> Result<Vec<Self>, String> {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(root()).args(["mutants", "--list", "--json", "--diff"]);
        for file in &options.files {
            cargo.arg("--file").arg(format!("reactor/src/{file}.rs"));
        }
        let output = cargo.output().map_err(|error| format!("cargo mutants: {error}"))?;
        let listed = serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success());
        let listed: Vec<Value> = listed
            .ok_or_else(|| format!("cargo mutants: {}", String::from_utf8_lossy(&output.stderr).trim()))?;
        let text = |mutant: &Value, of: &str| mutant[of].as_str().unwrap_or_default().to_owned();
        let all = listed.iter().map(|mutant| Self { name: text(mutant, "name"), diff: text(mutant, "diff") });
        Ok(all
            // Without the hooks of the models, which are off in this build.
            .filter(|mutant| !mutant.name.contains("mutation::"))
            .filter(|mutant| {
                options.names.is_empty() || options.names.iter().any(|name| mutant.name.contains(name))
            })
            .skip(options.shard.0)
            .step_by(options.shard.1)
            .collect())
    }
}
