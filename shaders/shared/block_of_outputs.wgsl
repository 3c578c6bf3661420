// 32 output channels × four neighbouring pixels, in registers: what an invocation of a packed
// convolution owns. Sums are spelled out with constant indices, so that they stay there everywhere.

alias Sums = array<vec4<f32>, 32>;

// The products of four channels.
fn four(k: vec4<f32>, x: vec4<f32>, s: u32, sums: ptr<function, Sums>) {
    (*sums)[s] = fma(vec4<f32>(k.x), x, (*sums)[s]);
    (*sums)[s + 1u] = fma(vec4<f32>(k.y), x, (*sums)[s + 1u]);
    (*sums)[s + 2u] = fma(vec4<f32>(k.z), x, (*sums)[s + 2u]);
    (*sums)[s + 3u] = fma(vec4<f32>(k.w), x, (*sums)[s + 3u]);
}
