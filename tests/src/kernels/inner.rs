//! Kernels of the inner loop, on flat vectors of several tasks.

use inkling_gpu::{Buffer, Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise, wide};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "broadcast_tasks/shapes" => broadcast,
        "inner_step/rates_and_proximal_term" => inner_step,
        "scale_by_rates/one_rate_or_many" => scale_by_rates,
        "rate_gradient/shapes" => rate_gradient,
        "sum_tasks/leaves_out_failed_tasks" => sum_tasks,
        "count_not_finite/infinities_and_nan" => count_not_finite,
        "task_status/first_mark_stays" => task_status,
        "expand_rates/slices_with_padding" => expand_rates,
        "sum_slices/slices_with_padding" => sum_slices,
    ]
}

/// (tasks, length): one, odd, prime, more than a workgroup.
const SHAPES: [(u32, u32); 5] = [(1, 1), (3, 61), (5, 64), (2, 1_003), (7, 131)];
/// Offset and length of slices, the last longer than a workgroup, with gaps as a layout leaves them.
const TABLE: [u32; 8] = [0, 1, 64, 63, 128, 64, 192, 1_001];
/// Elements of a vector that the table describes.
const TABLE_ELEMENTS: usize = 1_216;

async fn broadcast(gpu: &Gpu) -> Result<(), String> {
    for (tasks, length) in SHAPES {
        let (params, reference) = params!(broadcast_tasks BroadcastTasksParams { tasks: tasks, length: length });
        let values = noise(1, length as usize);
        let mut bench = Bench::new(gpu)?;
        let source = bench.input(&values).await?;
        let output = bench.output(tasks * length).await?;
        let buffers = kernels::broadcast_tasks::Buffers { source: source.all(), destination: output.all() };
        bench.run(params, buffers, tasks * length)?;
        let mut expected = output.initial.clone();
        twin::broadcast_tasks(&reference, &values, &mut expected);
        bench.check(&format!("{tasks} of {length}"), &output, &expected, Tolerance::EXACT).await?;
    }
    Ok(())
}

async fn inner_step(gpu: &Gpu) -> Result<(), String> {
    for (tasks, length) in SHAPES {
        for (rates_per_element, prox) in [(0, 0.0), (1, 0.0), (0, 0.7), (1, 0.7)] {
            let (params, reference) = params!(inner_step InnerStepParams {
                tasks: tasks,
                length: length,
                rate: 0.3,
                rates_per_element: rates_per_element,
                prox: prox,
            });
            let all = (tasks * length) as usize;
            let (s, r, g) = (noise(1, length as usize), noise(2, length as usize), noise(3, all));
            let mut bench = Bench::new(gpu)?;
            let [start, rates, gradient]: [Buffer; 3] =
                [bench.input(&s).await?, bench.input(&r).await?, bench.input(&g).await?];
            let parameters = bench.updated(noise(4, all)).await?;
            let buffers = kernels::inner_step::Buffers {
                start: start.all(),
                rates: rates.all(),
                gradient: gradient.all(),
                parameters: parameters.all(),
            };
            bench.run(params, buffers, tasks * length)?;
            let mut expected = parameters.initial.clone();
            twin::inner_step(&reference, &s, &r, &g, &mut expected);
            let what = format!("{tasks} of {length}, rates {rates_per_element}, prox {prox}");
            // Five operations on numbers up to 2.4.
            bench.check(&what, &parameters, &expected, Tolerance::cancelling(5, 2.4)).await?;
        }
    }
    Ok(())
}

