//! Small event loops that each have one bug, and their mended twins: `bugs CLASS [--mended]`. `held` is class 1 where a
//! child holds the file, `worker` class 6 in a thread that never waits, `unwatched` class 17 of what is in no set; `works`,
//! `locked`, `naps` and `reads` are class 16 by what takes long.
//!
//! The classes are the numbers of those of `glasspoll doctor`. Each loop serves real sockets, pipes and timers, runs for
//! about two seconds, ends by itself, and prints the descriptors that the bug is about.

mod away;
mod closing;
mod edges;
mod forks;
mod limits;
mod os;
mod spins;
mod turns;
mod waiters;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let class = arguments.first().map_or("", String::as_str);
    let mended = match arguments.get(1).map(String::as_str) {
        None => false,
        Some("--mended") => true,
        Some(_) => return usage(),
    };
    let run: fn(bool) -> Vec<i32> = match class {
        "1" => closing::closed_while_a_dup_lives,
        "2" => edges::not_drained,
        "3" => spins::hang_up,
        "4" => spins::room,
        "5" => edges::not_rearmed,
        "6" => closing::registered_for_an_earlier_file,
        "7" => closing::closed_in_the_same_batch,
        "8" => forks::shared,
        "9" => waiters::herd,
        "10" => waiters::imbalance,
        "11" => turns::truncated,
        "12" => limits::no_descriptors,
        "13" => limits::regular_file,
        "14" => turns::small_batches,
        "15" => turns::interrupted,
        "16" => turns::slow,
        "17" => closing::closed_twice,
        "18" => spins::left_ready,
        "19" => edges::not_written_on,
        "20" => turns::hog,
        "21" => turns::begun_anew,
        "22" => turns::idle,
        "23" => waiters::together,
        "24" => limits::piling,
        "25" => turns::blocked,
        "26" => limits::short_queue,
        "27" => limits::untouched,
        "worker" => closing::changed_by_a_worker,
        "unwatched" => closing::closed_twice_in_no_set,
        "works" => |mended| turns::slow_by(mended, away::compute_page),
        "locked" => |mended| turns::slow_by(mended, away::wait_for_lock),
        "naps" => |mended| turns::slow_by(mended, away::nap),
        "reads" => |mended| turns::slow_by(mended, away::read_nothing),
        "held" => closing::held_by_a_child,
        _ => return usage(),
    };
    let fds: Vec<String> = run(mended).iter().map(i32::to_string).collect();
    println!("{}", fds.join(" "));
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: bugs CLASS [--mended], CLASS the number of one, or a word: see main.rs");
    ExitCode::from(2)
}
