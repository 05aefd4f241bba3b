//! `glasspoll top`: the loops and items of a process, live, in the terminal.
//!
//! | module | holds |
//! |---|---|
//! | `source` | where events come from: a process, or a program that is started |
//! | `known` | all processes, and the doctor |
//! | `model` | what is known of a process, and its rates |
//! | `view` | what is on the screen, as data |
//! | `draw`, `columns` | how it is drawn |
//!
//! Every way out restores the terminal: a key, a signal, a panic.

mod columns;
mod draw;
mod known;
pub mod model;
mod source;
mod view;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use glasspoll_record::clock;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::DefaultTerminal;

use crate::args::Top;
use crate::commands::attach;
use crate::doctor::Severity;
use draw::Choice;
use known::Known;
use source::Source;
use view::{Sort, View};

/// The pause between two looks at the keyboard, and at a ring, which must not run over meanwhile.
const PAUSE: Duration = Duration::from_millis(25);

pub fn main(args: &Top) -> Result<ExitCode, String> {
    if !io::stdout().is_terminal() {
        return Err(
            "top needs a terminal: 'glasspoll ls' lists the sets, 'glasspoll dump' prints the events".into(),
        );
    }
    let mut known = Known::default();
    if args.pid.is_none() {
        attach::no_process(&args.attachment)?;
    }
    let look =
        args.pid.map(|pid| attach::look(pid, &args.attachment, Some(&args.settings))).transpose()?.flatten();
    let mut source = Source::open(args, &mut known)?;
    let shown = {
        let _screen = Screen;
        ratatui::try_init().map_err(|error| format!("the terminal: {error}")).and_then(|mut terminal| {
            let mut app = App::new(Duration::from_millis(args.interval), source.output());
            app.run(&mut terminal, &mut source, &mut known).map_err(|error| error.to_string())
        })
    };
    if let Source::Program(started) = &mut source {
        started.finish().iter().for_each(|line| eprintln!("glasspoll: {line}"));
    }
    if let Some(look) = look {
        look.end();
    }
    shown.map(|()| ExitCode::SUCCESS)
}

/// Restores the terminal when dropped.
struct Screen;

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

struct App {
    interval: Duration,
    choice: Choice,
    /// Which of the processes is shown, by ring; None: the busiest.
    ring: Option<u32>,
    view: View,
}

/// What a key does.
#[derive(Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    Redraw,
    Quit,
}

impl App {
    fn new(interval: Duration, output: Option<String>) -> Self {
        let choice = Choice { output, ..Choice::default() };
        Self { interval, choice, ring: None, view: View::default() }
    }

    fn run(
        &mut self,
        terminal: &mut DefaultTerminal,
        source: &mut Source,
        known: &mut Known,
    ) -> io::Result<()> {
        source.poll(known)?;
        self.tick(source, known);
        // The first interval is short, so that rates appear soon.
        let mut due = Instant::now() + self.interval.min(Duration::from_millis(300));
        loop {
            terminal.draw(|frame| draw::draw(&self.view, &self.choice, frame.area(), frame.buffer_mut()))?;
            loop {
                let left = due.saturating_duration_since(Instant::now());
                if event::poll(left.min(PAUSE))? {
                    match self.take(event::read()?, known) {
                        Then::Nothing => {}
                        Then::Redraw => break,
                        Then::Quit => return Ok(()),
                    }
                }
                source.poll(known)?;
                if source.is_to_end() {
                    return Ok(());
                }
                if left.is_zero() {
                    due = Instant::now() + self.interval;
                    self.tick(source, known);
                    break;
                }
            }
        }
    }

    /// An interval is over.
    fn tick(&mut self, source: &mut Source, known: &mut Known) {
        source.look(known);
        let now = clock::now_ns();
        known.models.values_mut().for_each(|model| model.tick(now));
        if !self.choice.paused {
            self.renew(known);
        }
    }

