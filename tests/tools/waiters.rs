//! `waiters COUNT`: how long it takes until COUNT threads that wait on one set are awake, in microseconds.

use glasspoll_tests::bench::waiters::measure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [count] = &arguments[..] {
        if let Some(count) = count.parse().ok().filter(|count| (1..=1000).contains(count)) {
            println!("{:.1}", measure(count));
            return ExitCode::SUCCESS;
        }
    }
    eprintln!("usage: waiters COUNT, of 1 to 1000 threads");
    ExitCode::from(2)
}
