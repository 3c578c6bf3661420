//! Learners in words and numbers.

use inkling_session::teach::LearnerCard;

use crate::teach::thousands;

/// `0.86 MB`, `412 kB`.
pub(crate) fn size(bytes: usize) -> String {
    let bytes = bytes as f64;
    if bytes >= 1e6 { format!("{:.2} MB", bytes / 1e6) } else { format!("{:.0} kB", bytes / 1e3) }
}

/// `84 × 84, colour`.
pub(super) fn image(card: &LearnerCard) -> String {
    let colour = if card.image.channels == 1 { "grey" } else { "colour" };
    format!("{} × {} pixels, {colour}", card.image.width, card.image.height)
}

/// `91.3 ± 0.4 % (5-way 5-shot, 600 episodes of scenes)`.
pub(super) fn accuracy(card: &LearnerCard) -> String {
    card.result.as_ref().map_or_else(
        || "not measured".to_owned(),
        |result| {
            let (mean, interval) = (100.0 * result.accuracy, 100.0 * result.interval);
            format!("{mean:.1} ± {interval:.1} %")
        },
    )
}

/// On what the accuracy was measured.
pub(super) fn protocol(card: &LearnerCard) -> String {
    card.result.as_ref().map_or_else(String::new, |result| {
        let episodes = thousands(result.episodes);
        format!("{}-way {}-shot, {episodes} episodes of {} ({})", result.ways, result.shots, result.data, result.split)
    })
}

/// `glyphs, 12,000 steps`; `ImageNet` of a learner as it was published.
pub(super) fn training(card: &LearnerCard) -> String {
    match card.steps {
        0 => card.trained_on.clone(),
        steps => format!("{}, {} steps", card.trained_on, thousands(steps)),
    }
}

/// `Conv-4, 32 channels, prototypes; 28,896 parameters`.
pub(super) fn network(card: &LearnerCard) -> String {
    format!("{}, {}; {} parameters", card.network, card.solver, thousands(card.parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(size(860_000), "860 kB");
        assert_eq!(size(1_234_567), "1.23 MB");
    }
}