async fn scale_by_rates(gpu: &Gpu) -> Result<(), String> {
    for (tasks, length) in SHAPES {
        for rates_per_element in [0, 1] {
            let (params, reference) = params!(scale_by_rates ScaleByRatesParams {
                tasks: tasks,
                length: length,
                factor: -1.7,
                rates_per_element: rates_per_element,
            });
            let all = (tasks * length) as usize;
            let (x, r) = (noise(1, all), noise(2, length as usize));
            let mut bench = Bench::new(gpu)?;
            let (source, rates) = (bench.input(&x).await?, bench.input(&r).await?);
            let output = bench.output(tasks * length).await?;
            let buffers = kernels::scale_by_rates::Buffers {
                source: source.all(),
                rates: rates.all(),
                destination: output.all(),
            };
            bench.run(params, buffers, tasks * length)?;
            let mut expected = output.initial.clone();
            twin::scale_by_rates(&reference, &x, &r, &mut expected);
            let what = format!("{tasks} of {length}, rates {rates_per_element}");
            bench.check(&what, &output, &expected, Tolerance::roundings(3)).await?;
        }
    }
    Ok(())
}

async fn rate_gradient(gpu: &Gpu) -> Result<(), String> {
    for length in [1, 61, 1_003] {
        let (params, reference) = params!(rate_gradient RateGradientParams { length: length });
        let (a, g) = (noise(1, length as usize), noise(2, length as usize));
        let mut bench = Bench::new(gpu)?;
        let (adjoint, gradient) = (bench.input(&a).await?, bench.input(&g).await?);
        let output = bench.updated(noise(3, length as usize)).await?;
        let buffers =
            kernels::rate_gradient::Buffers { adjoint: adjoint.all(), gradient: gradient.all(), d_rates: output.all() };
        bench.run(params, buffers, length)?;
        let mut expected = output.initial.clone();
        twin::rate_gradient(&reference, &a, &g, &mut expected);
        bench.check(&format!("{length}"), &output, &expected, Tolerance::cancelling(2, 1.0)).await?;
    }
    Ok(())
}

/// A failed task's vector is not a number, and nothing of it may arrive.
async fn sum_tasks(gpu: &Gpu) -> Result<(), String> {
    for (tasks, length) in SHAPES {
        for (factor, anchor) in [(1.0, 0.0), (-1.0, 1.0)] {
            let first_task = 2;
            let (params, reference) = params!(sum_tasks SumTasksParams {
                tasks: tasks,
                length: length,
                first_task: first_task,
                factor: factor,
                anchor: anchor,
            });
            let mut x = noise(1, (tasks * length) as usize);
            let failed = |task: u32| tasks > 1 && task == tasks - 1;
            // The statuses of other tasks before these say nothing about them.
            let mut marks = vec![1.0; first_task as usize];
            marks.extend((0..tasks).map(|task| if failed(task) { 2.0 } else { 0.0 }));
            if failed(tasks - 1) {
                x[((tasks - 1) * length) as usize..].fill(f32::NAN);
            }
            let s = noise(2, length as usize);
            let mut bench = Bench::new(gpu)?;
            let (vectors, start, status) = (bench.input(&x).await?, bench.input(&s).await?, bench.input(&marks).await?);
            let output = bench.updated(noise(3, length as usize)).await?;
            let buffers = kernels::sum_tasks::Buffers {
                vectors: vectors.all(),
                start: start.all(),
                status: status.all(),
                sum: output.all(),
            };
            bench.run(params, buffers, length)?;
            let mut expected = wide(&output.initial);
            twin::sum_tasks(&reference, &wide(&x), &wide(&s), &wide(&marks), &mut expected);
            let what = format!("{tasks} of {length}, factor {factor}");
            bench.check_f64(&what, &output, &expected, Tolerance::sum(2 * tasks + 1, 2.0)).await?;
        }
    }
    Ok(())
}

