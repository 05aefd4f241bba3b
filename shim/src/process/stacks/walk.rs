//! Goes up a stack.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use framehop::{FrameAddress, Unwinder as _};
use glasspoll_record::stacks::{self, FRAMES, MODULE_SHIFT};

use super::memo::{Begin, Memo};
use super::memory::Stack;
use super::module::{self, Bytes};
use super::objects::{Finder, Object};
use super::registers::{self, Cache, Registers, Unwinder};

/// The most frames of our own below the program's.
const OURS: usize = 32;
/// The most objects that the unwinder knows: after that it begins anew.
const KNOWN: usize = 256;

/// An object that the unwinder knows, and its number in the record; 0: none.
struct Known {
    object: Object,
    number: u16,
}

/// Where a walk begins.
fn begin(registers: &Registers) -> Begin {
    (registers.sp(), registers::frame_pointer(registers))
}

/// What is kept between two captures.
pub struct Walker {
    finder: Finder,
    unwinder: Unwinder<Bytes>,
    cache: Cache,
    known: Vec<Known>,
    memo: Memo,
    /// This library.
    ours: Option<Object>,
    /// The modules in the record: the path, the build ID and the number of each.
    modules: Vec<(Vec<u8>, Vec<u8>, u16)>,
    /// The program's path, and the folder that it ran in at the start.
    program: Vec<u8>,
    folder: Vec<u8>,
}

impl Walker {
    pub fn new(was_forked: bool) -> Self {
        let finder = Finder::new(was_forked);
        let path = |path: std::io::Result<PathBuf>| {
            path.map(|path| path.into_os_string().into_vec()).unwrap_or_default()
        };
        Self {
            finder,
            unwinder: Unwinder::new(),
            cache: Cache::new(),
            known: Vec::new(),
            memo: Memo::new(),
            ours: finder.find(Self::new as *const () as usize),
            modules: Vec::new(),
            program: path(fs::read_link("/proc/self/exe")),
            folder: path(std::env::current_dir()),
        }
    }

    /// Objects were unloaded. What is known of an object may be another one's.
    #[cold]
    pub fn forget(&mut self) {
        self.memo.forget();
        self.known.clear();
        self.unwinder = Unwinder::new();
        self.cache = Cache::new();
    }

    /// The number in the record of a stack that was walked before, by the registers of a function in its frame.
    pub fn known_number(&self, registers: &Registers, stack: &mut Stack) -> Option<u32> {
        self.memo.known(begin(registers), stack, self.finder)
    }

    /// The number of a stack, by where that function is and its registers; 0: it is not known. Takes much stack itself.
    pub fn number(&mut self, ip: u64, registers: Registers, stack: &mut Stack) -> u32 {
        let begin = begin(&registers);
        let mut frames = [0; FRAMES];
        self.memo.begin();
        let number = match self.walk(ip, registers, stack, &mut frames) {
            (0, _) => 0,
            (len, goes_on) => stacks::stack(&frames[..len], goes_on),
        };
        self.memo.end(begin, number);
        number
    }

    /// Returns how many frames of the program there are, and whether more follow.
    fn walk(
        &mut self,
        ip: u64,
        mut registers: Registers,
        stack: &mut Stack,
        frames: &mut [u64; FRAMES],
    ) -> (usize, bool) {
        let mut address = FrameAddress::from_instruction_pointer(ip);
        let (mut len, mut last) = (0, None);
        for _ in 0..OURS + FRAMES {
            let at = address.address_for_lookup() as usize;
            let is_same = |known: &usize| self.known.get(*known).is_some_and(|known| known.object.holds(at));
            last = last.filter(is_same).or_else(|| self.known_at(at));
            if len != 0 || !self.ours.is_some_and(|ours| ours.holds(at)) {
                let Some(frame) = frames.get_mut(len) else { return (len, true) };
                *frame = self.frame(last, address.address());
                len += 1;
            }
            let memo = &mut self.memo;
            let mut read = |at| stack.read(at).inspect(|value| memo.read(at, *value));
            let above = self.unwinder.unwind_frame(address, &mut registers, &mut self.cache, &mut read);
            match above.ok().flatten().and_then(FrameAddress::from_return_address) {
                Some(above) => address = above,
                None => return (len, false),
            }
        }
        (len, len == FRAMES)
    }

    fn frame(&self, known: Option<usize>, address: u64) -> u64 {
        let known = known.and_then(|known| self.known.get(known)).filter(|known| known.number != 0);
        let (number, bias) = known.map_or((0, 0), |known| (known.number, known.object.bias as u64));
        address.wrapping_sub(bias) & ((1 << MODULE_SHIFT) - 1) | u64::from(number) << MODULE_SHIFT
    }

    /// Where the object at an address is in `known`: the unwinder must know it before it is asked.
    fn known_at(&mut self, at: usize) -> Option<usize> {
        let object = self.finder.find(at)?;
        self.memo.pass(&object);
        let found = self.known.iter().position(|known| known.object == object);
        found.or_else(|| self.learn(object))
    }

    #[cold]
    #[inline(never)]
    fn learn(&mut self, object: Object) -> Option<usize> {
        if self.known.len() >= KNOWN {
            self.known.clear();
            self.unwinder = Unwinder::new();
        }
        // What lay there before is gone.
        let (unwinder, known) = (&mut self.unwinder, &mut self.known);
        known.retain(|before| {
            let stays = before.object.end <= object.start || object.end <= before.object.start;
            if !stays {
                unwinder.remove_module(before.object.start as u64);
            }
            stays
        });
        let (module, build_id) = module::read(&object);
        unwinder.add_module(module);
        let number = self.number_of(&object, build_id);
        self.known.push(Known { object, number });
        Some(self.known.len() - 1)
    }

    /// The object's number in the record.
    fn number_of(&mut self, object: &Object, build_id: Bytes) -> u16 {
        let path = match object.path() {
            [] => self.program.clone(),
            path @ [b'/', ..] => path.to_vec(),
            path => {
                let folder = Path::new(OsStr::from_bytes(&self.folder));
                folder.join(OsStr::from_bytes(path)).into_os_string().into_vec()
            }
        };
        let same = self.modules.iter().find(|(other, id, _)| *other == path && id == build_id);
        if let Some((_, _, number)) = same {
            return *number;
        }
        let Some(number) = stacks::module(&path, build_id) else { return 0 };
        self.modules.push((path, build_id.to_vec(), number));
        number
    }
}
