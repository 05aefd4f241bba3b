//! What one connection asks. Each request comes with the answer that it must get: that is known, because only the
//! connection itself writes what it reads.

use super::answer::Expect;
use super::kind::Kind;
use crate::random::Random;
use std::sync::Arc;

/// The number of keys of one connection.
const KEYS: usize = 6;
/// Requests for HTTP: the path, and how many bytes it gives.
pub const PAGES: [(&str, usize); 5] = [("0", 20), ("1", 1000), ("2", 9000), ("3", 70_000), ("4", 1_000_000)];

/// The page of that length, which nginx and node serve.
pub fn page(length: usize) -> Vec<u8> {
    let mut random = Random(length as u64);
    (0..length).map(|_| b'a' + (random.number() % 26) as u8).collect()
}

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What is sent.
    pub text: Vec<u8>,
    /// The answer that must come.
    pub expect: Expect,
}

/// What a connection knows about the state of its server.
#[derive(Debug)]
pub struct Asker {
    kind: Kind,
    prefix: String,
    values: Vec<Option<Vec<u8>>>,
    counter: Option<u64>,
    pages: Arc<Vec<Arc<[u8]>>>,
}

impl Asker {
    /// For a new connection. No other connection with this `prefix` is in use.
    pub fn new(kind: Kind, prefix: String, pages: Arc<Vec<Arc<[u8]>>>) -> Self {
        Self { kind, prefix, values: vec![None; KEYS], counter: None, pages }
    }

    /// The server has lost all its data.
    pub fn forget(&mut self) {
        self.values.fill(None);
        self.counter = None;
    }

    /// The next request.
    pub fn ask(&mut self, random: &mut Random) -> Asked {
        match self.kind {
            Kind::Redis => self.redis(random),
            Kind::Memcached => self.memcached(random),
            Kind::Nginx | Kind::Node => self.http(random),
            Kind::Tokio => self.line(random),
            Kind::Planted(_) => echo(random),
        }
    }

    /// A request with a long answer, for a client that does not read the answer.
    pub fn ask_much(&mut self, random: &mut Random) -> Asked {
        match self.kind {
            Kind::Nginx | Kind::Node => self.get(4),
            Kind::Tokio => line(&text(random, 60_000)),
            Kind::Planted(_) => line(&text(random, 5_000)),
            Kind::Redis if self.values[0].as_ref().is_some_and(|value| value.len() > 40_000) => {
                self.redis_get(0)
            }
            Kind::Redis => self.redis_set(0, text(random, 50_000).into_bytes()),
            Kind::Memcached if self.values[0].as_ref().is_some_and(|value| value.len() > 7000) => {
                self.memcached_get(0)
            }
            Kind::Memcached => self.memcached_set(0, text(random, 8000).into_bytes()),
        }
    }

    fn redis(&mut self, random: &mut Random) -> Asked {
        let key = random.below(KEYS);
        let asked = |text: &str, answer: &str| Asked {
            text: text.as_bytes().to_vec(),
            expect: Expect::Bytes(answer.as_bytes().to_vec()),
        };
        match random.below(100) {
            0..=4 => asked("PING\r\n", "+PONG\r\n"),
            // No client pushes to this key: the call ends by its timeout.
            5 => asked(&format!("BLPOP {}:none 0.02\r\n", self.prefix), "*-1\r\n"),
            6..=15 => match self.counter {
                Some(count) => {
                    self.counter = Some(count + 1);
                    asked(&format!("INCR {}:n\r\n", self.prefix), &format!(":{}\r\n", count + 1))
                }
                None => {
                    self.counter = Some(0);
                    asked(&format!("SET {}:n 0\r\n", self.prefix), "+OK\r\n")
                }
            },
            16..=60 if self.values[key].is_some() => self.redis_get(key),
            61..=63 => self.redis_set(key, text(random, 60_000).into_bytes()),
            _ => self.redis_set(key, text(random, 600).into_bytes()),
        }
    }

