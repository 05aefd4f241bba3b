//! Finds the fewest of many things with which a trial still fails (`ddmin`: Zeller and Hildebrandt, "Simplifying and
//! isolating failure-inducing input", 2002).

/// The result of a trial with some of the things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It still fails.
    Fails,
    /// It does not.
    Passes,
    /// The search must end: no more trials.
    Enough,
}

/// What is found among parts of one size.
enum Found<T> {
    /// It fails with this one part alone.
    Part(Vec<T>),
    /// It fails without one part: this is the rest.
    Rest(Vec<T>),
    /// It passes with every part, and with every rest.
    Nothing,
    /// The search must end: no more trials.
    Enough,
}

/// Removes things from `all` as long as `fails` says that it still fails without them.
pub fn fewest<T: Clone, E>(
    all: Vec<T>,
    fails: &mut impl FnMut(&[T]) -> Result<Tried, E>,
) -> Result<Vec<T>, E> {
    let mut kept = all;
    let mut parts = 2;
    while kept.len() > 1 {
        let size = kept.len().div_ceil(parts);
        match smaller(&kept, size, fails)? {
            Found::Part(part) => (kept, parts) = (part, 2),
            Found::Rest(rest) => (kept, parts) = (rest, (parts - 1).max(2)),
            Found::Nothing if parts >= kept.len() => break,
            Found::Nothing => parts = (parts * 2).min(kept.len()),
            Found::Enough => break,
        }
    }
    Ok(kept)
}

/// Looks for one part with which it fails, then for a rest (all parts but one) with which it fails.
fn smaller<T: Clone, E>(
    kept: &[T],
    size: usize,
    fails: &mut impl FnMut(&[T]) -> Result<Tried, E>,
) -> Result<Found<T>, E> {
    for part in kept.chunks(size) {
        match fails(part)? {
            Tried::Enough => return Ok(Found::Enough),
            Tried::Fails => return Ok(Found::Part(part.to_vec())),
            Tried::Passes => {}
        }
    }
    if size * 2 >= kept.len() {
        // With two parts, each rest is the other part, which was tried already.
        return Ok(Found::Nothing);
    }
    for at in (0..kept.len()).step_by(size) {
        let rest = [&kept[..at], &kept[(at + size).min(kept.len())..]].concat();
        match fails(&rest)? {
            Tried::Enough => return Ok(Found::Enough),
            Tried::Fails => return Ok(Found::Rest(rest)),
            Tried::Passes => {}
        }
    }
    Ok(Found::Nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(fails: bool) -> Tried {
        if fails {
            Tried::Fails
        } else {
            Tried::Passes
        }
    }

    fn shrunk(all: u32, needed: &[u32]) -> (Vec<u32>, u32) {
        let mut tries = 0;
        let fewest = fewest((0..all).collect(), &mut |some: &[u32]| {
            tries += 1;
            Ok::<_, ()>(tried(needed.iter().all(|number| some.contains(number))))
        });
        (fewest.unwrap(), tries)
    }

    #[test]
    fn what_is_needed_is_all_that_is_left() {
        for needed in [&[0][..], &[299], &[17, 18], &[3, 150, 299], &[1, 2, 3, 4, 5, 6]] {
            let (left, tries) = shrunk(300, needed);
            assert_eq!(left, needed);
            assert!(tries < 300, "{needed:?}: {tries} tries");
        }
        assert_eq!(shrunk(1, &[0]).0, [0]);
    }

    #[test]
    fn it_ends_when_no_more_is_to_be_tried() {
        let mut left = 5;
        let fewest = fewest((0..100).collect(), &mut |some: &[u32]| {
            left -= 1;
            Ok::<_, ()>(if left > 0 { tried(some.contains(&70)) } else { Tried::Enough })
        });
        let fewest = fewest.unwrap();
        assert!(fewest.contains(&70) && fewest.len() < 100);
    }
}
