//! The Pareto front: what nothing else beats in time and in memory at once.

/// The numbers of the points that no other point beats: none is at most as large in both and smaller in one. In the order of
/// the first coordinate.
pub(super) fn front(points: &[(f64, f64)]) -> Vec<usize> {
    let beats = |a: &(f64, f64), b: &(f64, f64)| a.0 <= b.0 && a.1 <= b.1 && (a.0 < b.0 || a.1 < b.1);
    let mut front: Vec<usize> = (0..points.len())
        .filter(|i| points[*i].0.is_finite() && points[*i].1.is_finite())
        .filter(|i| !points.iter().any(|other| beats(other, &points[*i])))
        .collect();
    front.sort_by(|a, b| points[*a].0.total_cmp(&points[*b].0));
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nothing_beats_is_on_the_front() {
        let points = [
            (1.0, 1.0),
            (0.9, 1.2),
            (1.1, 0.8),
            (1.1, 0.9),
            (0.95, f64::NAN),
            (1.0, 1.0),
        ];
        assert_eq!(front(&points), [1, 0, 5, 2]);
        assert!(front(&[]).is_empty());
    }
}
