//! Thumbnails by image: their pixels, and the textures of those that were looked at lately.
//!
//! Pixels stay (a thumbnail is small and comes once); textures are made when a tile comes into
//! view and the ones seen longest ago go when together they pass a budget.

use std::collections::HashMap;
use std::hash::Hash;

use egui::{ColorImage, Context, TextureHandle, TextureOptions};
use inkling_session::teach::RgbaImage;

/// Bytes of textures that thumbnails may hold, where nothing else is said.
pub(crate) const BUDGET_BYTES: usize = 48 << 20;

struct Entry {
    picture: RgbaImage,
    texture: Option<TextureHandle>,
    /// The frame in which the texture was last asked for.
    seen: u64,
}

/// Thumbnails under a key.
pub(crate) struct Thumbnails<K> {
    entries: HashMap<K, Entry>,
    budget_bytes: usize,
    texture_bytes: usize,
    frame: u64,
}

/// A picture as egui takes it.
pub(crate) fn color_image(picture: &RgbaImage) -> ColorImage {
    let size = [picture.width() as usize, picture.height() as usize];
    ColorImage::from_rgba_unmultiplied(size, picture.pixels())
}

impl<K: Copy + Eq + Hash + std::fmt::Debug> Thumbnails<K> {
    /// No thumbnails yet; textures stay within `budget_bytes`, those of the current frame excepted.
    pub fn new(budget_bytes: usize) -> Self {
        Self { entries: HashMap::new(), budget_bytes, texture_bytes: 0, frame: 0 }
    }

    /// Keeps the thumbnail of `key`.
    pub fn insert(&mut self, key: K, picture: RgbaImage) {
        self.remove(key);
        self.entries.insert(key, Entry { picture, texture: None, seen: 0 });
    }

    /// Forgets the thumbnail of `key`.
    pub fn remove(&mut self, key: K) {
        if let Some(entry) = self.entries.remove(&key)
            && entry.texture.is_some()
        {
            self.texture_bytes -= entry.picture.pixels().len();
        }
    }

    /// Forgets all thumbnails but those that are wanted.
    pub fn retain(&mut self, wanted: impl Fn(K) -> bool) {
        let gone: Vec<K> = self.entries.keys().copied().filter(|key| !wanted(*key)).collect();
        gone.into_iter().for_each(|key| self.remove(key));
    }

    /// Thumbnails there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of the textures alive now.
    #[cfg(test)]
    pub fn texture_bytes(&self) -> usize {
        self.texture_bytes
    }

    /// The texture of `key`, made now where it has none.
    pub fn texture(&mut self, ctx: &Context, key: K) -> Option<TextureHandle> {
        let frame = self.frame;
        let entry = self.entries.get_mut(&key)?;
        entry.seen = frame;
        if entry.texture.is_none() {
            self.texture_bytes += entry.picture.pixels().len();
            let name = format!("thumbnail {key:?}");
            entry.texture = Some(ctx.load_texture(name, color_image(&entry.picture), TextureOptions::LINEAR));
        }
        entry.texture.clone()
    }

    /// Ends a frame: drops the textures seen longest ago until the budget holds.
    pub fn end_frame(&mut self) {
        if self.texture_bytes > self.budget_bytes {
            let mut old: Vec<(u64, K)> = self
                .entries
                .iter()
                .filter(|(_, entry)| entry.texture.is_some() && entry.seen < self.frame)
                .map(|(key, entry)| (entry.seen, *key))
                .collect();
            old.sort_unstable_by_key(|(seen, _)| *seen);
            for (_, key) in old {
                if self.texture_bytes <= self.budget_bytes {
                    break;
                }
                if let Some(entry) = self.entries.get_mut(&key) {
                    entry.texture = None;
                    self.texture_bytes -= entry.picture.pixels().len();
                }
            }
        }
        self.frame += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: u32 = 8;
    const EACH: usize = (SIDE * SIDE * 4) as usize;

    fn picture(shade: u8) -> RgbaImage {
        RgbaImage::new(SIDE, SIDE, vec![shade; EACH]).unwrap()
    }

    fn filled(budget: usize, count: u32) -> Thumbnails<u32> {
        let mut thumbnails = Thumbnails::new(budget);
        for key in 0..count {
            thumbnails.insert(key, picture(key as u8));
        }
        thumbnails
    }

    #[test]
    fn textures_stay_within_the_budget_and_come_back() {
        let ctx = Context::default();
        let mut thumbnails = filled(10 * EACH, 100);
        for key in 0..100 {
            assert!(thumbnails.texture(&ctx, key).is_some());
            thumbnails.end_frame();
            assert!(thumbnails.texture_bytes() <= 10 * EACH);
        }
        assert!(thumbnails.texture(&ctx, 0).is_some(), "an evicted one is made again");
        assert!(thumbnails.texture(&ctx, 100).is_none());
    }

    #[test]
    fn what_is_in_view_is_never_dropped() {
        let ctx = Context::default();
        let mut thumbnails = filled(2 * EACH, 20);
        for _ in 0..3 {
            (0..20).for_each(|key| assert!(thumbnails.texture(&ctx, key).is_some()));
            thumbnails.end_frame();
            assert_eq!(thumbnails.texture_bytes(), 20 * EACH);
        }
        thumbnails.end_frame();
        assert_eq!(thumbnails.texture_bytes(), 2 * EACH);
    }

    #[test]
    fn bytes_are_counted_through_removal_and_replacement() {
        let ctx = Context::default();
        let mut thumbnails = filled(100 * EACH, 4);
        (0..4).for_each(|key| drop(thumbnails.texture(&ctx, key)));
        thumbnails.insert(0, picture(9));
        thumbnails.retain(|key| key != 3);
        assert_eq!(thumbnails.texture_bytes(), 2 * EACH);
    }
}