async fn count_not_finite(gpu: &Gpu) -> Result<(), String> {
    for (tasks, length) in SHAPES {
        for block in [1, 64, 100, 90_000] {
            let (params, reference) = params!(count_not_finite CountNotFiniteParams {
                tasks: tasks,
                length: length,
                block: block,
            });
            let mut x = noise(1, (tasks * length) as usize);
            // The largest finite numbers and the smallest are as finite as any.
            for (at, value) in
                [(5, f32::NAN), (70, f32::INFINITY), (71, f32::NEG_INFINITY), (72, f32::MAX), (73, 1e-42)]
            {
                if let Some(element) = x.get_mut(at) {
                    *element = value;
                }
            }
            let counted = tasks * length.div_ceil(block);
            let mut bench = Bench::new(gpu)?;
            let vectors = bench.input(&x).await?;
            let output = bench.output(counted).await?;
            let buffers = kernels::count_not_finite::Buffers { vectors: vectors.all(), counts: output.all() };
            bench.run(params, buffers, counted)?;
            let mut expected = output.initial.clone();
            twin::count_not_finite(&reference, &x, &mut expected[..counted as usize]);
            let what = format!("{tasks} of {length} in blocks of {block}");
            bench.check(&what, &output, &expected, Tolerance::EXACT).await?;
        }
    }
    Ok(())
}

/// Longer than 65,535 blocks too, a bound of software adapters on loops.
async fn task_status(gpu: &Gpu) -> Result<(), String> {
    for (tasks, blocks) in [(1, 1), (3, 67), (4, 64), (2, 70_001)] {
        let (params, reference) = params!(task_status TaskStatusParams {
            tasks: tasks,
            blocks: blocks,
            first_task: 3,
            code: 2.0,
        });
        // Every other task has one element in its last block.
        let mut found = vec![0.0; (tasks * blocks) as usize];
        found.chunks_exact_mut(blocks as usize).step_by(2).for_each(|task| task[blocks as usize - 1] = 1.0);
        for earlier in [0.0, 1.0] {
            let mut bench = Bench::new(gpu)?;
            let counts = bench.input(&found).await?;
            let output = bench.updated(vec![earlier; 3 + tasks as usize]).await?;
            let buffers = kernels::task_status::Buffers { counts: counts.all(), status: output.all() };
            bench.run(params, buffers, 64 * tasks)?;
            let mut expected = output.initial.clone();
            twin::task_status(&reference, &found, &mut expected);
            let what = format!("{tasks} of {blocks} blocks after {earlier}");
            bench.check(&what, &output, &expected, Tolerance::EXACT).await?;
        }
    }
    Ok(())
}

async fn expand_rates(gpu: &Gpu) -> Result<(), String> {
    let (params, reference) = params!(expand_rates ExpandRatesParams { slices: 4, first: 3 });
    let v = noise(1, 7);
    let mut bench = Bench::new(gpu)?;
    let (table, values) = (bench.input(&TABLE).await?, bench.input(&v).await?);
    let output = bench.output(TABLE_ELEMENTS as u32).await?;
    let buffers = kernels::expand_rates::Buffers { table: table.all(), values: values.all(), rates: output.all() };
    bench.run(params, buffers, 64 * 4)?;
    let mut expected = output.initial.clone();
    twin::expand_rates(&reference, &TABLE, &v, &mut expected);
    bench.check("four slices", &output, &expected, Tolerance::EXACT).await
}

async fn sum_slices(gpu: &Gpu) -> Result<(), String> {
    let (params, reference) = params!(sum_slices SumSlicesParams { slices: 4, first: 3 });
    let x = noise(1, TABLE_ELEMENTS);
    let mut bench = Bench::new(gpu)?;
    let (table, vector) = (bench.input(&TABLE).await?, bench.input(&x).await?);
    let output = bench.updated(noise(2, 7)).await?;
    let buffers = kernels::sum_slices::Buffers { table: table.all(), vector: vector.all(), sums: output.all() };
    bench.run(params, buffers, 64 * 4)?;
    let mut expected = wide(&output.initial);
    twin::sum_slices(&reference, &TABLE, &wide(&x), &mut expected);
    bench.check_f64("four slices", &output, &expected, Tolerance::sum(1_001 + 1, 1.0)).await
}
