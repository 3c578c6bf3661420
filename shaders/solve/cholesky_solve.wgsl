// Solutions of A x = b for several right-hand sides of each system, with its factor A = L Lᵀ.
//   L z = b from the first tile of rows on, then Lᵀ x = z from the last back
//   a tile: x_t ← (b_t − Σ_{finished tiles s} L_ts x_s), then by substitution within the tile
// The right-hand sides are replaced.
// One workgroup owns eight right-hand sides of one system; invocation k the row k mod 32 of the
// tile at hand, of four of them.
// Launch: tasks · systems · ⌈sides / 8⌉ · 64 invocations. Workgroup memory: 1,024 bytes.
// Loop bound: tiles · (9 · tiles + 70), tiles = ⌈size / TILE⌉ (so size stays below 2,600).
// Bindings: factor (L, in the lower triangle) [tasks, systems, padded, padded], padded = size up to
// whole tiles, the identity there; solution [tasks, stride], in which right-hand side r of system c
// is the elements from offset + (c · sides + r) · size on.

#import shared/tile.wgsl

struct Params {
    tasks: u32,
    systems: u32,
    sides: u32,
    size: u32,
    stride: u32,
    offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@group(0) @binding(2) var<storage, read_write> solution: array<f32>;

// A tile of rows: [row, four right-hand sides].
var<workgroup> rows: array<vec4<f32>, 64>;

fn load(at: vec4<u32>, row: u32) -> vec4<f32> {
    if row >= params.size {
        return vec4<f32>(0.0);
    }
    return vec4<f32>(solution[at.x + row], solution[at.y + row], solution[at.z + row], solution[at.w + row]);
}

// Right-hand sides beyond the last are the last again, and are not written.
fn store(at: vec4<u32>, row: u32, count: u32, value: vec4<f32>) {
    if row >= params.size {
        return;
    }
    if count > 0u {
        solution[at.x + row] = value.x;
    }
    if count > 1u {
        solution[at.y + row] = value.y;
    }
    if count > 2u {
        solution[at.z + row] = value.z;
    }
    if count > 3u {
        solution[at.w + row] = value.w;
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_workgroup(workgroup, workgroups);
    let groups = (params.sides + 7u) / 8u;
    let slot = index / groups;
    if slot >= params.tasks * params.systems {
        return;
    }
    let task = slot / params.systems;
    let part = local / TILE;
    let row = local - part * TILE;
    let first_side = 8u * (index - slot * groups) + 4u * part;
    let count = params.sides - min(first_side, params.sides);
    let sides = min(first_side + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.sides - 1u));
    let first_system = task * params.stride + params.offset;
    let at = first_system + ((slot - task * params.systems) * params.sides + sides) * params.size;
    let padded = whole_tiles(params.size);
    let tiles = padded / TILE;
    let start = slot * padded * padded;

    // A zero that lavapipe takes for a variable: loops over parameters alone make it compile the
    // kernel anew at every launch. It is the same for the workgroup, as barriers want it.
    let zero = slot / (params.tasks * params.systems);
    for (var tile = zero; tile < tiles; tile += 1u) {
        let own = tile * TILE + row;
        let line = start + own * padded;
        var sum = load(at, own);
        for (var done = 0u; done < tile; done += 1u) {
            rows[2u * row + part] = load(at, done * TILE + row);
            workgroupBarrier();
            for (var j = 0u; j < TILE; j += 4u) {
                let l = line + done * TILE + j;
                sum -= factor[l] * rows[2u * j + part];
                sum -= factor[l + 1u] * rows[2u * j + 2u + part];
                sum -= factor[l + 2u] * rows[2u * j + 4u + part];
                sum -= factor[l + 3u] * rows[2u * j + 6u + part];
            }
            workgroupBarrier();
        }
        for (var j = 0u; j < TILE; j += 1u) {
            if row == j {
                rows[2u * j + part] = sum / factor[line + own];
            }
            workgroupBarrier();
            if row > j {
                sum -= factor[line + tile * TILE + j] * rows[2u * j + part];
            }
        }
        store(at, own, count, rows[2u * row + part]);
        storageBarrier();
        workgroupBarrier();
    }

    for (var step = zero; step < tiles; step += 1u) {
        let tile = tiles - 1u - step;
        let own = tile * TILE + row;
        var sum = load(at, own);
        for (var done = tile + 1u; done < tiles; done += 1u) {
            rows[2u * row + part] = load(at, done * TILE + row);
            workgroupBarrier();
            for (var j = 0u; j < TILE; j += 4u) {
                let l = start + (done * TILE + j) * padded + own;
                sum -= factor[l] * rows[2u * j + part];
                sum -= factor[l + padded] * rows[2u * j + 2u + part];
                sum -= factor[l + 2u * padded] * rows[2u * j + 4u + part];
                sum -= factor[l + 3u * padded] * rows[2u * j + 6u + part];
            }
            workgroupBarrier();
        }
        for (var back = 0u; back < TILE; back += 1u) {
            let j = TILE - 1u - back;
            let line = start + (tile * TILE + j) * padded;
            if row == j {
                rows[2u * j + part] = sum / factor[line + own];
            }
            workgroupBarrier();
            if row < j {
                sum -= factor[line + own] * rows[2u * j + part];
            }
        }
        store(at, own, count, rows[2u * row + part]);
        storageBarrier();
        workgroupBarrier();
    }
}
