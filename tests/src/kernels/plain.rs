//! Kernels of the layers without parameters.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, integers, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "rectify_forward/sizes" => rectify,
        "rectify_backward/sizes" => rectify_back,
        "silu_forward/sizes" => silu,
        "silu_backward/sizes" => silu_back,
        "silu_backward_tangent/sizes" => silu_back_tangent,
        "max_pool_forward/windows" => max_pool,
        "max_pool_backward/windows_and_ties" => max_pool_back,
        "gate_forward/shapes" => gate,
        "gate_backward/shapes" => gate_back,
        "gate_backward/many_pixels" => gate_back_long,
        "gate_tangent/shapes" => gate_dot,
        "gate_backward_tangent/shapes" => gate_back_dot,
        "gate_backward_tangent/many_pixels" => gate_back_dot_long,
        "drop_forward/elements_and_images" => drop,
    ]
}

const SIZES: [u32; 5] = [1, 3, 63, 257, 4_099];

/// Values within ±`reach`, every seventh of them zero.
fn values(seed: u64, count: u32, reach: f32) -> Vec<f32> {
    let scaled = |(at, value): (usize, f32)| if at % 7 == 3 { 0.0 } else { reach * value };
    noise(seed, count as usize).into_iter().enumerate().map(scaled).collect()
}

async fn rectify(gpu: &Gpu) -> Result<(), String> {
    for (elements, slope) in SIZES.into_iter().flat_map(|elements| [(elements, 0.0), (elements, 0.1)]) {
        let (params, reference) = params!(rectify_forward RectifyForwardParams { elements: elements, slope: slope });
        let values = values(1, elements, 2.0);
        let mut bench = Bench::new(gpu)?;
        let input = bench.input(&values).await?;
        let output = bench.output(elements).await?;
        let buffers = kernels::rectify_forward::Buffers { input: input.all(), output: output.all() };
        bench.run(params, buffers, elements.div_ceil(4))?;
        let mut expected = output.initial.clone();
        twin::rectify_forward(&reference, &values, &mut expected);
        bench.check(&format!("{elements} with slope {slope}"), &output, &expected, Tolerance::EXACT).await?;
    }
    Ok(())
}

async fn rectify_back(gpu: &Gpu) -> Result<(), String> {
    for (elements, slope) in SIZES.into_iter().flat_map(|elements| [(elements, 0.0), (elements, 0.1)]) {
        let (params, reference) = params!(rectify_backward RectifyBackwardParams { elements: elements, slope: slope });
        let (values, dy) = (values(1, elements, 2.0), noise(2, elements as usize));
        let mut bench = Bench::new(gpu)?;
        let (forward, d_output) = (bench.input(&values).await?, bench.input(&dy).await?);
        let output = bench.output(elements).await?;
        let buffers = kernels::rectify_backward::Buffers {
            output: forward.all(),
            d_output: d_output.all(),
            d_input: output.all(),
        };
        bench.run(params, buffers, elements.div_ceil(4))?;
        let mut expected = output.initial.clone();
        twin::rectify_backward(&reference, &values, &dy, &mut expected);
        bench.check(&format!("{elements} with slope {slope}"), &output, &expected, Tolerance::EXACT).await?;
    }
    Ok(())
}

/// Exponentials: WGSL allows 3 + 2·|x| units in the last place, here of |x| up to 12; the larger the
/// argument, the less the exponential counts in the sigmoid, of which 8 roundings remain besides.
const SIGMOID_ROUNDINGS: u32 = 16;

async fn silu(gpu: &Gpu) -> Result<(), String> {
    for elements in SIZES {
        let (params, reference) = params!(silu_forward SiluForwardParams { elements: elements });
        let values = values(3, elements, 12.0);
        let mut bench = Bench::new(gpu)?;
        let input = bench.input(&values).await?;
        let output = bench.output(elements).await?;
        let buffers = kernels::silu_forward::Buffers { input: input.all(), output: output.all() };
        bench.run(params, buffers, elements.div_ceil(4))?;
        let mut expected = output.initial.clone();
        twin::silu_forward(&reference, &values, &mut expected);
        let tolerance = Tolerance::cancelling(SIGMOID_ROUNDINGS, 1.0);
        bench.check(&format!("{elements} elements"), &output, &expected, tolerance).await?;
    }
    Ok(())
}

