// Dropout (Srivastava et al. 2014), or, with groups of a whole image, stochastic depth (Huang et al.
// 2016): a pure function of the image's key, so that each pass through the network, and the way
// back, drops the same. Applied to dy, it is its own gradient.
//   y = 0 where bits < threshold, else scale · x        bits = mix(key ⊕ mix(layer + g · 0x9e3779b9))
//   scale = 1 / (1 − threshold / 2³²);  g numbers an image's groups of `group` elements from 1
//   y = x for images whose key is zero
// One invocation owns four neighbouring elements. Launch: ⌈images · elements / 4⌉ invocations.
// Workgroup memory: none.
// Bindings: input [images, elements]; keys [images]; output [images, elements].

#import shared/grid.wgsl

struct Params {
    images: u32,
    elements: u32,
    group: u32,
    layer: u32,
    threshold: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

// The last step of MurmurHash3 (Appleby): every bit of the result depends on every bit given.
fn mix(number: u32) -> u32 {
    var bits = number;
    bits = (bits ^ (bits >> 16u)) * 0x85ebca6bu;
    bits = (bits ^ (bits >> 13u)) * 0xc2b2ae35u;
    return bits ^ (bits >> 16u);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let start = 4u * flat_invocation(workgroup, workgroups, local);
    let end = min(start + 4u, params.images * params.elements);
    for (var at = start; at < end; at += 1u) {
        let image = at / params.elements;
        let number = (at - image * params.elements) / params.group + 1u;
        let key = keys[image];
        let is_dropped = mix(key ^ mix(params.layer + number * 0x9e3779b9u)) < params.threshold;
        let factor = select(select(params.scale, 0.0, is_dropped), 1.0, key == 0u);
        output[at] = input[at] * factor;
    }
}
