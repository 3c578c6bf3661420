// Multiplications and additions in registers: what an adapter's arithmetic gives to a kernel that
// touches no memory.
//   x_l ← x_l · factor + addend,   rounds · 8 times, for twelve values x_l that begin at index + l
//   output[index] = Σ_l x_l
// Twelve independent values hide the latency of each product.
// One invocation owns its twelve values: 2 · 12 · 8 · rounds floating-point operations.
// Launch: invocations. Loop bound: rounds. Workgroup memory: none.
// Bindings: factors [2], the factor and the addend; output [invocations].

#import shared/grid.wgsl

struct Params {
    invocations: u32,
    rounds: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> factors: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

struct Values {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
}

fn step(x: Values, factor: vec4<f32>, addend: vec4<f32>) -> Values {
    return Values(fma(x.a, factor, addend), fma(x.b, factor, addend), fma(x.c, factor, addend));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.invocations {
        return;
    }
    let factor = vec4<f32>(factors[0]);
    let addend = vec4<f32>(factors[1]);
    let first = vec4<f32>(f32(index)) + vec4<f32>(0.0, 1.0, 2.0, 3.0);
    var x = Values(first, first + 4.0, first + 8.0);
    // From a number that the compiler does not know: a loop over a parameter alone would be compiled
    // anew for each of its values.
    for (var round = local / WORKGROUP_INVOCATIONS; round < params.rounds; round += 1u) {
        x = step(x, factor, addend);
        x = step(x, factor, addend);
        x = step(x, factor, addend);
        x = step(x, factor, addend);
        x = step(x, factor, addend);
        x = step(x, factor, addend);
        x = step(x, factor, addend);
        x = step(x, factor, addend);
    }
    let sum = x.a + x.b + x.c;
    output[index] = (sum.x + sum.y) + (sum.z + sum.w);
}