async fn silu_back(gpu: &Gpu) -> Result<(), String> {
    for elements in SIZES {
        let (params, reference) = params!(silu_backward SiluBackwardParams { elements: elements });
        let (values, dy) = (values(3, elements, 12.0), noise(4, elements as usize));
        let mut bench = Bench::new(gpu)?;
        let (input, d_output) = (bench.input(&values).await?, bench.input(&dy).await?);
        let output = bench.output(elements).await?;
        let buffers =
            kernels::silu_backward::Buffers { input: input.all(), d_output: d_output.all(), d_input: output.all() };
        bench.run(params, buffers, elements.div_ceil(4))?;
        let mut expected = output.initial.clone();
        twin::silu_backward(&reference, &values, &dy, &mut expected);
        // x (1 − σ(x)) cancels where σ is close to one, with x up to 12.
        let tolerance = Tolerance::cancelling(SIGMOID_ROUNDINGS, 2.0);
        bench.check(&format!("{elements} elements"), &output, &expected, tolerance).await?;
    }
    Ok(())
}

async fn silu_back_tangent(gpu: &Gpu) -> Result<(), String> {
    for elements in SIZES {
        let (params, reference) = params!(silu_backward_tangent SiluBackwardTangentParams { elements: elements });
        let values = values(3, elements, 12.0);
        let [dx, dy, dy_dot] = [4, 5, 6].map(|seed| noise(seed, elements as usize));
        let mut bench = Bench::new(gpu)?;
        let (input, input_dot) = (bench.input(&values).await?, bench.input(&dx).await?);
        let (d_output, d_output_dot) = (bench.input(&dy).await?, bench.input(&dy_dot).await?);
        let output = bench.output(elements).await?;
        let buffers = kernels::silu_backward_tangent::Buffers {
            input: input.all(),
            input_dot: input_dot.all(),
            d_output: d_output.all(),
            d_output_dot: d_output_dot.all(),
            d_input_dot: output.all(),
        };
        bench.run(params, buffers, elements.div_ceil(4))?;
        let mut expected = output.initial.clone();
        twin::silu_backward_tangent(&reference, &values, &dx, &dy, &dy_dot, &mut expected);
        // As the gradient, once more for its slope.
        let tolerance = Tolerance::cancelling(SIGMOID_ROUNDINGS, 4.0);
        bench.check(&format!("{elements} elements"), &output, &expected, tolerance).await?;
    }
    Ok(())
}

/// `[planes, height, width], [kernel, stride, padding]`
const POOLS: [([u32; 3], [u32; 3]); 8] = [
    ([1, 1, 1], [1, 1, 0]),
    ([3, 2, 2], [2, 2, 0]),
    ([7, 5, 9], [2, 2, 0]),
    ([2, 1, 2], [3, 2, 1]),
    ([5, 8, 6], [3, 2, 1]),
    ([3, 17, 13], [3, 2, 1]),
    ([2, 11, 7], [3, 1, 1]),
    ([67, 9, 10], [5, 3, 2]),
];

fn pooled(size: u32, [kernel, stride, padding]: [u32; 3]) -> u32 {
    (size + 2 * padding - kernel) / stride + 1
}

async fn max_pool(gpu: &Gpu) -> Result<(), String> {
    for ([planes, height, width], window) in POOLS {
        let (out_height, out_width) = (pooled(height, window), pooled(width, window));
        let (params, reference) = params!(max_pool_forward MaxPoolForwardParams {
            planes: planes,
            in_height: height,
            in_width: width,
            out_height: out_height,
            out_width: out_width,
            kernel: window[0],
            stride: window[1],
            padding: window[2],
        });
        let [plain, others] = [5, 6].map(|seed| noise(seed, (planes * height * width) as usize));
        let tied: Vec<f32> = plain.iter().map(|value| (2.0 * value).round()).collect();
        // The largest themselves, as in a forward pass, and others in their places, as in its tangent.
        for (image, at_largest) in [(&plain, &plain), (&plain, &others), (&tied, &others)] {
            let mut bench = Bench::new(gpu)?;
            let (input, other) = (bench.input(image).await?, bench.input(at_largest).await?);
            let values = if std::ptr::eq(image, at_largest) { &input } else { &other };
            let output = bench.output(planes * out_height * out_width).await?;
            let buffers =
                kernels::max_pool_forward::Buffers { input: input.all(), values: values.all(), output: output.all() };
            bench.run(params, buffers, planes * out_height * out_width)?;
            let mut expected = output.initial.clone();
            twin::max_pool_forward(&reference, image, at_largest, &mut expected);
            let what = format!("{planes} planes of {height}×{width} by {window:?}");
            bench.check(&what, &output, &expected, Tolerance::EXACT).await?;
        }
    }
    Ok(())
}

