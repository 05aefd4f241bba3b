//! One thread, its set, and every kind of file.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use libc::{EPOLLET, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLRDHUP};

use super::os::{drain, eventfd, give_up, pipe, socketpair, write, Epoll, WRONG};

fn tcp() -> [TcpStream; 2] {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let one = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    let (other, _) = listener.accept().expect("one is there");
    for stream in [&one, &other] {
        stream.set_nonblocking(true).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
    }
    [one, other]
}

/// Every kind of file and of item.
pub fn run() {
    let ep = Epoll::new();
    let pipe = pipe();
    let [here, mut there] = tcp();
    let [level, mut peer] = tcp();
    let unix = socketpair();
    let event = eventfd();
    let once = eventfd();
    ep.add(&pipe[0], EPOLLIN | EPOLLET, 1);
    ep.add(&here, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 2);
    ep.add(&level, EPOLLIN, 3);
    ep.add(&unix[0], EPOLLIN | EPOLLET, 4);
    ep.add(&event, EPOLLIN | EPOLLET, 5);
    ep.add(&once, EPOLLIN | EPOLLONESHOT, 6);
    ep.expect("a fresh connection", &[(2, EPOLLOUT)]);
    ep.expect_nothing("at the beginning");
    for _ in 0..3 {
        write(&pipe[1], 3);
        there.write_all(b"ping").expect("room");
        peer.write_all(b"ping").expect("room");
        write(&unix[1], 5);
        write(&event, 8);
        write(&once, 8);
        ep.expect(
            "a round",
            &[(1, EPOLLIN), (2, EPOLLIN), (3, EPOLLIN), (4, EPOLLIN), (5, EPOLLIN), (6, EPOLLIN)],
        );
        ep.expect("what is level", &[(3, EPOLLIN)]);
        let amounts = [drain(&pipe[0]), drain(&here), drain(&level), drain(&unix[0]), drain(&event)];
        if amounts != [3, 4, 4, 5, 8] {
            give_up(WRONG, &format!("read {amounts:?}"));
        }
        ep.expect_nothing("after a round");
        drain(&once);
        ep.modify(&once, EPOLLIN | EPOLLONESHOT, 6);
    }
    for stream in [&mut there, &mut peer] {
        // The streams are not drained: each write is a new edge.
        stream.write_all(b"one").expect("room");
    }
    ep.expect("one", &[(2, EPOLLIN)]);
    there.write_all(b"two").expect("room");
    ep.expect("on top of it", &[(2, EPOLLIN)]);
    write(&event, 8);
    ep.expect("an eventfd", &[(5, EPOLLIN)]);
    write(&event, 8);
    ep.expect("an eventfd, undrained", &[(5, EPOLLIN)]);
    drain(&level);
    ep.modify(&level, EPOLLOUT, 7);
    ep.expect("room", &[(7, EPOLLOUT)]);
    ep.delete(&level);
    ep.delete(&event);
    drop(pipe);
    drop(there);
    ep.expect("an end", &[(2, EPOLLRDHUP | EPOLLIN)]);
    ep.delete(&here);
    drop(unix);
    ep.expect_nothing("at the end");
    drop(ep);
    let again = Epoll::new();
    let [read, end] = socketpair();
    again.add(&read, EPOLLIN, 8);
    drop(end);
    again.expect("a hang-up", &[(8, EPOLLHUP)]);
}

/// A set in another set.
pub fn nested() {
    let [inner, outer] = [Epoll::new(), Epoll::new()];
    let [read, end] = pipe();
    let event = eventfd();
    inner.add(&read, EPOLLIN | EPOLLET, 1);
    inner.add(&event, EPOLLIN, 2);
    outer.add(&inner, EPOLLIN | EPOLLET, 3);
    outer.expect_nothing("at the beginning");
    for _ in 0..3 {
        write(&end, 1);
        outer.expect("an inner edge", &[(3, EPOLLIN)]);
        inner.expect("the edge", &[(1, EPOLLIN)]);
        drain(&read);
        write(&event, 8);
        outer.expect("an inner level", &[(3, EPOLLIN)]);
        inner.expect("the level", &[(2, EPOLLIN)]);
        drain(&event);
        inner.expect_nothing("after a round");
    }
    outer.delete(&inner);
    write(&end, 1);
    outer.expect_nothing("after DEL");
    inner.expect("the last one", &[(1, EPOLLIN)]);
}
