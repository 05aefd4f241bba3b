//! Places where the code can be made wrong, so that each model is seen to fail (`model`). In all other builds `is`
//! is false and nothing is left of them.

#[cfg(not(loom))]
#[inline(always)]
/// Whether the code is to be wrong in this way: no.
pub const fn is(_name: &str) -> bool {
    false
}

/// Whether the code is to be wrong in this way.
#[cfg(loom)]
pub fn is(name: &str) -> bool {
    use std::sync::OnceLock;
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    NAME.get_or_init(|| std::env::var("GLASSPOLL_MUTATION").ok()).as_deref() == Some(name)
}
