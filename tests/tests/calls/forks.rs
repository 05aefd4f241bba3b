//! How many system calls a child costs, together with its parent's, on the kernel's epoll and preloaded. The program
//! that the child executes is not preloaded.

use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{program, strace, turn, Mode};
use std::collections::{BTreeMap, BTreeSet};

/// For each kind: how many calls more than on the kernel a child may cost. A child that uses the set (`use`) gets its
/// own: its own descriptors, and its own record.
const BUDGETS: [(&str, f64); 6] =
    [("exit", 1.0), ("exec", 3.0), ("redirect", 8.0), ("vfork", 4.0), ("spawn", 1.0), ("use", 48.0)];

/// How many sockets are inherited: a child's calls must be the same with few and with many.
const INHERITED: [usize; 2] = [10, 2000];

/// Each count is the difference between runs with these numbers of children, so the start and the end of the parent are
/// not in it.
const CHILDREN: [usize; 2] = [10, 60];

/// How far a count may be off: in some of the children, the parent may hold back one more signal, or sleep in a call for
/// long enough that it is recorded, which takes a getpid(2). A call for each socket would be some 2,000.
const NOISE: f64 = 1.0;

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

/// A line for each call: its count natively and preloaded, each with few sockets and with many.
fn table(kind: &str, all: &[[Calls; 2]; 2]) -> String {
    let names: BTreeSet<&String> = all.iter().flatten().flat_map(BTreeMap::keys).collect();
    let line = |name: &str, of: &dyn Fn(&Calls) -> f64| {
        let [[a, b], [c, d]] = all.each_ref().map(|two| two.each_ref().map(of));
        format!("{name:20} {a:9.2} {b:9.2} {c:9.2} {d:9.2}\n")
    };
    let [few, many] = INHERITED;
    let mut table = format!("{kind}: system calls for each child, natively and preloaded\n");
    table += &format!("{:20} {few:9} {many:9} {few:9} {many:9}\n", "sockets");
    for name in names {
        let of = |calls: &Calls| calls.get(name).copied().unwrap_or(0.0);
        if all.iter().flatten().any(|calls| of(calls).abs() >= 0.005) {
            table += &line(name, &of);
        }
    }
    table + &line("all", &sum)
}

/// Err: the kind costs more than `budget`, or more with more sockets.
fn check(kind: &str, budget: f64) -> Result<(), String> {
    let all = [Mode::Native, Mode::Preloaded].map(|mode| INHERITED.map(|sockets| count(mode, kind, sockets)));
    let table = table(kind, &all);
    eprintln!("{table}");
    let [native, preloaded] = all.each_ref().map(|two| two.each_ref().map(sum));
    assert!(native[1] <= native[0] + NOISE, "on the kernel, a socket more costs calls; {table}");
    if preloaded[1] > preloaded[0] + NOISE {
        return Err(format!("a socket more costs calls; {table}"));
    }
    if preloaded[0] > native[0] + budget + NOISE {
        return Err(format!("the budget is {budget} more than natively; {table}"));
    }
    Ok(())
}

#[test]
fn a_child_costs_no_system_call_for_each_descriptor() {
    if !program::have(&["strace"]) {
        return;
    }
    let _turn = turn::take();
    let over: Vec<String> = BUDGETS.iter().filter_map(|(kind, budget)| check(kind, *budget).err()).collect();
    assert!(over.is_empty(), "{}", over.join("\n"));
}
