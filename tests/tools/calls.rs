//! `calls add-del|mod|wait-idle|wait-one|once [COUNT]`: prints the nanoseconds of a call, or makes COUNT of
//! them and prints 0.

use glasspoll_tests::bench::calls::measure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let measured = match &arguments[..] {
        [kind] => measure(kind, None),
        [kind, count] => count.parse().ok().and_then(|count| measure(kind, Some(count))),
        _ => None,
    };
    if let Some(time) = measured {
        println!("{time:.1}");
        return ExitCode::SUCCESS;
    }
    eprintln!("usage: calls add-del|mod|wait-idle|wait-one|once [COUNT]");
    ExitCode::from(2)
}
