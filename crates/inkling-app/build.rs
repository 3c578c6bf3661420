//! Makes the window's font: the one that egui brings along, without what the window has no use for.
//! Two thirds of its file are programs that fit outlines to the pixels of old screens, and tables
//! that go with them; egui fits outlines itself where a font has none. A browser loads the rest.

use std::error::Error;
use std::path::PathBuf;

use write_fonts::read::tables::glyf::Glyph as Outline;
use write_fonts::read::types::{Tag, Version16Dot16};
use write_fonts::read::{FontRef, TableProvider};
use write_fonts::tables::glyf::{CompositeGlyph, GlyfLocaBuilder, Glyph, SimpleGlyph};
use write_fonts::tables::head::Head;
use write_fonts::tables::post::Post;
use write_fonts::{FontBuilder, from_obj::ToOwnedTable as _};

/// The programs, and widths and heights measured with them.
const DROPPED: [&[u8; 4]; 6] = [b"fpgm", b"prep", b"cvt ", b"hdmx", b"VDMX", b"gasp"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(folder.join("window.ttf"), without_programs(epaint_default_fonts::UBUNTU_LIGHT)?)?;
    Ok(())
}

/// The font without the programs of its outlines, nor the names of its glyphs.
fn without_programs(font: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let font = FontRef::new(font)?;
    let (loca, glyf) = (font.loca(None)?, font.glyf()?);
    let mut outlines = GlyfLocaBuilder::new();
    for id in 0..font.maxp()?.num_glyphs() {
        let outline = match loca.get_glyf(id.into(), &glyf)? {
            None => Glyph::Empty,
            Some(Outline::Simple(simple)) => {
                let mut simple: SimpleGlyph = simple.to_owned_table();
                simple.instructions.clear();
                Glyph::Simple(simple)
            }
            Some(Outline::Composite(composite)) => {
                let composite: CompositeGlyph = composite.to_owned_table();
                let parts = composite.components().iter().map(|part| (part.clone(), composite.bbox));
                CompositeGlyph::try_from_iter(parts).map_or(Glyph::Empty, Glyph::Composite)
            }
        };
        outlines.add_glyph(&outline)?;
    }
    let (glyf, loca, format) = outlines.build();
    let mut head: Head = font.head()?.to_owned_table();
    head.index_to_loc_format = format as i16;
    let names: Post = font.post()?.to_owned_table();
    let post = Post {
        version: Version16Dot16::VERSION_3_0,
        num_glyphs: None,
        glyph_name_index: None,
        string_data: None,
        ..names
    };
    let mut kept = FontBuilder::new();
    kept.add_table(&glyf)?.add_table(&loca)?.add_table(&head)?.add_table(&post)?;
    for record in font.table_directory().table_records() {
        let tag = record.tag();
        if DROPPED.iter().any(|dropped| tag == Tag::new(dropped)) || kept.contains(tag) {
            continue;
        }
        if let Some(table) = font.table_data(tag) {
            kept.add_raw(tag, table.as_bytes().to_vec());
        }
    }
    Ok(kept.build())
}
