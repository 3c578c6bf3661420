//! How the solves of a run converge: the residual over the iterations of conjugate gradient.

use egui::Ui;
use inkling_session::history::SolveHistory;
use inkling_session::plot::{Plot, Scale, Series};

use crate::chart;
use crate::widgets::empty_state;

/// Draws the newest solves.
pub(crate) fn show(ui: &mut Ui, solves: &[SolveHistory], height: f32) {
    if solves.is_empty() {
        return empty_state(
            ui,
            "No solves yet",
            "Implicit gradients and iMAML solve a system at every step. Its residuals appear here.",
        );
    }
    chart::show(ui, &plot(solves), height);
}

/// The newest solve in front of those before it.
pub(crate) fn plot(solves: &[SolveHistory]) -> Plot {
    let last = solves.len().saturating_sub(1);
    let line = |(index, solve): (usize, &SolveHistory)| Series {
        name: (index == last).then(|| format!("step {}", solve.step)),
        points: solve.residuals.iter().enumerate().map(|(at, residual)| (at as f64, f64::from(*residual))).collect(),
        color: if index == last { 1 } else { 0 },
        faint: index != last,
        ..Series::default()
    };
    Plot {
        title: "Residuals of the newest solves".to_owned(),
        x_label: "iteration".to_owned(),
        y_label: "‖r‖ / ‖b‖".to_owned(),
        y_scale: Scale::Logarithmic,
        series: solves.iter().enumerate().map(line).collect(),
        ..Plot::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_solve_has_a_name() {
        let solve = |step| SolveHistory { step, residuals: vec![1.0, 0.1] };
        let plot = plot(&[solve(3), solve(4)]);
        let names: Vec<_> = plot.series.iter().map(|series| series.name.clone()).collect();
        assert_eq!(names, [None, Some("step 4".to_owned())]);
        assert_eq!(plot.series[0].points, [(0.0, 1.0), (1.0, f64::from(0.1f32))]);
    }
}
