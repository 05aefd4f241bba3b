//! A page as a browser shows it: headless Chromium, without network access.

use crate::run::LIMIT;
use std::path::Path;

use crate::mode::clean_command;
use crate::program;
use crate::run::run;

/// The document after its scripts have run.
///
/// # Panics
/// If Chromium fails.
pub fn dom(page: &Path) -> String {
    let profile = tempfile::tempdir().expect("a directory");
    let mut command = clean_command(program::path("chromium"));
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1280,1000",
        "--dump-dom",
    ]);
    // No other machine's name resolves: the page needs none.
    command.arg("--host-resolver-rules=MAP * ~NOTFOUND");
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.arg(format!("file://{}", page.display()));
    run(&mut command, LIMIT).success()
}

/// The text of a document, one piece a line, without scripts and styles.
pub fn text(dom: &str) -> String {
    let mut text = String::new();
    let mut rest = dom;
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        text.push('\n');
        rest = &rest[at..];
        let hidden = ["<script", "<style"].into_iter().find(|name| rest.starts_with(name));
        let end = match hidden {
            Some(name) => rest.find(&format!("</{}", &name[1..])).map(|end| end + 1),
            None => Some(0),
        };
        let after = end.and_then(|end| rest[end..].find('>').map(|close| end + close + 1));
        rest = after.map_or("", |after| &rest[after..]);
    }
    text.push_str(rest);
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&")
}
