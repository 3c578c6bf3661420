use crate::{DataError, Dataset, EpisodeSpec, Split, fingerprint, nearest_pixel_accuracy};

use super::curve::trace;
use super::program::{Program, SCRIPT_CLASSES};
use super::{DEFAULT_IMAGE_SIZE, FINGERPRINT, Glyphs};

fn glyphs(image_size: u32) -> Glyphs {
    Glyphs::new(image_size, 0).unwrap()
}

#[test]
fn bytes_are_those_of_every_platform() {
    let seen = fingerprint(&glyphs(DEFAULT_IMAGE_SIZE)).unwrap();
    assert_eq!(seen, FINGERPRINT, "{seen:#018x}");
}

#[test]
fn an_image_depends_on_nothing_but_its_name() {
    let data = glyphs(28);
    let first = data.pixels(Split::Test, 77, 3).unwrap();
    data.pixels(Split::Train, 5, 0).unwrap();
    assert_eq!(first, glyphs(28).pixels(Split::Test, 77, 3).unwrap());
    assert_eq!(first.len(), data.image_shape().bytes());
    let others = [
        data.pixels(Split::Test, 77, 4),
        data.pixels(Split::Test, 78, 3),
        data.pixels(Split::Validation, 77, 3),
        data.pixels(Split::Train, 77, 3),
        Glyphs::new(28, 1).unwrap().pixels(Split::Test, 77, 3),
    ];
    for other in others {
        assert_ne!(first, other.unwrap());
    }
    // Indices beyond the announced count are drawings too.
    assert!(data.pixels(Split::Train, 0, u32::MAX).is_ok());
}

#[test]
fn splits_share_neither_class_nor_script() {
    let data = glyphs(28);
    let name = |split, class| data.class_name(split, class);
    let last = |split| data.class_count(split) - 1;
    let script = |split, class| name(split, class).split(" character").next().unwrap().to_owned();
    assert_ne!(script(Split::Train, last(Split::Train)), script(Split::Validation, 0));
    assert_ne!(script(Split::Validation, last(Split::Validation)), script(Split::Test, 0));
    for split in Split::ALL {
        // Ranges of whole scripts that follow one another cannot share one.
        assert_eq!(data.class_count(split) % SCRIPT_CLASSES, 0);
        assert!(matches!(data.pixels(split, data.class_count(split), 0), Err(DataError::Specification(_))));
    }
}

#[test]
fn every_program_has_two_to_five_strokes_in_its_box() {
    for seed in (0..2_000).map(|n| n * 587) {
        let program = Program::of_class(3, seed);
        assert!((2..=5).contains(&program.strokes.len()), "class seed {seed}");
        for knot in program.strokes.iter().flat_map(|stroke| &stroke.knots) {
            // Scaled to ±1, with the rounding of that.
            assert!(knot.at.x.abs() < 1.001 && knot.at.y.abs() < 1.001, "class seed {seed}: {knot:?}");
        }
        for stroke in &program.strokes {
            let points = trace(&stroke.knots);
            assert!(points.len() > 1, "class seed {seed}");
            assert!(points.iter().all(|p| p.x.is_finite() && p.y.is_finite()), "class seed {seed}");
        }
    }
}

#[test]
fn no_drawing_is_blank_or_cut_off() {
    let data = glyphs(28);
    for class in 0..500 {
        let pixels = data.pixels(Split::Train, class * 2_011, class).unwrap();
        let ink = pixels.iter().filter(|&&byte| byte > 127).count();
        // A thin pair of strokes covers about 20 of the 784 pixels, the densest ones a third.
        assert!((20..300).contains(&ink), "class {class}: {ink} pixels of ink");
        let (top, bottom) = (&pixels[..28], &pixels[27 * 28..]);
        let sides = pixels.chunks(28).flat_map(|row| [row[0], row[27]]);
        let edge = top.iter().chain(bottom).copied().chain(sides).max().unwrap();
        assert!(edge < 128, "class {class} runs over the edge");
    }
}

#[test]
fn every_size_shows_the_same_drawing() {
    let (small, large) = (glyphs(28), glyphs(112));
    let mut difference = 0.0;
    for class in 0..50 {
        let small = small.pixels(Split::Train, class * 97, 0).unwrap();
        let large = large.pixels(Split::Train, class * 97, 0).unwrap();
        for (at, &byte) in small.iter().enumerate() {
            let (row, column) = (at / 28, at % 28);
            let block = (0..16).map(|k| f64::from(large[(4 * row + k / 4) * 112 + 4 * column + k % 4]));
            difference += (block.sum::<f64>() / 16.0 - f64::from(byte)).abs();
        }
    }
    // Cover is estimated from the distance alone, which is off where strokes end, cross or are
    // about a pixel wide: two levels of 255 on average; another drawing differs by about 40.
    let mean = difference / (50.0 * 784.0);
    assert!(mean < 4.0, "{mean}");
}

#[test]
fn sizes_out_of_range_are_refused() {
    for size in [0, 15, 513, u32::MAX] {
        let message = Glyphs::new(size, 0).unwrap_err().to_string();
        assert!(message.contains("16") && message.contains("512"), "{message}");
    }
    assert!(Glyphs::new(16, 0).is_ok() && Glyphs::new(512, 0).is_ok());
}

/// Measured over 600 episodes of unseen classes: 55.9 ± 1.7 % at 5-way, 33.4 ± 0.8 % at 20-way 1-shot
/// (95 % confidence intervals).
#[test]
fn nearest_pixels_do_not_solve_it() {
    let data = glyphs(DEFAULT_IMAGE_SIZE);
    for (ways, low, high) in [(5, 0.45, 0.65), (20, 0.25, 0.42)] {
        let spec = EpisodeSpec::Fixed { ways, shots: 1, queries: 1 };
        let seen = nearest_pixel_accuracy(&data, Split::Test, &spec, 1, 300).unwrap().nearest_neighbour;
        assert!(seen.mean - seen.ci95 > low && seen.mean + seen.ci95 < high, "{ways}-way: {seen:?}");
    }
}
