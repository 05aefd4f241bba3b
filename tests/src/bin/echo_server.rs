//! `echo_server PORT lt|et [LOOPS]`: answers every byte, on plain epoll.

use glasspoll_tests::bench::echo::{serve, Style};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match &arguments[..] {
        [port, trigger] => port.parse().ok().zip(style(trigger, "1")),
        [port, trigger, loops] => port.parse().ok().zip(style(trigger, loops)),
        _ => None,
    };
    if let Some((port, style)) = parsed {
        serve(port, style);
    }
    eprintln!("usage: echo_server PORT lt|et [LOOPS]");
    ExitCode::from(2)
}

fn style(trigger: &str, loops: &str) -> Option<Style> {
    let edge = match trigger {
        "lt" => false,
        "et" => true,
        _ => return None,
    };
    Some(Style { edge, loops: loops.parse().ok().filter(|loops| *loops > 0)? })
}