    /// Makes the view anew.
    fn renew(&mut self, known: &Known) {
        let now = clock::now_ns();
        let busiest = || known.models.iter().max_by_key(|(_, model)| model.sums.counts.deliveries);
        let ring = self.ring.or_else(|| busiest().map(|(ring, _)| *ring));
        let Some((ring, model)) = ring.and_then(|ring| Some((ring, known.models.get(&ring)?))) else {
            self.view = View { comm: "waiting for the first epoll instance".into(), ..View::default() };
            return;
        };
        let place = known.models.keys().position(|other| *other == ring).unwrap_or(0);
        let findings = known.doctor.findings(now).into_iter();
        let findings: Vec<(Severity, String)> =
            findings.map(|finding| (finding.severity, finding.title)).collect();
        self.view = View::of(model, (place, known.models.len()), findings, now);
    }

    fn take(&mut self, event: Event, known: &Known) -> Then {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key, known),
            Event::Resize(..) => Then::Redraw,
            _ => Then::Nothing,
        }
    }

    fn key(&mut self, key: KeyEvent, known: &Known) -> Then {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if key.code == KeyCode::Char('c') { Then::Quit } else { Then::Nothing };
        }
        if key.code == KeyCode::Char('q') {
            return Then::Quit;
        }
        if std::mem::take(&mut self.choice.help) {
            return Then::Redraw;
        }
        let last = self.view.items.len().saturating_sub(1);
        let scroll = self.choice.scroll.min(last);
        match key.code {
            KeyCode::Char('?' | 'h') => self.choice.help = true,
            KeyCode::Char('r') => self.sort(Sort::Rate),
            KeyCode::Char('l') => self.sort(Sort::Latency),
            KeyCode::Char('b') => self.sort(Sort::Backlog),
            KeyCode::Char('p') => {
                self.choice.paused = !self.choice.paused;
                if !self.choice.paused {
                    self.renew(known);
                }
            }
            KeyCode::Char('j') | KeyCode::Down => self.choice.scroll = (scroll + 1).min(last),
            KeyCode::Char('k') | KeyCode::Up => self.choice.scroll = scroll.saturating_sub(1),
            KeyCode::PageDown => self.choice.scroll = (scroll + 10).min(last),
            KeyCode::PageUp => self.choice.scroll = scroll.saturating_sub(10),
            KeyCode::Home => self.choice.scroll = 0,
            KeyCode::End => self.choice.scroll = last,
            KeyCode::Tab => self.next_process(known),
            _ => return Then::Nothing,
        }
        Then::Redraw
    }

    fn sort(&mut self, sort: Sort) {
        (self.choice.sort, self.choice.scroll) = (sort, 0);
    }

    fn next_process(&mut self, known: &Known) {
        let rings: Vec<u32> = known.models.keys().copied().collect();
        let at = rings.get((self.view.place.0 + 1) % rings.len().max(1));
        self.ring = at.copied();
        self.choice.scroll = 0;
        self.renew(known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_what_the_help_says() {
        let known = Known::default();
        let mut app = App::new(Duration::from_millis(500), None);
        app.view.items = vec![view::ItemRow::default(); 20];
        let mut press = |code| (app.key(KeyEvent::new(code, KeyModifiers::NONE), &known), app.choice.clone());
        assert_eq!(press(KeyCode::Char('l')).1.sort, Sort::Latency);
        assert_eq!(press(KeyCode::Char('b')).1.sort, Sort::Backlog);
        assert_eq!(press(KeyCode::Down).1.scroll, 1);
        assert_eq!(press(KeyCode::End).1.scroll, 19);
        assert_eq!(press(KeyCode::Char('j')).1.scroll, 19);
        assert_eq!(press(KeyCode::Char('k')).1.scroll, 18);
        assert!(press(KeyCode::Char('?')).1.help);
        assert!(!press(KeyCode::Char('p')).1.help);
        assert!(press(KeyCode::Char('p')).1.paused);
        assert_eq!(press(KeyCode::Tab).0, Then::Redraw);
        assert_eq!(press(KeyCode::F(5)).0, Then::Nothing);
        assert_eq!(press(KeyCode::Char('q')).0, Then::Quit);
        assert_eq!(app.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL), &known), Then::Quit);
    }
}
