//! Stacks are read on x86-64 alone.

use glasspoll_record::Sample;

use super::look::Look;

#[derive(Debug)]
pub struct Stacks;

impl Stacks {
    pub fn new(_ptrace: bool) -> Self {
        Self
    }

    pub fn copy(&mut self, _key: u32, _pid: u32, _tid: u32, _look: &Look, _sample: &Sample) -> bool {
        false
    }

    pub fn told(&mut self) -> Vec<(u32, Sample)> {
        Vec::new()
    }

    pub fn finish(self) -> (Vec<(u32, Sample)>, Vec<String>) {
        (Vec::new(), Vec::new())
    }
}
