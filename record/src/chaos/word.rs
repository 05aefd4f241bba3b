//! The words of a specification.

use crate::chaos::{Name, Share, Span, Spec, KINDS};
use crate::event::Injection;

pub const EXAMPLE: &str =
    "'seed=7,short=20%,reorder,spurious=1%,eintr=1%,delay=0..2ms@10%,edge=coalesce,repeat=1%'";

/// The most names: the environment limits the length of a line.
pub const MOST_NAMES: usize = 10_000;

const fn usual(what: Injection) -> Share {
    Share::percent(match what {
        Injection::Short => 20,
        Injection::Reorder => 100,
        Injection::Spurious | Injection::Eintr | Injection::Repeat => 1,
        Injection::Delay => 10,
        Injection::Coalesce => 25,
    })
}

/// Applies a word to `spec`.
pub fn apply(spec: &mut Spec, word: &str) -> Result<(), String> {
    let (key, value) = match word.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value.trim())),
        None => match word.split_once('@') {
            // `delay@5%`.
            Some((key, _)) => (key, Some(&word[key.len()..])),
            None => (word, None),
        },
    };
    let mut set = |what: Injection, share: Share| spec.shares[what as usize] = share;
    let share = |what, value: Option<&str>| value.map_or(Ok(usual(what)), str::parse);
    match (key, value) {
        ("seed", Some(number)) => {
            spec.seed = number.parse().map_err(|_| {
                format!("seed={number} is no seed: use a whole number up to 18446744073709551615")
            })?;
        }
        ("all", None) => KINDS.iter().for_each(|what| set(*what, usual(*what))),
        ("short", value) => set(Injection::Short, share(Injection::Short, value)?),
        ("reorder", value) => set(Injection::Reorder, share(Injection::Reorder, value)?),
        ("spurious", value) => set(Injection::Spurious, share(Injection::Spurious, value)?),
        ("eintr", value) => set(Injection::Eintr, share(Injection::Eintr, value)?),
        ("repeat", value) => set(Injection::Repeat, share(Injection::Repeat, value)?),
        ("edge", Some(value)) => {
            let (what, often) =
                value.split_once('@').map_or((value, None), |(what, often)| (what, Some(often)));
            if what != "coalesce" {
                return Err(format!("edge={what} is not known: use edge=coalesce, or repeat=1%"));
            }
            set(Injection::Coalesce, share(Injection::Coalesce, often)?);
        }
        ("delay", value) => {
            let value = value.unwrap_or("");
            let (span, often) = match value.split_once('@') {
                Some((span, often)) => (span, Some(often)),
                None if value.ends_with('%') => ("", Some(value)),
                None => (value, None),
            };
            set(Injection::Delay, share(Injection::Delay, often)?);
            spec.delay = if span.is_empty() { Span::USUAL } else { span.parse()? };
        }
        ("only", Some(list)) => {
            let names: Result<Vec<Name>, String> =
                list.split('+').filter(|text| !text.is_empty()).map(name).collect();
            let names = names?;
            if names.len() > MOST_NAMES {
                return Err(format!("only= has {} names: {MOST_NAMES} are the most", names.len()));
            }
            *spec = spec.only(names);
        }
        _ => return Err(format!("{word:?} is not known: use words such as in {EXAMPLE}")),
    }
    Ok(())
}

fn name(text: &str) -> Result<Name, String> {
    let wrong = || format!("{text:?} is no name of an injection: use SET:WAIT:WHAT, such as 2:17:short");
    let mut parts = text.split(':');
    let (Some(epoll), Some(wait), Some(what), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong());
    };
    let what = KINDS.into_iter().find(|kind| kind.name() == what).ok_or_else(wrong)?;
    let number = |text: &str| text.parse().map_err(|_| wrong());
    Ok(Name::new(number(epoll)?, number(wait)?, what))
}
