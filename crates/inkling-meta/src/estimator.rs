//! Gradient estimators: which support images take part, and which are back-propagated.
//!
//! An estimator never sees a head, and a head never sees an estimator. All four are one scheme:
//! embed the *members* of the support; back-propagate a subset of their rows, scaled so that the
//! gradient keeps its expectation. `full` keeps the activations of the only forward pass; the
//! others embed first and forward again what they back-propagate (LITE, Bronskill et al. 2021).

use inkling_data::Numbers;

use crate::MetaError;

/// How support gradients reach the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// Exact; the activations of all support images are kept.
    Full,
    /// Exact; the support is forwarded again and back-propagated in chunks.
    Chunked,
    /// Unbiased; H support images are back-propagated, their rows scaled by N/H.
    Lite,
    /// Biased; a smaller task of H support images, at least one of each class.
    Subsampled,
}

/// When LITE draws its subset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubsetTime {
    /// Once per task, from the rows of all query batches: min(N, H·⌈M/M_b⌉) rows.
    #[default]
    Task,
    /// For every query batch anew, H rows each: the paper's form.
    QueryBatch,
}

/// An estimator with its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GradientSettings {
    /// The estimator.
    pub estimator: Estimator,
    /// H, for `lite` and `subsampled`.
    pub h: u32,
    /// C, images of one pass, except for `full`.
    pub chunk: u32,
    /// When LITE draws.
    pub subset: SubsetTime,
    /// M_b, query images of one pass; 0 for all at once.
    pub query_batch: u32,
    /// These support images in place of a draw; their number is H.
    pub support_subset: Option<Vec<u32>>,
}

impl GradientSettings {
    /// M_b for a task of `queries` query images.
    pub fn query_batch_of(&self, queries: u32) -> u32 {
        if self.query_batch == 0 { queries } else { self.query_batch.min(queries) }.max(1)
    }

    /// The support images that a task is solved with, as indices.
    ///
    /// # Errors
    /// [`MetaError::Config`] when H or `support_subset` does not suit the task.
    pub fn members(&self, labels: &[u32], ways: u32, numbers: &mut Numbers) -> Result<Vec<u32>, MetaError> {
        let all = labels.len() as u32;
        match (self.estimator, &self.support_subset) {
            (Estimator::Subsampled, Some(subset)) => {
                check_subset(subset, all)?;
                let present = |class: &u32| subset.iter().any(|&index| labels.get(index as usize) == Some(class));
                match (0..ways).find(|class| !present(class)) {
                    Some(class) => Err(MetaError::config(
                        "gradient.support_subset",
                        format!("{subset:?}"),
                        format!("class {class} has no image in it; a smaller task needs at least one of each class"),
                    )),
                    None => Ok(subset.clone()),
                }
            }
            (Estimator::Subsampled, None) => stratified(labels, ways, self.h, numbers),
            _ => Ok((0..all).collect()),
        }
    }

    /// The members whose rows are back-propagated, as positions among `members`, and the factor
    /// of their rows. `batches` is the number of query batches that the rows come from.
    ///
    /// # Errors
    /// [`MetaError::Config`] when `support_subset` does not suit the task.
    pub fn back_propagated(
        &self,
        members: u32,
        batches: u32,
        numbers: &mut Numbers,
    ) -> Result<(Vec<u32>, f32), MetaError> {
        if self.estimator != Estimator::Lite {
            return Ok(((0..members).collect(), 1.0));
        }
        let mut subset = match &self.support_subset {
            Some(subset) => {
                check_subset(subset, members)?;
                subset.clone()
            }
            None => numbers.distinct(self.h.saturating_mul(batches).min(members), members),
        };
        // Ascending order: the same sums for the same set, however it was drawn.
        subset.sort_unstable();
        let factor = if subset.is_empty() { 0.0 } else { members as f32 / subset.len() as f32 };
        Ok((subset, factor))
    }
}