async fn max_pool_back(gpu: &Gpu) -> Result<(), String> {
    for ([planes, height, width], window) in POOLS {
        let (out_height, out_width) = (pooled(height, window), pooled(width, window));
        let (params, reference) = params!(max_pool_backward MaxPoolBackwardParams {
            planes: planes,
            in_height: height,
            in_width: width,
            out_height: out_height,
            out_width: out_width,
            kernel: window[0],
            stride: window[1],
            padding: window[2],
        });
        let plain = noise(5, (planes * height * width) as usize);
        let tied = plain.iter().map(|value| (2.0 * value).round()).collect();
        let dy = noise(6, (planes * out_height * out_width) as usize);
        for values in [plain, tied] {
            let mut bench = Bench::new(gpu)?;
            let (input, d_output) = (bench.input(&values).await?, bench.input(&dy).await?);
            let output = bench.output(planes * height * width).await?;
            let buffers = kernels::max_pool_backward::Buffers {
                input: input.all(),
                d_output: d_output.all(),
                d_input: output.all(),
            };
            bench.run(params, buffers, planes * height * width)?;
            let mut expected = output.initial.clone();
            twin::max_pool_backward(&reference, &values, &dy, &mut expected);
            let what = format!("{planes} planes of {height}×{width} by {window:?}");
            // Up to nine windows, in the same order.
            bench.check(&what, &output, &expected, Tolerance::sum(9, 1.0)).await?;
        }
    }
    Ok(())
}

/// `[planes, pixels]`
const GATES: [[u32; 2]; 6] = [[1, 1], [5, 1], [3, 2], [67, 3], [7, 35], [2, 257]];

async fn gate(gpu: &Gpu) -> Result<(), String> {
    for [planes, pixels] in GATES {
        let (params, reference) = params!(gate_forward GateForwardParams { planes: planes, pixels: pixels });
        let (values, gates) = (noise(7, (planes * pixels) as usize), values(8, planes, 12.0));
        let mut bench = Bench::new(gpu)?;
        let (input, gate) = (bench.input(&values).await?, bench.input(&gates).await?);
        let output = bench.output(planes * pixels).await?;
        let buffers = kernels::gate_forward::Buffers { input: input.all(), gates: gate.all(), output: output.all() };
        bench.run(params, buffers, (planes * pixels).div_ceil(4))?;
        let mut expected = output.initial.clone();
        twin::gate_forward(&reference, &values, &gates, &mut expected);
        let tolerance = Tolerance::cancelling(SIGMOID_ROUNDINGS, 1.0);
        bench.check(&format!("{planes} planes of {pixels}"), &output, &expected, tolerance).await?;
    }
    Ok(())
}

async fn gate_gradient(gpu: &Gpu, planes: u32, pixels: u32) -> Result<(), String> {
    let (params, reference) = params!(gate_backward GateBackwardParams { planes: planes, pixels: pixels });
    let (values, gates) = (noise(9, (planes * pixels) as usize), values(10, planes, 12.0));
    let dy = noise(11, (planes * pixels) as usize);
    let mut bench = Bench::new(gpu)?;
    let (input, gate) = (bench.input(&values).await?, bench.input(&gates).await?);
    let d_output = bench.input(&dy).await?;
    let output = bench.output(planes).await?;
    let buffers = kernels::gate_backward::Buffers {
        input: input.all(),
        gates: gate.all(),
        d_output: d_output.all(),
        d_gates: output.all(),
    };
    bench.run(params, buffers, 64 * planes)?;
    let mut expected = output.initial.clone();
    twin::gate_backward(&reference, &values, &gates, &dy, &mut expected);
    // σ(1 − σ) is at most a quarter.
    let tolerance = Tolerance::sum(pixels + SIGMOID_ROUNDINGS, 0.25);
    bench.check(&format!("{planes} planes of {pixels}"), &output, &expected, tolerance).await
}

async fn gate_back(gpu: &Gpu) -> Result<(), String> {
    for [planes, pixels] in GATES {
        gate_gradient(gpu, planes, pixels).await?;
    }
    Ok(())
}

/// More than an invocation may loop over by itself.
async fn gate_back_long(gpu: &Gpu) -> Result<(), String> {
    gate_gradient(gpu, 2, 90_001).await
}

