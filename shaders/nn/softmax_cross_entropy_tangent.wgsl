// Tangent of the gradient of softmax cross-entropy with respect to each row of logits.
//   dl˙_w = scale · p_w · (l˙_w − Σ_k p_k l˙_k),   p = softmax(l)
// That is scale · (diag(p) − ppᵀ) l˙: no label enters.
// One invocation owns one row.
// Launch: rows invocations. Workgroup memory: none. Loop bound: 3 · ways.
// Bindings: logits, logits_dot, d_logits_dot [·, ways], from row first_row on.

#import shared/grid.wgsl

struct Params {
    first_row: u32,
    rows: u32,
    ways: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> logits_dot: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_logits_dot: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = flat_invocation(workgroup, workgroups, local);
    if row >= params.rows {
        return;
    }
    let start = (params.first_row + row) * params.ways;

    var largest = logits[start];
    for (var way = 1u; way < params.ways; way += 1u) {
        largest = max(largest, logits[start + way]);
    }
    // Relative to the first logit's tangent: a shift of all, which changes nothing, then cancels
    // before it is rounded.
    let origin = logits_dot[start];
    var total = 0.0;
    var weighted = 0.0;
    for (var way = 0u; way < params.ways; way += 1u) {
        let share = exp(logits[start + way] - largest);
        total += share;
        weighted += share * (logits_dot[start + way] - origin);
    }
    let mean = weighted / total;
    for (var way = 0u; way < params.ways; way += 1u) {
        let probability = exp(logits[start + way] - largest) / total;
        d_logits_dot[start + way] = params.scale * probability * (logits_dot[start + way] - origin - mean);
    }
}
