//! A support set of photos as cameras take them: the memory that reading it takes, and what becomes
//! of a damaged one. One test after the other: the peak is the process's.
#![cfg(target_os = "linux")]
// Clippy takes helpers outside a test function for shipped code.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::time::Instant;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use inkling_data::{
    EpisodePlan, EpisodeSpec, Framing, ImageShape, OpenOptions, Split, load_class_folder, load_images, open,
};

const GIBIBYTE: u64 = 1 << 30;
/// Twelve megapixels.
const COLUMNS: u32 = 4000;
const ROWS: u32 = 3000;
/// Photos that differ; the others are links to them.
const DIFFERENT: u32 = 2;
const CLASSES: u32 = 10;

/// A photo with coarse shapes and fine grain, which JPEG cannot make small.
fn photo(seed: u32) -> Vec<u8> {
    let image = RgbImage::from_fn(COLUMNS, ROWS, |x, y| {
        let grain = (x.wrapping_mul(73_856_093) ^ y.wrapping_mul(19_349_663) ^ seed).wrapping_mul(2_654_435_761) >> 28;
        let shade = ((x + 40 * seed) / 97 * 37 + y / 71 * 53) % 200;
        Rgb([shade as u8, (shade / 2 + y % 90) as u8, (x % 120) as u8].map(|value| value.saturating_add(grain as u8)))
    });
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&image).unwrap();
    bytes
}

/// `per_class` photos in each class folder; the third of the first class is cut off.
fn write_photos(folder: &Path, per_class: u32) {
    for number in 0..DIFFERENT {
        fs::write(folder.join(format!("{number}.source")), photo(number)).unwrap();
    }
    for class in 0..CLASSES {
        let place = folder.join(format!("photos/class-{class:02}"));
        fs::create_dir_all(&place).unwrap();
        for number in 0..per_class {
            let source = folder.join(format!("{}.source", (class + number) % DIFFERENT));
            let photo = place.join(format!("{number:03}.jpg"));
            match (class, number) {
                (0, 2) => {
                    let whole = fs::read(source).unwrap();
                    fs::write(photo, &whole[..whole.len() / 2]).unwrap();
                }
                _ => fs::hard_link(source, photo).unwrap(),
            }
        }
    }
}

/// The most bytes of memory that the process has had at once.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    1024 * peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
}

/// Reads all photos as a support set, once as `adapt` does and once as an episode.
fn read(per_class: u32) {
    let folder = tempfile::tempdir().unwrap();
    write_photos(folder.path(), per_class);
    let (photos, shape) = (folder.path().join("photos"), ImageShape { channels: 3, height: 224, width: 224 });
    let before = peak_bytes();
    let clock = Instant::now();
    let framing = Framing::new(shape, 0.875).unwrap();
    let support = load_class_folder(&photos, framing, false).unwrap();
    let read: usize = support.images.iter().map(|(_, images)| images.len()).sum();
    assert_eq!(read as u32, CLASSES * per_class - 1);
    let [skipped] = support.skipped.as_slice() else { panic!("{:?}", support.skipped) };
    assert!(skipped.contains("class-00/002.jpg") && skipped.contains("truncated"), "{skipped}");
    println!("{read} photos of 12 megapixels in {:.1} s", clock.elapsed().as_secs_f64());
    println!("peak {} MiB, {} MiB before", peak_bytes() >> 20, before >> 20);
    drop(support);
    let refused = load_images(&photos.join("class-00"), framing, true).unwrap_err().to_string();
    assert!(refused.contains("class-00/002.jpg") && refused.contains("replace or remove it"), "{refused}");

    let lists = folder.path().join("all.toml");
    let names: Vec<String> = (0..CLASSES).map(|class| format!("\"class-{class:02}\"")).collect();
    fs::write(&lists, format!("test = [{}]", names.join(", "))).unwrap();
    let options = OpenOptions { image_size: Some(224), split_file: Some(lists), ..OpenOptions::default() };
    let set = open(&format!("folder:{}", photos.display()), &options).unwrap();
    let spec = EpisodeSpec::Fixed { ways: CLASSES, shots: per_class - 2, queries: 1 };
    let plan = EpisodePlan::draw(set.as_ref(), Split::Test, &spec, 0, 0).unwrap();
    let episode = plan.load(set.as_ref()).unwrap();
    assert_eq!(episode.support().len() as u32, CLASSES * (per_class - 2));
    assert!(set.skipped(0).len() <= 1);
    println!("peak {} MiB with an episode of them", peak_bytes() >> 20);
    // The photos in their framing, and what may be decoded at once, stay far below.
    assert!(peak_bytes() < GIBIBYTE, "{} MiB", peak_bytes() >> 20);
}

#[test]
fn photos_of_twelve_megapixels_are_read_within_bounds() {
    read(5);
}

/// `cargo test -p inkling-data --test photos -- --ignored --nocapture`: minutes.
#[test]
#[ignore = "minutes long"]
fn a_thousand_photos_stay_below_a_gibibyte() {
    read(100);
}
