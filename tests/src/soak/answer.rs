//! What a server must answer, and whether it did.

use std::sync::Arc;

/// The longest head of an HTTP answer.
const HEAD: usize = 8192;

/// An answer, to the byte.
#[derive(Clone, Debug)]
pub enum Expect {
    /// Exactly these bytes.
    Bytes(Vec<u8>),
    /// An HTTP answer with this status and body, whatever else its head says.
    Http(u16, Arc<[u8]>),
}

/// How much of an answer has come.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    head: Vec<u8>,
    in_body: bool,
    at: usize,
    /// The server has said that it closes after this answer.
    pub closes: bool,
}

impl Progress {
    /// Whether nothing of it has come yet.
    pub fn is_none(&self) -> bool {
        self.head.is_empty() && self.at == 0 && !self.in_body
    }

    /// Takes from `input` what belongs to this answer: returns how many bytes, and whether the answer is complete.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(&mut self, expect: &Expect, input: &[u8]) -> Result<(usize, bool), String> {
        match expect {
            Expect::Bytes(bytes) => self.same(bytes, input),
            Expect::Http(status, body) if !self.in_body => {
                let had = self.head.len();
                self.head.extend_from_slice(&input[..input.len().min(HEAD)]);
                let Some(end) = find(&self.head, b"\r\n\r\n") else {
                    let shown = String::from_utf8_lossy(&self.head[..self.head.len().min(200)]).into_owned();
                    return if self.head.len() > HEAD { Err(shown) } else { Ok((input.len(), false)) };
                };
                self.head.truncate(end + 4);
                self.read_head(*status, body.len())?;
                self.in_body = true;
                let used = end + 4 - had;
                let (more, done) = self.same(body, &input[used..])?;
                Ok((used + more, done))
            }
            Expect::Http(_, body) => self.same(body, input),
        }
    }

    fn same(&mut self, wanted: &[u8], input: &[u8]) -> Result<(usize, bool), String> {
        let rest = &wanted[self.at..];
        let count = rest.len().min(input.len());
        if rest[..count] != input[..count] {
            let place = rest.iter().zip(input).take_while(|(a, b)| a == b).count();
            let show = |text: &[u8]| String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned();
            let (wanted, got) = (show(&rest[place..]), show(&input[place..]));
            return Err(format!("at byte {}: wanted {wanted:?}, got {got:?}", self.at + place));
        }
        self.at += count;
        Ok((count, self.at == wanted.len()))
    }

    fn read_head(&mut self, status: u16, length: usize) -> Result<(), String> {
        let text = String::from_utf8_lossy(&self.head).to_ascii_lowercase();
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let mut announced = None;
        for line in lines {
            match line.split_once(": ") {
                Some(("content-length", value)) => announced = value.parse().ok(),
                Some(("connection", value)) => self.closes = value == "close",
                _ => {}
            }
        }
        if first.split(' ').nth(1) != Some(status.to_string().as_str()) || announced != Some(length) {
            return Err(format!("wanted status {status} with {length} bytes, got {text:?}"));
        }
        Ok(())
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in pieces of `size`; returns how many bytes are left, or what is wrong.
    fn feed(expect: &Expect, input: &[u8], size: usize) -> Result<Option<usize>, String> {
        let (mut progress, mut at) = (Progress::default(), 0);
        while at < input.len() {
            let end = (at + size).min(input.len());
            let (used, done) = progress.take(expect, &input[at..end])?;
            at += used;
            if done {
                return Ok(Some(input.len() - at));
            }
        }
        Ok(None)
    }

    #[test]
    fn an_answer_is_taken_in_whatever_pieces_it_comes_and_no_byte_more() {
        let http = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhelloHTTP";
        for size in [1, 2, 7, 1000] {
            let expect = Expect::Http(200, Arc::from(&b"hello"[..]));
            // The rest, "HTTP", belongs to the next one.
            assert_eq!(feed(&expect, http, size), Ok(Some(4)), "in pieces of {size}");
            assert_eq!(feed(&Expect::Bytes(b"+OK\r\n".to_vec()), b"+OK\r\n", size), Ok(Some(0)));
            assert_eq!(feed(&Expect::Bytes(b"+OK\r\n".to_vec()), b"+OK", size), Ok(None));
        }
    }

    #[test]
    fn another_answer_is_wrong() {
        let expect = Expect::Http(200, Arc::from(&b"hello"[..]));
        assert!(feed(&expect, b"HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhello", 9).is_err());
        assert!(feed(&expect, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!", 9).is_err());
        assert!(feed(&expect, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhallo", 9).is_err());
        assert!(feed(&expect, &[b'x'; 20_000], 999).is_err());
        assert!(feed(&Expect::Bytes(b"+OK\r\n".to_vec()), b"-ERR", 9).is_err());
    }
}
