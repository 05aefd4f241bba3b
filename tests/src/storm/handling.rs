//! What a thread does with the events it got, much as servers do.

use std::sync::atomic::Ordering::SeqCst;

use super::cookies::{Target, EDGE, ONESHOT};
use super::files::Read;
use super::threads::Deed;
use super::waiting::Me;
use super::world::{lock, shared};

impl Me<'_> {
    /// Handles events by their cookies.
    pub fn handle(&mut self, events: &[usize], depth: usize) {
        for at in events {
            let Some(cookie) = self.world.cookies.get(*at) else { continue };
            match cookie.target {
                Target::Nudge => {}
                Target::Reader { slot, file } => self.handle_reader(*at, slot, file),
                Target::Writer { slot, file } => {
                    self.world.file(file).blocked.store(false, SeqCst);
                    if self.random.chance(50) && !self.world.pace.is_lull() {
                        self.write(slot);
                    }
                }
                Target::Set { set, life } => {
                    let cookie = (cookie.set, cookie.mask);
                    self.handle_set(*at, cookie, set, life, depth);
                }
            }
        }
    }

    fn handle_reader(&mut self, at: usize, slot: usize, number: usize) {
        let world = self.world;
        let Some(cookie) = world.cookies.get(at) else { return };
        let (mask, set) = (cookie.mask, cookie.set);
        let lull = world.pace.is_lull();
        let ended = {
            let pair = shared(&world.slots[slot].pair);
            let Some(pair) = pair.as_ref().filter(|pair| pair.file == number) else { return };
            let drain = mask & EDGE != 0 || lull || self.random.chance(50);
            let ended = if drain {
                self.drain(pair.reader, number)
            } else if self.random.chance(70) {
                let most = 1 + self.random.below(100);
                self.read(pair.reader, number, most) == Read::End
            } else {
                false
            };
            // What a oneshot item is not re-armed for now, a changer may do later.
            if mask & ONESHOT != 0 && (lull || self.random.chance(80)) {
                self.rearm(slot, set, at);
            }
            ended
        };
        if ended {
            self.close_file(slot, Some(number));
        } else if self.random.chance(10) && !lull {
            let other = self.random.below(world.slots.len());
            self.write(other);
        }
    }

    /// Reads until nothing is left. True: it has come to its end.
    pub fn drain(&mut self, fd: libc::c_int, number: usize) -> bool {
        loop {
            match self.read(fd, number, 65536) {
                Read::Some => {}
                Read::Nothing => return false,
                Read::End => return true,
            }
        }
    }

    pub fn read(&mut self, fd: libc::c_int, number: usize, most: usize) -> Read {
        self.status.now(Deed::Read, fd);
        let got = self.world.file(number).read(fd, number as u8, most);
        self.status.now(Deed::Nothing, fd);
        got.unwrap_or_else(|why| {
            self.world.fail("answer", &format!("fd {fd}, {:?}: {why}", self.world.file(number)))
        })
    }

    /// Writes to the file in a slot as much as it may have. Locks are tried only: this is done on the way.
    pub fn write(&mut self, slot: usize) {
        let world = self.world;
        let Ok(pair) = world.slots[slot].pair.try_read() else { return };
        let Some(pair) = pair.as_ref().filter(|pair| pair.writer >= 0) else { return };
        let file = world.file(pair.file);
        let often = if file.flow { 4 } else { 1 + self.random.below(world.plan.unread as usize) };
        for _ in 0..often {
            if file.flow && file.blocked.load(SeqCst) || !file.flow && file.unread() >= world.plan.unread {
                return;
            }
            // Before the write: if it is refused and there is room at once, the event clears it.
            file.blocked.store(file.flow, SeqCst);
            self.status.now(Deed::Write, pair.writer);
            let put = file.write(pair.writer, pair.file as u8, &mut self.random);
            self.status.now(Deed::Nothing, pair.writer);
            world.counts.writes.fetch_add(1, SeqCst);
            match put {
                Ok(true) => file.blocked.store(false, SeqCst),
                Ok(false) if file.flow => return self.rearm_writer(slot),
                Ok(false) => return,
                Err(errno) => {
                    world.fail("answer", &format!("write to fd {} gives {errno}: {file:?}", pair.writer))
                }
            }
        }
    }

    fn handle_set(&mut self, at: usize, (outer, mask): (usize, u32), inner: usize, life: u32, depth: usize) {
        let all = mask & EDGE != 0 || self.random.chance(50);
        self.serve(inner, all, depth + 1);
        if mask & ONESHOT != 0 {
            let mut link = lock(self.world.link(outer, inner));
            if link.is_some_and(|(item, of)| item.cookie == at && of == life) {
                self.modify_link(&mut link, outer, inner);
            }
        }
    }
}
