//! Which epoll a program gets from the command: by an option, the environment, or the command's default. What needs the
//! other one is refused before the program starts.

use glasspoll_tests::command::glasspoll;
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::Output;

/// Runs `glasspoll COMMAND… -- sh -c …`, which prints the engine that it got, with `said` in the environment.
fn started(command: &[&str], said: Option<&str>) -> Output {
    let mut glasspoll = glasspoll();
    glasspoll.args(command).args(["--", "sh", "-c", "echo engine=$GLASSPOLL_ENGINE"]);
    if let Some(said) = said {
        glasspoll.env("GLASSPOLL_ENGINE", said);
    }
    run(&mut glasspoll, LIMIT)
}

#[test]
fn a_diagnosis_observes_and_a_run_emulates_unless_the_user_says_otherwise() {
    for (command, said, engine) in [
        (&["run"][..], None, ""),
        (&["run"], Some("observe"), "observe"),
        (&["run", "--observe"], None, "observe"),
        (&["run", "--observe", "-c"], Some("emulate"), "observe"),
        (&["run", "--emulate"], Some("observe"), "emulate"),
        (&["run", "--emulate", "--exact"], Some("observe"), "emulate"),
        (&["doctor"], None, "observe"),
        (&["doctor"], Some(""), "observe"),
        (&["doctor"], Some("emulate"), "emulate"),
        (&["doctor", "--observe"], Some("emulate"), "observe"),
        (&["doctor", "--emulate", "--exact"], None, "emulate"),
        (&["doctor", "--exact"], Some("emulate"), "emulate"),
    ] {
        let output = started(command, said);
        assert_eq!(output.stdout, format!("engine={engine}\n"), "{command:?} with {said:?}: {output:?}");
    }
}

#[test]
fn what_needs_the_emulation_is_refused_in_one_line_that_says_what_to_write() {
    let in_place = "write --emulate in the place of --observe";
    for (command, said, parts) in [
        (&["run", "--observe", "--exact"][..], None, ["--exact needs", in_place]),
        (&["run", "--observe", "--chaos", "all"], None, ["--chaos needs", in_place]),
        (
            &["run", "--observe", "--chaos", "all", "--chaos-until-fail", "2"],
            None,
            ["--chaos needs", in_place],
        ),
        (&["run", "--exact"], Some("observe"), ["--exact needs", "overrides GLASSPOLL_ENGINE"]),
        (&["doctor", "--exact"], None, ["a time of becoming ready is exact only where", "; add --emulate"]),
        (&["doctor", "--observe", "--exact"], Some("emulate"), ["--exact needs", in_place]),
        (&["doctor", "--chaos", "all"], None, ["--chaos needs", "; add --emulate"]),
    ] {
        let output = started(command, said);
        assert_eq!(output.status.code(), Some(125), "{command:?}: {output:?}");
        assert_eq!(output.stdout, "", "{command:?}: {output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{command:?}: {output:?}");
        assert!(parts.iter().all(|part| output.stderr.contains(part)), "{command:?}: {output:?}");
    }
}

#[test]
fn a_process_that_runs_already_has_its_epoll() {
    for option in ["--observe", "--emulate"] {
        let output = run(glasspoll().args(["doctor", option, "1"]), LIMIT);
        assert_eq!(output.status.code(), Some(125), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        assert!(output.stderr.contains(&format!("{option} is for a PROGRAM")), "{output:?}");
    }
}
