//! Where our code and its answer lie in the target: in the last page of an object's code, and of an object's data,
//! behind what the file fills. Nobody uses those bytes, and no mapping is made.
//!
//! The code is the same for each visit, so it is written once and never changed: a thread that still runs it is not
//! disturbed, and a command that was killed while it wrote leaves a beginning that the next one completes.

use super::arch::{self, Answer, MAGIC};
use super::maps::{self, Mapping};
use super::memory::Memory;
use super::object::{Object, Segment};
use super::refusal::Refusal;
use super::target::Target;

/// The two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub code: u64,
    pub answer: u64,
}

impl Room {
    /// Finds them.
    pub fn find(target: &Target) -> Result<Self, Refusal> {
        // Of the objects libc comes first: every process has it. The loader uses the rest of its own data page.
        let mut order: Vec<_> = target.objects.iter().filter(|object| !object.is_loader()).collect();
        order.sort_by_key(|object| object.base != target.libc_base);
        let (mut code, mut answer) = (None, None);
        for object in order {
            let Some(object) = Object::read(&target.memory, object.base) else { continue };
            for segment in &object.segments {
                if segment.is_code {
                    code = code.or_else(|| place_of_code(target, segment));
                } else if segment.is_data {
                    answer = answer.or_else(|| place_of_answer(target, segment));
                }
            }
            if let (Some(code), Some(answer)) = (code, answer) {
                return Ok(Self { code, answer });
            }
        }
        Err(Refusal::NoRoom)
    }
}

fn place(
    target: &Target,
    segment: &Segment,
    len: usize,
    fits: impl Fn(&Mapping) -> bool,
) -> Option<(u64, Vec<u8>)> {
    let slack = segment.slack();
    let mapping = maps::at(&target.mappings, segment.end.checked_sub(1)?)?;
    let end = slack.start.checked_add(len as u64)?;
    let is_room = end <= slack.end && end <= mapping.end && fits(mapping);
    is_room.then_some(())?;
    Some((slack.start, target.memory.bytes(slack.start, len)?))
}

fn place_of_code(target: &Target, segment: &Segment) -> Option<u64> {
    let code = arch::code();
    let (at, there) = place(target, segment, code.len(), Mapping::is_private_code)?;
    let is_free = there.iter().zip(code).all(|(there, ours)| *there == 0 || there == ours);
    is_free.then_some(at)
}

fn place_of_answer(target: &Target, segment: &Segment) -> Option<u64> {
    let (at, there) = place(target, segment, Answer::SIZE, Mapping::is_private_data)?;
    let is_ours = there.starts_with(&MAGIC.to_ne_bytes());
    (is_ours || there.iter().all(|byte| *byte == 0)).then_some(at)
}
