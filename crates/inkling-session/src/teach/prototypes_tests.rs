use proptest::prelude::*;

use super::super::support::fixture::Embedded;
use super::*;

const RULES: [Rule; 2] = [Rule::Euclidean, Rule::Cosine { scale: 7.0 }];

fn classes() -> impl Strategy<Value = Vec<Vec<Vec<f32>>>> {
    let embedding = proptest::collection::vec(-3.0f32..3.0, 4);
    proptest::collection::vec(proptest::collection::vec(embedding, 1..6), 1..5)
}

/// The logit of a query by the definition, from a list of members.
fn by_definition(rule: Rule, query: &[f32], members: &[&[f32]]) -> f64 {
    let mean: Vec<f64> = (0..query.len())
        .map(|at| members.iter().map(|of| f64::from(of[at])).sum::<f64>() / members.len() as f64)
        .collect();
    let query: Vec<f64> = query.iter().map(|value| f64::from(*value)).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    match rule {
        Rule::Euclidean => -query.iter().zip(&mean).map(|(a, b)| (a - b).powi(2)).sum::<f64>(),
        Rule::Cosine { scale } => {
            let lengths = (dot(&query, &query) * dot(&mean, &mean)).sqrt();
            if lengths > 0.0 { scale * dot(&query, &mean) / lengths } else { 0.0 }
        }
    }
}

proptest! {
    /// Leaving an image out in closed form is what computing the mean anew without it gives.
    #[test]
    fn leave_one_out_equals_brute_force(classes in classes()) {
        let embedded = Embedded::new(classes.clone());
        let means = Means::new(&embedded.support());
        for rule in RULES {
            for (class, members) in classes.iter().enumerate() {
                for (at, query) in members.iter().enumerate() {
                    let found = means.logits(rule, query, Some(class));
                    for (other, of) in classes.iter().enumerate() {
                        let rest: Vec<&[f32]> = of.iter().enumerate()
                            .filter(|(index, _)| (other, *index) != (class, at)).map(|(_, of)| of.as_slice()).collect();
                        let expected = (!rest.is_empty()).then(|| by_definition(rule, query, &rest));
                        match (found[other], expected) {
                            // f64 sums of numbers below 200, cancelled at most to a hundredth.
                            (Some(found), Some(expected)) => prop_assert!((found - expected).abs() < 1e-8, "{found} {expected}"),
                            (found, expected) => prop_assert_eq!(found, expected),
                        }
                    }
                    let own = means.own_squared_distance(Rule::Euclidean, query, class);
                    let found = means.logits(Rule::Euclidean, query, Some(class))[class];
                    prop_assert_eq!(own, found.map(|logit| -logit));
                }
            }
        }
    }

    #[test]
    fn probabilities_sum_to_one(logits in proptest::collection::vec(proptest::option::of(-1e4f64..1e4), 1..6)) {
        let probabilities = softmax(&logits);
        let sum: f64 = probabilities.iter().sum();
        let expected = if logits.iter().any(Option::is_some) { 1.0 } else { 0.0 };
        prop_assert!((sum - expected).abs() < 1e-12 && probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
    }
}

#[test]
fn nearest_neighbours_are_averaged_over_classes() {
    let embedded = Embedded::new(vec![vec![vec![0.0, 0.0]], vec![vec![3.0, 0.0]], vec![vec![3.0, 4.0]]]);
    let means = Means::new(&embedded.support());
    // 9 for the first two, 16 for the third.
    assert_eq!(means.nearest_neighbours(Rule::Euclidean), Some(34.0 / 3.0));
    let one = Embedded::new(vec![vec![vec![1.0, 2.0], vec![0.0, 1.0]]]);
    assert_eq!(Means::new(&one.support()).nearest_neighbours(Rule::Euclidean), None);
}
