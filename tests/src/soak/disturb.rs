//! What happens to a server while it is under load.

use super::fault::Fault;
use super::kind::{self, Kind};
use super::phase::{Event, Phase};
use super::proc::signal as proc_signal;
use super::subject::Subject;
use crate::mode::{clean_command, Mode};
use crate::run::LIMIT;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

impl Subject {
    /// Does what the phase says, each event at its time.
    pub fn disturb(&self, phase: &Phase) {
        let start = Instant::now();
        for (number, (at, event)) in phase.events.iter().enumerate() {
            thread::sleep((start + *at).saturating_duration_since(Instant::now()));
            if !self.lives() {
                return;
            }
            self.happen(*event, phase.number * 8 + number);
        }
    }

    fn happen(&self, event: Event, number: usize) {
        match (event, self.kind) {
            (Event::Stop(ms), _) => {
                let pids = self.pids();
                pids.iter().for_each(|pid| proc_signal(*pid, libc::SIGSTOP));
                thread::sleep(Duration::from_millis(ms));
                pids.iter().for_each(|pid| proc_signal(*pid, libc::SIGCONT));
            }
            (Event::KillClient(ms), _) => {
                for round in 0..3 {
                    self.kill_client(Duration::from_millis(ms), number * 3 + round);
                }
            }
            (Event::Fork(save), Kind::Redis) => self.fork_redis(if save { "BGSAVE" } else { "BGREWRITEAOF" }),
            (Event::Slow(ms), Kind::Redis) => {
                self.redis(&format!("DEBUG SLEEP {}", ms as f64 / 1000.0));
            }
            (Event::Reload, Kind::Nginx) => self.reload_nginx(),
            (Event::Upgrade, Kind::Nginx) => self.replace_nginx(),
            (Event::Reload | Event::Upgrade, Kind::Node) => self.replace_worker(),
            (Event::Signal, Kind::Nginx) => self.signal(libc::SIGUSR1),
            (Event::Signal, Kind::Memcached) => self.signal(libc::SIGHUP),
            (Event::Signal, Kind::Tokio) => self.count_signal(),
            _ => self.signal(libc::SIGWINCH),
        }
    }

    fn signal(&self, signal: i32) {
        // nginx reacts to SIGWINCH in another way.
        if let Some(pid) = self.main_pid().filter(|_| self.kind != Kind::Nginx || signal != libc::SIGWINCH) {
            proc_signal(pid, signal);
        }
    }

    /// Starts a client in a process of its own, and kills it while its requests are under way.
    fn kill_client(&self, after: Duration, number: usize) {
        let log = fs::File::options().create(true).append(true).open(self.dir.join("clients.log"));
        let log = log.expect("our own directory");
        let mut command = clean_command(std::env::current_exe().expect("/proc is mounted"));
        let epoll = if self.mode == Mode::Native { "kernel" } else { "glasspoll" };
        command.args(["client", self.kind.name(), epoll, &self.server.port.to_string(), &number.to_string()]);
        command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
        let mut child = command.spawn().expect("our own program");
        thread::sleep(after);
        child.kill().expect("our child");
        child.wait().expect("our child");
    }

