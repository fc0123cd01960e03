//! Lines of equal value on a heatmap (marching squares between the centres of cells).

/// Pieces of the line at `level`, `[x, y]` in cells: (0.5, 0.5) is the centre of the first cell. `values` are
/// `rows * cols` numbers, row by row; nothing is drawn next to a NaN.
pub fn contour(values: &[f32], rows: usize, cols: usize, level: f32) -> Vec<[[f32; 2]; 2]> {
    let mut pieces = vec![];
    for row in 1..rows {
        for col in 1..cols {
            let at = |r: usize, c: usize| values[(row - 1 + r) * cols + col - 1 + c] - level;
            // Around the square: top left, top right, bottom right, bottom left.
            let corners = [at(0, 0), at(0, 1), at(1, 1), at(1, 0)];
            if corners.iter().any(|value| value.is_nan()) {
                continue;
            }
            square(corners, [col as f32 - 0.5, row as f32 - 0.5], &mut pieces);
        }
    }
    pieces
}

/// The pieces within one square whose top left corner is `origin`.
fn square(corners: [f32; 4], [left, top]: [f32; 2], pieces: &mut Vec<[[f32; 2]; 2]>) {
    const PLACES: [[f32; 2]; 4] = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
    let mut crossings = vec![];
    for side in 0..4 {
        let (from, to) = (side, (side + 1) % 4);
        let (a, b) = (corners[from], corners[to]);
        if (a >= 0.0) != (b >= 0.0) {
            let part = a / (a - b);
            let along = |axis: usize| PLACES[from][axis] + part * (PLACES[to][axis] - PLACES[from][axis]);
            crossings.push([left + along(0), top + along(1)]);
        }
    }
    match crossings[..] {
        [a, b] => pieces.push([a, b]),
        // A saddle: the mean of the corners decides which of them belong together.
        [a, b, c, d] if (corners.iter().sum::<f32>() >= 0.0) == (corners[0] >= 0.0) => {
            pieces.extend([[a, b], [c, d]]);
        }
        [a, b, c, d] => pieces.extend([[d, a], [b, c]]),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_runs_where_the_level_is_reached_between_centres() {
        // Two columns, 0 and 1: at 0.25 the line stands a quarter of the way.
        let pieces = contour(&[0.0, 1.0, 0.0, 1.0], 2, 2, 0.25);
        assert_eq!(pieces.len(), 1);
        assert!(pieces[0].iter().all(|at| (at[0] - 0.75).abs() < 1e-6), "{pieces:?}");
        assert_eq!((pieces[0][0][1] - pieces[0][1][1]).abs(), 1.0);
        assert!(contour(&[0.0, 1.0, 0.0, 1.0], 2, 2, 1.5).is_empty());
        assert!(contour(&[0.0, f32::NAN, 0.0, 1.0], 2, 2, 0.25).is_empty());
    }

    #[test]
    fn a_peak_is_ringed() {
        let pieces = contour(&[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], 3, 3, 0.5);
        assert_eq!(pieces.len(), 4);
        for [a, b] in pieces {
            for at in [a, b] {
                let away = (at[0] - 1.5).abs() + (at[1] - 1.5).abs();
                assert!((away - 0.5).abs() < 1e-6, "{at:?}");
            }
        }
    }
}
