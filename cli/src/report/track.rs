//! A loop's timeline in few bytes: what the thread did, one thing after another.
//!
//! Numbers are LEB128, times nanoseconds. Each piece begins with the time since the one before ended, times 4, plus
//! its kind, and how long it took. Then:
//!
//! | kind | what | more |
//! |---|---|---|
//! | 0 | a wait | how many events it brought |
//! | 1 | serving | the item's number, 0 if it is not known which |
//! | 2 | several in one, where there are too many for a page | the time serving, how many events, the item that took most |

use std::collections::HashMap;

use crate::replay::{Did, Key, Span};

/// Numbers of items, in the order in which they first appear, from 1.
#[derive(Debug, Default)]
pub struct Numbers {
    numbers: HashMap<Key, u32>,
}

impl Numbers {
    fn of(&mut self, key: Option<Key>) -> u64 {
        let Some(key) = key else { return 0 };
        let next = self.numbers.len() as u32 + 1;
        (*self.numbers.entry(key).or_insert(next)).into()
    }

    /// All of them, in order.
    pub fn keys(&self) -> Vec<Key> {
        let mut all: Vec<(u32, Key)> = self.numbers.iter().map(|(key, number)| (*number, *key)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, key)| key).collect()
    }
}

/// Short pieces that become one.
#[derive(Clone, Copy, Debug)]
struct Mixed {
    from: u64,
    to: u64,
    serving: u64,
    events: u64,
    /// What took most of it, and how much.
    most: (u64, u64),
}

/// A timeline.
#[derive(Debug, Default)]
pub struct Track {
    /// Its pieces.
    pub bytes: Vec<u8>,
    /// How many there are.
    pub count: u32,
    end: u64,
    mixed: Option<Mixed>,
}

impl Track {
    /// Adds the next piece. Pieces shorter than `finest` become one with their neighbours.
    pub fn add(&mut self, span: &Span, begin: u64, finest: u64, numbers: &mut Numbers) {
        let (from, to) = (span.from.saturating_sub(begin), span.to.saturating_sub(begin));
        if finest != 0 && to - from < finest {
            return self.mix(span.did, from, to, finest, numbers);
        }
        self.flush();
        match span.did {
            Did::Wait(n) => self.put(0, from, to, &[n.max(0) as u64]),
            Did::Serve(key) => self.put(1, from, to, &[numbers.of(key)]),
        }
    }

    fn mix(&mut self, did: Did, from: u64, to: u64, finest: u64, numbers: &mut Numbers) {
        if self.mixed.is_some_and(|mixed| mixed.to != from || to - mixed.from > finest) {
            self.flush();
        }
        let mixed = self.mixed.get_or_insert(Mixed { from, to, serving: 0, events: 0, most: (0, 0) });
        mixed.to = to;
        match did {
            Did::Wait(n) => mixed.events += n.max(0) as u64,
            Did::Serve(key) => {
                mixed.serving += to - from;
                let number = numbers.of(key);
                if to - from > mixed.most.1 {
                    mixed.most = (number, to - from);
                }
            }
        }
    }

    /// The end, or a long piece comes next.
    pub fn flush(&mut self) {
        if let Some(Mixed { from, to, serving, events, most }) = self.mixed.take() {
            self.put(2, from, to, &[serving, events, most.0]);
        }
    }

    fn put(&mut self, kind: u64, from: u64, to: u64, more: &[u64]) {
        // The clocks of two threads may differ a little.
        let from = from.max(self.end);
        let to = to.max(from);
        self.varint((from - self.end).min(u64::MAX >> 2) << 2 | kind);
        self.varint(to - from);
        for number in more {
            self.varint(*number);
        }
        (self.count, self.end) = (self.count + 1, to);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

/// Bytes as text.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word =
            three.iter().enumerate().fold(0u32, |word, (n, byte)| word | u32::from(*byte) << (16 - 8 * n));
        for n in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * n) & 63) as usize];
            text.push(if n <= three.len() { digit as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, to: u64, did: Did) -> Span {
        Span { tid: 1, epoll: 1, from, to, did }
    }

    #[test]
    fn base64_is_as_everybody_has_it() {
        let all = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in all {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_piece_is_a_few_bytes() {
        let (mut track, mut numbers) = (Track::default(), Numbers::default());
        track.add(&span(100, 150, Did::Wait(3)), 100, 0, &mut numbers);
        track.add(&span(150, 300, Did::Serve(Some((1, 9)))), 100, 0, &mut numbers);
        track.add(&span(301, 302, Did::Serve(None)), 100, 0, &mut numbers);
        track.add(&span(302, 303, Did::Wait(-4)), 100, 0, &mut numbers);
        assert_eq!(track.bytes, [0, 50, 3, 1, 0x96, 1, 1, 5, 1, 0, 0, 1, 0]);
        assert_eq!((track.count, numbers.keys()), (4, vec![(1, 9)]));
    }

    #[test]
    fn short_pieces_become_one() {
        let (mut track, mut numbers) = (Track::default(), Numbers::default());
        for at in 0..10 {
            track.add(&span(at * 20, at * 20 + 10, Did::Wait(1)), 0, 100, &mut numbers);
            track.add(&span(at * 20 + 10, at * 20 + 20, Did::Serve(Some((1, 7)))), 0, 100, &mut numbers);
        }
        track.add(&span(200, 700, Did::Wait(1)), 0, 100, &mut numbers);
        track.flush();
        assert_eq!(track.bytes, [2, 100, 50, 5, 1, 2, 100, 50, 5, 1, 0, 0xf4, 3, 1]);
    }
}
