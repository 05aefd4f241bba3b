//! What is judged by time alone, while the process had no processor: the machine's doing, as far as is known, and a note.
//!
//! A rule says by `Finding::timed` that a finding of its depends on how long something took, and when that was. All else
//! is decided here.

use super::{cause, Finding, Patient, Severity};

/// Makes notes of findings that the machine may be behind, and says so: what is told of them, and what to do, is for a
/// program that did not get to run.
pub fn judge(patients: &[Patient], findings: &mut [Finding]) {
    for finding in findings {
        let Some(timed) = finding.timed else { continue };
        let mut worlds = patients.iter().map(|patient| &patient.world);
        let Some(world) = worlds.find(|world| world.pid == finding.pid) else { continue };
        let by_itself =
            || world.looks.load.by_itself(timed.from_ns, timed.to_ns.saturating_sub(timed.from_ns));
        if timed.enough_ns.is_some_and(|enough| by_itself() >= enough) {
            continue;
        }
        // We look at each thread that is overdue. If we had no processor for that, it may have had none either.
        if let Some(lack) = world.looks.load.lack(timed.from_ns, timed.to_ns) {
            let (what, advice) = match lack.is_stopped {
                true => ("while the process was stopped", cause::STOPPED),
                false => ("while its threads were without a processor", cause::OVERLOADED),
            };
            finding.title = format!("{}, {what}", finding.title);
            finding.advice = advice;
            finding.evidence.push(lack.to_string());
        } else if !timed.is_seen && world.looks.has_hindered() && finding.severity > Severity::Note {
            finding.advice = cause::PERHAPS_OVERLOADED;
            finding.evidence.push(
                "at other times its threads were stopped, or had no processor: so it may have been here"
                    .into(),
            );
        } else {
            continue;
        }
        finding.severity = Severity::Note;
    }
}

#[cfg(test)]
mod tests {
    use glasspoll_record::event::{Call, Event};

    use super::*;
    use crate::doctor::script::{Script, EAGAIN, ET, IN, ONESHOT};

    /// A lock that takes so long, three times.
    fn locked(ms: u64, script: &mut Script) {
        for _ in 0..3 {
            script.wait(&[(9, IN)]).read(9, 10, 5).ms(ms);
            let ns = ms * 1_000_000;
            script.event(Event::Blocked { fd: 20, call: Call::Lock, ns, result: 0, errno: 0 });
            script.enter(64, -1).give(&[(10, IN)]);
        }
        script.enter(64, -1);
    }

    #[test]
    fn a_short_sleep_is_a_note_while_threads_have_no_processor() {
        let mut script = Script::looping();
        locked(150, &mut script);
        script.all_threads(1000, b'R', 40);
        let finding = &script.findings()[0];
        assert_eq!((finding.class, finding.severity), (25, Severity::Note));
        assert!(
            finding.evidence.iter().any(|line| line.contains("waited for a processor 60%")),
            "{finding:?}"
        );
        // Not if they had one.
        let mut script = Script::looping();
        locked(150, &mut script);
        script.all_threads(1000, b'R', 90);
        assert_eq!(script.found(), [(25, Severity::Warning)]);
    }

    #[test]
    fn a_long_sleep_is_the_programs_however_busy_the_machine_is() {
        let mut script = Script::looping();
        locked(2000, &mut script);
        script.all_threads(7000, b'R', 40);
        assert_eq!(script.found(), [(25, Severity::Error)]);
    }

    /// A loop waits for a thread of its own, and other events are ready by then.
    fn handed_over(call: Call, ms: u64, ran: u64) -> Script {
        let mut script = Script::looping();
        let ns = ms * 1_000_000;
        script.wait(&[(9, IN)]).read(9, 10, 5).ms(ms);
        script.event(Event::Blocked { fd: -1, call, ns, result: 0, errno: 0 });
        script.enter(64, -1).give(&[(10, IN)]).enter(64, -1).all_threads(ms, b'R', ran);
        script
    }

    #[test]
    fn a_wait_for_another_thread_of_the_process_is_as_long_as_that_has_no_processor() {
        for (call, ms, ran, severity) in [
            (Call::Semaphore, 680, 40, Severity::Note),
            (Call::Join, 680, 40, Severity::Note),
            (Call::Semaphore, 680, 90, Severity::Warning),
            // The other thread holds it for long by itself, too.
            (Call::Semaphore, 6000, 40, Severity::Error),
            // Whoever holds it may be another process.
            (Call::Lock, 680, 40, Severity::Warning),
        ] {
            let findings = handed_over(call, ms, ran).findings();
            assert_eq!((findings.len(), findings[0].severity), (1, severity), "{call:?} {ms} {ran}");
            let is_told = findings[0].title.ends_with(", while its threads were without a processor");
            assert_eq!(is_told, severity == Severity::Note, "{}", findings[0].title);
        }
    }

    #[test]
    fn a_slow_callback_asleep_on_a_futex_is_as_long_as_other_threads_have_no_processor() {
        for (call, ran, severity) in [
            ("futex", 40, Severity::Note),
            ("futex", 95, Severity::Warning),
            ("flock", 40, Severity::Warning),
        ] {
            let mut script = Script::new();
            script.add(9, IN).add(11, IN).wait(&[(9, IN)]).ready(11).ms(664).seen(664, b'S', call, false);
            script.wait(&[(11, IN)]).enter(64, -1).all_threads(664, b'R', ran);
            assert_eq!(script.found(), [(16, severity)], "{call} {ran}");
        }
    }

