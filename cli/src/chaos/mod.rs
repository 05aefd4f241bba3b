//! `run --chaos-until-fail`: tries seeds until the program fails, then leaves out injections as long as it still fails.

mod shrink;
mod trial;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use glasspoll_record::chaos::{Name, Spec, MOST_NAMES};

use crate::args::{Chaos, Run};
use crate::sys::output::Output;
use crate::text::units::{clean, count, duration, times};
use shrink::Tried;
use trial::{Injected, Outcome, Trial};

/// How many runs try to repeat a failure.
const AGAIN: u32 = 3;
/// The most runs to find the fewest injections.
const SHRINKS: u32 = 400;
/// The longest environment variable. Linux: `MAX_ARG_STRLEN`.
const LONGEST: usize = 120_000;
/// How often the progress is printed.
const PROGRESS: Duration = Duration::from_secs(10);
/// The longest time for leaving injections out.
const SHRINK_TIME: Duration = Duration::from_secs(600);

/// Why the search ended early: a signal came, or it cannot go on.
#[derive(Debug)]
pub enum Ended {
    /// By a signal.
    Interrupted,
    /// Why.
    Trouble(String),
}

impl From<String> for Ended {
    fn from(what: String) -> Self {
        Self::Trouble(what)
    }
}

/// Searches through the seeds. The exit status is 1 if the program failed with one of them.
pub fn search(args: &Run, seeds: u64) -> Result<ExitCode, String> {
    let Some(chaos) = &args.settings.chaos else { return Err("--chaos says what may happen".into()) };
    // A file that cannot be written is an error now, not after the whole search.
    args.output.as_deref().map(Output::create).transpose()?;
    let searched = Search { args, spec: &chaos.spec, without: Duration::ZERO }.all(seeds);
    match searched {
        Ok(failed) => Ok(ExitCode::from(u8::from(failed))),
        Err(Ended::Interrupted) => Ok(ExitCode::from(130)),
        Err(Ended::Trouble(what)) => Err(what),
    }
}

struct Search<'a> {
    args: &'a Run,
    spec: &'a Spec,
    /// How long the program takes without chaos.
    without: Duration,
}

