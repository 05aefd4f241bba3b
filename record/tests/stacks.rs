//! The call stacks of a ring: what is written is read, from the ring and from a file.

#![cfg(not(loom))]

use std::alloc::{alloc_zeroed, Layout};
use std::io;

use glasspoll_record::file::Writer;
use glasspoll_record::items::{New, Place};
use glasspoll_record::layout::HEADER;
use glasspoll_record::ring::{Live, Source};
use glasspoll_record::stacks::{self, Adding, Stacks, FRAMES, LATEST, MODULES};
use glasspoll_record::writer::{self, Owner, Shape};
use glasspoll_record::Recording;

struct Memory(*const u8, usize);

impl Source for Memory {
    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        let at = at as usize;
        if at + buf.len() > self.1 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // SAFETY: in the memory, which stays.
        unsafe { std::ptr::copy_nonoverlapping(self.0.add(at), buf.as_mut_ptr(), buf.len()) };
        Ok(())
    }
}

/// One test, because a process has one ring.
#[test]
fn an_item_keeps_the_stack_of_its_add() {
    let shape = Shape { blocks: 4, capacity: 8, fds: 0, stacks: 16 };
    let layout = Layout::from_size_align(shape.size(), HEADER).unwrap();
    // SAFETY: it has a size, is zeroed, and stays.
    let memory = unsafe { alloc_zeroed(layout) };
    assert!(!stacks::is_on());
    // SAFETY: as above.
    unsafe { writer::start(memory, shape, Owner { pid: 42, ..Owner::default() }) };
    assert!(stacks::is_on());

    let module = stacks::module(b"/lib/x.so", &[1, 2, 3]).unwrap();
    let frame = |offset: u64| u64::from(module) << 48 | offset;
    let (one, other) =
        (stacks::stack(&[frame(0x10), 0x7f00_0000_1234], false), stacks::stack(&[frame(0x20)], true));
    assert_eq!((one, other, stacks::stack(&[frame(0x10), 0x7f00_0000_1234], false)), (1, 2, 1));
    assert_eq!(stacks::stack(&[frame(0x20)], false), 3, "a stack that goes on is another");

    let add = |serial, stack| {
        let _adding = Adding::of(stack);
        Place::new(New { epoll: 1, fd: 5, serial, interest: 1, is_set: false })
    };
    let old = add(7, one);
    let gone = add(8, other);
    gone.remove();
    add(9, 0);
    for n in 0..LATEST as u32 {
        add(100 + n, one).remove();
    }

    let live = Live::of(Memory(memory, shape.size())).unwrap();
    let (header, _) = live.read_items().unwrap();
    let read = live.stacks(&header).unwrap();
    assert_eq!(read.modules[0].path, b"/lib/x.so");
    assert_eq!(read.modules[0].build_id, [1, 2, 3]);
    let stack = read.of(7).unwrap();
    assert_eq!(stack.frames, [frame(0x10), 0x7f00_0000_1234]);
    let (place, offset) = read.place(stack.frames[0]);
    assert_eq!((place.map(|module| &module.path[..]), offset), (Some(&b"/lib/x.so"[..]), 0x10));
    assert_eq!(read.place(stack.frames[1]), (None, 0x7f00_0000_1234));
    assert!(read.of(8).is_none(), "{LATEST} later ones have taken its place");
    assert!(read.of(9).is_none());
    assert_eq!(read.of(100), Some(stack), "it is gone, and its stack is known");
    old.remove();

    let long: Vec<u64> = (0..99).collect();
    let number = stacks::stack(&long, true);
    let left = (0..20).filter(|n| stacks::stack(&[frame(0x1000 + n)], false) == 0).count();
    assert!((1..=4).contains(&number) && left == 8, "{number} {left}");
    while stacks::module(b"/x", &[]).is_some() {}
    let read = live.stacks(&header).unwrap();
    assert_eq!((read.stacks[number as usize - 1].frames.len(), read.left_out), (FRAMES, 8));
    assert_eq!(read.modules.len(), MODULES);

    assert_eq!(Stacks::parse(&read.to_bytes()).as_ref(), Some(&read));
    for len in 0..200 {
        // Cut anywhere: no stacks, or fewer items.
        let _ = Stacks::parse(&read.to_bytes()[..len]);
    }
    let mut file = Vec::new();
    let mut out = Writer::new(&mut file).unwrap();
    out.ring(0, &live.page().unwrap()).unwrap();
    out.stacks(0, &read).unwrap();
    out.flush().unwrap();
    let recording = Recording::read(&file[..]).unwrap();
    assert_eq!((&recording.trouble, &recording.processes[0].stacks), (&None, &read));
}
