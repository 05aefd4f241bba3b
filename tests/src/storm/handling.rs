//! What a thread does with its events, much as servers do.

use std::sync::atomic::Ordering::SeqCst;

use super::cookies::{Target, EDGE, EXCLUSIVE, ONESHOT};
use super::files::File;
use super::reading::Read;
use super::threads::Deed;
use super::waiting::Me;
use super::world::{lock, shared, Pair};

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
            let mut again = mask & ONESHOT != 0 && (lull || self.random.chance(80));
            let ended = if mask & EDGE == 0 && !lull && self.random.chance(20) {
                false
            } else if self.random.chance(world.plan.partial) && mask & EXCLUSIVE == 0 {
                let most = 1 + self.random.below(100);
                let ended = self.read(pair.reader, number, most) == Read::End;
                // Data is left, so a MOD must report it again; a level-triggered item reports it without one.
                let left = !ended && mask & EDGE != 0;
                let told = left && self.rearm(slot, set, at);
                again &= !told;
                ended || left && !told && self.drain(pair.reader, number)
            } else {
                self.drain(pair.reader, number)
            };
            // A oneshot item that is not re-armed here may be re-armed later by a changer.
            if again {
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

    /// Reads until nothing is left: until a read is refused, or has got all there was. True: the file is at its end.
    pub fn drain(&mut self, fd: libc::c_int, number: usize) -> bool {
        let once = self.random.chance(self.world.plan.once);
        loop {
            match self.read(fd, number, 65536) {
                Read::All if once => return false,
                Read::Some | Read::All => {}
                Read::Nothing => return false,
                Read::End => return true,
            }
        }
    }

    pub fn read(&mut self, fd: libc::c_int, number: usize, most: usize) -> Read {
        self.status.now(Deed::Read, fd);
        let got = self.world.file(number).read(fd, number as u8, most, &mut self.random);
        self.status.now(Deed::Nothing, fd);
        if matches!(got, Ok(Read::Some | Read::All)) {
            self.set_anew(fd, number);
        }
        got.unwrap_or_else(|why| {
            self.world.fail("answer", &format!("fd {fd}, {:?}: {why}", self.world.file(number)))
        })
    }

    /// Writes to the file in a slot as much as the file may have. It only tries the lock, because the caller may hold
    /// others.
    pub fn write(&mut self, slot: usize) {
        let world = self.world;
        let Ok(pair) = world.slots[slot].pair.try_read() else { return };
        let Some(pair) = pair.as_ref().filter(|pair| pair.writer >= 0) else { return };
        let file = world.file(pair.file);
        let flow = file.traits.flow;
        let often = if flow { 4 } else { 1 + self.random.below(world.plan.unread as usize) };
        for _ in 0..often {
            if flow && file.blocked.load(SeqCst) || !flow && file.unread() >= world.plan.unread {
                return;
            }
            // This comes before the write: if the write is refused and there is room at once, the event clears it.
            file.blocked.store(flow, SeqCst);
            if !self.put(pair, file) {
                if flow {
                    self.rearm_writer(slot);
                }
                return;
            }
            file.blocked.store(false, SeqCst);
        }
    }

    /// Writes once. False: the write was refused.
    pub fn put(&mut self, pair: &Pair, file: &File) -> bool {
        self.status.now(Deed::Write, pair.writer);
        let put = file.write(pair.writer, pair.file as u8, &mut self.random);
        self.status.now(Deed::Nothing, pair.writer);
        self.world.counts.writes.fetch_add(1, SeqCst);
        put.unwrap_or_else(|errno| {
            self.world.fail("answer", &format!("write to fd {} gives {errno}: {file:?}", pair.writer))
        })
    }

    fn handle_set(&mut self, at: usize, (outer, mask): (usize, u32), inner: usize, life: u32, depth: usize) {
        let all = mask & EDGE != 0 || self.random.chance(50);
        let done = self.serve(inner, all, depth + 1);
        // Something may be left, so a MOD must report it again.
        if mask & ONESHOT != 0 || mask & EDGE != 0 && !done {
            let mut link = lock(self.world.link(outer, inner));
            let same = link.is_some_and(|(item, of)| item.cookie == at && of == life);
            if same && self.world.cookies.has_room() {
                self.modify_link(&mut link, outer, inner);
            }
        }
    }
}
