//! The load: requests on many connections to a server on 127.0.0.1, on kernel epoll.
//!
//! Requests and answers are short and of fixed length; each connection has at most one request outstanding.

use super::net::{connect, Edges};
use super::system::{allow_descriptors, cpu_time};
use crate::random::Random;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long the load runs before anything is measured.
pub(super) const WARM_UP: Duration = Duration::from_millis(300);

/// After this time without a byte an answer has ended.
const SILENCE: Duration = Duration::from_millis(300);

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Request {
    text: Vec<u8>,
    /// 0: its length is learned from the first one.
    answer: usize,
}

impl Request {
    /// The request of a protocol: `echo`, `line` (for the tokio server), `memcached`, `redis` or `http`.
    pub fn of(protocol: &str) -> Option<Self> {
        let body = "x".repeat(58);
        let (text, answer) = match protocol {
            "echo" => ("x".repeat(64), 64),
            "line" => (format!("echo {body}\n"), 59),
            "memcached" => ("get key\r\n".to_owned(), "VALUE key 0 64\r\n".len() + 64 + "\r\nEND\r\n".len()),
            "redis" => ("GET nothing\r\n".to_owned(), "$-1\r\n".len()),
            "http" => ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 0),
            _ => return None,
        };
        Some(Self { text: text.into_bytes(), answer })
    }

    /// What the server must store beforehand: only memcached needs it.
    pub fn prepare(&self, port: u16) {
        if self.text.starts_with(b"get ") {
            let mut stream = connect(port, 0);
            let text = format!("set key 0 0 64\r\n{}\r\n", "x".repeat(64));
            stream.write_all(text.as_bytes()).expect("the server reads");
            let mut answer = [0; 8];
            stream.read_exact(&mut answer).expect("the server answers");
            assert_eq!(&answer, b"STORED\r\n");
        }
    }

    /// Learns how long an answer is, if that is not known.
    ///
    /// # Panics
    /// If the server does not answer.
    pub fn learn(&mut self, port: u16) {
        if self.answer != 0 {
            return;
        }
        let mut stream = connect(port, 0);
        self.send(&stream);
        stream.set_read_timeout(Some(SILENCE)).expect("a socket");
        let mut buffer = [0; 4096];
        self.answer = stream.read(&mut buffer).expect("the server answers");
        while let Ok(more) = stream.read(&mut buffer) {
            assert_ne!(more, 0, "the server closes the connection");
            self.answer += more;
        }
    }

    /// How many bytes an answer has.
    pub(super) fn answer(&self) -> usize {
        self.answer
    }

    pub(super) fn send(&self, mut stream: &TcpStream) {
        let sent = stream.write(&self.text).expect("the server reads");
        assert_eq!(sent, self.text.len(), "a short request fits the socket's buffer");
    }

    /// Waits for the answer.
    fn receive(&self, mut stream: &TcpStream) {
        let mut buffer = [0; 4096];
        stream.read_exact(&mut buffer[..self.answer]).expect("the server answers");
    }

    fn ask(&self, stream: &TcpStream) {
        self.send(stream);
        self.receive(stream);
    }
}

/// A server under load.
#[derive(Clone, Debug)]
pub struct Load {
    /// Its port.
    pub port: u16,
    /// Its process, whose CPU time is measured.
    pub pid: u32,
    /// What the clients ask.
    pub request: Request,
    /// How long it is measured.
    pub time: Duration,
}

/// What was measured, from the end of the warming up.
pub(super) struct Window {
    start: Instant,
    server: u64,
    load: u64,
    pid: u32,
}

impl Window {
    pub(super) fn open(pid: u32) -> Self {
        let (server, load) = (cpu_time(pid), cpu_time(std::process::id()));
        Self { start: Instant::now(), server, load, pid }
    }

    /// How long it has been open.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// A line of JSON: how many requests in how many seconds, the share of its CPU that the load used, and the server's
    /// CPU time for each request, in nanoseconds.
    pub(super) fn close(self, requests: u64, mut more: serde_json::Map<String, serde_json::Value>) -> String {
        let seconds = self.start.elapsed().as_secs_f64();
        let server = (cpu_time(self.pid) - self.server) as f64;
        let load = (cpu_time(std::process::id()) - self.load) as f64;
        more.insert("rate".to_owned(), json!(requests as f64 / seconds));
        more.insert("server_ns".to_owned(), json!(server / requests as f64));
        more.insert("server_busy".to_owned(), json!(server / seconds / 1e9));
        more.insert("load_busy".to_owned(), json!(load / seconds / 1e9));
        serde_json::Value::Object(more).to_string()
    }
}

impl Load {
    pub(super) fn open(&self, count: usize) -> Vec<TcpStream> {
        allow_descriptors(count as u64 + 100);
        self.request.prepare(self.port);
        let streams: Vec<TcpStream> = (0..count).map(|number| connect(self.port, number)).collect();
        // Each connection asks once: after the answer, the server has accepted it.
        for stream in &streams {
            self.request.ask(stream);
        }
        streams
    }

