//! nginx in its other roles: TLS, a proxy, files read in threads, four workers.

use glasspoll_tests::mode::clean_command;
use glasspoll_tests::port::free_port;
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{curl, in_both_modes, nginx, program, turn, Mode, Server};
use std::fs;
use std::path::Path;

fn put_file(dir: &Path, file: &[u8]) {
    fs::create_dir_all(dir.join("html")).expect("the test's own directory");
    fs::write(dir.join("html/file"), file).expect("the test's own directory");
}

/// Checks the epolls, ends `server` by SIGQUIT, which lets requests finish, and checks its log.
fn quit(mode: Mode, mut server: Server, dir: &Path) {
    server.check_epolls(mode);
    server.stop_by(libc::SIGQUIT);
    nginx::check_log(&server, dir);
}

fn have_all() -> bool {
    program::have(&nginx::PROGRAMS) && program::have(&["curl", "openssl"])
}

/// Writes `key.pem` and `cert.pem`, a self-signed certificate for 127.0.0.1.
fn make_certificate(dir: &Path) {
    let mut command = clean_command(program::path("openssl"));
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    command.args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]);
    command.args(["-keyout", "key.pem", "-out", "cert.pem"]).current_dir(dir);
    run(&mut command, LIMIT).success();
}

#[test]
fn nginx_serves_tls() {
    if !have_all() {
        return;
    }
    let _turn = turn::take();
    let file = curl::body(1_000_000);
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let (port, name) = (free_port(), dir.path().display());
        make_certificate(dir.path());
        put_file(dir.path(), &file);
        let site = format!(
            "server {{ listen 127.0.0.1:{port} ssl http2; root {name}/html;
             ssl_certificate {name}/cert.pem; ssl_certificate_key {name}/key.pem; }}"
        );
        let server = nginx::start_http(mode, dir.path(), port, 2, &site);
        let url = format!("https://127.0.0.1:{port}");
        for keep_alive in [true, false] {
            let mut wrk = nginx::wrk_url(&format!("{url}/"), 1, keep_alive);
            nginx::check_wrk(nginx::run_wrk(&mut wrk));
        }
        let authority = dir.path().join("cert.pem");
        let authority = authority.to_str().expect("UTF-8");
        for version in ["--http1.1", "--http2"] {
            let options = ["--cacert", authority, version];
            curl::check_downloads(&format!("{url}/file"), 40, &file, &options);
            assert_eq!(curl::get(&format!("{url}/"), &options), nginx::PAGE);
        }
        quit(mode, server, dir.path());
    });
}

/// The proxy keeps connections to the server behind it. Its buffers are small, so a slow client makes it stop reading
/// from that server.
#[test]
fn nginx_proxies_to_another_nginx() {
    if !have_all() {
        return;
    }
    let _turn = turn::take();
    let file = curl::body(1_000_000);
    in_both_modes(|mode| {
        let (front_dir, back_dir) =
            (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let (front_port, back_port) = (free_port(), free_port());
        put_file(back_dir.path(), &file);
        let name = back_dir.path().display();
        let site = format!(
            "client_max_body_size 0;
             server {{ listen 127.0.0.1:{back_port}; root {name}/html; location /drop {{ return 200 dropped; }} }}"
        );
        let back = nginx::start_http(mode, back_dir.path(), back_port, 2, &site);
        let site = format!(
            "client_max_body_size 0;
             upstream back {{ server 127.0.0.1:{back_port}; keepalive 16; }}
             server {{
                 listen 127.0.0.1:{front_port};
                 proxy_http_version 1.1; proxy_set_header Connection \"\";
                 proxy_buffers 4 4k; proxy_busy_buffers_size 8k; proxy_max_temp_file_size 0;
                 location / {{ proxy_pass http://back; }}
                 location /drop {{ proxy_pass http://back; proxy_request_buffering off; }}
             }}"
        );
        let front = nginx::start_http(mode, front_dir.path(), front_port, 2, &site);
        let url = format!("http://127.0.0.1:{front_port}");
        for keep_alive in [true, false] {
            nginx::check_wrk(nginx::run_wrk(&mut nginx::wrk(&front, 1, keep_alive)));
        }
        curl::check_downloads(&format!("{url}/file"), 60, &file, &[]);
        curl::check_downloads(&format!("{url}/file"), 10, &file, &["--limit-rate", "2M"]);
        let upload = format!("@{}", back_dir.path().join("html/file").display());
        for _ in 0..5 {
            let options = ["--data-binary", &upload, "--header", "Expect:"];
            assert_eq!(curl::get(&format!("{url}/drop"), &options), "dropped");
        }
        quit(mode, front, front_dir.path());
        quit(mode, back, back_dir.path());
    });
}

/// The threads wake the loop by an eventfd that is watched for edges and is hardly ever read.
#[test]
fn nginx_reads_files_in_threads() {
    if !have_all() {
        return;
    }
    let _turn = turn::take();
    let file = curl::body(1_000_000);
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let (port, name) = (free_port(), dir.path().display());
        put_file(dir.path(), &file);
        let site = format!(
            "server {{ listen 127.0.0.1:{port}; root {name}/html;
             aio threads; sendfile off; output_buffers 2 16k; }}"
        );
        let server = nginx::start_http(mode, dir.path(), port, 2, &site);
        for keep_alive in [true, false] {
            nginx::check_wrk(nginx::run_wrk(&mut nginx::wrk(&server, 1, keep_alive)));
        }
        curl::check_downloads(&format!("http://127.0.0.1:{port}/file"), 100, &file, &[]);
        // A worker has its main thread and the threads of the pool.
        let threads = |pid: &u32| fs::read_dir(format!("/proc/{pid}/task")).expect("it is alive").count();
        let most = nginx::workers(&server).iter().map(threads).max();
        assert!(most > Some(10), "{most:?} threads: none of the pool");
        quit(mode, server, dir.path());
    });
}

/// `listen` is what follows the address: if it is empty, the workers share one socket, which they watch with
/// EPOLLEXCLUSIVE; with reuseport each has its own.
fn four_workers_serve(listen: &str) {
    if !have_all() {
        return;
    }
    let _turn = turn::take();
    let file = curl::body(1_000_000);
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let (port, name) = (free_port(), dir.path().display());
        put_file(dir.path(), &file);
        let site = format!("server {{ listen 127.0.0.1:{port} {listen}; root {name}/html; }}");
        let server = nginx::start_http(mode, dir.path(), port, 4, &site);
        let before = nginx::workers(&server);
        for keep_alive in [true, false] {
            nginx::check_wrk(nginx::run_wrk(&mut nginx::wrk(&server, 1, keep_alive)));
        }
        curl::check_downloads(&format!("http://127.0.0.1:{port}/file"), 60, &file, &[]);
        assert_eq!(nginx::workers(&server), before, "no worker died");
        quit(mode, server, dir.path());
    });
}

#[test]
fn four_nginx_workers_serve_from_one_socket() {
    four_workers_serve("");
}

#[test]
fn four_nginx_workers_serve_from_sockets_of_their_own() {
    four_workers_serve("reuseport");
}
