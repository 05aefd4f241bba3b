//! Programs in a language of their own: a script that runs to its end.

use crate::run::run;
use crate::run::LIMIT;
use crate::{in_both_modes, program};
use std::cell::RefCell;
use std::fs;

/// Runs `text`, as the file `name`, on both epolls. It must end with status 0 and write nothing to standard error; its
/// output, with its counts, must be the same on both.
pub fn check(interpreter: &str, name: &str, text: &str) {
    let first = RefCell::new(None);
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join(name), text).expect("the test's own directory");
        let mut command = mode.command(program::path(interpreter));
        let output = run(command.arg(name).current_dir(dir.path()), LIMIT);
        assert_eq!(output.stderr, "", "{output:?}");
        let printed = output.success();
        assert!(printed.ends_with("ok\n"), "{printed}");
        let first = first.replace(Some(printed.clone()));
        assert_eq!(*first.as_ref().unwrap_or(&printed), printed, "not what it printed before");
    });
}