    /// `active` of `count` connections ask again as soon as they have their answers.
    pub fn closed_loop(&self, count: usize, active: usize) -> String {
        let streams = self.open(count);
        // Spread evenly among the others, which stay silent.
        let active: Vec<&TcpStream> = (0..active).map(|place| &streams[place * count / active]).collect();
        let set = Edges::new(active.iter().copied());
        for stream in &active {
            stream.set_nonblocking(true).expect("a socket");
            self.request.send(stream);
        }
        let (warm, mut window) = (Instant::now() + WARM_UP, None::<Window>);
        let mut got = vec![0; active.len()];
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 512];
        let (mut buffer, mut answers) = ([0; 256], 0);
        loop {
            let mut any = false;
            for place in set.wait(&mut events) {
                any = true;
                let mut stream = active[place];
                got[place] += stream.read(&mut buffer).expect("the server answers");
                if got[place] == self.request.answer {
                    got[place] = 0;
                    answers += 1;
                    self.request.send(stream);
                }
            }
            assert!(any, "no answer for a second");
            match &window {
                None if Instant::now() > warm => {
                    (window, answers) = (Some(Window::open(self.pid)), 0);
                }
                Some(open) if open.start.elapsed() > self.time => break,
                _ => {}
            }
        }
        window.expect("it was open").close(answers, serde_json::Map::new())
    }

    /// One request at a time, each on the connection that `next` chooses: rate and latency.
    fn one_by_one(&self, streams: &[TcpStream], mut next: impl FnMut() -> usize) -> String {
        let warm = Instant::now() + WARM_UP;
        while Instant::now() < warm {
            self.request.ask(&streams[next()]);
        }
        let window = Window::open(self.pid);
        let mut latencies = Vec::with_capacity(1 << 20);
        let (mut before, end) = (Instant::now(), Instant::now() + self.time);
        while before < end {
            self.request.ask(&streams[next()]);
            let now = Instant::now();
            latencies.push((now - before).as_nanos() as u32);
            before = now;
        }
        let mut more = serde_json::Map::new();
        let count = latencies.len();
        let requests = count as u64;
        latencies.sort_unstable();
        more.insert("p50".to_owned(), json!(latencies[count / 2]));
        more.insert("p99".to_owned(), json!(latencies[count * 99 / 100]));
        window.close(requests, more)
    }

    /// One of `count` connections asks, and asks again as soon as it has its answer.
    pub fn one_of(&self, count: usize) -> String {
        let streams = self.open(count);
        self.one_by_one(&streams, || count / 2)
    }

    /// `count` connections ask one after the other, in a new random order each time.
    pub fn at_random(&self, count: usize) -> String {
        let streams = self.open(count);
        let (mut random, mut order) = (Random(1), Vec::new());
        self.one_by_one(&streams, || {
            if order.is_empty() {
                order.extend(0..count);
                for place in (1..count).rev() {
                    order.swap(place, random.below(place + 1));
                }
            }
            order.pop().expect("it was filled")
        })
    }

    /// `count` connections are opened, ask once and are closed, `together` at a time.
    pub fn churn(&self, count: usize, together: usize) -> String {
        self.request.prepare(self.port);
        let mut window = None;
        // A tenth of them first, to warm up.
        for batch in 0..(count + count / 10) / together {
            if batch == count / 10 / together {
                window = Some(Window::open(self.pid));
            }
            let streams: Vec<TcpStream> =
                (0..together).map(|number| connect(self.port, batch * together + number)).collect();
            streams.iter().for_each(|stream| self.request.send(stream));
            streams.iter().for_each(|stream| self.request.receive(stream));
        }
        let made = (count / together * together) as u64;
        window.expect("it was opened").close(made, serde_json::Map::new())
    }

    /// One connection sends without a pause, 1 KiB at a time.
    pub fn upload(&self) -> String {
        let mut stream = connect(self.port, 0);
        let warm = Instant::now() + WARM_UP;
        let (mut window, mut sent) = (None::<Window>, 0);
        loop {
            stream.write_all(&[b'x'; 1024]).expect("the server reads");
            sent += 1;
            match &window {
                None if Instant::now() > warm => (window, sent) = (Some(Window::open(self.pid)), 0),
                Some(open) if open.start.elapsed() > self.time => break,
                _ => {}
            }
        }
        window.expect("it was open").close(sent, serde_json::Map::new())
    }

    /// Opens `count` connections, prints an empty object, and holds them until standard input ends.
    pub fn idle(&self, count: usize) {
        let _streams = self.open(count);
        println!("{{}}");
        let _ = std::io::stdin().read(&mut [0]);
    }
}
