//! Kernel and glasspoll in turn, a fresh server each time.

use super::figure::value;
use super::quiet::Patience;
use super::rows::Row;
use super::work::{Bench, Sample};
use crate::Mode;
use std::path::Path;

/// The values of one figure, from all rounds.
#[derive(Clone, Debug)]
pub struct Series {
    values: Vec<f64>,
    more_is_better: bool,
}

impl Series {
    fn new(samples: &[Sample], place: usize, more_is_better: bool) -> Self {
        let mut values: Vec<f64> = samples.iter().map(|sample| sample.values[place]).collect();
        values.sort_by(f64::total_cmp);
        Self { values, more_is_better }
    }

    /// The best.
    pub fn best(&self) -> f64 {
        let place = if self.more_is_better { self.values.len() - 1 } else { 0 };
        self.values[place]
    }

    /// The median.
    pub fn median(&self) -> f64 {
        self.values[(self.values.len() - 1) / 2]
    }
}

/// The values of a row.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The row.
    pub row: &'static Row,
    /// For each figure: the kernel's values and glasspoll's.
    pub series: Vec<(Series, Series)>,
    /// For each figure: the baseline's values, if there is one.
    pub baseline: Option<Vec<Series>>,
    /// CPU time of the server for each request: the median on glasspoll divided by the median on the kernel.
    pub cpu: Option<f64>,
    /// How many measurements other processes disturbed.
    pub disturbed: usize,
}

/// Measures `row`, with a line of progress for each round. `baseline` is another library, measured in turn with the one
/// under test; rows that preload no library leave it out.
pub fn measure(
    row: &'static Row,
    rounds: usize,
    length: f64,
    patience: &mut Patience,
    baseline: Option<&Path>,
) -> Outcome {
    let mut disturbed = 0;
    let mut samples: [Vec<Sample>; 3] = Default::default();
    let [first, second] = row.sides;
    let baseline = baseline.filter(|_| second.mode == Mode::Preloaded);
    for round in 1..=rounds {
        let old = baseline.map(|library| (2, second, Some(library)));
        for (place, side, library) in
            [Some((0, first, None)), old, Some((1, second, None))].into_iter().flatten()
        {
            let (sample, noisy) = patience.undisturbed(|| {
                let dir = tempfile::tempdir().expect("a directory");
                Bench { side, library, length, dir: dir.path() }.measure(row)
            });
            disturbed += usize::from(noisy);
            samples[place].push(sample);
        }
        let [kernel, glasspoll] = [&samples[0], &samples[1]].map(|of| of.last().expect("just pushed"));
        progress(row, &format!("{round}/{rounds}"), kernel, glasspoll);
    }
    let [kernel, glasspoll, old] = &samples;
    let series_of = |samples: &[Sample]| -> Vec<Series> {
        let figures = row.figures.iter().enumerate();
        figures.map(|(place, figure)| Series::new(samples, place, figure.judge.more_is_better())).collect()
    };
    let series = series_of(kernel).into_iter().zip(series_of(glasspoll));
    let cpu = |samples: &[Sample]| {
        let mut times: Vec<f64> = samples.iter().filter_map(|sample| sample.cpu).collect();
        times.sort_by(f64::total_cmp);
        times.get((times.len().max(1) - 1) / 2).copied()
    };
    let cpu = cpu(glasspoll).zip(cpu(kernel)).map(|(glasspoll, kernel)| glasspoll / kernel);
    let baseline = baseline.map(|_| series_of(old));
    Outcome { row, series: series.collect(), baseline, cpu, disturbed }
}

fn progress(row: &Row, round: &str, kernel: &Sample, glasspoll: &Sample) {
    for (place, figure) in row.figures.iter().enumerate() {
        let (a, b) = (kernel.values[place], glasspoll.values[place]);
        let ratio = figure.judge.ratio_text(figure.judge.ratio(a, b), figure.unit);
        let (a, b) = (value(a, figure.unit), value(b, figure.unit));
        eprintln!(
            "{:14} {round:>5}  {:8} kernel {a:>14}   glasspoll {b:>14}   {ratio}",
            row.name, figure.name
        );
    }
    if !glasspoll.note.is_empty() {
        eprintln!("{:21}  kernel: {}; glasspoll: {}", "", kernel.note, glasspoll.note);
    }
}
