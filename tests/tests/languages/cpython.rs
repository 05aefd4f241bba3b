//! CPython's own suites: every test that passes on the kernel passes preloaded.

use glasspoll_tests::cpython::{have_suites, Outcome, Outcomes, Suite};
use glasspoll_tests::Mode;

/// Never ends if the kernel has vsock but no peer answers, as in some virtual machines.
const NEVER_ENDS_ON_THE_KERNEL: [&str; 1] = ["ThreadedVSOCK*"];

/// Runs `suite` natively and preloaded, in parallel: most of the time they sleep.
fn check(suite: &str) {
    if !have_suites() {
        return;
    }
    let native = Suite::start(Mode::Native, suite, &NEVER_ENDS_ON_THE_KERNEL);
    let preloaded = Suite::start(Mode::Preloaded, suite, &NEVER_ENDS_ON_THE_KERNEL);
    let (native, _) = native.finish();
    let (preloaded, printed) = preloaded.finish();
    let count = |outcomes: &Outcomes| outcomes.values().filter(|o| **o == Outcome::Passed).count();
    eprintln!("{suite}: {} passed natively, {} preloaded", count(&native), count(&preloaded));
    let passed = native.iter().filter(|(_, outcome)| **outcome == Outcome::Passed);
    let lost: Vec<_> = passed.filter(|(name, _)| preloaded.get(*name) != Some(&Outcome::Passed)).collect();
    assert!(lost.is_empty(), "passed natively but not preloaded: {lost:#?}\n{printed}");
    assert!(count(&native) > 0, "{suite} passed nothing on the kernel");
}

#[test]
fn test_asyncio() {
    check("test_asyncio");
}

#[test]
fn test_epoll() {
    check("test_epoll");
}

#[test]
fn test_select() {
    check("test_select");
}

#[test]
fn test_selectors() {
    check("test_selectors");
}

#[test]
fn test_socket() {
    check("test_socket");
}

#[test]
fn test_subprocess() {
    check("test_subprocess");
}
