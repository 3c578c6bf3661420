use std::f32::consts::TAU;

use crate::raster::{Point, Stream, Turn};
use crate::{DataError, Dataset, EpisodeSpec, Split, fingerprint, nearest_pixel_accuracy};

use super::object::Object;
use super::shape::Shape;
use super::{DEFAULT_IMAGE_SIZE, FINGERPRINT, Scenes};

fn scenes(image_size: u32) -> Scenes {
    Scenes::new(image_size, 0).unwrap()
}

#[test]
fn bytes_are_those_of_every_platform() {
    let seen = fingerprint(&scenes(DEFAULT_IMAGE_SIZE)).unwrap();
    assert_eq!(seen, FINGERPRINT, "{seen:#018x}");
}

#[test]
fn an_image_depends_on_nothing_but_its_name() {
    let data = scenes(48);
    let first = data.pixels(Split::Test, 77, 3).unwrap();
    data.pixels(Split::Train, 5, 0).unwrap();
    assert_eq!(first, scenes(48).pixels(Split::Test, 77, 3).unwrap());
    assert_eq!(first.len(), data.image_shape().bytes());
    let others = [
        data.pixels(Split::Test, 77, 4),
        data.pixels(Split::Test, 78, 3),
        data.pixels(Split::Validation, 77, 3),
        data.pixels(Split::Train, 77, 3),
        Scenes::new(48, 1).unwrap().pixels(Split::Test, 77, 3),
    ];
    for other in others {
        assert_ne!(first, other.unwrap());
    }
    assert!(data.pixels(Split::Train, 0, u32::MAX).is_ok());
}

#[test]
fn splits_do_not_share_a_class() {
    let data = scenes(32);
    let mut seeds: Vec<(u32, u32)> = Split::ALL
        .map(|split| {
            let seed = |class| data.class_name(split, class).trim_start_matches("object ").parse::<u32>().unwrap();
            (seed(0), seed(data.class_count(split) - 1))
        })
        .to_vec();
    seeds.sort_unstable();
    assert!(seeds.windows(2).all(|pair| pair[0].1 < pair[1].0), "{seeds:?}");
    for split in Split::ALL {
        assert!(matches!(data.pixels(split, data.class_count(split), 0), Err(DataError::Specification(_))));
    }
}

#[test]
fn every_object_fills_its_disc() {
    for seed in (0..2_000).map(|n| n * 587) {
        let object = Object::of_class(3, seed);
        assert!(!object.parts.is_empty(), "class seed {seed}");
        let reaches = object.parts.iter().map(|part| part.at.length() + part.shape.reach());
        let farthest = reaches.fold(0.0, f32::max);
        // Scaled to 1, with the rounding of that.
        assert!((farthest - 1.0).abs() < 1e-3, "class seed {seed}: {farthest}");
        assert!(object.parts.iter().all(|part| part.paint < object.paints.len()));
    }
}

/// Stepping by the distance, against the direction outwards, ends on the outline.
#[test]
fn outlines_tell_distance_and_direction() {
    let mut draw = Stream::new(9, &[]);
    let shapes = [
        Shape::Ellipse(Point::new(0.7, 0.7)),
        Shape::star(5, 0.5),
        Shape::polygon(6, 0.3, &mut draw),
        Shape::trapezoid(0.3, 0.8),
        Shape::Capsule { half: 0.5, start: 0.3, end: 0.3 },
    ];
    for shape in &shapes {
        for _ in 0..200 {
            let p = Turn::by(draw.range(0.0, TAU)).apply(Point::new(draw.range(0.05, 1.6), 0.0));
            let sight = shape.see(p);
            let landed = shape.see(p - sight.outwards * sight.distance);
            // Exact but for rounding in f32 near the corners.
            assert!(landed.distance.abs() < 1e-4, "{shape:?} from {p:?}: {sight:?}, {landed:?}");
            assert!(p.length() <= shape.reach() || sight.distance > 0.0, "{shape:?} reaches {p:?}");
        }
        assert!(shape.see(Point::default()).distance < -0.1, "{shape:?} holds its origin");
    }
}

#[test]
fn every_size_shows_the_same_scene() {
    let (small, large) = (scenes(84), scenes(168));
    let (mut difference, mut elsewhere) = (0.0, 0.0);
    for class in 0..12 {
        let image = small.pixels(Split::Train, class * 97, 0).unwrap();
        let other = small.pixels(Split::Train, class * 97, 1).unwrap();
        let large = large.pixels(Split::Train, class * 97, 0).unwrap();
        for (at, &byte) in image.iter().enumerate() {
            let (row, column) = (at / 84, at % 84);
            let block = (0..4).map(|k| f64::from(large[(2 * row + k / 2) * 168 + 2 * column + k % 2]));
            difference += (block.sum::<f64>() / 4.0 - f64::from(byte)).abs();
            elsewhere += f64::from(other[at].abs_diff(byte));
        }
    }
    // What differs is the anti-aliasing of edges, a few levels on average.
    assert!(difference < 0.1 * elsewhere, "{difference} against {elsewhere} for another image");
}

#[test]
fn images_are_neither_dark_nor_blown_out() {
    let data = scenes(32);
    for class in 0..200 {
        let pixels = data.pixels(Split::Train, class * 4_001, class).unwrap();
        let count = |holds: fn(u8) -> bool| pixels.iter().filter(|&&byte| holds(byte)).count();
        assert!(count(|byte| byte == 255) < pixels.len() / 2, "class {class} is blown out");
        assert!(count(|byte| byte < 8) < pixels.len() / 2, "class {class} is dark");
    }
}

#[test]
fn sizes_out_of_range_are_refused() {
    for size in [0, 31, 513, u32::MAX] {
        let message = Scenes::new(size, 0).unwrap_err().to_string();
        assert!(message.contains("32") && message.contains("512"), "{message}");
    }
    assert!(Scenes::new(32, 0).is_ok() && Scenes::new(512, 0).is_ok());
}

/// Measured over 600 episodes of unseen classes at 84 pixels: 30.5 ± 1.5 % at 5-way, 11.4 ± 0.5 % at
/// 20-way 1-shot (95 % confidence intervals). Half the resolution tells the same in a quarter of
/// the time.
#[test]
fn nearest_pixels_do_not_solve_it() {
    let data = scenes(42);
    for (ways, episodes, low, high) in [(5, 400, 0.22, 0.40), (20, 100, 0.06, 0.18)] {
        let spec = EpisodeSpec::Fixed { ways, shots: 1, queries: 1 };
        let seen = nearest_pixel_accuracy(&data, Split::Test, &spec, 1, episodes).unwrap().nearest_neighbour;
        assert!(seen.mean - seen.ci95 > low && seen.mean + seen.ci95 < high, "{ways}-way: {seen:?}");
    }
}
