//! With `GLASSPOLL_STACKS=on` an ADD unwinds the stack of the program, whatever stack that is.

use std::path::Path;

use glasspoll_tests::documents::root;
use glasspoll_tests::mode::clean_command;
use glasspoll_tests::run::{run, LIMIT};
use glasspoll_tests::{program, Mode};

fn compile(dir: &Path, source: &str, options: &[&str]) {
    let mut command = clean_command(program::path("gcc"));
    command.arg(root().join("tests/tests/programs/stacks").join(source));
    command.args(["-O2", "-fomit-frame-pointer", "-Wall", "-pthread"]).args(options);
    run(command.current_dir(dir), LIMIT).success();
}

#[test]
fn no_stack_harms_the_program() {
    if !program::have(&["gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    compile(dir.path(), "storm.c", &["-o", "storm", "-ldl"]);
    compile(dir.path(), "plugin.c", &["-shared", "-fPIC", "-o", "a.so"]);
    compile(dir.path(), "plugin.c", &["-shared", "-fPIC", "-DSIZE=6000", "-o", "b.so"]);
    for engine in ["emulate", "observe"] {
        for stacks in ["on", "off"] {
            let mut command = Mode::Preloaded.command(dir.path().join("storm"));
            command.envs([("GLASSPOLL_ENGINE", engine), ("GLASSPOLL_STACKS", stacks)]);
            let output = run(command.args(["./a.so", "./b.so"]).current_dir(dir.path()), LIMIT);
            assert_eq!(
                (output.status.code(), &*output.stderr),
                (Some(0), ""),
                "{engine} {stacks}: {output:?}"
            );
        }
    }
}
