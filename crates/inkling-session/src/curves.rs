//! The plot of a run: loss and accuracy over the steps, each as raw values behind a smoothed
//! line, and the validations with their confidence band.

use crate::metrics::MetricsRow;
use crate::plot::{Corner, Plot, PlotError, Series, render};

/// More points than this are beyond what a screen shows and only make the file large.
const MOST_POINTS: usize = 1000;

/// The share of the run over which the smoothing averages.
const SMOOTHED_SHARE: f64 = 0.05;

/// Draws the rows of `metrics.csv` as SVG.
///
/// # Errors
/// When the drawing library fails.
pub fn draw(rows: &[MetricsRow]) -> Result<String, PlotError> {
    let losses: Vec<(f64, f64)> = rows.iter().map(|r| (r.step as f64, r.loss.into())).collect();
    let accuracies: Vec<(f64, f64)> = rows.iter().map(|r| (r.step as f64, r.accuracy.into())).collect();
    let validation_losses: Vec<(f64, f64)> =
        rows.iter().filter_map(|r| Some((r.step as f64, r.validation_loss?.into()))).collect();
    let validations: Vec<(f64, f64, f64)> = rows
        .iter()
        .filter_map(|r| {
            let half = r.validation_interval.unwrap_or(0.0);
            Some((r.step as f64, r.validation_accuracy?.into(), half.into()))
        })
        .collect();
    render(&[loss(&losses, &validation_losses), accuracy(&accuracies, &validations)])
}

/// The panel of the losses: `(step, cross-entropy)` of training and of validations.
pub(crate) fn loss(training: &[(f64, f64)], validations: &[(f64, f64)]) -> Plot {
    let mut series = raw_and_smoothed(training, "training loss", 0);
    if !validations.is_empty() {
        series.push(Series {
            name: Some("validation loss".to_owned()),
            points: validations.to_vec(),
            color: 1,
            markers: true,
            ..Series::default()
        });
    }
    Plot {
        title: "Query loss".to_owned(),
        x_label: "step".to_owned(),
        y_label: "cross-entropy".to_owned(),
        series,
        ..Plot::default()
    }
}

/// The panel of the accuracies: `(step, accuracy)` of training, and of validations with half the
/// width of their confidence interval; shares of one, which the panel shows in percent.
pub(crate) fn accuracy(training: &[(f64, f64)], validations: &[(f64, f64, f64)]) -> Plot {
    let percent: Vec<(f64, f64)> = training.iter().map(|point| (point.0, point.1 * 100.0)).collect();
    let mut series = raw_and_smoothed(&percent, "training accuracy", 0);
    if !validations.is_empty() {
        let edges = |v: &(f64, f64, f64)| ((v.1 - v.2) * 100.0, (v.1 + v.2) * 100.0);
        series.push(Series {
            name: Some("validation accuracy, 95 % interval".to_owned()),
            points: validations.iter().map(|v| (v.0, v.1 * 100.0)).collect(),
            band: validations.iter().map(edges).collect(),
            color: 1,
            markers: true,
            ..Series::default()
        });
    }
    Plot {
        title: "Query accuracy".to_owned(),
        legend: Corner::LowerRight,
        x_label: "step".to_owned(),
        y_label: "%".to_owned(),
        series,
        ..Plot::default()
    }
}

/// Each value as it is, pale, behind the line that smooths them.
pub(crate) fn raw_and_smoothed(points: &[(f64, f64)], name: &str, color: usize) -> Vec<Series> {
    vec![
        Series { points: thinned(points), color, faint: true, ..Series::default() },
        Series { name: Some(name.to_owned()), points: thinned(&smoothed(points)), color, ..Series::default() },
    ]
}

/// A centred moving average: unlike a trailing one it does not lag behind a trend. Its window
/// narrows towards both ends, and it passes over values that are not finite.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let finite: Vec<(f64, f64)> = points.iter().copied().filter(|point| point.1.is_finite()).collect();
    let half = (finite.len() as f64 * SMOOTHED_SHARE / 2.0).round() as usize;
    // Sums up to each point, so that a window costs two look-ups however wide it is.
    let mut sums = vec![0.0];
    sums.extend(finite.iter().scan(0.0, |sum, point| {
        *sum += point.1;
        Some(*sum)
    }));
    let sum_to = |index: usize| sums.get(index).copied().unwrap_or(0.0);
    finite
        .iter()
        .enumerate()
        .map(|(index, (x, _))| {
            let reach = half.min(index).min(finite.len() - 1 - index);
            let sum: f64 = sum_to(index + reach + 1) - sum_to(index - reach);
            (*x, sum / (2 * reach + 1) as f64)
        })
        .collect()
}

/// Means of equal stretches, when there are more points than can be seen.
pub(crate) fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let stretch = points.len().div_ceil(MOST_POINTS).max(1);
    points
        .chunks(stretch)
        .map(|chunk| {
            let count = chunk.len() as f64;
            let sum = chunk.iter().fold((0.0, 0.0), |sum, p| (sum.0 + p.0, sum.1 + p.1));
            (sum.0 / count, sum.1 / count)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_a_trend_and_passes_over_gaps() {
        let points: Vec<(f64, f64)> = (0..100).map(|i| (f64::from(i), if i == 50 { f64::NAN } else { 3.0 })).collect();
        let smooth = smoothed(&points);
        assert_eq!(smooth.len(), 99);
        // Sums of at most six equal terms, divided by their number: rounding only.
        assert!(smooth.iter().all(|p| (p.1 - 3.0).abs() < 1e-12));
    }

    #[test]
    fn long_runs_are_thinned_to_means() {
        let points: Vec<(f64, f64)> = (0..4000).map(|i| (f64::from(i), f64::from(i))).collect();
        let thin = thinned(&points);
        assert_eq!(thin.len(), 1000);
        assert_eq!(thin[0], (1.5, 1.5));
        assert!(thinned(&[]).is_empty());
    }

    #[test]
    fn empty_and_short_runs_draw() {
        for count in [0, 1, 2] {
            let rows: Vec<MetricsRow> = (1..=count)
                .map(|step| MetricsRow { step, validation_accuracy: Some(0.5), ..MetricsRow::default() })
                .collect();
            assert!(draw(&rows).unwrap().starts_with("<svg"));
        }
    }
}
