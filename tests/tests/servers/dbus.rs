//! dbus-daemon: a private bus with many callers, a listener, and services that the bus starts.

use glasspoll_tests::mode::clean_command;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, run, start};
use glasspoll_tests::{alike_in_both_modes, program, seccomp, turn, Mode, Server};
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::thread;

const DRIVER: &str = "org.freedesktop.DBus";

fn start_bus(mode: Mode, dir: &Path) -> Server {
    let name = dir.display();
    let put = |name: &str, text: &str| {
        fs::write(dir.join(name), text).expect("the test's own directory");
    };
    put(
        "bus.conf",
        &format!(
            "<busconfig>
  <type>session</type><listen>unix:path={name}/bus</listen><auth>EXTERNAL</auth>
  <servicedir>{name}</servicedir>
  <policy context='default'>
    <allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/>
  </policy>
</busconfig>
"
        ),
    );
    // One service takes its name and ends; the other ends without taking it.
    let sender = program::path("dbus-send");
    let takes = format!(
        "{} --session --print-reply --dest={DRIVER} / {DRIVER}.RequestName string:test.Brief uint32:0",
        sender.display()
    );
    put("brief.service", &format!("[D-BUS Service]\nName=test.Brief\nExec={takes}\n"));
    put("broken.service", "[D-BUS Service]\nName=test.Broken\nExec=/bin/false\n");
    let mut command = seccomp::command(mode, program::path("dbus-daemon"));
    command.args(["--config-file=bus.conf", "--nofork", "--nopidfile", "--nosyslog"]);
    let server = Server::spawn(command, dir, 0);
    eventually("the bus is there", LIMIT, || UnixStream::connect(dir.join("bus")).is_ok());
    server
}

/// A command for dbus-send to the bus in `dir`, always native.
fn sender(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = clean_command(program::path("dbus-send"));
    command.arg(format!("--bus=unix:path={}", dir.join("bus").display())).args(arguments);
    command
}

/// The bus's own answer, or the error, without the first line of a reply, which has times and serials.
fn ask(dir: &Path, method: &str, arguments: &[&str]) -> String {
    let (destination, method) = (format!("--dest={DRIVER}"), format!("{DRIVER}.{method}"));
    let mut command = sender(dir, &["--print-reply", &destination, "/org/freedesktop/DBus", &method]);
    let output = run(command.args(arguments), LIMIT);
    let reply: Vec<&str> = output.stdout.lines().skip(1).collect();
    format!("{:?} {} {}", output.status.code(), reply.join(" "), output.stderr)
}

/// The server's log without pids, serial numbers and repetitions: how often a change of its folder makes it read the
/// folder again depends on time.
fn log(server: &Server) -> Vec<String> {
    let text = server.stderr();
    let what = |line: &str| {
        let end = [" (uid=", " requested by"].iter().filter_map(|part| line.find(part)).min();
        let line = &line[..end.unwrap_or(line.len())];
        line.rsplit_once("] ").map_or(line, |(_, what)| what).replace(char::is_numeric, "")
    };
    let mut lines: Vec<String> = text.lines().map(what).collect();
    lines.dedup();
    lines
}

#[test]
fn dbus_daemon_answers_calls_passes_signals_on_and_starts_services() {
    if !program::have(&["dbus-daemon", "dbus-send", "dbus-monitor"]) {
        return;
    }
    let _turn = turn::take();
    alike_in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        let mut server = start_bus(mode, dir);
        let mut answers = Vec::new();

        thread::scope(|scope| {
            for caller in 0..8 {
                scope.spawn(move || {
                    for call in 0..25 {
                        let reply = ask(dir, "NameHasOwner", &[&format!("string:test.No{caller}.N{call}")]);
                        assert_eq!(reply, "Some(0)    boolean false ", "call {call} of caller {caller}");
                    }
                });
            }
        });

        let address = format!("unix:path={}", dir.join("bus").display());
        let mut monitor = clean_command(program::path("dbus-monitor"));
        let monitor = start(monitor.args(["--address", &address, "interface='test.Counter'"]), "");
        let send = |number: &str| {
            run(&mut sender(dir, &["--type=signal", "/", "test.Counter.Count", number]), LIMIT).success();
        };
        let heard = || {
            let text = monitor.stdout_so_far();
            let numbers: Vec<String> = text
                .lines()
                .filter_map(|line| line.trim().strip_prefix("int32 ").map(str::to_owned))
                .collect();
            numbers
        };
        eventually("the monitor listens", LIMIT, || {
            send("int32:-1");
            !heard().is_empty()
        });
        for number in 0..200 {
            send(&format!("int32:{number}"));
        }
        eventually("the last signal is heard", LIMIT, || heard().last().is_some_and(|last| last == "199"));
        let numbers: Vec<String> = heard().into_iter().filter(|number| number != "-1").collect();
        assert_eq!(numbers, (0..200).map(|number| number.to_string()).collect::<Vec<_>>());
        drop(monitor);

        answers.push(ask(dir, "ListActivatableNames", &[]));
        for name in ["test.Brief", "test.Broken", "test.None"] {
            answers.push(ask(dir, "StartServiceByName", &[&format!("string:{name}"), "uint32:0"]));
        }
        fs::remove_file(dir.join("broken.service")).expect("our file");
        server.signal(libc::SIGHUP);
        eventually("it has read its configuration again", LIMIT, || {
            !ask(dir, "ListActivatableNames", &[]).contains("test.Broken")
        });
        answers.push(ask(dir, "ListNames", &[]).replace(char::is_numeric, ""));

        server.check_epolls(mode);
        server.stop();
        answers.extend(log(&server));
        answers
    });
}
