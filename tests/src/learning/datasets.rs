//! The generated data sets are the same images on every platform.

use inkling_data::glyphs::{self, Glyphs};
use inkling_data::scenes::{self, Scenes};
use inkling_data::{Dataset, fingerprint};
use inkling_gpu::Gpu;

use super::fixture::message;
use crate::Case;
use crate::kernels::case_list;

pub fn cases() -> Vec<Case> {
    case_list!["data/fingerprints" => fingerprints]
}

async fn fingerprints(_: &Gpu) -> Result<(), String> {
    let glyphs = Glyphs::new(glyphs::DEFAULT_IMAGE_SIZE, 0).map_err(message)?;
    let scenes = Scenes::new(scenes::DEFAULT_IMAGE_SIZE, 0).map_err(message)?;
    let sets: [(&dyn Dataset, u64); 2] = [(&glyphs, glyphs::FINGERPRINT), (&scenes, scenes::FINGERPRINT)];
    for (set, expected) in sets {
        let found = fingerprint(set).map_err(message)?;
        if found != expected {
            return Err(format!("{}: {found:#x}, expected {expected:#x}", set.spec()));
        }
    }
    Ok(())
}
