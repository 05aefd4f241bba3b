//! The size of a ring, as `GLASSPOLL_RING` and `glasspoll run --ring` give it.

use std::ops::RangeInclusive;

/// The sizes that the library takes, in bytes.
const ALLOWED: RangeInclusive<usize> = 16 << 10..=1 << 30;

/// A number of bytes; K, M or G at the end multiplies it by 1024, 1024² or 1024³. None: the text is not a size from 16K
/// to 1G.
pub fn parse(text: &str) -> Option<usize> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 10),
        b'm' | b'M' => (&text[..text.len() - 1], 20),
        b'g' | b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    // `parse` takes a sign as well.
    let digits = Some(digits).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
    let bytes = digits.parse::<usize>().ok()?.checked_mul(1 << shift)?;
    ALLOWED.contains(&bytes).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_bytes_or_has_a_unit_and_is_within_bounds() {
        for (text, bytes) in
            [("16K", 16 << 10), ("16384", 16 << 10), ("4M", 4 << 20), ("1g", 1 << 30), ("64m", 64 << 20)]
        {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for bad in ["", "K", "15K", "2G", "4T", "banana", "-1M", "+16K", "99999999999999999999G", "4é"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
