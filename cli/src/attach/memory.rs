//! The memory of another process, read and written from outside. No thread of it stops for that.

use std::io::{IoSlice, IoSliceMut};

use nix::sys::uio::{process_vm_readv, process_vm_writev, RemoteIoVec};
use nix::unistd::Pid;

/// What can be read from, by address.
pub trait Memory {
    /// Fills the bytes; false: not all of them are there.
    fn read(&self, address: u64, into: &mut [u8]) -> bool;

    /// As many bytes.
    fn bytes(&self, address: u64, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.read(address, &mut bytes).then_some(bytes)
    }
}

/// A process's.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub Pid);

impl Memory for Process {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let (len, remote) = (into.len(), place(address, into.len()));
        process_vm_readv(self.0, &mut [IoSliceMut::new(into)], &[remote]) == Ok(len)
    }
}

impl Process {
    /// Writes to memory that the process may write to itself; false: not all was written.
    pub fn write(&self, address: u64, bytes: &[u8]) -> bool {
        process_vm_writev(self.0, &[IoSlice::new(bytes)], &[place(address, bytes.len())]) == Ok(bytes.len())
    }

    /// Reads up to the first NUL, at most `most` bytes.
    pub fn text(&self, address: u64, most: usize) -> Option<String> {
        const STEP: u64 = 64;
        let mut all = Vec::new();
        while all.len() < most {
            let at = address.checked_add(all.len() as u64)?;
            // A step never crosses a page: the next one may not be there.
            let part = self.bytes(at, (STEP - at % STEP) as usize)?;
            let end = part.iter().position(|byte| *byte == 0);
            all.extend(&part[..end.unwrap_or(part.len())]);
            if end.is_some() {
                break;
            }
        }
        Some(String::from_utf8_lossy(&all).into_owned())
    }
}

fn place(address: u64, len: usize) -> RemoteIoVec {
    RemoteIoVec { base: address as usize, len }
}
