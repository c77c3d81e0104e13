//! Draws curves in a terminal with Braille patterns, two by four dots per cell.

/// Cells of dots. Each has the style that was drawn last.
pub(super) struct Canvas {
    columns: usize,
    rows: usize,
    cells: Vec<(u8, &'static str)>,
}

/// The bit of each dot of a Braille pattern, by row and column.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Canvas {
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, cells: vec![(0, ""); columns * rows] }
    }

    /// Draws a curve through points of 0..1 along and up. A single point is a dot.
    pub(super) fn curve(&mut self, points: &[(f64, f64)], style: &'static str) {
        let place = |&(along, up): &(f64, f64)| {
            let across = along.clamp(0.0, 1.0) * (self.columns * 2).saturating_sub(1) as f64;
            let down = (1.0 - up.clamp(0.0, 1.0)) * (self.rows * 4).saturating_sub(1) as f64;
            (across, down)
        };
        let finite = |&&(_, up): &&(f64, f64)| up.is_finite();
        let places: Vec<_> = points.iter().filter(finite).map(place).collect();
        if let Some(&(x, y)) = places.first() {
            self.dot(x, y, style);
        }
        for pair in places.windows(2) {
            let [(x, y), (to_x, to_y)] = [pair[0], pair[1]];
            let steps = (to_x - x).abs().max((to_y - y).abs()).ceil().max(1.0);
            for step in 1..=steps as usize {
                let share = step as f64 / steps;
                self.dot(x + (to_x - x) * share, y + (to_y - y) * share, style);
            }
        }
    }

    fn dot(&mut self, x: f64, y: f64, style: &'static str) {
        let (x, y) = (x.round() as usize, y.round() as usize);
        if let Some(cell) = self.cells.get_mut(y / 4 * self.columns + x / 2) {
            cell.0 |= DOTS[y % 4][x % 2];
            cell.1 = style;
        }
    }

    /// Returns the cells of a row, each with its style.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = (char, &'static str)> {
        self.cells[row * self.columns..][..self.columns].iter().map(|&(dots, style)| {
            let pattern = char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ');
            (if dots == 0 { ' ' } else { pattern }, style)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(canvas: &Canvas) -> Vec<String> {
        (0..canvas.rows).map(|row| canvas.row(row).map(|(cell, _)| cell).collect()).collect()
    }

    #[test]
    fn a_falling_curve_falls() {
        let mut canvas = Canvas::new(2, 1);
        canvas.curve(&[(0.0, 1.0), (1.0, 0.0)], "");
        assert_eq!(text(&canvas), ["⠑⢄"]);
    }

    #[test]
    fn a_single_point_is_a_dot_and_nan_is_not_drawn() {
        let mut canvas = Canvas::new(3, 2);
        canvas.curve(&[(0.0, f64::NAN)], "");
        assert_eq!(text(&canvas), ["   ", "   "]);
        canvas.curve(&[(9.0, -3.0)], "");
        assert_eq!(text(&canvas), ["   ", "  ⢀"]);
        Canvas::new(0, 0).curve(&[(0.5, 0.5)], "");
    }
}
