//! mosquitto: everything that is published arrives, and in order.

use glasspoll_tests::mode::clean_command;
use glasspoll_tests::port::free_port;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, run, run_with_input, start};
use glasspoll_tests::{in_both_modes, program, seccomp, turn, Server};
use std::fs;
use std::process::Command;

const MESSAGES: usize = 10_000;

fn client(name: &str, server: &Server, arguments: &[&str]) -> Command {
    let mut command = clean_command(program::path(name));
    let port = server.port.to_string();
    command.args(["-p", &port, "-t", "numbers", "-q", "1"]).args(arguments);
    command
}

/// A retained message tells that the subscription exists.
#[test]
fn mosquitto_hands_10000_messages_to_each_subscriber_in_order() {
    if !program::have(&["mosquitto", "mosquitto_pub", "mosquitto_sub"]) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nmax_queued_messages 0\n\
             log_dest stderr\nlog_type error\nlog_type warning\n"
        );
        fs::write(dir.path().join("mosquitto.conf"), text).expect("the test's own directory");
        let mut command = seccomp::command(mode, program::path("mosquitto"));
        command.args(["-c", "mosquitto.conf"]);
        let mut server = Server::start(command, dir.path(), port);

        run(&mut client("mosquitto_pub", &server, &["-r", "-m", "begin"]), LIMIT).success();
        let count = (MESSAGES + 1).to_string();
        let subscribers: Vec<_> =
            (0..3).map(|_| start(&mut client("mosquitto_sub", &server, &["-C", &count]), "")).collect();
        for subscriber in &subscribers {
            eventually("it has subscribed", LIMIT, || subscriber.stdout_so_far() == "begin\n");
        }
        let numbers: String = (0..MESSAGES).map(|number| format!("{number}\n")).collect();
        let output = run_with_input(&mut client("mosquitto_pub", &server, &["-l"]), &numbers, LIMIT);
        assert_eq!(output.stderr, "", "the publisher's stderr");
        output.success();
        for subscriber in subscribers {
            let output = subscriber.finish(LIMIT);
            assert_eq!(output.stderr, "", "the subscriber's stderr");
            assert!(output.success() == format!("begin\n{numbers}"), "messages are lost or out of order");
        }
        server.check_epolls(mode);
        server.stop();
        let stderr = server.stderr();
        assert!(
            stderr.lines().all(|line| line.ends_with("should not be run as root/administrator.")),
            "{stderr}"
        );
    });
}
