//! unbound: a resolver with four threads, which queries a name server of the test's own.

use glasspoll_tests::port::free_port;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{in_both_modes, program, seccomp, Server};
use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const CLIENTS: u16 = 8;
const NAMES: u16 = 60;
const HEADER: usize = 12;

/// A question for the address of `client-name.test`.
fn question(client: u16, name: u16) -> Vec<u8> {
    let mut packet = vec![0; HEADER];
    packet[..2].copy_from_slice(&(client * NAMES + name).to_be_bytes());
    packet[2] = 1; // recursion is desired
    packet[5] = 1; // one question
    let label = format!("{client}-{name}");
    for part in [label.as_str(), "test", ""] {
        packet.push(u8::try_from(part.len()).expect("short"));
        packet.extend(part.as_bytes());
    }
    packet.extend([0, 1, 0, 1]); // A, IN
    packet
}

/// The answer to `question`: an address computed from its name.
fn answer(question: &[u8]) -> Vec<u8> {
    let end = question[HEADER..].iter().position(|byte| *byte == 0).expect("a name ends") + HEADER + 5;
    let mut packet = question[..end].to_vec();
    packet[2..4].copy_from_slice(&[0x84, 0]); // an answer with authority
    packet[6..12].copy_from_slice(&[0, 1, 0, 0, 0, 0]); // one answer, nothing else
    packet.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4]);
    packet.extend(address(&question[HEADER..end - 4]));
    packet
}

/// The address of a name: a sum of its bytes, whatever their case.
fn address(name: &[u8]) -> [u8; 4] {
    let sum = |sum: u32, byte: &u8| sum.wrapping_mul(31).wrapping_add(u32::from(byte.to_ascii_lowercase()));
    name.iter().fold(0, sum).to_be_bytes()
}

/// Answers until `stop`; answers every third name only when it is asked again. Returns how many names that were.
fn name_server(socket: &UdpSocket, stop: &AtomicBool) -> usize {
    let mut ignored = 0;
    let mut seen = HashSet::new();
    let mut packet = [0; 512];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut packet) else { continue };
        let question = &packet[..length];
        let answer = answer(question);
        let name = answer[HEADER..].to_ascii_lowercase();
        if seen.insert(name.clone()) && name.iter().map(|byte| u32::from(*byte)).sum::<u32>() % 3 == 0 {
            ignored += 1;
            continue;
        }
        socket.send_to(&answer, from).expect("a UDP socket");
    }
    ignored
}

fn check(question: &[u8], reply: &[u8]) {
    assert_eq!(reply[..2], question[..2], "the id");
    assert_eq!(reply[3] & 15, 0, "the code of {question:?}");
    assert_eq!(reply[6..8], [0, 1], "the number of answers to {question:?}");
    assert_eq!(reply[reply.len() - 4..], address(&question[HEADER..question.len() - 4]));
}

/// Asks for all names by UDP, then for all again by TCP, from the cache, at once.
fn ask(server: &Server, client: u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    socket.connect(("127.0.0.1", server.port)).expect("a UDP socket");
    socket.set_read_timeout(Some(LIMIT)).expect("a UDP socket");
    let mut reply = [0; 512];
    for name in 0..NAMES {
        let question = question(client, name);
        socket.send(&question).expect("a UDP socket");
        let length = socket.recv(&mut reply).expect("unbound answers");
        check(&question, &reply[..length]);
    }
    let mut stream = server.connect();
    for name in 0..NAMES {
        let question = question(client, name);
        let length = u16::try_from(question.len()).expect("short").to_be_bytes();
        stream.write_all(&[&length[..], &question].concat()).expect("unbound reads");
    }
    for _ in 0..NAMES {
        let mut length = [0; 2];
        stream.read_exact(&mut length).expect("unbound answers");
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut reply).expect("unbound answers");
        let id = u16::from_be_bytes([reply[0], reply[1]]);
        check(&question(client, id - client * NAMES), &reply);
    }
}

#[test]
fn unbound_with_four_threads_asks_again_and_answers_every_question() {
    if !program::have(&["unbound"]) {
        return;
    }
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let upstream = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
        upstream.set_read_timeout(Some(Duration::from_millis(50))).expect("a UDP socket");
        let upstream_port = upstream.local_addr().expect("it is bound").port();
        let text = format!(
            "server:
  interface: 127.0.0.1
  port: {port}
  num-threads: 4
  do-daemonize: no
  username: \"\"
  chroot: \"\"
  pidfile: \"\"
  directory: \"{}\"
  use-syslog: no
  module-config: iterator
  do-not-query-localhost: no
  local-zone: \"test.\" nodefault
forward-zone:
  name: \"test.\"
  forward-addr: 127.0.0.1@{upstream_port}
",
            dir.path().display()
        );
        fs::write(dir.path().join("unbound.conf"), text).expect("the test's own directory");
        let mut command = seccomp::command(mode, program::path("unbound"));
        command.args(["-d", "-c", "unbound.conf"]);
        let mut server = Server::start(command, dir.path(), port);
        let stop = AtomicBool::new(false);
        let failed = thread::scope(|scope| {
            let upstream = scope.spawn(|| name_server(&upstream, &stop));
            let server = &server;
            let clients: Vec<_> =
                (0..CLIENTS).map(|client| scope.spawn(move || ask(server, client))).collect();
            let failed = clients.into_iter().filter_map(|client| client.join().err()).count();
            stop.store(true, Ordering::Relaxed);
            let ignored = upstream.join().expect("the name server");
            assert!(ignored > 50, "only {ignored} questions were asked again");
            failed
        });
        assert_eq!(failed, 0, "clients without their answers");
        server.check_epolls(mode);
        server.stop();
        let stderr = server.stderr();
        let fine = |line: &str| !line.contains("error: ") && !line.contains("glasspoll");
        assert!(stderr.lines().all(fine), "{stderr}");
    });
}
