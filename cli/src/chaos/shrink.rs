//! The fewest of many things with which something is so (`ddmin`: Zeller and Hildebrandt, "Simplifying and isolating
//! failure-inducing input", 2002).

/// Removes from `all` what can be removed while `fails` says that it still fails. `fails` returns None to end the search.
pub fn fewest<T: Clone, E>(
    all: Vec<T>,
    fails: &mut impl FnMut(&[T]) -> Result<Option<bool>, E>,
) -> Result<Vec<T>, E> {
    let mut kept = all;
    let mut parts = 2;
    while kept.len() > 1 {
        let size = kept.len().div_ceil(parts);
        let smaller = match smaller(&kept, size, fails)? {
            None => return Ok(kept),
            Some(smaller) => smaller,
        };
        match smaller {
            Some((fewer, is_part)) => {
                kept = fewer;
                parts = if is_part { 2 } else { (parts - 1).max(2) };
            }
            None if parts >= kept.len() => break,
            None => parts = (parts * 2).min(kept.len()),
        }
    }
    Ok(kept)
}

/// One of the parts, or all but one of them, with which it fails; and whether it is one part.
#[allow(clippy::type_complexity)]
fn smaller<T: Clone, E>(
    kept: &[T],
    size: usize,
    fails: &mut impl FnMut(&[T]) -> Result<Option<bool>, E>,
) -> Result<Option<Option<(Vec<T>, bool)>>, E> {
    for part in kept.chunks(size) {
        match fails(part)? {
            None => return Ok(None),
            Some(true) => return Ok(Some(Some((part.to_vec(), true)))),
            Some(false) => {}
        }
    }
    if size * 2 >= kept.len() {
        // Of two parts, all but one is the other part.
        return Ok(Some(None));
    }
    for at in (0..kept.len()).step_by(size) {
        let rest = [&kept[..at], &kept[(at + size).min(kept.len())..]].concat();
        match fails(&rest)? {
            None => return Ok(None),
            Some(true) => return Ok(Some(Some((rest, false)))),
            Some(false) => {}
        }
    }
    Ok(Some(None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shrunk(all: u32, needed: &[u32]) -> (Vec<u32>, u32) {
        let mut tries = 0;
        let fewest = fewest((0..all).collect(), &mut |some: &[u32]| {
            tries += 1;
            Ok::<_, ()>(Some(needed.iter().all(|number| some.contains(number))))
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
            Ok::<_, ()>((left > 0).then(|| some.contains(&70)))
        });
        let fewest = fewest.unwrap();
        assert!(fewest.contains(&70) && fewest.len() < 100);
    }
}
