//! The library comes late, by dlopen(3): it sleeps until it is attached, takes the slots of the loaded objects, and puts
//! them back. A C program loads it here by itself (`tests/tests/programs/attach`).
//!
//! What an attached library does not see: calls by pointers that the program got by dlsym(3) before.

use std::path::{Path, PathBuf};

use glasspoll_tests::documents::root;
use glasspoll_tests::mode::{clean_command, library};
use glasspoll_tests::run::{run, LIMIT};
use glasspoll_tests::{program, Output};
use tempfile::TempDir;

/// The compiled programs and objects.
struct Programs(TempDir);

impl Programs {
    /// None: there is no compiler.
    fn new() -> Option<Self> {
        program::have(&["gcc"]).then(|| Self(tempfile::tempdir().expect("a directory")))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn compile(&self, source: &str, name: &str, options: &[&str]) -> PathBuf {
        let mut command = clean_command(program::path("gcc"));
        command.arg(root().join("tests/tests/programs/attach").join(source));
        command.args(["-O1", "-Wall", "-pthread", "-o", name]).args(options).current_dir(self.0.path());
        run(&mut command, LIMIT).success();
        self.path(name)
    }

    fn program(&self, options: &[&str]) -> PathBuf {
        self.compile("attach.c", "attach", options)
    }

    fn plugin(&self, name: &str) -> PathBuf {
        self.compile("plugin.c", name, &["-shared", "-fPIC", "-Wl,-z,lazy,-z,relro"])
    }
}

fn play(program: &Path, scenario: &str, arguments: &[&Path]) -> Output {
    run(clean_command(program).arg(scenario).arg(library()).args(arguments), LIMIT)
}

#[test]
fn every_slot_leads_to_the_library_and_back_whichever_way_the_program_is_linked() {
    let Some(programs) = Programs::new() else { return };
    for (options, kind) in [
        (&["-Wl,-z,now,-z,relro"][..], "bound"),
        (&["-Wl,-z,lazy,-z,relro"], "lazy"),
        (&["-Wl,-z,lazy,-z,norelro"], "lazy"),
        (&["-no-pie", "-Wl,-z,lazy"], "lazy"),
        (&["-no-pie", "-Wl,-z,now,-z,relro"], "bound"),
        (&["-fno-plt", "-Wl,-z,now,-z,relro"], "bound"),
    ] {
        let program = programs.program(options);
        let output = play(&program, "slots", &[kind.as_ref()]);
        assert!(output.status.success(), "{options:?}: {output:?}");
    }
}

#[test]
fn a_thousand_attaches_leave_nothing_behind() {
    let Some(programs) = Programs::new() else { return };
    play(&programs.program(&[]), "cycles", &["1000".as_ref(), "0".as_ref()]).success();
}

#[test]
fn threads_use_epoll_while_the_library_comes_and_goes() {
    let Some(programs) = Programs::new() else { return };
    for options in [&["-Wl,-z,lazy"], &["-Wl,-z,now"]] {
        play(&programs.program(options), "cycles", &["300".as_ref(), "4".as_ref()]).success();
    }
}

#[test]
fn what_is_unloaded_while_the_library_is_attached_is_not_touched() {
    let Some(programs) = Programs::new() else { return };
    let plugins = [programs.plugin("one.so"), programs.plugin("other.so")];
    play(&programs.program(&[]), "unplugged", &[&plugins[0], &plugins[1]]).success();
}

#[test]
fn what_is_loaded_while_the_library_is_attached_is_taken_too() {
    let Some(programs) = Programs::new() else { return };
    play(&programs.program(&[]), "plugged", &[&programs.plugin("one.so")]).success();
}

#[test]
fn a_fork_waits_for_nobody_who_waits_for_it() {
    let Some(programs) = Programs::new() else { return };
    play(&programs.program(&[]), "forks", &["200".as_ref()]).success();
}

#[test]
fn a_handler_in_a_thread_from_before_allocates_nothing() {
    let Some(programs) = Programs::new() else { return };
    play(&programs.compile("handler.c", "handler", &[]), "handler", &[]).success();
}

#[test]
fn it_can_be_loaded_where_no_room_for_thread_locals_is_left() {
    let Some(programs) = Programs::new() else { return };
    let sizes = [1024, 512, 512, 256, 256, 128, 64, 32, 16, 8, 8, 1024, 512, 256, 128, 64, 32, 16, 8, 8];
    let make = |(number, size): (usize, &i32)| {
        let size = format!("-DSIZE={size}");
        programs.compile("crowd.c", &format!("crowd{number}.so"), &["-shared", "-fPIC", &size])
    };
    let crowd: Vec<PathBuf> = sizes.iter().enumerate().map(make).collect();
    let arguments: Vec<&Path> = crowd.iter().map(PathBuf::as_path).collect();
    play(&programs.program(&[]), "crowded", &arguments).success();
}

#[test]
fn asleep_it_changes_nothing_and_passes_every_call_on() {
    let Some(programs) = Programs::new() else { return };
    play(&programs.program(&[]), "asleep", &[]).success();
}

#[test]
fn in_a_static_program_it_refuses() {
    let Some(programs) = Programs::new() else { return };
    for options in [&["-static"], &["-static-pie"]] {
        let program = programs.compile("static.c", "static", options);
        let output = run(clean_command(&program).arg(library()), LIMIT);
        assert!(output.status.success(), "{options:?}: {output:?}");
    }
}

#[test]
fn a_library_that_came_with_the_program_is_not_attached() {
    let Some(programs) = Programs::new() else { return };
    let program = programs.program(&[]);
    let mut command = clean_command(&program);
    command.arg("with_the_program").arg(library()).env("LD_PRELOAD", library());
    run(&mut command, LIMIT).success();
}
