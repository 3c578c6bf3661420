//! From embeddings to probabilities: by class means on the host, or by the learner's own head on its
//! device.

use inkling_platform::yield_now;

use super::events::Confusion;
use super::prototypes::{Means, Rule, softmax};
use super::strangers::Strangers;
use super::support::Support;
use crate::config::{HeadConfig, HeadKind, Metric};
use crate::run::SessionError;
use crate::run::embed::{EmbeddedTask, Embedder};
use crate::tensor_file::TensorFile;

/// Images that are left out one by one before others run.
const BETWEEN_YIELDS: usize = 128;
/// Parts that classes fall into where a head is fitted anew for each part that is left out.
const MOST_FOLDS: usize = 10;

/// How a task is solved from embeddings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Solver {
    /// Class means, in closed form.
    Prototypes(Rule),
    /// The head that the learner was trained with.
    Head,
}

/// A support with all that follows from it once.
pub(super) struct Fitted<'a> {
    pub(super) support: Support<'a>,
    means: Means,
    strangers: Strangers,
}

/// Class probabilities and that of none of them.
pub(super) type Probabilities = (Vec<f64>, f64);

impl Solver {
    /// The solver of a learner.
    pub(super) fn of(head: &HeadConfig, weights: &TensorFile) -> Self {
        let learned = || weights.tensors.get("head.scale").and_then(|tensor| tensor.as_f32()?.first().copied());
        match (head.kind, head.metric) {
            (HeadKind::Prototypes, Metric::Euclidean) => Self::Prototypes(Rule::Euclidean),
            (HeadKind::Prototypes, Metric::Cosine) => {
                Self::Prototypes(Rule::Cosine { scale: learned().unwrap_or_else(|| head.scale()).into() })
            }
            _ => Self::Head,
        }
    }

    /// The geometry of distances to class means.
    fn rule(self) -> Rule {
        match self {
            Self::Prototypes(rule) => rule,
            Self::Head => Rule::Euclidean,
        }
    }

