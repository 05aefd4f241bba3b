//! Load at a fixed rate: most servers are not saturated, and what a quiet loop costs is seen in CPU time alone.

use super::load::{Load, Window, WARM_UP};
use super::net::Edges;
use serde_json::json;
use std::collections::VecDeque;
use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The requests of a load at a fixed rate.
struct Paced<'a> {
    load: &'a Load,
    streams: &'a [TcpStream],
    /// Those that have their answers, the longest silent first.
    idle: VecDeque<usize>,
    /// When each request was due, and how much of its answer has come.
    asked: Vec<(Instant, usize)>,
    latencies: Vec<u32>,
}

impl Paced<'_> {
    /// Sends those that are due, as far as connections are free. Returns when the next one is due.
    fn send(&mut self, mut due: Instant, period: Duration) -> Instant {
        while due <= Instant::now() {
            let Some(place) = self.idle.pop_front() else { break };
            self.asked[place] = (due, 0);
            self.load.request.send(&self.streams[place]);
            due += period;
        }
        due
    }

    /// Reads answers.
    fn receive(&mut self, place: usize, buffer: &mut [u8]) {
        let mut stream = &self.streams[place];
        let (due, got) = &mut self.asked[place];
        *got += stream.read(buffer).expect("the server answers");
        if *got == self.load.request.answer() {
            self.latencies.push(due.elapsed().as_nanos() as u32);
            self.idle.push_back(place);
        }
    }
}

impl Load {
    /// `count` connections take turns, so that `rate` requests are sent in a second. A request that had to wait for a
    /// free connection is late since it was due.
    ///
    /// # Panics
    /// If the server does not answer for a second, or cannot keep up with the rate.
    pub fn at_rate(&self, count: usize, rate: usize) -> String {
        // SAFETY: numbers. Otherwise the kernel may wake us 50 µs late, which is the time between two requests.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
        let streams = self.open(count);
        let set = Edges::new(streams.iter());
        streams.iter().for_each(|stream| stream.set_nonblocking(true).expect("a socket"));
        let begin = Instant::now();
        let mut paced = Paced {
            load: self,
            streams: &streams,
            idle: (0..count).collect(),
            asked: vec![(begin, 0); count],
            latencies: Vec::with_capacity(1 << 20),
        };
        let period = Duration::from_secs(1) / u32::try_from(rate).expect("a rate");
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 512];
        let mut buffer = [0; 4096];
        let (mut due, mut window, mut last) = (begin, None::<Window>, begin);
        loop {
            due = paced.send(due, period);
            let before = paced.latencies.len();
            for place in set.wait_until(due, &mut events) {
                paced.receive(place, &mut buffer);
            }
            if paced.latencies.len() != before {
                last = Instant::now();
            }
            assert!(last.elapsed() < Duration::from_secs(1) + 2 * period, "no answer for a second");
            match &window {
                None if begin.elapsed() > WARM_UP => {
                    window = Some(Window::open(self.pid));
                    paced.latencies.clear();
                }
                Some(open) if open.elapsed() > self.time => break,
                _ => {}
            }
        }
        let window = window.expect("it was opened");
        let mut latencies = paced.latencies;
        let share = latencies.len() as f64 / (rate as f64 * window.elapsed().as_secs_f64());
        assert!(share > 0.9, "only {share:.2} of the requests were answered in time: the rate is too high");
        let requests = latencies.len() as u64;
        latencies.sort_unstable();
        let mut more = serde_json::Map::new();
        more.insert("p50".to_owned(), json!(latencies[latencies.len() / 2]));
        more.insert("p99".to_owned(), json!(latencies[latencies.len() * 99 / 100]));
        window.close(requests, more)
    }
}
