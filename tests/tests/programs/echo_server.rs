//! `echo_server PORT lt|et [LOOPS [sink]]`: echoes every byte, on plain epoll; a sink echoes nothing, and reads slowly.

use glasspoll_tests::bench::echo::{serve, Style};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match &arguments[..] {
        [port, trigger] => port.parse().ok().zip(style(trigger, "1", false)),
        [port, trigger, loops] => port.parse().ok().zip(style(trigger, loops, false)),
        [port, trigger, loops, sink] if sink == "sink" => port.parse().ok().zip(style(trigger, loops, true)),
        _ => None,
    };
    if let Some((port, style)) = parsed {
        serve(port, style);
    }
    eprintln!("usage: echo_server PORT lt|et [LOOPS [sink]]");
    ExitCode::from(2)
}

fn style(trigger: &str, loops: &str, sink: bool) -> Option<Style> {
    let edge = match trigger {
        "lt" => false,
        "et" => true,
        _ => return None,
    };
    Some(Style { edge, sink, loops: loops.parse().ok().filter(|loops| *loops > 0)? })
}