    pub(super) fn fit(self, support: Support<'_>) -> Fitted<'_> {
        let means = Means::new(&support);
        let strangers = Strangers::new(self.rule(), &support, &means);
        Fitted { support, means, strangers }
    }

    /// The probabilities of an embedding, `[classes]` and none; `left_out` is its place where it is one
    /// of the support.
    pub(super) async fn classify(
        self,
        fitted: &Fitted<'_>,
        embedder: &mut Embedder,
        embedding: &[f32],
        left_out: Option<(usize, usize)>,
    ) -> Result<Probabilities, SessionError> {
        let class = left_out.map(|(class, _)| class);
        let logits = match self {
            Self::Prototypes(rule) => fitted.means.logits(rule, embedding, class),
            Self::Head => {
                let (support, labels) = fitted.support.without(|class, at| left_out == Some((class, at)));
                let ways = fitted.support.classes.len();
                head_logits(embedder, (&support, &labels), ways, embedding).await?.pop().unwrap_or_default()
            }
        };
        let distances = fitted.means.squared_distances(self.rule(), embedding, class);
        let none = if distances.is_empty() { 1.0 } else { fitted.strangers.probability(&distances) };
        Ok((softmax(&logits).into_iter().map(|probability| (1.0 - none) * probability).collect(), none))
    }

    /// Which class each image of the support would be given without it: by leave-one-out, in closed
    /// form for prototypes. Other heads leave out a tenth of each class at a time where classes have
    /// more than ten images. None when `obsolete` says so in between.
    pub(super) async fn confusion(
        self,
        fitted: &Fitted<'_>,
        embedder: &mut Embedder,
        obsolete: impl Fn() -> bool,
    ) -> Result<Option<Confusion>, SessionError> {
        let classes = &fitted.support.classes;
        let mut confusion = Confusion {
            classes: classes.iter().map(|members| members.class).collect(),
            cells: vec![vec![Vec::new(); classes.len()]; classes.len()],
            alone: classes.iter().filter(|of| of.ids.len() == 1).flat_map(|of| of.ids.clone()).collect(),
        };
        let places = classes.iter().enumerate().filter(|(_, members)| members.ids.len() > 1);
        let places = places.flat_map(|(class, members)| (0..members.ids.len()).map(move |at| (class, at)));
        let places: Vec<(usize, usize)> = places.collect();
        match self {
            Self::Prototypes(rule) => {
                for some in places.chunks(BETWEEN_YIELDS) {
                    for &place in some {
                        let embedding = fitted.support.embedding(place).unwrap_or_default();
                        note(&mut confusion, fitted, place, &fitted.means.logits(rule, embedding, Some(place.0)));
                    }
                    yield_now().await;
                    if obsolete() {
                        return Ok(None);
                    }
                }
            }
            Self::Head => {
                let largest = classes.iter().map(|members| members.ids.len()).max().unwrap_or(0);
                for fold in 0..largest.min(MOST_FOLDS) {
                    let of_fold = |class: usize, at: usize| at % MOST_FOLDS == fold && has_others(fitted, class);
                    let out: Vec<(usize, usize)> =
                        places.iter().copied().filter(|place| of_fold(place.0, place.1)).collect();
                    let (support, labels) = fitted.support.without(of_fold);
                    let queries: Vec<f32> = out
                        .iter()
                        .flat_map(|place| fitted.support.embedding(*place).unwrap_or_default())
                        .copied()
                        .collect();
                    let logits = head_logits(embedder, (&support, &labels), classes.len(), &queries).await?;
                    out.iter().zip(&logits).for_each(|(place, logits)| note(&mut confusion, fitted, *place, logits));
                    yield_now().await;
                    if obsolete() {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(confusion))
    }
}

/// Whether a class is not emptied by leaving a fold out.
fn has_others(fitted: &Fitted<'_>, class: usize) -> bool {
    fitted.support.classes.get(class).is_some_and(|members| members.ids.len() > 1)
}

/// Puts an image into the cell of its highest logit.
fn note(confusion: &mut Confusion, fitted: &Fitted<'_>, (class, at): (usize, usize), logits: &[Option<f64>]) {
    let known = logits.iter().enumerate().filter_map(|(index, logit)| Some((index, (*logit)?)));
    let best = known.max_by(|(_, first), (_, second)| first.total_cmp(second));
    let id = fitted.support.classes.get(class).and_then(|members| members.ids.get(at));
    let cell = best.and_then(|(predicted, _)| confusion.cells.get_mut(class)?.get_mut(predicted));
    if let (Some(id), Some(cell)) = (id, cell) {
        cell.push(*id);
    }
}

/// The logits `[queries][ways]` of the learner's head; a class of which nothing is left has none.
async fn head_logits(
    embedder: &mut Embedder,
    (support, labels): (&[f32], &[u32]),
    ways: usize,
    queries: &[f32],
) -> Result<Vec<Vec<Option<f64>>>, SessionError> {
    let count = queries.len() / embedder.dimension().max(1);
    let present: Vec<usize> = (0..ways).filter(|way| labels.contains(&(*way as u32))).collect();
    if present.len() < 2 {
        // One class alone: nothing to tell apart.
        let row = (0..ways).map(|way| present.contains(&way).then_some(0.0)).collect::<Vec<_>>();
        return Ok(vec![row; count]);
    }
    let number = |label: &u32| present.iter().position(|way| *way as u32 == *label).unwrap_or(0) as u32;
    let labels: Vec<u32> = labels.iter().map(number).collect();
    let task = EmbeddedTask { ways: present.len() as u32, support, labels: &labels, queries };
    let logits = embedder.logits(task).await?;
    let row = |logits: &[f32]| {
        let mut row = vec![None; ways];
        for (way, logit) in present.iter().zip(logits) {
            if let Some(place) = row.get_mut(*way) {
                *place = Some(f64::from(*logit));
            }
        }
        row
    };
    Ok(logits.chunks(present.len()).map(row).collect())
}
