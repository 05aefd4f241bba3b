//! Making a walk that shows a difference as short as it goes.

use super::step::Step;

/// Drops steps as long as `differs` stays true: halves first, then ever smaller pieces.
///
/// A dropped `make` or `dup` would move the places of all that follow; such steps are dropped only
/// from the end.
pub fn shrink(walk: &[Step], differs: impl Fn(&[Step]) -> bool) -> Vec<Step> {
    let mut walk = walk.to_vec();
    let mut piece = walk.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < walk.len() {
            let end = (at + piece).min(walk.len());
            let mut shorter: Vec<Step> = walk[..at].to_vec();
            if end < walk.len() {
                shorter.extend(walk[at..end].iter().filter(|step| makes_places(step)));
            }
            shorter.extend(&walk[end..]);
            if shorter.len() < walk.len() && differs(&shorter) {
                walk = shorter;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    walk
}

fn makes_places(step: &Step) -> bool {
    matches!(step, Step::Make(_) | Step::Dup { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::generate;

    #[test]
    fn what_matters_is_kept_and_little_else() {
        let walk = generate(3, 400);
        let is_wait = |step: &Step| matches!(step, Step::Wait { max: 16, .. });
        let short = shrink(&walk, |walk| walk.iter().filter(|step| is_wait(step)).count() >= 3);
        assert_eq!(short.iter().filter(|step| is_wait(step)).count(), 3);
        assert!(short.iter().all(|step| is_wait(step) || makes_places(step)), "{short:?}");
    }
}
