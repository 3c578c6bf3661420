// Matrices that are factored tile by tile stand in rows and columns of whole tiles: what a system
// lacks to a multiple of TILE is the identity, so that no kernel has an edge to look after.

#import shared/grid.wgsl

const TILE: u32 = 32u;
const TILE_ELEMENTS: u32 = 1024u;

fn whole_tiles(size: u32) -> u32 {
    return (size + TILE - 1u) / TILE * TILE;
}
