//! Makes a walk that shows a difference as short as possible.

use super::step::Step;
use super::terms::Terms;
use super::world::is_fair;

/// Drops steps as long as `differs` stays true: halves first, then ever smaller pieces, then steps that make
/// descriptors that no other step uses. It tries only walks that the generator may make.
pub fn shrink(walk: &[Step], terms: Terms, differs: impl Fn(&[Step]) -> bool) -> Vec<Step> {
    let differs = |walk: &[Step]| is_fair(walk, terms) && differs(walk);
    let mut walk = walk.to_vec();
    loop {
        let before = walk.len();
        without_pieces(&mut walk, &differs);
        without_makers(&mut walk, &differs);
        if walk.len() == before {
            return walk;
        }
    }
}

/// Dropping a `make` would rename the places of all later ones, so it stays.
fn without_pieces(walk: &mut Vec<Step>, differs: &impl Fn(&[Step]) -> bool) {
    let mut piece = walk.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < walk.len() {
            let end = (at + piece).min(walk.len());
            let mut shorter: Vec<Step> = walk[..at].to_vec();
            if end < walk.len() {
                shorter.extend(walk[at..end].iter().filter(|step| step.makes() > 0));
            }
            shorter.extend(&walk[end..]);
            if shorter.len() < walk.len() && differs(&shorter) {
                *walk = shorter;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
}

fn without_makers(walk: &mut Vec<Step>, differs: &impl Fn(&[Step]) -> bool) {
    for at in (0..walk.len()).rev() {
        if walk[at].makes() == 0 {
            continue;
        }
        if let Some(shorter) = without_maker(walk, at).filter(|walk| differs(walk)) {
            *walk = shorter;
        }
    }
}

/// The walk without step `at` and its places, if no other step names them.
fn without_maker(walk: &[Step], at: usize) -> Option<Vec<Step>> {
    let first: usize = walk[..at].iter().map(Step::makes).sum();
    let gone = first..first + walk[at].makes();
    let name = |place: usize| match place {
        _ if gone.contains(&place) => None,
        _ if place >= gone.end => Some(place - gone.len()),
        _ => Some(place),
    };
    let rest = walk.iter().enumerate().filter(|(number, _)| *number != at);
    rest.map(|(_, step)| step.renamed(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::generate;

    #[test]
    fn what_matters_is_kept_and_nothing_else() {
        let terms = Terms::default();
        let walk = generate(3, 400, terms);
        let is_wait = |step: &Step| matches!(step, Step::Wait { ep: 0, max: 16 });
        let short = shrink(&walk, terms, |walk| walk.iter().filter(|step| is_wait(step)).count() >= 3);
        let wait = Step::Wait { ep: 0, max: 16 };
        assert_eq!(short[1..], [wait, wait, wait]);
        assert!(short[0].makes() > 0);
    }
}
