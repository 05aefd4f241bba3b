//! How many system calls a child costs, with its parent's, on the kernel's epoll and preloaded. The program it becomes
//! is not preloaded.

use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{program, strace, turn, Mode};
use std::collections::{BTreeMap, BTreeSet};

/// For each kind: the calls of a child that it costs more than on the kernel.
/// A used set is the child's own: it has its own descriptors, and its own record.
const BUDGETS: [(&str, f64); 6] =
    [("exit", 1.0), ("exec", 3.0), ("redirect", 8.0), ("vfork", 4.0), ("spawn", 1.0), ("use", 48.0)];

/// So many sockets are inherited: the calls of a child are the same with few and with many.
const INHERITED: [usize; 2] = [10, 2000];

/// Each count is the difference between so many children; start and end of the parent are not in it.
const CHILDREN: [usize; 2] = [10, 60];

/// By which a count may be off: a signal more that the parent holds back, in one of the children.
const NOISE: f64 = 0.15;

/// The calls for each child, by name.
type Calls = BTreeMap<String, f64>;

fn count(mode: Mode, kind: &str, sockets: usize) -> Calls {
    let [few, many] = CHILDREN.map(|children| {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("calls");
        let arguments = [env!("CARGO_BIN_EXE_forks"), kind, &sockets.to_string(), &children.to_string()];
        run(&mut strace::counting(mode, &[], &log, &arguments.map(str::to_owned)), LIMIT).success();
        strace::counts(&log)
    });
    let each = |(name, count): (&String, &u64)| {
        let before = few.get(name).copied().unwrap_or(0);
        (name.clone(), (*count as f64 - before as f64) / (CHILDREN[1] - CHILDREN[0]) as f64)
    };
    many.iter().map(each).collect()
}

fn sum(calls: &Calls) -> f64 {
    calls.values().sum()
}

/// A line for each call: natively, preloaded with few sockets, with many.
fn table(kind: &str, all: &[Calls; 3]) -> String {
    let names: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    let line = |name: &str, of: &dyn Fn(&Calls) -> f64| {
        let [native, few, many] = all.each_ref().map(of);
        format!("{name:20} {native:7.2} {few:9.2} {many:6.2}\n")
    };
    let mut table = format!("{kind}: system calls for each child\n{:20}  native preloaded   many\n", "");
    for name in names {
        let of = |calls: &Calls| calls.get(name).copied().unwrap_or(0.0);
        if all.iter().any(|calls| of(calls).abs() >= 0.005) {
            table += &line(name, &of);
        }
    }
    table + &line("all", &sum)
}

#[test]
fn a_child_costs_no_system_call_for_each_descriptor() {
    if !program::have(&["strace"]) {
        return;
    }
    let _turn = turn::take();
    let [few, many] = INHERITED;
    for (kind, budget) in BUDGETS {
        let native = count(Mode::Native, kind, few);
        let preloaded = count(Mode::Preloaded, kind, few);
        let with_many = count(Mode::Preloaded, kind, many);
        let (at_most, calls) = (sum(&native) + budget + NOISE, [sum(&preloaded), sum(&with_many)]);
        let table = table(kind, &[native, preloaded, with_many]);
        eprintln!("{table}");
        for (calls, inherited) in calls.into_iter().zip(INHERITED) {
            assert!(calls <= at_most, "{inherited} sockets: the budget is {at_most:.2}; {table}");
        }
        let [few, many] = calls;
        assert!(many <= few + NOISE, "a socket more costs calls; {table}");
    }
}
