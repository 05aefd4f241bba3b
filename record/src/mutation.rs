//! Mutations: places where a model makes the code wrong, to see that it fails. In all other builds `is` is
//! false, and the compiler removes the places.

#[cfg(not(loom))]
#[inline(always)]
/// Whether the code is wrong in this way: never.
pub const fn is(_name: &str) -> bool {
    false
}

/// Whether the code is wrong in this way.
#[cfg(loom)]
pub fn is(name: &str) -> bool {
    use std::sync::OnceLock;
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    NAME.get_or_init(|| std::env::var("GLASSPOLL_MUTATION").ok()).as_deref() == Some(name)
}