    /// Sends redis a command; returns the first line of the answer.
    pub fn redis(&self, command: &str) -> String {
        let ask = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.server.port))?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.write_all(format!("{command}\r\n").as_bytes())?;
            let mut line = String::new();
            let mut reader = BufReader::new(stream);
            reader.read_line(&mut line)?;
            if let Some(length) = line.strip_prefix('$').and_then(|length| length.trim().parse().ok()) {
                let mut body = vec![0; length];
                reader.read_exact(&mut body)?;
                line = String::from_utf8_lossy(&body).into_owned();
            }
            std::io::Result::Ok(line)
        };
        ask().unwrap_or_else(|error| {
            self.report.tell(Fault::Lost, format!("{command}: {error}"));
            String::new()
        })
    }

    fn fork_redis(&self, command: &str) {
        self.redis(command);
        let end = Instant::now() + LIMIT;
        loop {
            thread::sleep(Duration::from_millis(100));
            let info = self.redis("INFO persistence");
            let is = |field: &str| info.contains(field);
            if is("rdb_bgsave_in_progress:0")
                && is("aof_rewrite_in_progress:0")
                && is("aof_rewrite_scheduled:0")
            {
                if !is("rdb_last_bgsave_status:ok") || !is("aof_last_bgrewrite_status:ok") {
                    self.report.tell(Fault::Said, format!("{command} failed"));
                }
                return;
            }
            if Instant::now() > end {
                return self.report.tell(Fault::Hung, format!("{command} goes on after {LIMIT:?}"));
            }
        }
    }

    /// tokio's server counts SIGUSR1; while one is pending, the kernel drops the next.
    fn count_signal(&self) {
        let mut sent = self.signals.lock().expect("nobody panics with it");
        let mut ask = || {
            let mut stream = TcpStream::connect(("127.0.0.1", self.server.port))?;
            stream.set_read_timeout(Some(LIMIT))?;
            let mut reader = BufReader::new(stream.try_clone()?);
            for _ in 0..5 {
                self.signal(libc::SIGUSR1);
                *sent += 1;
                let (mut counted, end) = (0, Instant::now() + LIMIT);
                while counted < *sent && Instant::now() < end {
                    stream.write_all(b"signals\n")?;
                    let mut line = String::new();
                    reader.read_line(&mut line)?;
                    counted = line.trim().parse().unwrap_or(0);
                    thread::sleep(Duration::from_millis(1));
                }
                if counted != *sent {
                    self.report.tell(Fault::Lost, format!("{counted} of {sent} signals were counted"));
                }
            }
            std::io::Result::Ok(())
        };
        if let Err(error) = ask() {
            self.report.tell(Fault::Lost, format!("signals: {error}"));
        }
    }

    /// Calls `begin`, and waits for `done`. Meanwhile the server sheds connections; those open by then may be closed at
    /// any later time.
    fn shedding(&self, what: &str, begin: impl FnOnce(), done: impl Fn() -> bool) {
        self.shed.now.store(true, SeqCst);
        self.shed.generation.fetch_add(1, SeqCst);
        begin();
        let end = Instant::now() + LIMIT;
        while !done() {
            if Instant::now() > end {
                self.report.tell(Fault::Hung, format!("{what} is not over after {LIMIT:?}"));
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.shed.generation.fetch_add(1, SeqCst);
        self.shed.now.store(false, SeqCst);
    }

    fn reload_nginx(&self) {
        let old = self.nginx_workers();
        let begin = || {
            let status = kind::nginx_signal(self.mode, &self.dir, "reload").stderr(Stdio::null()).status();
            if !status.is_ok_and(|status| status.success()) {
                self.report.tell(Fault::Said, "nginx -s reload failed".into());
            }
        };
        self.shedding("a reload", begin, || {
            let now = self.nginx_workers();
            now.difference(&old).count() == 2 && old.iter().all(|pid| is_shutting_down(*pid))
        });
    }

    fn replace_nginx(&self) {
        let (Some(old), workers) = (kind::master(&self.dir), self.nginx_workers()) else { return };
        // The generation before the last may still wait for a client.
        if self.dir.join("nginx.pid.oldbin").exists() {
            return;
        }
        let begin = || {
            proc_signal(old as u32, libc::SIGUSR2);
            let end = Instant::now() + LIMIT;
            let fresh = || kind::master(&self.dir).is_some_and(|new| new != old);
            while !(fresh() && self.nginx_workers().difference(&workers).count() == 2) {
                if Instant::now() > end {
                    return self.report.tell(Fault::Hung, "the new nginx did not come".into());
                }
                thread::sleep(Duration::from_millis(20));
            }
            proc_signal(old as u32, libc::SIGQUIT);
        };
        self.shedding("the end of the old nginx", begin, || workers.iter().all(|pid| is_shutting_down(*pid)));
    }

    /// The workers of all masters.
    fn nginx_workers(&self) -> BTreeSet<u32> {
        self.pids().into_iter().filter(|pid| title(*pid).starts_with("nginx: worker")).collect()
    }

    fn replace_worker(&self) {
        let replaced = || self.server.stdout().matches("replaced").count();
        let before = replaced();
        self.shedding("replacing a worker", || self.signal(libc::SIGHUP), || replaced() > before);
    }

    /// Brings it to rest: discards what it can discard.
    pub fn calm(&self) {
        match self.kind {
            Kind::Redis => {
                self.crowd.lock().expect("nobody panics with it").forget();
                self.redis("FLUSHALL");
                self.redis("MEMORY PURGE");
            }
            Kind::Node => self.signal(libc::SIGUSR2),
            _ => {}
        }
    }
}

fn title(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_shutting_down(pid: u32) -> bool {
    let title = title(pid);
    title.is_empty() || title.contains("shutting down")
}
