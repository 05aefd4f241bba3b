//! A server on tokio's multi-thread runtime: `tokio_server PORT SOCKET`.
//!
//! Answers lines on a TCP port and on a unix socket, and datagrams on the UDP port of the same
//! number. SIGUSR1 is counted; SIGTERM stops the server, which prints its counts.

use std::io;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::net::{TcpListener, UdpSocket, UnixListener};
use tokio::process::Command;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::watch;
use tokio::time::{interval, sleep, timeout};

#[derive(Default)]
struct Counts {
    connections: AtomicU32,
    lines: AtomicU32,
    datagrams: AtomicU32,
    signals: AtomicU32,
    errors: AtomicU32,
}

/// Serves one connection to its end.
async fn serve<S: AsyncRead + AsyncWrite>(stream: S, counts: Arc<Counts>) {
    counts.connections.fetch_add(1, SeqCst);
    if let Err(error) = lines(stream, &counts).await {
        eprintln!("{error}");
        counts.errors.fetch_add(1, SeqCst);
    }
}

async fn lines<S: AsyncRead + AsyncWrite>(stream: S, counts: &Counts) -> io::Result<()> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = BufReader::new(reader).lines();
    while let Some(line) = reader.next_line().await? {
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = answer(word, rest, counts).await?;
        writer.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    writer.shutdown().await
}

async fn answer(word: &str, rest: &str, counts: &Counts) -> io::Result<String> {
    if word == "signals" {
        return Ok(counts.signals.load(SeqCst).to_string());
    }
    counts.lines.fetch_add(1, SeqCst);
    match word {
        "echo" => Ok(rest.to_owned()),
        "sleep" => {
            sleep(Duration::from_millis(number(rest))).await;
            Ok("slept".to_owned())
        }
        "ticks" => {
            let mut ticks = interval(Duration::from_millis(2));
            for _ in 0..number(rest) {
                ticks.tick().await;
            }
            Ok("ticked".to_owned())
        }
        "pipe" => through_a_pipe(number(rest)).await,
        "child" => through_a_child(rest).await,
        "kill" => killed_child().await,
        _ => Err(io::Error::other(format!("no such word: {word}"))),
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

/// More bytes than a pipe holds, between two tasks.
async fn through_a_pipe(length: u64) -> io::Result<String> {
    let (mut sender, mut receiver) = pipe::pipe()?;
    let body: Vec<u8> = (0..length).map(|n| n as u8).collect();
    let wanted = body.clone();
    let writer = tokio::spawn(async move { sender.write_all(&body).await });
    let mut got = Vec::new();
    receiver.read_to_end(&mut got).await?;
    writer.await??;
    Ok(if got == wanted { format!("{length} bytes") } else { "other bytes".to_owned() })
}

async fn through_a_child(text: &str) -> io::Result<String> {
    let mut command = Command::new("sh");
    command.args(["-c", "cat; exit 5"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(text.as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    Ok(format!("{} {:?}", String::from_utf8_lossy(&output.stdout), output.status.code()))
}

async fn killed_child() -> io::Result<String> {
    let mut child = Command::new("sleep").arg("60").spawn()?;
    let early = timeout(Duration::from_millis(10), child.wait()).await.is_ok();
    child.kill().await?;
    let late = child.wait().await?;
    Ok(format!("early: {early}, {late}"))
}

async fn datagrams(socket: UdpSocket, counts: Arc<Counts>) -> io::Result<()> {
    let mut buffer = [0; 2000];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        counts.datagrams.fetch_add(1, SeqCst);
        socket.send_to(&buffer[..length], from).await?;
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 4)]
async fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let address = format!("127.0.0.1:{}", arguments[1]);
    let mut stop = signal(SignalKind::terminate())?;
    let mut count = signal(SignalKind::user_defined1())?;
    let unix = UnixListener::bind(&arguments[2])?;
    let udp = UdpSocket::bind(&address).await?;
    let tcp = TcpListener::bind(&address).await?;
    let counts = Arc::new(Counts::default());
    let datagrams = tokio::spawn(datagrams(udp, counts.clone()));
    // Every connection holds a receiver: the sender sees when the last one has ended.
    let (open, _) = watch::channel(());
    loop {
        let (counts, held) = (counts.clone(), open.subscribe());
        tokio::select! {
            stream = tcp.accept() => {
                let (stream, _) = stream?;
                tokio::spawn(async move { serve(stream, counts).await; drop(held) });
            }
            stream = unix.accept() => {
                let (stream, _) = stream?;
                tokio::spawn(async move { serve(stream, counts).await; drop(held) });
            }
            _ = count.recv() => {
                counts.signals.fetch_add(1, SeqCst);
            }
            _ = stop.recv() => break,
        }
    }
    open.closed().await;
    datagrams.abort();
    let Counts { connections, lines, datagrams, signals, errors } = &*counts;
    println!("{connections:?} {lines:?} {datagrams:?} {signals:?} {errors:?}");
    Ok(())
}
