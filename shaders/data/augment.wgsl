// Decodes 8-bit pixels, transforms them geometrically, and normalises them.
//   (u, v) = affine · (x + ½, y + ½, 1) − ½        affine (a b c; d e f), in source pixels
//   output = (bilinear(pixels, u, v) / 255 − mean_c) · inverse_std_c
// Taps outside the image take `fill` (0 to 1). Where (u, v) hits a pixel exactly, that pixel comes
// through unchanged.
// One invocation owns one output pixel, in all channels (at most 4).
// Launch: images · out_height · out_width invocations. Workgroup memory: none.
// Bindings: pixels: bytes [images, channels, in_height, in_width], four to a word from byte
// pixel_offset, each image padded to a multiple of 4 bytes; affines [images, 6] from element
// affine_offset; output [images, channels, out_height, out_width].

#import shared/grid.wgsl

struct Params {
    mean: vec4<f32>,
    inverse_std: vec4<f32>,
    images: u32,
    channels: u32,
    in_height: u32,
    in_width: u32,
    out_height: u32,
    out_width: u32,
    pixel_offset: u32,
    affine_offset: u32,
    fill: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
@group(0) @binding(2) var<storage, read> affines: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

// The byte at (x, y) of the plane that starts at byte `plane`.
fn tap(plane: u32, x: i32, y: i32) -> f32 {
    // A negative coordinate becomes a large unsigned one.
    if u32(x) >= params.in_width || u32(y) >= params.in_height {
        return params.fill * 255.0;
    }
    let byte = plane + u32(y) * params.in_width + u32(x);
    return f32((pixels[byte >> 2u] >> ((byte & 3u) * 8u)) & 255u);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    let out_pixels = params.out_height * params.out_width;
    if index >= params.images * out_pixels {
        return;
    }
    let image = index / out_pixels;
    let out_pixel = index - image * out_pixels;
    let out_y = out_pixel / params.out_width;
    let out_x = out_pixel - out_y * params.out_width;

    let affine = params.affine_offset + 6u * image;
    let x = f32(out_x) + 0.5;
    let y = f32(out_y) + 0.5;
    let u = affines[affine] * x + affines[affine + 1u] * y + affines[affine + 2u] - 0.5;
    let v = affines[affine + 3u] * x + affines[affine + 4u] * y + affines[affine + 5u] - 0.5;
    let left = floor(u);
    let top = floor(v);
    let across = u - left;
    let down = v - top;
    let tap_x = i32(left);
    let tap_y = i32(top);

    let in_pixels = params.in_height * params.in_width;
    let image_bytes = (params.channels * in_pixels + 3u) & ~3u;
    var plane = params.pixel_offset + image * image_bytes;
    var at = image * params.channels * out_pixels + out_pixel;
    for (var channel = 0u; channel < params.channels; channel += 1u) {
        let top_left = tap(plane, tap_x, tap_y);
        let bottom_left = tap(plane, tap_x, tap_y + 1);
        // Whole and half-turn transforms hit the pixels: half of the loads are saved.
        var upper = top_left;
        var lower = bottom_left;
        if across > 0.0 {
            upper += (tap(plane, tap_x + 1, tap_y) - top_left) * across;
            lower += (tap(plane, tap_x + 1, tap_y + 1) - bottom_left) * across;
        }
        let value = upper + (lower - upper) * down;
        output[at] = (value / 255.0 - params.mean[channel]) * params.inverse_std[channel];
        plane += in_pixels;
        at += out_pixels;
    }
}
