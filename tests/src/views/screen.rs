//! A terminal of any size, made by tmux.

use crate::run::LIMIT;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::mode::clean_command;
use crate::program;
use crate::run::run;

/// A terminal in which a shell runs a command. When the command has ended, its exit status is shown.
pub struct Screen {
    socket: PathBuf,
    _dir: tempfile::TempDir,
}

impl Screen {
    /// Starts the command.
    ///
    /// # Panics
    /// If tmux cannot be started.
    pub fn new(width: u16, height: u16, command: &Command) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let dir = tempfile::tempdir().expect("a directory");
        let socket = dir.path().join(format!("tmux{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let screen = Self { socket, _dir: dir };
        let (width, height) = (width.to_string(), height.to_string());
        let (mut without, mut with) = (String::new(), String::new());
        for (name, value) in command.get_envs() {
            let name = name.to_string_lossy();
            match value {
                Some(value) => with += &format!(" {name}='{}'", value.to_string_lossy()),
                None => without += &format!(" -u {name}"),
            }
        }
        let mut line = format!("env{without}{with}");
        for word in [command.get_program()].into_iter().chain(command.get_args()) {
            line += &format!(" '{}'", word.to_string_lossy());
        }
        // The shell stays, so that the test can read what is left on the screen, and the state of the terminal.
        line += "; echo \"status $?\"; stty -a | grep -ow -e -icanon -e icanon -e -echo -e echo; sleep 1000";
        run(
            screen.tmux().args(["-f", "/dev/null", "new-session", "-d", "-x", &width, "-y", &height, &line]),
            LIMIT,
        )
        .success();
        screen
    }

    fn tmux(&self) -> Command {
        let mut command = clean_command(program::path("tmux"));
        command.arg("-u").arg("-S").arg(&self.socket).env_remove("TMUX");
        command
    }

    /// The text on the screen.
    pub fn text(&self) -> String {
        run(self.tmux().args(["capture-pane", "-p"]), LIMIT).success()
    }

    /// The pid of the shell in it.
    ///
    /// # Panics
    /// If tmux does not print it.
    pub fn pid(&self) -> u32 {
        let pid = run(self.tmux().args(["display-message", "-p", "#{pane_pid}"]), LIMIT).success();
        pid.trim().parse().unwrap_or_else(|_| panic!("{pid}"))
    }

    /// Presses keys, by tmux's names.
    pub fn press(&self, keys: &[&str]) {
        run(self.tmux().arg("send-keys").args(keys), LIMIT).success();
    }

    /// Changes its size.
    pub fn resize(&self, width: u16, height: u16) {
        let (width, height) = (width.to_string(), height.to_string());
        run(self.tmux().args(["resize-window", "-x", &width, "-y", &height]), LIMIT).success();
    }

    /// Waits until all of these words are on the screen; returns its text.
    ///
    /// # Panics
    /// If they do not appear.
    pub fn until(&self, words: &[&str]) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            let text = self.text();
            match words.iter().find(|word| !text.contains(**word)) {
                None => return text,
                Some(word) => assert!(Instant::now() < end, "no {word:?} on\n{text}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").output();
    }
}
