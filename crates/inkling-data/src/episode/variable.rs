//! Episodes of varying way and shot (Triantafillou et al. 2020, "Meta-Dataset", section 3.2 and
//! appendix). Floating point is used only where IEEE arithmetic or `libm` give the same bits
//! everywhere.

use super::{Share, at_least, require_classes, require_images};
use crate::random::Numbers;
use crate::{DataError, Dataset, Split};

/// The bounds of the Meta-Dataset rules; the default is the paper's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableRules {
    /// The fewest classes; a split with fewer classes gives all it has.
    pub min_ways: u32,
    /// The most classes.
    pub max_ways: u32,
    /// The most query images per class; fewer where half of the smallest class is less.
    pub max_queries: u32,
    /// The most support images in all.
    pub max_support: u32,
    /// The most images by which one class enlarges the support set.
    pub max_support_per_class: u32,
}

impl Default for VariableRules {
    fn default() -> Self {
        VariableRules { min_ways: 5, max_ways: 50, max_queries: 10, max_support: 500, max_support_per_class: 100 }
    }
}

impl VariableRules {
    pub(super) fn check_numbers(&self) -> Result<(), DataError> {
        at_least("min_ways", self.min_ways, 2)?;
        at_least("max_ways", self.max_ways, self.min_ways)?;
        at_least("max_queries", self.max_queries, 1)?;
        // Every class has a support image.
        at_least("max_support", self.max_support, self.max_ways)?;
        at_least("max_support_per_class", self.max_support_per_class, 1)
    }
}

/// Draws ways, classes, queries per class, the support size and each class's shots, in this order.
pub(super) fn draw(
    rules: &VariableRules,
    dataset: &dyn Dataset,
    split: Split,
    numbers: &mut Numbers,
) -> Result<Vec<Share>, DataError> {
    require_classes(dataset, split, 2)?;
    let classes = dataset.class_count(split);
    let (least, most) = (rules.min_ways.min(classes), rules.max_ways.min(classes));
    let ways = least + numbers.below(most - least + 1);
    let drawn = numbers.distinct(ways, classes);
    let mut sizes = Vec::with_capacity(drawn.len());
    for &class in &drawn {
        require_images(dataset, split, class, 2)?;
        sizes.push(dataset.image_count(split, class));
    }
    // q = min(10, ⌊min_c |c| / 2⌋)
    let smallest = sizes.iter().copied().min().unwrap_or(0);
    let queries = rules.max_queries.min(smallest / 2);
    let support = support_size(rules, &sizes, queries, numbers);
    let shots = shots(&sizes, queries, support, numbers);
    let shares = drawn.into_iter().zip(shots);
    Ok(shares.map(|(class, shots)| Share { class, shots, queries }).collect())
}

/// min(500, Σ_c ⌈β min(100, |c| − q)⌉) with β ~ U(0, 1].
fn support_size(rules: &VariableRules, sizes: &[u32], queries: u32, numbers: &mut Numbers) -> u32 {
    let beta = 1.0 - numbers.unit();
    let contribution = |&size: &u32| libm::ceil(beta * f64::from((size - queries).min(rules.max_support_per_class)));
    let total: f64 = sizes.iter().map(contribution).sum();
    total.min(f64::from(rules.max_support)) as u32
}

/// Shots of each class: min(⌊R_c (|S| − ways)⌋ + 1, |c| − q), where R_c is the class's share by
/// exp(α_c)·|c| with α_c ~ U[log ½, log 2).
fn shots(sizes: &[u32], queries: u32, support: u32, numbers: &mut Numbers) -> Vec<u32> {
    let ln_2 = core::f64::consts::LN_2;
    let weights: Vec<f64> =
        sizes.iter().map(|&size| libm::exp((2.0 * numbers.unit() - 1.0) * ln_2) * f64::from(size)).collect();
    let total: f64 = weights.iter().sum();
    let spare = f64::from(support.saturating_sub(sizes.len() as u32));
    let shots_of =
        |(&weight, &size): (&f64, &u32)| (libm::floor(weight / total * spare) as u32 + 1).min(size - queries);
    weights.iter().zip(sizes).map(shots_of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Numbered, check_plan};
    use super::*;
    use crate::{EpisodePlan, EpisodeSpec};
    use proptest::prelude::*;

    fn draw(counts: &[u32], rules: VariableRules, index: u64) -> Result<EpisodePlan, DataError> {
        let spec = EpisodeSpec::Variable(rules);
        EpisodePlan::draw(&Numbered(counts.to_vec()), Split::Test, &spec, 1, index)
    }

    fn shots(plan: &EpisodePlan) -> Vec<u32> {
        let mut shots = vec![0; plan.ways() as usize];
        plan.support_labels().iter().for_each(|&label| shots[label as usize] += 1);
        shots
    }

    #[test]
    fn sizes_reach_over_their_whole_range() {
        let counts = vec![600; 80];
        let plans: Vec<_> = (0..400).map(|index| draw(&counts, VariableRules::default(), index).unwrap()).collect();
        let ways: Vec<_> = plans.iter().map(EpisodePlan::ways).collect();
        // 46 equally likely values, 400 draws: the chance to miss a given end is e^-8.7.
        assert_eq!((ways.iter().min(), ways.iter().max()), (Some(&5), Some(&50)));
        assert!(plans.iter().all(|plan| plan.query().len() as u32 == 10 * plan.ways()));
        assert!(plans.iter().all(|plan| plan.support().len() <= 500));
        let largest = plans.iter().map(|plan| plan.support().len()).max().unwrap();
        assert!(largest > 450, "the support sets fill their bound: {largest}");
        let uneven = plans.iter().filter(|plan| {
            let shots = shots(plan);
            shots.iter().max() > shots.iter().min()
        });
        assert!(uneven.count() > 300, "shots differ between classes");
    }

    #[test]
    fn large_classes_get_more_shots() {
        let counts = [20, 20, 20, 20, 2000];
        let mut sums = [0u32; 5];
        for index in 0..100 {
            let plan = draw(&counts, VariableRules::default(), index).unwrap();
            for (label, shots) in shots(&plan).into_iter().enumerate() {
                sums[plan.classes()[label] as usize] += shots;
            }
        }
        assert!(sums[..4].iter().all(|&small| sums[4] > 4 * small), "{sums:?}");
    }

    #[test]
    fn few_classes_and_small_classes_are_used_or_explained() {
        let plan = draw(&[3, 4, 9], VariableRules::default(), 0).unwrap();
        assert_eq!((plan.ways(), plan.query().len()), (3, 3));
        let error = draw(&[1, 4, 9], VariableRules::default(), 0).unwrap_err();
        assert!(error.to_string().contains("class number 0"), "{error}");
        let rules = VariableRules { max_support: 10, ..VariableRules::default() };
        assert!(matches!(draw(&[9; 9], rules, 0), Err(DataError::Setting { .. })));
    }

    proptest! {
        #[test]
        fn variable_episodes_are_well_formed(
            counts in proptest::collection::vec(2u32..300, 2..80),
            index in any::<u64>(),
        ) {
            let rules = VariableRules::default();
            let plan = draw(&counts, rules.clone(), index).unwrap();
            check_plan(&plan, &counts);
            prop_assert!(plan.support().len() as u32 <= rules.max_support);
            prop_assert!(plan.ways() <= rules.max_ways);
        }
    }
}
