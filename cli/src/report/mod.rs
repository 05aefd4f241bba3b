//! `glasspoll report`: a page, a timeline or a text made of a record.
//!
//! | module | holds |
//! |---|---|
//! | `page` | the page; its style and its scripts are files of their own beside it |
//! | `data` | the data of the page |
//! | `track` | a loop's timeline in few bytes |
//! | `trace` | the timeline for Perfetto and Chrome |
//! | `text` | the text |
//! | `summary` | a process in a few lines: at the end of the text, and of `run -c` |

mod data;
mod page;
pub mod summary;
mod text;
mod trace;
mod track;

use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use glasspoll_record::Recording;

use crate::args::Report;
use crate::sys::output::Output;

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Page,
    Trace,
    Text,
}

/// The format, by the end of the name.
fn form(path: &Path) -> Result<Form, String> {
    match path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase).as_deref() {
        Some("html" | "htm") => Ok(Form::Page),
        Some("json") => Ok(Form::Trace),
        Some("txt") => Ok(Form::Text),
        _ => Err(format!(
            "{}: name it .html for a page, .json for a timeline, .txt for a text, or - for a text on stdout",
            path.display()
        )),
    }
}

/// Writes it.
pub fn write(recording: &Recording, form: Form, out: &mut impl Write) -> io::Result<()> {
    match form {
        Form::Page => page::write(recording, out),
        Form::Trace => trace::write(recording, out),
        Form::Text => text::write(recording, out),
    }
}

pub fn main(args: &Report) -> Result<ExitCode, String> {
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    let output = args.output.clone().unwrap_or_else(|| beside(&args.file));
    let form = if to_stdout { Form::Text } else { form(&output)? };
    let recording = Recording::open(&args.file)?;
    if let Some(trouble) = &recording.trouble {
        eprintln!("glasspoll: {}: {trouble}", args.file.display());
    }
    if recording.processes.is_empty() {
        let file = args.file.display();
        return Err(format!(
            "{file}: there is no process in this record: was it one that makes an epoll instance?"
        ));
    }
    if to_stdout {
        let mut out = io::stdout().lock();
        write(&recording, form, &mut out)
            .and_then(|()| out.flush())
            .map_err(|error| format!("stdout: {error}"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let failed = |error: io::Error| format!("{}: {error}", output.display());
    if same_file(&args.file, &output) {
        return Err(format!("{}: this is the record itself: name another file", output.display()));
    }
    let mut made = Output::create(&output)?;
    let mut out = BufWriter::with_capacity(1 << 18, made.file().map_err(failed)?);
    write(&recording, form, &mut out).and_then(|()| out.flush()).map_err(failed)?;
    made.put_in_place()?;
    eprintln!("glasspoll: wrote {}", output.display());
    Ok(ExitCode::SUCCESS)
}

/// The page beside the record.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".html");
    name.into()
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_what_is_made() {
        assert_eq!(form(Path::new("a.b/out.HTML")), Ok(Form::Page));
        assert_eq!(form(Path::new("out.json")), Ok(Form::Trace));
        assert_eq!(form(Path::new("out.txt")), Ok(Form::Text));
        assert!(form(Path::new("html")).is_err_and(|what| what.contains(".json")));
        assert_eq!(beside(Path::new("x/my.rec")), Path::new("x/my.rec.html"));
    }
}
