//! Programs whose loader cannot use the library: musl's, and an older glibc's. The command says so in one line.

use glasspoll_tests::command::glasspoll;
use glasspoll_tests::documents::root;
use glasspoll_tests::mode::clean_command;
use glasspoll_tests::run::{run, LIMIT};
use glasspoll_tests::{program, Output};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

const PROGRAM: &str = "#include <stdio.h>\n#include <sys/epoll.h>\n\
                       int main(void) { puts(epoll_create1(0) < 0 ? \"none\" : \"one\"); return 7; }\n";

fn compile(compiler: &str, dir: &Path, options: &[&str]) {
    fs::write(dir.join("program.c"), PROGRAM).expect("the test's own directory");
    let mut command = clean_command(program::path(compiler));
    command.args(["-O1", "-o", "program", "program.c"]).args(options);
    run(command.current_dir(dir), LIMIT).success();
}

fn with(arguments: &[&str], dir: &Path) -> Output {
    run(glasspoll().args(arguments).current_dir(dir), LIMIT)
}

fn line(output: &Output) -> &str {
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    output.stderr.trim_end()
}

#[test]
fn a_musl_program_runs_on_the_kernels_epoll_and_one_line_says_so() {
    if !program::have(&["musl-gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    compile("musl-gcc", dir.path(), &[]);
    for options in [&["run", "--", "./program"][..], &["run", "-c", "-o", "record", "--", "./program"]] {
        let output = with(options, dir.path());
        assert_eq!((output.status.code(), &*output.stdout), (Some(7), "one\n"), "{output:?}");
        let line = line(&output);
        assert!(line.starts_with("glasspoll: the program runs on the kernel's epoll"), "{line}");
        assert!(line.contains("its libc is musl (/") && line.contains("needs glibc 2."), "{line}");
        assert_eq!(line.contains("nothing is recorded"), options.len() > 3, "{line}");
    }
    assert!(!dir.path().join("record").exists());
}

#[test]
fn ls_says_why_a_musl_program_or_a_static_one_cannot_have_the_library() {
    if !program::have(&["musl-gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let sleeps = "#include <sys/epoll.h>\n#include <unistd.h>\nint main(void) { int set = epoll_create1(0); int ends[2];\n\
                  struct epoll_event event = { .events = EPOLLIN }; pipe(ends);\n\
                  epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event); write(1, \"up\\n\", 3); pause(); return 0; }\n";
    for (options, reason) in
        [(&[][..], "Its libc is musl (/"), (&["-static"], "It is linked statically, so the library cannot")]
    {
        fs::write(dir.path().join("program.c"), sleeps).expect("the test's own directory");
        let mut command = clean_command(program::path("musl-gcc"));
        command.args(["-O1", "-o", "sleeps", "program.c"]).args(options);
        run(command.current_dir(dir.path()), LIMIT).success();
        let mut child =
            clean_command(dir.path().join("sleeps")).stdout(Stdio::piped()).spawn().expect("a program");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let pid = child.id().to_string();
        let (text, json) = (with(&["ls", &pid], dir.path()), with(&["ls", "--json", &pid], dir.path()));
        child.kill().and_then(|()| child.wait()).expect("our child");
        let text = text.success();
        assert_eq!(text.lines().filter(|line| line.contains(reason)).count(), 1, "{text}");
        let json: serde_json::Value = serde_json::from_str(&json.success()).expect("JSON");
        let why = json["processes"][0]["unreachable"].as_str().expect("a reason");
        assert!(why.starts_with(reason), "{why}");
    }
}

#[test]
fn the_doctor_does_not_start_a_musl_program() {
    if !program::have(&["musl-gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    compile("musl-gcc", dir.path(), &[]);
    let script = format!("#!{}/program\n", dir.path().display());
    fs::write(dir.path().join("script"), script).expect("the test's own directory");
    for name in ["./program", "script"] {
        let path = dir.path().join(name);
        let output = with(&["doctor", "--", path.to_str().expect("a path in UTF-8")], dir.path());
        assert_eq!((output.status.code(), &*output.stdout), (Some(125), ""), "{output:?}");
        assert!(line(&output).contains("cannot run on it: its libc is musl"), "{output:?}");
    }
}

#[test]
fn a_program_of_an_older_glibc_is_named_with_both_versions() {
    if !program::have(&["gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let make = |arguments: &[&str]| {
        run(clean_command(program::path("gcc")).args(arguments).current_dir(dir.path()), LIMIT).success();
    };
    let versions = "GLIBC_2.2.5 { global: one; };\nGLIBC_2.4 { global: two; } GLIBC_2.2.5;\n\
                    GLIBC_2.31 { global: three; local: *; } GLIBC_2.4;\n";
    fs::write(dir.path().join("versions"), versions).expect("the test's own directory");
    fs::write(dir.path().join("libc.c"), "int one, two, three;\n").expect("the test's own directory");
    make(&["-shared", "-nostdlib", "-Wl,--version-script=versions", "-o", "libc.so.6", "libc.c"]);
    fs::write(dir.path().join("ld-linux.so.2"), "").expect("the test's own directory");
    let loader = format!("-Wl,--dynamic-linker={}/ld-linux.so.2", dir.path().display());
    compile("gcc", dir.path(), &[&loader]);
    let output = with(&["doctor", "--", "./program"], dir.path());
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    let line = line(&output);
    assert!(
        line.contains("cannot run on it: its glibc is 2.31 (") && line.contains("needs glibc 2."),
        "{line}"
    );
}

#[test]
fn what_is_linked_for_an_older_glibc_asks_for_no_newer_symbol() {
    if !program::have(&["gcc", "objdump", "python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    // Each has a newer version today, or was no symbol at all.
    let source = "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <math.h>\n#include <pthread.h>\n#include <stdio.h>\n\
                  #include <sys/stat.h>\nstatic int begun; __attribute__((constructor)) static void begin(void) { begun = 1; }\n\
                  static void *thread(void *got) { return got; }\n\
                  int main(int count, char **words) { pthread_t one; struct stat to; void *got = 0;\n\
                  int failed = pthread_create(&one, 0, thread, &to) || pthread_join(one, &got) || stat(words[0], &to);\n\
                  printf(\"%d %d %d %.1f %d\\n\", begun, failed, got == &to && to.st_size > 0, log2(count + 7),\n\
                  dlsym(RTLD_DEFAULT, \"puts\") != 0); return 0; }\n";
    fs::write(dir.path().join("program.c"), source).expect("the test's own directory");
    for (newest, is_old) in [("2.28", true), ("2.34", false)] {
        let mut stubs = clean_command(root().join("scripts/old_glibc"));
        let flags = run(stubs.arg(newest).arg(dir.path().join(newest)), LIMIT).success();
        let mut gcc = clean_command(program::path("gcc"));
        gcc.args(["-fno-builtin", "-o", "program", "program.c", "-lm"]).args(flags.lines());
        run(gcc.current_dir(dir.path()), LIMIT).success();
        let program = dir.path().join("program");
        assert_eq!(run(&mut clean_command(&program), LIMIT).success(), "1 0 1 3.0 1\n");
        let symbols = run(clean_command("objdump").arg("-T").arg(&program), LIMIT).success();
        let needs = |version: &str| symbols.contains(&format!("(GLIBC_{version})"));
        assert!(
            !needs("2.35") && !needs("2.36") && is_old != needs("2.34") && is_old != needs("2.29"),
            "{symbols}"
        );
    }
}

#[test]
fn a_loader_that_is_given_a_program_is_no_static_one() {
    if !program::have(&["true", "ldd"]) {
        return;
    }
    let output = run(clean_command("ldd").arg(program::path("true")), LIMIT);
    let loader =
        output.stdout.split_whitespace().find(|word| word.starts_with("/lib") && word.contains("/ld-"));
    let output = with(&["run", "--", loader.expect("ldd names it"), "/bin/true"], Path::new("/"));
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), ""), "{output:?}");
}
