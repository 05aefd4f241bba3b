//! Models: loom runs the reactor's own code in all the orders in which its threads can meet, up to a bound on
//! preemptions, and with all values that the memory model lets a load return.
//!
//! `kernel` replaces the kernel, `world` the process around the reactor. Each model states a property, and
//! names mutations of the code (`mutation`) with which it must fail. Mutated runs are processes of their own.
//! `scripts/models` runs them.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "used by the models alone, which are tests")]

pub(crate) mod kernel;

#[cfg(test)]
mod arming;
#[cfg(test)]
mod hands;
#[cfg(test)]
mod hot;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod process;
#[cfg(test)]
mod ready;
#[cfg(test)]
mod removal;
#[cfg(test)]
mod ring;
#[cfg(test)]
mod waiters;
#[cfg(test)]
mod world;

/// A thread of the model.
pub(crate) fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> loom::thread::JoinHandle<T> {
    loom::thread::Builder::new().stack_size(1 << 16).spawn(work).expect("a thread")
}

loom::lazy_static! {
    static ref HELPERS: loom::sync::Mutex<Vec<loom::thread::JoinHandle<()>>> = loom::sync::Mutex::new(Vec::new());
}

/// A thread that is joined at the end of the execution.
pub(crate) fn spawn_helper(work: impl FnOnce() + Send + 'static) {
    let helper = spawn(work);
    HELPERS.lock().expect("no panic").push(helper);
}

/// Waits for those threads.
pub(crate) fn join_helpers() {
    loop {
        let helper = HELPERS.lock().expect("no panic").pop();
        let Some(helper) = helper else { return };
        helper.join().expect("no panic");
    }
}

/// A property, and how to check it.
#[cfg(test)]
pub(crate) struct Model {
    /// The test's name, which states it.
    pub(crate) name: &'static str,
    /// How often a thread may be preempted in one execution; None: without bound.
    pub(crate) preemptions: Option<usize>,
    /// Mutations, and the message with which the model must fail under each.
    pub(crate) mutations: &'static [(&'static str, &'static str)],
}

#[cfg(test)]
impl Model {
    /// Checks that it holds, and that it fails with each mutation.
    pub(crate) fn check(&self, work: fn()) {
        static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Ok(mutation) = std::env::var("GLASSPOLL_MUTATION") {
            assert!(self.mutations.iter().any(|(name, _)| *name == mutation), "no mutation of this model");
            self.explore(work);
            return;
        }
        let begin = std::time::Instant::now();
        let states = self.explore(work);
        let seconds = begin.elapsed().as_secs_f64();
        let bound = self.preemptions().map_or_else(|| "any".into(), |most| most.to_string());
        println!("\nmodel {}: {states} executions, {bound} preemptions, {seconds:.1} s", self.name);
        for (mutation, says) in self.mutations {
            let begin = std::time::Instant::now();
            self.fails(mutation, says);
            println!("  fails with {mutation}: {says} ({:.1} s)", begin.elapsed().as_secs_f64());
        }
    }

    fn preemptions(&self) -> Option<usize> {
        let more = std::env::var("GLASSPOLL_MODELS_MORE").ok().and_then(|more| more.parse::<usize>().ok());
        self.preemptions.map(|most| most + more.unwrap_or(0))
    }

    /// Returns the number of executions.
    fn explore(&self, work: fn()) -> usize {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let count = std::sync::Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let mut loom = loom::model::Builder::new();
        loom.max_branches = 20_000;
        loom.preemption_bound = self.preemptions();
        loom.check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            // The first thread's stack is small.
            spawn(work).join().expect("no panic");
        });
        count.load(Ordering::Relaxed)
    }

    fn fails(&self, mutation: &str, says: &str) {
        let program = std::env::current_exe().expect("a path");
        let path = format!("{}::{}", module_path!().split_once("::").expect("a crate").1, self.name);
        let output = std::process::Command::new(program)
            .args(["--exact", "--nocapture", "--test-threads=1", &path])
            .env("GLASSPOLL_MUTATION", mutation)
            .output()
            .expect("to run");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{}: {mutation} was not caught", self.name);
        assert!(text.contains(says), "{}: {mutation} failed otherwise: {text}", self.name);
    }
}

/// A test that is a model.
#[cfg(test)]
macro_rules! model {
    ($(#[$about:meta])* $name:ident, $preemptions:expr, [$($mutation:ident => $says:literal),* $(,)?], $work:expr) => {
        $(#[$about])*
        #[test]
        fn $name() {
            let module = module_path!().rsplit_once("::").unwrap_or_default().1;
            let name: &'static str = Box::leak(format!("{module}::{}", stringify!($name)).into_boxed_str());
            let model = $crate::model::Model {
                name,
                preemptions: $preemptions,
                mutations: &[$((stringify!($mutation), $says)),*],
            };
            model.check($work);
        }
    };
}
#[cfg(test)]
pub(crate) use model;