async fn gate_dot(gpu: &Gpu) -> Result<(), String> {
    for [planes, pixels] in GATES {
        let (params, reference) = params!(gate_tangent GateTangentParams { planes: planes, pixels: pixels });
        let [x, x_dot] = [7, 8].map(|seed| noise(seed, (planes * pixels) as usize));
        let (g, g_dot) = (values(9, planes, 12.0), noise(10, planes as usize));
        let mut bench = Bench::new(gpu)?;
        let (input, input_dot) = (bench.input(&x).await?, bench.input(&x_dot).await?);
        let (gates, gates_dot) = (bench.input(&g).await?, bench.input(&g_dot).await?);
        let output = bench.output(planes * pixels).await?;
        let buffers = kernels::gate_tangent::Buffers {
            input: input.all(),
            input_dot: input_dot.all(),
            gates: gates.all(),
            gates_dot: gates_dot.all(),
            output_dot: output.all(),
        };
        bench.run(params, buffers, (planes * pixels).div_ceil(4))?;
        let mut expected = output.initial.clone();
        twin::gate_tangent(&reference, &x, &x_dot, &g, &g_dot, &mut expected);
        let tolerance = Tolerance::cancelling(SIGMOID_ROUNDINGS, 1.0);
        bench.check(&format!("{planes} planes of {pixels}"), &output, &expected, tolerance).await?;
    }
    Ok(())
}

async fn gate_gradient_dot(gpu: &Gpu, planes: u32, pixels: u32) -> Result<(), String> {
    let (params, reference) =
        params!(gate_backward_tangent GateBackwardTangentParams { planes: planes, pixels: pixels });
    let [x, x_dot, dy, dy_dot] = [9, 10, 11, 12].map(|seed| noise(seed, (planes * pixels) as usize));
    let (g, g_dot) = (values(13, planes, 12.0), noise(14, planes as usize));
    let mut bench = Bench::new(gpu)?;
    let (input, input_dot) = (bench.input(&x).await?, bench.input(&x_dot).await?);
    let (gates, gates_dot) = (bench.input(&g).await?, bench.input(&g_dot).await?);
    let (d_output, d_output_dot) = (bench.input(&dy).await?, bench.input(&dy_dot).await?);
    let output = bench.output(planes).await?;
    let buffers = kernels::gate_backward_tangent::Buffers {
        input: input.all(),
        input_dot: input_dot.all(),
        gates: gates.all(),
        gates_dot: gates_dot.all(),
        d_output: d_output.all(),
        d_output_dot: d_output_dot.all(),
        d_gates_dot: output.all(),
    };
    bench.run(params, buffers, 64 * planes)?;
    let mut expected = output.initial.clone();
    twin::gate_backward_tangent(&reference, &x, &x_dot, &g, &g_dot, &dy, &dy_dot, &mut expected);
    // Terms up to three, times a quarter at most.
    let tolerance = Tolerance::sum(pixels + SIGMOID_ROUNDINGS, 0.75);
    bench.check(&format!("{planes} planes of {pixels}"), &output, &expected, tolerance).await
}

async fn gate_back_dot(gpu: &Gpu) -> Result<(), String> {
    for [planes, pixels] in GATES {
        gate_gradient_dot(gpu, planes, pixels).await?;
    }
    Ok(())
}

/// More than an invocation may loop over by itself.
async fn gate_back_dot_long(gpu: &Gpu) -> Result<(), String> {
    gate_gradient_dot(gpu, 2, 90_001).await
}

async fn drop(gpu: &Gpu) -> Result<(), String> {
    // [images, elements, group]
    for [images, elements, group] in [[1, 1, 1], [3, 5, 1], [7, 35, 35], [5, 257, 2], [67, 9, 9]] {
        let (params, reference) = params!(drop_forward DropForwardParams {
            images: images,
            elements: elements,
            group: group,
            layer: 11,
            threshold: 1 << 30,
            scale: 4.0 / 3.0,
        });
        let values = noise(12, (images * elements) as usize);
        // Every third image has none.
        let key = |(image, key): (usize, u32)| if image % 3 == 2 { 0 } else { key + 1 };
        let keys: Vec<u32> = integers(13, images as usize, 1 << 31).into_iter().enumerate().map(key).collect();
        let mut bench = Bench::new(gpu)?;
        let (input, key) = (bench.input(&values).await?, bench.input(&keys).await?);
        let output = bench.output(images * elements).await?;
        let buffers = kernels::drop_forward::Buffers { input: input.all(), keys: key.all(), output: output.all() };
        bench.run(params, buffers, (images * elements).div_ceil(4))?;
        let mut expected = output.initial.clone();
        twin::drop_forward(&reference, &values, &keys, &mut expected);
        let what = format!("{images} images of {elements} by {group}");
        bench.check(&what, &output, &expected, Tolerance::EXACT).await?;
    }
    Ok(())
}
