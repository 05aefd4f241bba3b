//! Whose epoll answers a program that we start: glasspoll's own, or the kernel's, which the library then observes.
//!
//! An option decides. Without one, `GLASSPOLL_ENGINE` does if the user has set it, and else the command has its usual
//! engine.

use std::env;
use std::ffi::OsStr;

use crate::args::Settings;

/// The variable that tells the library.
pub const VARIABLE: &str = "GLASSPOLL_ENGINE";

/// Whose epoll answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Glasspoll's own.
    Emulate,
    /// The kernel's.
    Observe,
}

/// The settings with the engine decided. Neither option is set where the environment decides.
///
/// # Errors
/// Another option needs the emulation: why, and what to write.
pub fn decide(settings: &Settings, usual: Engine) -> Result<Settings, String> {
    decide_with(settings, usual, env::var_os(VARIABLE).as_deref())
}

fn decide_with(settings: &Settings, usual: Engine, said: Option<&OsStr>) -> Result<Settings, String> {
    let said = said.filter(|said| !said.is_empty());
    let (engine, remedy) = match said {
        _ if settings.observe => (Engine::Observe, "write --emulate in the place of --observe"),
        _ if settings.emulate => (Engine::Emulate, ""),
        Some(said) if said == "observe" => {
            (Engine::Observe, "add --emulate, which overrides GLASSPOLL_ENGINE")
        }
        // The library names a value that it does not know, and emulates.
        Some(_) => (Engine::Emulate, ""),
        None => (usual, "add --emulate"),
    };
    if engine == Engine::Observe {
        if settings.exact {
            return Err(format!(
                "--exact needs glasspoll's own epoll: with the kernel's, nothing else watches the files, and a time \
                 of becoming ready is exact only where a wait slept; {remedy}"
            ));
        }
        if settings.chaos.is_some() {
            return Err(format!(
                "--chaos needs glasspoll's own epoll: it cannot change what the kernel's gives; {remedy}"
            ));
        }
    }
    let mut decided = settings.clone();
    decided.observe |= said.is_none() && engine == Engine::Observe;
    Ok(decided)
}

/// Refuses a choice for what runs already, or is over.
///
/// # Errors
/// There is one.
pub fn none_chosen(settings: &Settings) -> Result<(), String> {
    match value(settings) {
        None => Ok(()),
        Some(engine) => {
            Err(format!("--{engine} is for a PROGRAM that is started here: what runs already has its epoll"))
        }
    }
}

/// The value of `VARIABLE` for a program; None: it stays as it is.
pub fn value(settings: &Settings) -> Option<&'static str> {
    match (settings.observe, settings.emulate) {
        (true, _) => Some("observe"),
        (false, true) => Some("emulate"),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    use crate::args::{Args, Command};

    /// The value that the program gets, or the refusal.
    fn decided(options: &[&str], usual: Engine, said: Option<&str>) -> Result<Option<&'static str>, String> {
        let words = ["glasspoll", "doctor"].iter().chain(options).chain(&["--", "true"]);
        let Command::Doctor(args) = Args::parse_from(words).command else { panic!("another command") };
        decide_with(&args.settings, usual, said.map(OsStr::new)).map(|settings| value(&settings))
    }

    #[test]
    fn an_option_wins_over_the_environment_and_that_over_the_default() {
        for said in [None, Some("observe"), Some("emulate"), Some("")] {
            for usual in [Engine::Emulate, Engine::Observe] {
                assert_eq!(decided(&["--observe"], usual, said), Ok(Some("observe")));
                assert_eq!(decided(&["--emulate"], usual, said), Ok(Some("emulate")));
            }
        }
        for said in ["observe", "emulate", "something"] {
            assert_eq!(decided(&[], Engine::Observe, Some(said)), Ok(None), "{said}");
        }
        for said in [None, Some("")] {
            assert_eq!(decided(&[], Engine::Observe, said), Ok(Some("observe")));
            assert_eq!(decided(&[], Engine::Emulate, said), Ok(None));
        }
    }

    #[test]
    fn what_needs_the_emulation_is_refused_with_what_to_write() {
        for (options, usual, said, remedy) in [
            (&["--observe"][..], Engine::Emulate, None, "; write --emulate in the place of --observe"),
            (&[], Engine::Observe, None, "; add --emulate"),
            (&[], Engine::Emulate, Some("observe"), "; add --emulate, which overrides GLASSPOLL_ENGINE"),
        ] {
            for more in [&["--exact"][..], &["--chaos", "all"]] {
                let refused = decided(&[options, more].concat(), usual, said).expect_err("a refusal");
                assert!(refused.starts_with(more[0]) && refused.ends_with(remedy), "{refused}");
                assert!(!refused.contains('\n'), "{refused}");
            }
        }
    }

    #[test]
    fn what_needs_the_emulation_goes_with_it() {
        for more in [&["--exact"][..], &["--chaos", "all"]] {
            for (options, usual, said) in [
                (&["--emulate"][..], Engine::Observe, Some("observe")),
                (&[], Engine::Emulate, None),
                (&[], Engine::Observe, Some("emulate")),
            ] {
                assert!(decided(&[options, more].concat(), usual, said).is_ok());
            }
        }
    }

    #[test]
    fn the_two_exclude_each_other() {
        let words = ["glasspoll", "run", "--observe", "--emulate", "--", "true"];
        assert!(Args::try_parse_from(words).is_err());
    }
}
