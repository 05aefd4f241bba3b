//! The page: one file that needs nothing else, neither the network nor a server.
//!
//! All data of the record is in one block of JSON, which has no `<`; the scripts make text nodes of it.

use std::io::{self, Write};

use glasspoll_record::Recording;

use super::data;
use crate::doctor;

const HTML: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 7] = [
    include_str!("words.js"),
    include_str!("decode.js"),
    include_str!("timeline.js"),
    include_str!("histogram.js"),
    include_str!("findings.js"),
    include_str!("items.js"),
    include_str!("main.js"),
];

/// Writes JSON for a script element: `<` becomes an escape.
struct Inside<W: Write>(W);

impl<W: Write> Write for Inside<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == b'<') {
            self.0.write_all(&rest[..at])?;
            self.0.write_all(b"\\u003c")?;
            rest = &rest[at + 1..];
        }
        self.0.write_all(rest)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes the page.
pub fn write(recording: &Recording, out: &mut impl Write) -> io::Result<()> {
    let findings = doctor::examine(recording);
    let told = data::replay(recording);
    let data = data::of(recording, &told, &findings);
    // The template has three places to fill in, in this order.
    let (head, rest) = HTML.split_once("{{style}}").unwrap_or((HTML, ""));
    let (body, rest) = rest.split_once("{{data}}").unwrap_or((rest, ""));
    let (middle, foot) = rest.split_once("{{scripts}}").unwrap_or((rest, ""));
    out.write_all(head.as_bytes())?;
    out.write_all(STYLE.as_bytes())?;
    out.write_all(body.as_bytes())?;
    serde_json::to_writer(Inside(&mut *out), &data)?;
    out.write_all(middle.as_bytes())?;
    for script in SCRIPTS {
        out.write_all(script.as_bytes())?;
    }
    out.write_all(foot.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::script::Script;

    fn page(recording: &Recording) -> String {
        let mut out = Vec::new();
        write(recording, &mut out).expect("memory");
        String::from_utf8(out).expect("UTF-8")
    }

    fn data(page: &str) -> serde_json::Value {
        let (_, rest) = page.split_once(r#"<script type="application/json" id="data">"#).expect("data");
        let (json, _) = rest.split_once("</script>").expect("an end");
        serde_json::from_str(json).expect("JSON")
    }

    #[test]
    fn what_the_record_says_is_no_part_of_the_page() {
        let mut script = Script::new();
        let evil = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>";
        script.add(5, 1, 1).wait(10, &[(5, 1, 2)]).after(3).wait(1, &[]);
        script.process.comm = evil.into();
        script.process.command = evil.into();
        script.process.threads.insert(4711, evil.into());
        script.process.files.insert(5, vec![(script.now, evil.into())]);
        let page = page(&Recording { processes: vec![script.process], ..Recording::default() });
        assert!(!page.contains("alert(1)</script>") && !page.contains("<img"));
        assert_eq!(page.matches("</script>").count(), 2);
        let data = data(&page);
        assert_eq!(data["processes"][0]["comm"], evil);
        assert_eq!(data["processes"][0]["items"][0]["what"], evil);
        assert_eq!(data["processes"][0]["loops"][0]["thread"], evil);
    }

    #[test]
    fn it_needs_nothing_from_elsewhere() {
        let page = page(&Recording::default());
        for word in ["http://", "https://", "src=", "@import", "url(", "fetch("] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(!page.contains("{{"));
        assert!(data(&page)["processes"].as_array().is_some_and(Vec::is_empty));
    }

    #[test]
    fn the_data_are_those_of_the_record() {
        let mut script = Script::new();
        script.add(5, 1, 1).add(6, 2, 4);
        for _ in 0..100 {
            script.wait(10, &[(5, 1, 2), (6, 2, 3)]).after(3).read(5, 7).after(4).write(6, 9);
        }
        script.close(5, -1);
        let page = page(&Recording { processes: vec![script.process], ..Recording::default() });
        let data = data(&page);
        let process = &data["processes"][0];
        assert_eq!((&process["waits"], &process["deliveries"]), (&100.into(), &200.into()));
        assert_eq!(process["to"], 100 * 17_000);
        let item = process["items"].as_array().and_then(|items| items.iter().find(|item| item["fd"] == 5));
        let item = item.expect("the item");
        assert_eq!((&item["read"], &item["how"], &item["added"]), (&700.into(), &"closed".into(), &0.into()));
        assert_eq!(process["loops"][0]["pieces"], 100 * 3);
        assert_eq!(process["observed"], false);
    }
}
