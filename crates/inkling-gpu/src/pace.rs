//! How much work goes into one submission: a fixed amount, or what lately took a wanted time.

use inkling_platform::Stopwatch;

use crate::Tier;

/// Bounds of what is learned, in floating-point operations: a mistaken clock must neither cut every
/// kernel off nor put an hour's work into one submission.
const LEAST: f64 = 2e7;
const MOST: f64 = 5e10;
/// The factor by which the amount changes at most from one submission to the next.
const STEEPEST: f64 = 2.0;

/// The amount of work after which recorded commands are submitted.
#[derive(Debug)]
pub(crate) struct Pace {
    flops: f64,
    /// The time that a submission should take; none where the amount is fixed.
    seconds: Option<f64>,
    /// The submission that is under way.
    running: Option<(f64, Stopwatch)>,
}

impl Pace {
    pub(crate) fn of(tier: Tier) -> Self {
        Self { flops: tier.flops_per_submission(), seconds: tier.submission_seconds(), running: None }
    }

    /// Whether so much work is to be submitted now.
    pub(crate) fn is_reached(&self, flops: f64) -> bool {
        flops >= self.flops
    }

    /// Whether submissions take turns with whatever else the device does: each is waited for before
    /// the next is handed over.
    pub(crate) fn takes_turns(&self) -> bool {
        self.seconds.is_some()
    }

    pub(crate) fn submitted(&mut self, flops: f64) {
        self.running = Some((flops, Stopwatch::start()));
    }

    /// The last submission has ended just now.
    pub(crate) fn ended(&mut self) {
        if let Some((flops, clock)) = self.running.take() {
            self.learn(flops, clock.seconds());
        }
    }

    fn learn(&mut self, flops: f64, seconds: f64) {
        // What was submitted early, say for a read-back, tells little of the speed.
        if let Some(wanted) = self.seconds
            && flops >= 0.5 * self.flops
        {
            let change = (wanted / seconds.max(1e-6)).clamp(1.0 / STEEPEST, STEEPEST);
            self.flops = (flops * change).clamp(self.flops / STEEPEST, self.flops * STEEPEST).clamp(LEAST, MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(flops_per_second: f64) -> f64 {
        let mut pace = Pace::of(Tier::Browser);
        for _ in 0..40 {
            // Layers are not cut, so a submission exceeds its bound.
            let flops = 1.1 * pace.flops;
            pace.learn(flops, flops / flops_per_second);
        }
        pace.flops / flops_per_second
    }

    #[test]
    fn slow_and_fast_devices_get_submissions_of_equal_time() {
        let wanted = Tier::Browser.submission_seconds().unwrap();
        for speed in [4e9, 1e11, 3e12] {
            let seconds = settled(speed);
            assert!((0.5..2.0).contains(&(seconds / wanted)), "{seconds} s at {speed}");
        }
    }

    #[test]
    fn nothing_is_learned_from_a_submission_cut_short_or_where_the_amount_is_fixed() {
        let mut pace = Pace::of(Tier::Browser);
        let before = pace.flops;
        pace.learn(0.1 * before, 1.0);
        assert_eq!(pace.flops, before);
        let mut fixed = Pace::of(Tier::Cpu);
        let before = fixed.flops;
        fixed.learn(before, 10.0);
        assert_eq!(fixed.flops, before);
        assert!(!fixed.takes_turns());
    }

    #[test]
    fn a_mistaken_clock_stays_within_bounds() {
        let mut pace = Pace::of(Tier::Browser);
        for _ in 0..100 {
            pace.learn(pace.flops, 0.0);
        }
        assert_eq!(pace.flops, MOST);
        for _ in 0..100 {
            pace.learn(pace.flops, 1e9);
        }
        assert_eq!(pace.flops, LEAST);
    }
}