impl Search<'_> {
    fn all(mut self, seeds: u64) -> Result<bool, Ended> {
        let plain = self.run(None, self.limit())?;
        if plain.outcome.is_failure() {
            show(&plain);
            return Err(Ended::Trouble(format!("it fails without chaos, too: {}", plain.outcome)));
        }
        if plain.rings == 0 {
            return Err(Ended::Trouble(
                "it has no epoll instance on glasspoll: there is nothing to inject".into(),
            ));
        }
        self.without = plain.took;
        let (mut injections, mut said) = (0, Instant::now());
        for nth in 0..seeds {
            let spec = self.spec.with_seed(self.spec.seed.wrapping_add(nth));
            let trial = self.keep(&spec, self.limit(), Outcome::is_failure)?;
            if trial.outcome.is_failure() {
                show(&trial);
                eprintln!("glasspoll: seed {}: {} ({})", spec.seed, trial.outcome, of(trial.injections));
                if trial.injections == 0 {
                    return Err(Ended::Trouble(
                        "that was not chaos: it fails now and then without, too".into(),
                    ));
                }
                self.explain(&spec, &trial)?;
                return Ok(true);
            }
            injections += trial.injections as u64;
            if said.elapsed() > PROGRESS {
                eprintln!("glasspoll: {} of {} seeds tried", count(nth + 1), count(seeds));
                said = Instant::now();
            }
        }
        let last = self.spec.seed.wrapping_add(seeds - 1);
        eprintln!(
            "glasspoll: it never failed: seeds {} to {last}, {} injections in all",
            self.spec.seed,
            count(injections)
        );
        Ok(false)
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(self.args.chaos_timeout)
    }

    fn run(&self, spec: Option<&Spec>, limit: Duration) -> Result<Trial, Ended> {
        let mut settings = self.args.settings.clone();
        settings.chaos = spec.map(|spec| Chaos { spec: spec.clone(), is_any: false });
        trial::run(&self.args.program, &settings, limit, None)
    }

    /// Finds the fewest injections with which it fails, and prints them.
    fn explain(&self, spec: &Spec, failed: &Trial) -> Result<(), Ended> {
        let mut seen = HashSet::new();
        let names = failed.injected.iter().map(|injected| injected.name);
        let names: Vec<Name> = names.filter(|name| seen.insert(*name)).collect();
        if failed.is_lossy {
            eprintln!("glasspoll: some of what was injected was lost before it was read");
        }
        if names.len() > MOST_NAMES || spec.only(names.iter().copied()).to_string().len() > LONGEST {
            eprintln!("glasspoll: too many to tell which of them matter: lower the shares, such as short=1%");
            return self.show_how_to_repeat(spec, &[], "");
        }
        let limit = self.limit_for(failed);
        let fails = |names: &[Name], tries: u32| -> Result<u32, Ended> {
            let spec = spec.only(names.iter().copied());
            let mut failures = 0;
            for _ in 0..tries {
                failures += u32::from(self.run(Some(&spec), limit)?.outcome.is_like(&failed.outcome));
            }
            Ok(failures)
        };
        let again = fails(&names, AGAIN)?;
        if again == 0 {
            let tries = times(AGAIN.into());
            eprintln!(
                "glasspoll: the same injections, tried {tries}, did not make it fail: it depends on time as well"
            );
            return self.show_how_to_repeat(spec, &failed.injected, "it failed");
        }
        if fails(&[], AGAIN)? != 0 {
            return Err(Ended::Trouble("it fails now and then without chaos, too".into()));
        }
        // A program that fails only sometimes gets more tries.
        let tries = if again == AGAIN { 1 } else { 2 * AGAIN };
        let (mut left, began, mut said) = (SHRINKS / tries, Instant::now(), Instant::now());
        let fewest = shrink::fewest(names, &mut |names| {
            left = left.saturating_sub(1);
            if left == 0 || began.elapsed() > SHRINK_TIME {
                eprintln!("glasspoll: that took long enough: fewer may do");
                return Ok::<_, Ended>(Tried::Enough);
            }
            if said.elapsed() > PROGRESS {
                eprintln!("glasspoll: trying {}", of(names.len()));
                said = Instant::now();
            }
            for _ in 0..tries {
                if fails(names, 1)? != 0 {
                    return Ok(Tried::Fails);
                }
            }
            Ok(Tried::Passes)
        })?;
        let spec = spec.only(fewest);
        for _ in 0..AGAIN * tries {
            let last = self.keep(&spec, limit, |outcome| outcome.is_like(&failed.outcome))?;
            if last.outcome.is_like(&failed.outcome) {
                return self.show_how_to_repeat(&spec, &last.injected, "it fails");
            }
        }
        self.show_how_to_repeat(&spec, &[], "")
    }

    /// The limit for a run that repeats a failure. It is short, because a program that hangs uses all of it each time.
    /// It is not too short, because a program that fails in another way must not count as one that hangs.
    fn limit_for(&self, failed: &Trial) -> Duration {
        let delays: u64 = failed.injected.iter().map(|injected| injected.us).sum();
        let usual = self.without.max(match failed.outcome {
            Outcome::TooLong(_) => Duration::ZERO,
            _ => failed.took,
        });
        (usual * 20 + Duration::from_secs(3) + Duration::from_micros(delays)).min(self.limit())
    }

    /// Runs the program. The record becomes the output file if the run ends as `is_wanted` says.
    fn keep(
        &self,
        spec: &Spec,
        limit: Duration,
        is_wanted: impl FnOnce(&Outcome) -> bool,
    ) -> Result<Trial, Ended> {
        let mut settings = self.args.settings.clone();
        settings.chaos = Some(Chaos { spec: spec.clone(), is_any: false });
        let Some(path) = &self.args.output else {
            return trial::run(&self.args.program, &settings, limit, None);
        };
        let mut output = Output::create(path)?;
        let trial = trial::run(&self.args.program, &settings, limit, Some(&output))?;
        if is_wanted(&trial.outcome) {
            output.put_in_place()?;
        }
        Ok(trial)
    }

    fn show_how_to_repeat(&self, spec: &Spec, injected: &[Injected], how: &str) -> Result<(), Ended> {
        const MOST: usize = 20;
        if !injected.is_empty() {
            eprintln!("glasspoll: with {} {how}:", of(injected.len()));
        }
        for injected in injected.iter().take(MOST) {
            eprintln!("  {:<18} {}", injected.name.to_string(), clean(&injected.text));
        }
        if injected.len() > MOST {
            eprintln!("  and {} more", injected.len() - MOST);
        }
        let program: Vec<_> = self.args.program.iter().map(|word| quoted(word)).collect();
        let took = duration(self.without.as_nanos() as u64);
        let settings = &self.args.settings;
        let mut options = String::new();
        if settings.emulate {
            options.push_str("--emulate ");
        }
        if settings.exact {
            options.push_str("--exact ");
        }
        if let Some(filter) = &settings.log {
            options.push_str(&format!("--log {} ", quoted(filter.as_ref())));
        }
        eprintln!("glasspoll: without chaos it takes {took}; to repeat the failure:");
        eprintln!("  glasspoll run {options}--chaos '{spec}' -- {}", program.join(" "));
        Ok(())
    }
}

fn of(injections: usize) -> String {
    match injections {
        1 => "one injection".into(),
        many => format!("{} injections", count(many as u64)),
    }
}

/// Quoted, so that a shell takes it for one word.
fn quoted(word: &OsStr) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-=:,@%+".contains(byte);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.bytes().all(|byte| is_plain(&byte)) => text.into(),
        Some(text) if clean(text) == text => format!("'{}'", text.replace('\'', r"'\''")),
        // bash's form, for characters that no terminal shows.
        _ => {
            let mut quoted = String::from("$'");
            for byte in word.as_bytes() {
                match byte {
                    b' ' => quoted.push(' '),
                    byte if is_plain(byte) => quoted.push(char::from(*byte)),
                    byte => quoted.push_str(&format!("\\x{byte:02x}")),
                }
            }
            quoted + "'"
        }
    }
}

/// The last output of the program before it failed.
fn show(trial: &Trial) {
    let text = String::from_utf8_lossy(&trial.output);
    let lines: Vec<_> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(20)..] {
        eprintln!("| {}", clean(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("./a-b.sh".as_ref()), "./a-b.sh");
        assert_eq!(quoted("it's $HOME".as_ref()), r"'it'\''s $HOME'");
        assert_eq!(quoted("".as_ref()), "''");
        assert_eq!(quoted("a\nb c".as_ref()), r"$'a\x0ab c'");
    }
}