    fn redis_get(&self, key: usize) -> Asked {
        let value = self.values[key].as_ref().expect("it was set");
        let answer = [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat();
        Asked { text: format!("GET {}:{key}\r\n", self.prefix).into_bytes(), expect: Expect::Bytes(answer) }
    }

    fn redis_set(&mut self, key: usize, value: Vec<u8>) -> Asked {
        let name = format!("{}:{key}", self.prefix);
        let head = format!("*3\r\n$3\r\nSET\r\n${}\r\n{name}\r\n${}\r\n", name.len(), value.len());
        let text = [head.as_bytes(), &value, b"\r\n"].concat();
        self.values[key] = Some(value);
        Asked { text, expect: Expect::Bytes(b"+OK\r\n".to_vec()) }
    }

    fn memcached(&mut self, random: &mut Random) -> Asked {
        let key = random.below(KEYS);
        match random.below(100) {
            0..=9 => Asked {
                text: format!("get {}:none\r\n", self.prefix).into_bytes(),
                expect: Expect::Bytes(b"END\r\n".to_vec()),
            },
            10..=60 if self.values[key].is_some() => self.memcached_get(key),
            61..=63 => self.memcached_set(key, text(random, 8000).into_bytes()),
            _ => self.memcached_set(key, text(random, 400).into_bytes()),
        }
    }

    fn memcached_get(&self, key: usize) -> Asked {
        let value = self.values[key].as_ref().expect("it was set");
        let name = format!("{}:{key}", self.prefix);
        let head = format!("VALUE {name} 0 {}\r\n", value.len());
        let answer = [head.as_bytes(), value, b"\r\nEND\r\n"].concat();
        Asked { text: format!("get {name}\r\n").into_bytes(), expect: Expect::Bytes(answer) }
    }

    fn memcached_set(&mut self, key: usize, value: Vec<u8>) -> Asked {
        let head = format!("set {}:{key} 0 0 {}\r\n", self.prefix, value.len());
        let text = [head.as_bytes(), &value, b"\r\n"].concat();
        self.values[key] = Some(value);
        Asked { text, expect: Expect::Bytes(b"STORED\r\n".to_vec()) }
    }

    fn http(&self, random: &mut Random) -> Asked {
        match random.below(100) {
            0..=39 => self.get(0),
            40..=69 => self.get(1),
            70..=89 => self.get(2),
            90..=96 => self.get(3),
            97 => self.get(4),
            _ if self.kind == Kind::Node => {
                let word = ["timer", "file", "child"][random.below(3)];
                http(word, word.as_bytes().into())
            }
            _ => self.get(1),
        }
    }

    fn get(&self, number: usize) -> Asked {
        http(PAGES[number].0, self.pages[number].clone())
    }

    fn line(&self, random: &mut Random) -> Asked {
        let (question, answer) = match random.below(200) {
            0..=5 => ("sleep 3".to_owned(), "slept".to_owned()),
            6..=8 => ("ticks 3".to_owned(), "ticked".to_owned()),
            9..=11 => ("pipe 100000".to_owned(), "100000 bytes".to_owned()),
            12 => ("child abc".to_owned(), "abc Some(5)".to_owned()),
            13 => ("kill".to_owned(), "early: false, signal: 9 (SIGKILL)".to_owned()),
            14..=19 => return line(&text(random, 60_000)),
            _ => return echo(random),
        };
        Asked {
            text: format!("{question}\n").into_bytes(),
            expect: Expect::Bytes(format!("{answer}\n").into_bytes()),
        }
    }
}

fn http(path: &str, body: Arc<[u8]>) -> Asked {
    Asked {
        text: format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes(),
        expect: Expect::Http(200, body),
    }
}

fn echo(random: &mut Random) -> Asked {
    line(&text(random, 200))
}

fn line(text: &str) -> Asked {
    Asked {
        text: format!("echo {text}\n").into_bytes(),
        expect: Expect::Bytes(format!("{text}\n").into_bytes()),
    }
}

/// Random letters and digits: between half of `most` and `most`.
fn text(random: &mut Random, most: usize) -> String {
    let start = random.number();
    let length = most / 2 + random.below(most / 2);
    let mut text = format!("{start:016x}").repeat(length / 16 + 1);
    text.truncate(length.max(1));
    text
}