    /// What is a note for another reason needs the true reason, and advice that fits it.
    #[test]
    fn notes_are_told_to_be_of_a_process_without_a_processor_too() {
        let mut script = Script::new();
        script.add(9, IN).wait(&[(9, IN)]).ms(1540).enter(64, -1).give(&[]).enter(64, -1);
        script.all_threads(1600, b'R', 40);
        let finding = &script.findings()[0];
        assert_eq!((finding.class, finding.severity), (16, Severity::Note));
        assert!(finding.title.ends_with("without a processor"), "{}", finding.title);
        assert!(finding.advice.contains("did not get to run"), "{}", finding.advice);
    }

    #[test]
    fn a_slow_callback_of_a_stopped_or_starved_process_is_a_note() {
        for (state, ran, severity) in
            [(b'T', 0, Severity::Note), (b'R', 40, Severity::Note), (b'R', 95, Severity::Warning)]
        {
            let mut script = Script::new();
            script.add(9, IN).add(11, IN).wait(&[(9, IN)]).ready(11).ms(1540).wait(&[(11, IN)]).enter(64, -1);
            script.all_threads(1600, state, ran);
            assert_eq!(script.found(), [(16, severity)]);
        }
    }

    const PLACES: [(u8, u64, Severity); 3] =
        [(b'T', 0, Severity::Note), (b'R', 40, Severity::Note), (b'R', 95, Severity::Warning)];

    /// Left for so long, by a process that was stopped for nearly all of it, had too little of a processor, or had
    /// enough for what a healthy one does.
    fn left(leave: impl Fn(&mut Script)) -> Vec<Vec<(u8, Severity)>> {
        let found = |seconds: u64, state, ran| {
            let mut script = Script::new();
            script.add(5, IN);
            leave(&mut script);
            for _ in 0..seconds * 100 {
                script.ms(10).wait(&[(5, IN)]).read(5, 10, 10);
            }
            script.all_threads(seconds * 1000, state, ran);
            script.found()
        };
        vec![found(2, b'T', 0), found(2, b'R', 30), found(6, b'R', 60), found(2, b'R', 95)]
    }

    #[test]
    fn what_is_left_while_the_process_does_not_get_to_run_is_a_note() {
        type Leave<'a> = &'a dyn Fn(&mut Script);
        let leaves: [(u8, Leave); 3] = [
            (2, &|script| _ = script.add(6, IN | ET).wait(&[(6, IN)]).read(6, 100, 100)),
            (5, &|script| _ = script.add(6, IN | ONESHOT).wait(&[(6, IN)]).read(6, 100, 100)),
            (19, &|script| _ = script.add(6, IN).wait(&[(6, IN)]).write(6, EAGAIN)),
        ];
        for (class, leave) in leaves {
            let expected = [Severity::Note, Severity::Note, Severity::Warning, Severity::Warning];
            assert_eq!(left(leave), expected.map(|severity| vec![(class, severity)]), "class {class}");
        }
    }

    #[test]
    fn a_loop_that_cannot_go_on_after_eintr_is_a_note() {
        for (state, ran, severity) in PLACES {
            let mut script = Script::new();
            script.add(5, IN).wait(&[(5, IN)]).enter(64, -1).back(-libc::EINTR).ms(1500);
            script.all_threads(1500, state, ran);
            assert_eq!(script.found(), [(15, severity)]);
        }
    }

    #[test]
    fn waits_that_a_stop_or_want_of_a_processor_draws_out_are_a_note() {
        for (state, ran, severity) in PLACES {
            let mut script = Script::new();
            for _ in 0..40 {
                script.enter(16, 200).ms(50).back(-libc::EINTR);
            }
            script.all_threads(2000, state, ran);
            assert_eq!(script.found(), [(21, severity)]);
        }
    }

    #[test]
    fn items_that_wait_for_a_thread_without_a_processor_are_a_note() {
        for (state, ran, severity) in PLACES {
            let mut script = Script::new();
            script.add(5, IN).add(6, IN).add(31, IN).ready(31);
            for _ in 0..40 {
                script.enter(2, -1).give(&[(5, IN), (6, IN)]).read(5, 10, 10).read(6, 10, 10).ms(50);
            }
            script.enter(2, -1).give(&[(31, IN), (5, IN)]);
            script.all_threads(2000, state, ran);
            assert_eq!(script.found(), [(14, severity)]);
        }
    }

    #[test]
    fn work_that_was_seen_is_the_programs() {
        let mut script = Script::new();
        script.add(9, IN).add(11, IN).wait(&[(9, IN)]).ready(11).ms(540).seen(540, b'R', "", false);
        script.wait(&[(11, IN)]).enter(64, -1).all_threads(600, b'R', 40);
        assert_eq!(script.found(), [(16, Severity::Warning)]);
    }

    #[test]
    fn a_queue_that_fills_while_the_loop_has_no_processor_is_a_note() {
        for (ran, severity) in [(40, Severity::Note), (95, Severity::Warning)] {
            let mut script = Script::new();
            script.add(4, IN);
            for look in 0..20 {
                for _ in 0..2 {
                    script.enter(64, -1).give(&[(4, IN)]).accept(4, 20).ms(95);
                }
                script.queue(4, 17, 16, 5 * look);
            }
            script.all_threads(3800, b'R', ran);
            assert_eq!(script.found(), [(26, severity)]);
        }
    }
}
