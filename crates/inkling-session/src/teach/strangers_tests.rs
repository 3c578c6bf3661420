use super::super::support::fixture::Embedded;
use super::*;

const DIMENSION: usize = 40;

/// Pseudo-random numbers of about a normal distribution, by the sum of twelve uniform ones.
fn noise(state: &mut u64) -> f32 {
    (0..12)
        .map(|_| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*state >> 40) as f32 / (1u64 << 24) as f32
        })
        .sum::<f32>()
        - 6.0
}

/// An embedding near the centre of a class, which lies `apart` along an axis of its own.
fn near(class: usize, apart: f32, width: f32, state: &mut u64) -> Vec<f32> {
    (0..DIMENSION).map(|at| if at == class { apart } else { 0.0 } + width * noise(state)).collect()
}

/// P(none) of images of the classes and of images of others, with classes of `images` images.
fn rates(images: usize, apart: f32, width: f32) -> (f64, f64) {
    let mut state = 5;
    let (mut members, mut others, mut count) = (0.0, 0.0, 0.0);
    for _ in 0..30 {
        let class = |class: usize, state: &mut u64| (0..images).map(|_| near(class, apart, width, state)).collect();
        let embedded = Embedded::new((0..4).map(|at| class(at, &mut state)).collect());
        let support = embedded.support();
        let means = Means::new(&support);
        let strangers = Strangers::new(Rule::Euclidean, &support, &means);
        let is_none = |embedding: &[f32]| {
            let distances = means.squared_distances(Rule::Euclidean, embedding, None);
            f64::from(u8::from(strangers.probability(&distances) > 0.5))
        };
        for at in 0..4 {
            members += is_none(&near(at, apart, width, &mut state));
            others += is_none(&near(10 + at, apart, width, &mut state));
            count += 1.0;
        }
    }
    (members / count, others / count)
}

#[test]
fn strangers_are_told_from_members() {
    // Members lie about √40 from their centre, strangers about √(40 + 200).
    for images in [2, 5, 20] {
        let (members, others) = rates(images, 10.0, 1.0);
        assert!(members < 0.1 && others > 0.9, "{images} images: {members} of members, {others} of others");
    }
    let (members, others) = rates(1, 10.0, 0.5);
    assert!(members < 0.1 && others > 0.9, "one image: {members} of members, {others} of others");
}

#[test]
fn frames_of_a_short_recording_do_not_shut_the_class() {
    // Twenty frames that hardly differ; the next one differs ten times as much, and still far less
    // than the classes do.
    let mut state = 9;
    let class = |class: usize, state: &mut u64| (0..20).map(|_| near(class, 10.0, 0.02, state)).collect();
    let embedded = Embedded::new((0..3).map(|at| class(at, &mut state)).collect());
    let support = embedded.support();
    let means = Means::new(&support);
    let strangers = Strangers::new(Rule::Euclidean, &support, &means);
    let next = near(0, 10.0, 0.2, &mut state);
    let none = strangers.probability(&means.squared_distances(Rule::Euclidean, &next, None));
    assert!(none < 0.1, "{none}");
}

#[test]
fn one_image_of_one_class_has_no_strangers_and_equal_images_no_division_by_zero() {
    let one = Embedded::new(vec![vec![vec![1.0, 2.0]]]);
    let means = Means::new(&one.support());
    let strangers = Strangers::new(Rule::Euclidean, &one.support(), &means);
    assert_eq!(strangers.probability(&means.squared_distances(Rule::Euclidean, &[9.0, 9.0], None)), 0.0);
    let equal = Embedded::new(vec![vec![vec![1.0, 2.0]; 3], vec![vec![1.0, 2.0]; 2]]);
    let means = Means::new(&equal.support());
    let strangers = Strangers::new(Rule::Euclidean, &equal.support(), &means);
    let none = |query: &[f32]| strangers.probability(&means.squared_distances(Rule::Euclidean, query, None));
    assert!(none(&[1.0, 2.0]) < 0.1 && none(&[1.5, 2.0]) > 0.9);
}
