//! A value is one thing or a complaint, for each variable that takes one; what is taken is within its bounds.

use crate::parse;

/// Reads a value as that of each variable.
pub fn options(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let value = &*text;
    // Longer ones are other people's parser, and how fast that is.
    if value.len() < 4096 {
        let _ = parse::log(value);
    }
    assert!(
        parse::ring(value).is_err()
            || matches!(parse::ring(value), Ok(bytes) if bytes.is_none_or(|bytes| (16 << 10..=1 << 30).contains(&bytes)))
    );
    assert!(parse::spin(value).map_or(true, |ns| ns.is_none_or(|ns| ns <= 1_000_000_000)));
    let _ = parse::hot(value);
    let _ = parse::log_format(value);
    let words = [parse::engine(value).is_ok(), parse::signals(value).is_ok(), parse::exact(value).is_ok()];
    assert!(words.iter().all(|taken| !taken || value.bytes().all(|byte| byte.is_ascii_lowercase())));
}
