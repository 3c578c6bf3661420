//! How a backbone's norms adapt to a task: the section `[model.film]`.

use serde::{Deserialize, Serialize};

use super::validate::Checks;

/// The support images through which the set encoder learns, with the estimator `lite`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncoderSubsetKind {
    /// A draw of their own: unbiased.
    #[default]
    Independent,
    /// Those that go through the backbone: biased, for comparisons.
    Shared,
}

/// The section `[model.film]`: with `model.trained = "film"`, what the norms adapt by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilmConfig {
    /// Channels of the set encoder's blocks.
    pub channels: u32,
    /// Blocks of the set encoder; each halves the image.
    pub blocks: u32,
    /// Groups of its norms.
    pub groups: u32,
    /// λ of the loss term λ Σ r² over the learned sizes of all scales and shifts.
    pub regulariser: f64,
    /// Which support images the set encoder learns through.
    pub subset: EncoderSubsetKind,
}

impl Default for FilmConfig {
    fn default() -> Self {
        Self { channels: 64, blocks: 5, groups: 8, regulariser: 1e-3, subset: EncoderSubsetKind::Independent }
    }
}

impl FilmConfig {
    /// Whether nothing was said of it, so that nothing need be written of it.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        checks.count("model.film.channels", self.channels.into(), 1, 1024);
        checks.count("model.film.blocks", self.blocks.into(), 1, 8);
        checks.count("model.film.groups", self.groups.into(), 1, self.channels.max(1).into());
        if self.groups > 0 && !self.channels.is_multiple_of(self.groups) {
            checks.fail(
                "model.film.groups",
                format!(
                    "is {}, which does not divide the {} channels of model.film.channels",
                    self.groups, self.channels
                ),
            );
        }
        checks.not_negative("model.film.regulariser", self.regulariser);
    }
}
