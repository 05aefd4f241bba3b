//! How full the accept queue of a listener was at a moment, as the recorder saw it.

use crate::ring::{u32_at, u64_at};

/// The bytes of one.
const LEN: usize = 32;

/// A look at the queue of a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptQueue {
    /// When. CLOCK_MONOTONIC.
    pub ns: u64,
    /// The descriptor of the listener.
    pub fd: i32,
    /// How many connections waited.
    pub waiting: u32,
    /// How many may: the backlog. The queue is full when more wait.
    pub most: u32,
    /// How many attempts to connect the kernel has dropped because a queue was full, since the first look, modulo 2^32.
    pub drops: u32,
    /// The socket. Several processes may have it.
    pub inode: u64,
}

impl AcceptQueue {
    /// Whether the kernel takes no further connection.
    pub fn is_full(&self) -> bool {
        self.waiting > self.most
    }

    pub(crate) fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(&self.ns.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.fd.to_le_bytes());
        for (at, word) in [(12, self.waiting), (16, self.most), (20, self.drops)] {
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        bytes[24..].copy_from_slice(&self.inode.to_le_bytes());
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= LEN).then(|| Self {
            ns: u64_at(bytes, 0),
            fd: u32_at(bytes, 8) as i32,
            waiting: u32_at(bytes, 12),
            most: u32_at(bytes, 16),
            drops: u32_at(bytes, 20),
            inode: u64_at(bytes, 24),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let queue = AcceptQueue { ns: 1 << 40, fd: 7, waiting: 129, most: 128, drops: 3, inode: 1 << 33 };
        assert_eq!(AcceptQueue::parse(&queue.to_bytes()), Some(queue));
        assert_eq!(AcceptQueue::parse(&queue.to_bytes()[1..]), None);
        assert!(queue.is_full() && !AcceptQueue { waiting: 128, ..queue }.is_full());
    }
}
