//! `load PORT PID PROTOCOL SECONDS closed COUNT ACTIVE | one COUNT | random COUNT | churn COUNT TOGETHER | upload | idle COUNT | rate COUNT PER_SECOND`:
//! loads the server PID on PORT, and prints what was measured as a line of JSON.

use glasspoll_tests::bench::load::{Load, Request};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: load PORT PID echo|line|memcached|redis|http SECONDS KIND
KIND is one of: closed COUNT ACTIVE, one COUNT, random COUNT, churn COUNT TOGETHER, upload, idle COUNT, rate COUNT PER_SECOND";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if run(&arguments).is_some() {
        return ExitCode::SUCCESS;
    }
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn run(arguments: &[String]) -> Option<()> {
    let [port, pid, protocol, seconds, kind, numbers @ ..] = arguments else { return None };
    let mut load = Load {
        port: port.parse().ok()?,
        pid: pid.parse().ok()?,
        request: Request::of(protocol)?,
        time: Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?,
    };
    let numbers: Vec<usize> = numbers.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?;
    load.request.learn(load.port);
    let line = match (kind.as_str(), &numbers[..]) {
        ("closed", [count, active]) => load.closed_loop(*count, *active),
        ("one", [count]) => load.one_of(*count),
        ("random", [count]) => load.at_random(*count),
        ("churn", [count, together]) => load.churn(*count, *together),
        ("rate", [count, rate]) if *rate > 0 && *count > 0 => load.at_rate(*count, *rate),
        ("upload", []) => load.upload(),
        ("idle", [count]) => {
            load.idle(*count);
            return Some(());
        }
        _ => return None,
    };
    println!("{line}");
    Some(())
}
