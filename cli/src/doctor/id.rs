//! Identifiers of classes, for `--ignore`, `--explain` and JSON: the name in lower case, with dashes. Scripts of other
//! people have them, so a class keeps its name.

use std::str::FromStr;

use super::finding::{Finding, CLASSES};

/// The page of each class.
const PAGES: &str = include_str!("../../../docs/doctor.md");

/// The identifier of a class, by its name.
pub fn of(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

/// All identifiers, in the order of the classes.
pub fn all() -> impl Iterator<Item = String> {
    CLASSES.iter().map(|(_, name, _)| of(name))
}

/// The identifier that the user means: itself, or the number of a class.
pub fn parse(text: &str) -> Result<String, String> {
    let found = CLASSES.iter().find(|(number, name, _)| match text.parse::<u8>() {
        Ok(wanted) => wanted == *number,
        Err(_) => of(name) == text,
    });
    found.map(|(_, name, _)| of(name)).ok_or_else(|| {
        format!("there is no such finding; there are {}", all().collect::<Vec<_>>().join(", "))
    })
}

/// The page of a class: its section of the document.
pub fn page(id: &str) -> Option<&'static str> {
    let mut rest = PAGES;
    while let Some(at) = rest.find("\n## ") {
        let section = &rest[at + 1..];
        let end = section[1..].find("\n## ").map_or(section.len(), |end| end + 2);
        let heading = section.lines().next().unwrap_or_default();
        let is_it = |title: &str| of(title) == id;
        if heading.trim_start_matches("## ").split_once(". ").is_some_and(|(_, title)| is_it(title)) {
            return Some(section[..end].trim_end());
        }
        rest = &rest[at + 1..];
    }
    None
}

/// What the user does not want to be told: a class, or a class of one descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    id: String,
    fd: Option<i32>,
}

impl FromStr for Ignored {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, fd) = match text.split_once(':') {
            None => (text, None),
            Some((id, fd)) => {
                let number = fd.parse().ok().filter(|fd| *fd >= 0);
                (id, Some(number.ok_or_else(|| format!("{fd} is no descriptor: use ID or ID:FD"))?))
            }
        };
        Ok(Self { id: parse(id)?, fd })
    }
}

/// Whether a finding is ignored: each of its descriptors is, or its class.
pub fn is_ignored(finding: &Finding, ignored: &[Ignored]) -> bool {
    let id = of(finding.name);
    let is_named = |fd: Option<i32>| ignored.iter().any(|each| each.id == id && each.fd == fd);
    is_named(None) || (!finding.fds.is_empty() && finding.fds.iter().all(|fd| is_named(Some(*fd))))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Tally;
    use super::super::Severity;
    use super::*;

    #[test]
    fn the_identifiers_of_the_first_classes_stay_as_they_are() {
        const THERE: [&str; 17] = [
            "closed-while-a-dup-lives-on",
            "edge-not-drained",
            "hang-up-spin",
            "epollout-left-armed",
            "one-shot-not-re-armed",
            "descriptor-reuse-ctl-race",
            "stale-event-in-the-batch",
            "set-shared-over-fork",
            "thundering-herd",
            "imbalance-among-waiters",
            "timeout-truncated-to-0",
            "accept-meets-the-descriptor-limit",
            "regular-file-in-the-set",
            "starved-behind-small-batches",
            "wait-not-retried-after-eintr",
            "slow-callback",
            "double-close",
        ];
        assert!(all().take(THERE.len()).eq(THERE));
        assert_eq!(parse("3").as_deref(), Ok("hang-up-spin"));
        assert_eq!(parse("double-close").as_deref(), Ok("double-close"));
        for wrong in ["0", "999", "", "Double close", "double"] {
            assert!(parse(wrong).is_err_and(|what| what.contains("double-close")), "{wrong}");
        }
    }

    #[test]
    fn every_class_has_a_page_that_ends_where_the_next_begins() {
        for (number, name, _) in CLASSES {
            let page = page(&of(name)).unwrap_or_else(|| panic!("no page of {name}"));
            assert!(page.starts_with(&format!("## {number}. ")), "{page}");
            assert_eq!(page.matches("\n## ").count(), 0, "{page}");
            let parts =
                ["**When it is said**", "**What to do**", "**Why it happens**", "**A public report**: ["];
            for part in parts {
                assert!(page.contains(part), "{name}: no {part}");
            }
        }
        assert_eq!(page("the-classes"), None);
    }

    #[test]
    fn a_class_is_ignored_or_its_descriptors_are() {
        let mut tally = Tally::new();
        tally.add(1, 7, 1);
        tally.add(2, 9, 1);
        let finding = Finding::new(3, Severity::Error, 1, String::new(), &tally);
        let ignored = |all: &[&str]| {
            let all: Vec<Ignored> = all.iter().map(|text| text.parse().expect("an identifier")).collect();
            is_ignored(&finding, &all)
        };
        assert!(ignored(&["hang-up-spin"]) && ignored(&["3"]) && ignored(&["hang-up-spin:7", "3:9"]));
        assert!(!ignored(&[]) && !ignored(&["hang-up-spin:7"]) && !ignored(&["2", "double-close:9"]));
        for wrong in ["hang-up-spin:", "hang-up-spin:x", "hang-up-spin:-1", "nothing:7"] {
            assert!(wrong.parse::<Ignored>().is_err(), "{wrong}");
        }
    }
}