fn check_subset(subset: &[u32], support: u32) -> Result<(), MetaError> {
    let mut sorted = subset.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let value = || format!("{subset:?}");
    if sorted.len() != subset.len() {
        return Err(MetaError::config("gradient.support_subset", value(), "an index occurs twice; name each once"));
    }
    match sorted.last() {
        Some(&last) if last >= support => Err(MetaError::config(
            "gradient.support_subset",
            value(),
            format!("the task has {support} support images, so indices go from 0 to {}", support - 1),
        )),
        _ => Ok(()),
    }
}

/// H support images, at least one of each class, the others in proportion to nothing but chance.
fn stratified(labels: &[u32], ways: u32, h: u32, numbers: &mut Numbers) -> Result<Vec<u32>, MetaError> {
    if h < ways {
        return Err(MetaError::config(
            "gradient.h",
            h,
            format!("subsampled needs at least one support image of each of the {ways} classes; use h >= {ways}"),
        ));
    }
    let all = labels.len() as u32;
    let order = numbers.distinct(all, all);
    let mut seen = vec![false; ways as usize];
    let (mut firsts, mut others) = (Vec::new(), Vec::new());
    for index in order {
        let label = labels.get(index as usize).map_or(0, |&label| label as usize);
        match seen.get_mut(label) {
            Some(seen) if !*seen => {
                *seen = true;
                firsts.push(index);
            }
            _ => others.push(index),
        }
    }
    firsts.extend(others);
    firsts.truncate(h as usize);
    firsts.sort_unstable();
    Ok(firsts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(estimator: Estimator, h: u32) -> GradientSettings {
        GradientSettings { estimator, h, chunk: 4, subset: SubsetTime::Task, query_batch: 0, support_subset: None }
    }

    fn numbers(stream: u64) -> Numbers {
        Numbers::new(b"subset__", 7, 0, stream)
    }

    #[test]
    fn lite_draws_each_row_equally_often_and_keeps_the_expectation() {
        let lite = settings(Estimator::Lite, 3);
        let mut counts = [0_u32; 10];
        for stream in 0..4000 {
            let (subset, factor) = lite.back_propagated(10, 1, &mut numbers(stream)).unwrap();
            assert_eq!((subset.len(), factor), (3, 10.0 / 3.0));
            subset.iter().for_each(|&index| counts[index as usize] += 1);
        }
        // Binomial(4000, 0.3): mean 1200, standard deviation 29; five of them.
        assert!(counts.iter().all(|&count| count.abs_diff(1200) < 145), "{counts:?}");
    }

    #[test]
    fn more_than_all_rows_is_exact() {
        let (subset, factor) = settings(Estimator::Lite, 4).back_propagated(6, 5, &mut numbers(0)).unwrap();
        assert_eq!((subset, factor), ((0..6).collect(), 1.0));
        let (subset, factor) = settings(Estimator::Lite, 0).back_propagated(6, 5, &mut numbers(0)).unwrap();
        assert_eq!((subset.len(), factor), (0, 0.0));
    }

    #[test]
    fn subsampled_keeps_every_class() {
        let labels = [0, 0, 0, 0, 0, 0, 1, 2];
        for stream in 0..50 {
            let members = settings(Estimator::Subsampled, 4).members(&labels, 3, &mut numbers(stream)).unwrap();
            assert_eq!(members.len(), 4);
            for class in 0..3 {
                assert!(members.iter().any(|&index| labels[index as usize] == class));
            }
        }
        assert!(settings(Estimator::Subsampled, 2).members(&labels, 3, &mut numbers(0)).is_err());
    }

    #[test]
    fn wrong_subsets_are_refused() {
        let mut lite = settings(Estimator::Lite, 2);
        for subset in [vec![0, 0], vec![0, 6]] {
            lite.support_subset = Some(subset);
            assert!(lite.back_propagated(6, 1, &mut numbers(0)).is_err());
        }
    }
}
