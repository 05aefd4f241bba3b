//! Tables that leave out their least important columns if there is no room.

use crate::text::units::fit;

/// A column of rows of a kind.
pub struct Column<R> {
    name: &'static str,
    width: usize,
    /// Columns of a high rank are left out first; those of rank 0 never.
    rank: u8,
    right: bool,
    /// It takes the width that the others leave.
    grows: bool,
    cell: fn(&R) -> String,
}

impl<R> Column<R> {
    /// Text, at the left.
    pub fn left(name: &'static str, width: usize, rank: u8, cell: fn(&R) -> String) -> Self {
        Self { name, width, rank, right: false, grows: false, cell }
    }

    /// Numbers, at the right.
    pub fn right(name: &'static str, width: usize, rank: u8, cell: fn(&R) -> String) -> Self {
        Self { right: true, ..Self::left(name, width, rank, cell) }
    }

    /// Text that takes the rest of the line.
    pub fn rest(name: &'static str, width: usize, rank: u8, cell: fn(&R) -> String) -> Self {
        Self { grows: true, ..Self::left(name, width, rank, cell) }
    }
}

/// A column that grows shrinks down to this width before columns of rank `IMPORTANT` or less are left out.
const NARROWEST: usize = 12;
const IMPORTANT: u8 = 2;

/// The columns that have room, and how wide they are.
fn fitting<R>(columns: &[Column<R>], width: usize) -> Vec<(&Column<R>, usize)> {
    let mut shown: Vec<(&Column<R>, usize)> = columns.iter().map(|column| (column, column.width)).collect();
    let total = |shown: &[(&Column<R>, usize)]| shown.iter().map(|(_, width)| width + 1).sum::<usize>();
    while total(&shown) > width + 1 {
        let over = total(&shown) - width - 1;
        let ranks = shown.iter().enumerate().filter(|(_, (column, _))| column.rank != 0);
        let Some((at, (least, _))) = ranks.max_by_key(|(_, (column, _))| column.rank) else { break };
        let least = least.rank;
        let shrinks = |(column, wide): &&mut (&Column<R>, usize)| column.grows && *wide > NARROWEST;
        match shown.iter_mut().find(shrinks).filter(|_| least <= IMPORTANT) {
            Some((_, wide)) => *wide = wide.saturating_sub(over).max(NARROWEST),
            None => drop(shown.remove(at)),
        }
    }
    let left = (width + 1).saturating_sub(total(&shown));
    if let Some((_, wide)) = shown.iter_mut().find(|(column, _)| column.grows) {
        *wide += left;
    }
    shown
}

fn line<R>(columns: &[Column<R>], width: usize, text: impl Fn(&Column<R>) -> String) -> String {
    let mut line = String::new();
    for (column, wide) in fitting(columns, width) {
        if !line.is_empty() {
            line.push(' ');
        }
        let cell = fit(&text(column), wide);
        line += &if column.right { format!("{cell:>wide$}") } else { format!("{cell:<wide$}") };
    }
    format!("{:<width$}", fit(&line, width))
}

/// The names of the columns.
pub fn header<R>(columns: &[Column<R>], width: usize) -> String {
    line(columns, width, |column| column.name.into())
}

/// A row.
pub fn row<R>(columns: &[Column<R>], row: &R, width: usize) -> String {
    line(columns, width, |column| (column.cell)(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_important_go_first_and_one_takes_the_rest() {
        let columns: [Column<u32>; 3] = [
            Column::right("n", 4, 0, u32::to_string),
            Column::rest("what", 5, 1, |_| "something".into()),
            Column::left("x", 3, 2, |_| "y".into()),
        ];
        assert_eq!(header(&columns, 16), "   n what    x  ");
        assert_eq!(row(&columns, &7, 16), "   7 someth… y  ");
        assert_eq!(row(&columns, &7, 12), "   7 someth…");
        assert_eq!(row(&columns, &7, 4), "   7");
        assert_eq!(row(&columns, &12345, 3), "12…");
    }
}
