//! What is judged by time alone, while the process had no processor: the machine's doing, as far as is known, and a note.
//!
//! A rule says by `Finding::timed` that a finding of its depends on how long something took, and when that was. All else
//! is decided here.

use super::finding::Timed;
use super::{Finding, Patient, Severity};
use crate::replay::World;

/// Makes notes of findings that the machine may be behind, and says so.
pub fn judge(patients: &[Patient], findings: &mut [Finding]) {
    for finding in findings {
        let Some(timed) = finding.timed.filter(|_| finding.severity > Severity::Note) else { continue };
        let mut worlds =
            patients.iter().map(|patient| &patient.world).filter(|world| world.pid == finding.pid);
        if let Some(why) = worlds.find_map(|world| why(world, timed)) {
            finding.severity = Severity::Note;
            finding.evidence.push(why);
        }
    }
}

fn why(world: &World, timed: Timed) -> Option<String> {
    // We look at each thread that is overdue. If we had no processor for that, it may have had none either.
    let is_hindered = !timed.is_seen && world.looks.has_hindered();
    world.looks.load.lack(timed.from_ns, timed.to_ns).or_else(|| {
        is_hindered.then(|| {
            "at other times its threads were stopped, or had no processor: so it may have been here".into()
        })
    })
}

#[cfg(test)]
mod tests {
    use glasspoll_record::event::{Call, Event};

    use super::*;
    use crate::doctor::script::{Script, IN};

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
