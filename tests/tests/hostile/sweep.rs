//! Adds every file of /proc, /sys and /dev that can be opened without harm to a set, on the kernel's epoll and
//! preloaded: both refuse the same files, and report the same for the others.
//!
//! Besides the files that `sweep` leaves out, this test leaves out debugfs and tracefs below /sys. From Linux 6.14 on,
//! all files of debugfs can be added; earlier kernels allow only a few, and the library cannot tell them from the rest.

use glasspoll_tests::run::{run, LIMIT};
use glasspoll_tests::Mode;
use std::collections::BTreeMap;

const FOLDERS: [&str; 5] = ["/proc", "/proc/self", "/proc/thread-self", "/sys", "/dev"];

/// The result for each file, by its path.
type Swept = BTreeMap<String, String>;

fn sweep(mode: Mode) -> Swept {
    let mut command = mode.command(env!("CARGO_BIN_EXE_sweep"));
    let printed = run(command.args(FOLDERS), LIMIT).success();
    let line = |line: &str| {
        let mut words = line.rsplitn(6, ' ');
        let result: Vec<&str> = words.by_ref().take(5).collect();
        (words.next().expect("a path").to_owned(), result.into_iter().rev().collect::<Vec<_>>().join(" "))
    };
    printed.lines().map(line).collect()
}

fn refused(swept: &Swept) -> usize {
    swept.values().filter(|result| !result.starts_with("ok")).count()
}

#[test]
fn the_files_of_proc_sys_and_dev_are_added_or_refused_as_by_the_kernel() {
    let (before, preloaded, after) = (sweep(Mode::Native), sweep(Mode::Preloaded), sweep(Mode::Native));
    // A file that gives another result the second time, or has come or gone, proves nothing.
    let steady: Swept =
        before.iter().filter(|(path, result)| after.get(*path) == Some(*result)).map(owned).collect();
    let differ: Vec<String> = steady
        .iter()
        .filter(|(path, result)| preloaded.get(*path) != Some(*result))
        .map(|(path, result)| {
            format!("{path}: {result}, preloaded {}", preloaded.get(path).map_or("-", String::as_str))
        })
        .collect();
    eprintln!(
        "{} files, {} of them refused, {} unsteady, {} differ",
        steady.len(),
        refused(&steady),
        before.len() - steady.len(),
        differ.len()
    );
    assert!(steady.len() > 500, "too few to say anything: {}", steady.len());
    assert!(before.len() - steady.len() < before.len() / 10, "the kernel's own answers vary too much");
    assert!(refused(&steady) > 50 && steady.len() - refused(&steady) > 50, "they are all alike");
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

fn owned((path, result): (&String, &String)) -> (String, String) {
    (path.clone(), result.clone())
}
