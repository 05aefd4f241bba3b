//! The Markdown table.

use super::figure::value;
use super::rounds::Outcome;
use std::fmt::Write;

/// The table of `outcomes`, after a sentence on how they were measured.
pub fn markdown(outcomes: &[Outcome], machine: &str, rounds: usize) -> String {
    let disturbed: usize = outcomes.iter().map(|outcome| outcome.disturbed).sum();
    let noise = match disturbed {
        0 => String::new(),
        _ => format!(" In {disturbed} of the measurements something else used the CPUs too."),
    };
    let mut text = format!(
        "{machine}. Server on CPU 0, load on CPU 1, in turn, best of {rounds} rounds each. The ratio is \
         glasspoll/kernel; for single calls kernel/glasspoll. CPU is the server's CPU time for each request, \
         glasspoll/kernel.{noise}\n\n\
         | work | kernel | glasspoll | ratio | of the medians | CPU | bar | |\n\
         |---|--:|--:|--:|--:|--:|---|---|\n"
    );
    for outcome in outcomes {
        for (figure, (kernel, glasspoll)) in outcome.row.figures.iter().zip(&outcome.series) {
            let judge = figure.judge;
            let ratio = judge.ratio(kernel.best(), glasspoll.best());
            let medians = judge.ratio(kernel.median(), glasspoll.median());
            let title = format!("{} {}", outcome.row.what, figure.name);
            let cpu = outcome.cpu.map_or("–".to_owned(), |cpu| format!("{cpu:.2}"));
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {cpu} | {} | {} |",
                title.trim(),
                value(kernel.best(), figure.unit),
                value(glasspoll.best(), figure.unit),
                judge.ratio_text(ratio, figure.unit),
                judge.ratio_text(medians, figure.unit),
                judge.bar(figure.unit),
                judge.verdict(ratio),
            )
            .expect("a string grows");
        }
    }
    text + &before_and_after(outcomes)
}

/// A table that compares the baseline's figures with those of the library under test; empty without a baseline.
fn before_and_after(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        let both = outcome.series.iter().zip(outcome.baseline.iter().flatten());
        for (figure, ((_, new), old)) in outcome.row.figures.iter().zip(both) {
            let title = format!("{} {}", outcome.row.what, figure.name);
            let better = if figure.judge.more_is_better() { "more" } else { "less" };
            let (old, new) = (old.median(), new.median());
            writeln!(
                text,
                "| {} | {} | {} | {:.2} | {better} |",
                title.trim(),
                value(old, figure.unit),
                value(new, figure.unit),
                new / old,
            )
            .expect("a string grows");
        }
    }
    if text.is_empty() {
        return text;
    }
    let head = "\nBefore and after, the medians:\n\n| work | old | new | new/old | better is |\n|---|--:|--:|--:|---|\n";
    head.to_owned() + &text
}
