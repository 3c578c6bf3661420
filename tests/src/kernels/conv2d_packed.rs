//! The kernel of convolutions of any geometry on packed weights.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list!["conv2d_packed_forward/geometries" => forward]
}

/// Elements of a launch's uniform: 512 terms × 32 outputs.
const UNIFORM: u32 = 512 * 32;
const OFFSET: u32 = 3;
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Images, and those of the launch: the last of them.
    images: [u32; 2],
    channels: [u32; 2],
    in_size: [u32; 2],
    out_size: [u32; 2],
    /// Kernel, stride, padding.
    window: [u32; 3],
}

const fn shape(images: [u32; 2], channels: [u32; 2], in_size: [u32; 2], out_size: [u32; 2], window: [u32; 3]) -> Shape {
    Shape { images, channels, in_size, out_size, window }
}

const SHAPES: [Shape; 6] = [
    shape([1, 1], [1, 1], [1, 1], [1, 1], [1, 1, 0]),
    shape([3, 2], [3, 32], [9, 12], [5, 6], [3, 2, 1]),
    // SAME at stride 2: no zeros before an even size.
    shape([2, 2], [3, 33], [8, 6], [4, 3], [3, 2, 0]),
    shape([2, 1], [2, 5], [11, 13], [6, 7], [7, 2, 3]),
    shape([1, 1], [5, 17], [7, 5], [4, 3], [1, 2, 0]),
    // Two slabs of terms, the second of which begins within a channel.
    shape([2, 1], [60, 40], [4, 5], [2, 3], [3, 2, 1]),
];

async fn forward(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let terms = shape.channels[0] * shape.window[0] * shape.window[0];
        for (has_bias, accumulate) in [(false, 0), (true, 0), (true, 1)] {
            for slab in 0..terms.div_ceil(512) {
                for block in 0..shape.channels[1].div_ceil(32) {
                    launch(gpu, shape, (has_bias, accumulate), slab, block).await?;
                }
            }
        }
    }
    Ok(())
}

/// One launch: other images, and other blocks of output channels, must stay as they are.
async fn launch(
    gpu: &Gpu,
    shape: Shape,
    (has_bias, accumulate): (bool, u32),
    slab: u32,
    block: u32,
) -> Result<(), String> {
    let Shape { images: [images, of_launch], channels: [in_channels, out_channels], in_size, out_size, window } = shape;
    let [kernel, stride, padding] = window;
    let slab_terms = (in_channels * kernel * kernel - 512 * slab).min(512);
    let (params, reference) = params!(conv2d_packed_forward Conv2dPackedForwardParams {
        first_image: images - of_launch,
        images: of_launch,
        in_channels: in_channels,
        out_channels: out_channels,
        in_height: in_size[0],
        in_width: in_size[1],
        out_height: out_size[0],
        out_width: out_size[1],
        kernel: kernel,
        stride: stride,
        padding: padding,
        first_term: 512 * slab,
        slab_terms: slab_terms,
        first_output: 32 * block,
        bias_offset: if has_bias { OFFSET } else { NONE },
        accumulate: accumulate,
    });
    let values = noise(1, (images * in_channels * in_size[0] * in_size[1]) as usize);
    let packed = noise(2, UNIFORM as usize);
    let biases = noise(3, (OFFSET + out_channels) as usize);
    let mut bench = Bench::new(gpu)?;
    let input = bench.input(&values).await?;
    let weights = bench.input(&packed).await?;
    let parameters = bench.input(&biases).await?;
    let outputs = images * out_channels * out_size[0] * out_size[1];
    let output = match accumulate {
        0 => bench.output(outputs).await?,
        _ => bench.updated(noise(4, outputs as usize)).await?,
    };
    let buffers = kernels::conv2d_packed_forward::Buffers {
        input: input.all(),
        weights: weights.all(),
        parameters: parameters.all(),
        output: output.all(),
    };
    bench.run(params, buffers, of_launch * out_size[0] * out_size[1].div_ceil(4))?;
    let mut expected = output.initial.clone();
    twin::conv2d_packed_forward(&reference, &values, &packed, &biases, &mut expected);
    let what = format!("{shape:?}, slab {slab}, block {block}, bias {has_bias}, accumulate {accumulate}");
    bench.check(&what, &output, &expected, Tolerance::sum(slab_terms + 2, 1.0)).await
}
