//! Kernels of conjugate gradient, and of the systems that it is measured on.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "cg_start/shapes" => start,
        "cg_control/starts" => control_starts,
        "cg_control/goes_on_or_stops" => control_goes_on,
        "cg_control/many_workgroups" => control_many,
        "cg_direction/shapes" => direction,
        "cg_curvature/shapes" => curvature,
        "cg_step/shapes" => step,
        "cg_finish/shapes" => finish,
        "low_rank_project/shapes" => project,
        "low_rank_project/long" => project_long,
        "diagonal_low_rank/shapes" => low_rank,
    ]
}

/// `(tasks, length, stride, block, active tasks)`; the active ones are in no order.
const SHAPES: [(u32, u32, u32, u32, &[u32]); 5] = [
    (1, 1, 1, 64, &[0]),
    (3, 67, 70, 64, &[2, 0]),
    (2, 1_000, 1_024, 128, &[1]),
    (5, 130, 130, 192, &[4, 1, 3, 0]),
    (3, 5, 8, 64, &[]),
];

/// A diagonal that keeps a distance of a half from minus a quarter, the damping of these tests. Where
/// it is negative the preconditioner leaves out.
fn diagonal_values(count: usize) -> Vec<f32> {
    noise(4, count).iter().map(|value| if *value > 0.0 { value + 0.3 } else { value - 0.75 }).collect()
}

/// The list as kernels take it, with room for all tasks.
fn list(active: &[u32], tasks: u32) -> Vec<u32> {
    let mut list = vec![active.len() as u32];
    list.extend(active);
    list.resize(tasks as usize + 1, u32::MAX);
    list
}

async fn start(gpu: &Gpu) -> Result<(), String> {
    for (tasks, length, stride, block, _) in SHAPES {
        for jacobi in [0, 1] {
            let (params, reference) = params!(cg_start CgStartParams {
                tasks: tasks,
                length: length,
                stride: stride,
                block: block,
                damping: 0.25,
                jacobi: jacobi,
            });
            let count = (tasks * stride) as usize;
            let blocks = length.div_ceil(block);
            let [b, x, hx] = [1, 2, 3].map(|seed| noise(seed, count));
            let d = diagonal_values(count);
            let mut bench = Bench::new(gpu)?;
            let right_hand_side = bench.input(&b).await?;
            let solution = bench.input(&x).await?;
            let product = bench.input(&hx).await?;
            let diagonal = bench.input(&d).await?;
            let residual = bench.output(tasks * stride).await?;
            let best = bench.output(tasks * stride).await?;
            let partials = bench.output(tasks * blocks * 4).await?;
            let buffers = kernels::cg_start::Buffers {
                right_hand_side: right_hand_side.all(),
                solution: solution.all(),
                product: product.all(),
                diagonal: diagonal.all(),
                residual: residual.all(),
                best: best.all(),
                partials: partials.all(),
            };
            bench.run(params, buffers, tasks * blocks * 64)?;
            let [mut r, mut kept, mut sums] = [&residual, &best, &partials].map(|output| output.initial.clone());
            twin::cg_start(&reference, &b, &x, &hx, &d, &mut r, &mut kept, &mut sums);
            let what = format!("{tasks} × {length}, jacobi {jacobi}");
            bench.check(&format!("residual of {what}"), &residual, &r, Tolerance::cancelling(3, 3.0)).await?;
            bench.check(&format!("best of {what}"), &best, &kept, Tolerance::EXACT).await?;
            // r up to 2.25, z up to 4.1; each term carries the roundings of r twice.
            let tolerance = Tolerance::sum(block.min(length) + 16, 10.0);
            bench.check(&format!("partials of {what}"), &partials, &sums, tolerance).await?;
        }
    }
    Ok(())
}

/// What a run of `cg_control` begins with.
struct Control {
    iteration: u32,
    max_iterations: u32,
    workgroups: [u32; 4],
    tasks: u32,
    blocks: u32,
    partials: Vec<f32>,
    scalars: Vec<f32>,
    states: Vec<u32>,
}

impl Control {
    /// States and the list afterwards.
    async fn check(&self, gpu: &Gpu) -> Result<(Vec<u32>, Vec<u32>), String> {
        let (params, reference) = params!(cg_control CgControlParams {
            tasks: self.tasks,
            blocks: self.blocks,
            iteration: self.iteration,
            max_iterations: self.max_iterations,
            tolerance: 0.01,
            workgroups_0: self.workgroups[0],
            workgroups_1: self.workgroups[1],
            workgroups_2: self.workgroups[2],
            workgroups_3: self.workgroups[3],
        });
        let mut bench = Bench::new(gpu)?;
        let partials = bench.input(&self.partials).await?;
        let scalars = bench.updated(self.scalars.clone()).await?;
        let states = bench.input(&self.states).await?;
        let history = bench.output(self.tasks * (self.max_iterations + 1) * 3).await?;
        let active = bench.input(&vec![77_u32; self.tasks as usize + 1]).await?;
        let arguments = bench.input(&[77_u32; 16]).await?;
        let buffers = kernels::cg_control::Buffers {
            partials: partials.all(),
            scalars: scalars.all(),
            states: states.all(),
            history: history.all(),
            active_tasks: active.all(),
            arguments: arguments.all(),
        };
        bench.run(params, buffers, 64)?;
        let (mut numbers, mut records) = (scalars.initial.clone(), history.initial.clone());
        let (mut verdicts, mut list) = (self.states.clone(), vec![77; self.tasks as usize + 1]);
        let mut launches = [77; 16];
        twin::cg_control(
            &reference,
            &self.partials,
            &mut numbers,
            &mut verdicts,
            &mut records,
            &mut list,
            &mut launches,
        );
        let what = format!("iteration {} of {}", self.iteration, self.max_iterations);
        bench.check_integers(&format!("states, {what}"), &states, &verdicts).await?;
        bench.check_integers(&format!("list, {what}"), &active, &list).await?;
        bench.check_integers(&format!("arguments, {what}"), &arguments, &launches).await?;
        // Both sum the blocks one after the other; a division and a root follow.
        let tolerance = Tolerance::roundings(8);
        bench.check(&format!("scalars, {what}"), &scalars, &numbers, tolerance).await?;
        bench.check(&format!("history, {what}"), &history, &records, tolerance).await?;
        Ok((verdicts, list))
    }
}

async fn control_starts(gpu: &Gpu) -> Result<(), String> {
    let (nan, blocks) = (f32::NAN, 2);
    // Goes on; b = 0; not a number; solved by its start; infinite.
    let first = [[4.0, 3.0, 2.0, 9.0], [1.0, 1.0, 0.0, 9.0], [nan, 1.0, 1.0, 9.0], [1e-5, 1e-5, 1.0, 9.0]];
    let last = [f32::INFINITY, 1.0, 1.0, 9.0];
    let second = [0.5, 0.25, 0.125, 9.0];
    let mut partials: Vec<f32> = Vec::new();
    for (index, sums) in first.into_iter().chain([last]).enumerate() {
        partials.extend(sums);
        partials.extend(if index == 0 { second } else { [0.0; 4] });
    }
    for (max_iterations, expected) in [(5, [0, 1, 4, 1, 4]), (0, [2, 1, 4, 1, 4])] {
        let control = Control {
            iteration: 0,
            max_iterations,
            workgroups: [3, 1, 0, 200],
            tasks: 5,
            blocks,
            partials: partials.clone(),
            scalars: vec![nan; 40],
            states: vec![9; 10],
        };
        let (states, list) = control.check(gpu).await?;
        let found: Vec<u32> = states.iter().step_by(2).copied().collect();
        if found != expected || list[0] != u32::from(max_iterations > 0) {
            return Err(format!("states {found:?}, list {list:?}"));
        }
    }
    Ok(())
}

async fn control_goes_on(gpu: &Gpu) -> Result<(), String> {
    let (nan, max_iterations) = (f32::NAN, 4);
    // [r·r, r·z] and [alpha, curvature] of: one that improves; one that gets worse; one that has
    // converged; a breakdown; curvature, alpha, residual that are no number; one stopped before.
    let tasks: [([f32; 2], [f32; 2], u32); 9] = [
        ([0.5, 0.25], [0.1, 2.0], 0),
        ([3.0, 2.5], [0.2, 2.0], 0),
        ([1e-5, 1e-5], [0.3, 2.0], 0),
        ([0.5, 0.25], [0.1, -2.0], 0),
        ([0.5, 0.25], [0.1, nan], 0),
        ([0.5, 0.25], [f32::INFINITY, 1e-30], 0),
        ([nan, 0.25], [0.1, 2.0], 0),
        ([nan, nan], [0.1, 2.0], 2),
        ([0.5, 0.25], [0.1, 0.0], 0),
    ];
    let mut partials = Vec::new();
    let mut scalars = Vec::new();
    let mut states = Vec::new();
    for ([rr, rz], [alpha, curvature], state) in tasks {
        partials.extend([rr, rz, nan, nan]);
        // What a task that is not touched keeps must be comparable.
        let keeps = |value: f32| if value.is_nan() && state != 0 { 1.0 } else { value };
        scalars.extend([1.5, 2.0, 1.0, keeps(alpha), 0.7, 2.0, 0.0, keeps(curvature)]);
        states.extend([state, 1]);
    }
    for (iteration, running) in [(2, 0), (4, 2)] {
        let control = Control {
            iteration,
            max_iterations,
            workgroups: [1, 2, 3, 4],
            tasks: tasks.len() as u32,
            blocks: 1,
            partials: partials.clone(),
            scalars: scalars.clone(),
            states: states.clone(),
        };
        // A NaN in the scalars cannot be compared: those tasks are checked without it.
        let (found, list) = control.without_nan().check(gpu).await?;
        let verdicts: Vec<u32> = found.iter().step_by(2).copied().collect();
        let expected = [running, running, 1, 3, 4, 4, 4, 2, 3];
        if verdicts != expected || list[0] != if running == 0 { 2 } else { 0 } {
            return Err(format!("iteration {iteration}: states {verdicts:?}, list {list:?}"));
        }
    }
    Ok(())
}

impl Control {
    /// Infinities in place of NaN among the scalars: judged alike, and equal to themselves.
    fn without_nan(mut self) -> Self {
        self.scalars.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = f32::INFINITY);
        self
    }
}

async fn control_many(gpu: &Gpu) -> Result<(), String> {
    let (tasks, blocks) = (67, 3);
    let control = Control {
        iteration: 0,
        max_iterations: 3,
        workgroups: [1, 977, 978, 65_535],
        tasks,
        blocks,
        partials: noise(1, (tasks * blocks * 4) as usize).iter().map(|value| value.abs()).collect(),
        scalars: vec![0.0; tasks as usize * 8],
        states: vec![9; tasks as usize * 2],
    };
    let (_, list) = control.check(gpu).await?;
    if list[0] == tasks { Ok(()) } else { Err(format!("{} of {tasks} tasks run", list[0])) }
}

/// Scalars of every task: noise, with betas of which some are zero and every other one improved.
fn scalars(tasks: u32) -> Vec<f32> {
    let mut scalars = noise(11, tasks as usize * 8);
    for task in 0..tasks as usize {
        scalars[8 * task] = 0.5 + 0.1 * task as f32;
        if task % 3 == 0 {
            scalars[8 * task + 4] = 0.0;
        }
        scalars[8 * task + 6] = if task % 2 == 0 { 1.0 } else { 0.0 };
    }
    scalars
}

async fn direction(gpu: &Gpu) -> Result<(), String> {
    for (tasks, length, stride, block, active) in SHAPES {
        for jacobi in [0, 1] {
            let (params, reference) = params!(cg_direction CgDirectionParams {
                length: length,
                stride: stride,
                block: block,
                damping: 0.25,
                jacobi: jacobi,
            });
            let count = (tasks * stride) as usize;
            let (numbers, list) = (scalars(tasks), list(active, tasks));
            let [r, x] = [1, 2].map(|seed| noise(seed, count));
            let d = diagonal_values(count);
            let mut bench = Bench::new(gpu)?;
            let active_tasks = bench.input(&list).await?;
            let scalars = bench.input(&numbers).await?;
            let residual = bench.input(&r).await?;
            let diagonal = bench.input(&d).await?;
            let solution = bench.input(&x).await?;
            let direction = bench.updated(noise(5, count)).await?;
            let best = bench.output(tasks * stride).await?;
            let buffers = kernels::cg_direction::Buffers {
                active_tasks: active_tasks.all(),
                scalars: scalars.all(),
                residual: residual.all(),
                diagonal: diagonal.all(),
                solution: solution.all(),
                direction: direction.all(),
                best: best.all(),
            };
            bench.run(params, buffers, tasks * length.div_ceil(block) * 64)?;
            let [mut p, mut kept] = [&direction, &best].map(|output| output.initial.clone());
            twin::cg_direction(&reference, &list, &numbers, &r, &d, &x, &mut p, &mut kept);
            let what = format!("{tasks} × {length}, jacobi {jacobi}");
            // z up to 1.9 with five roundings (the diagonal and the damping may cancel to a half).
            let tolerance = Tolerance::cancelling(8, 2.0);
            bench.check(&format!("direction of {what}"), &direction, &p, tolerance).await?;
            bench.check(&format!("best of {what}"), &best, &kept, Tolerance::EXACT).await?;
        }
    }
    Ok(())
}

async fn curvature(gpu: &Gpu) -> Result<(), String> {
    for (tasks, length, stride, block, active) in SHAPES {
        let (params, reference) = params!(cg_curvature CgCurvatureParams {
            length: length,
            stride: stride,
            block: block,
            damping: 0.25,
        });
        let count = (tasks * stride) as usize;
        let (blocks, list) = (length.div_ceil(block), list(active, tasks));
        let [p, hp] = [1, 2].map(|seed| noise(seed, count));
        let mut bench = Bench::new(gpu)?;
        let active_tasks = bench.input(&list).await?;
        let direction = bench.input(&p).await?;
        let product = bench.input(&hp).await?;
        let partials = bench.output(tasks * blocks * 4).await?;
        let buffers = kernels::cg_curvature::Buffers {
            active_tasks: active_tasks.all(),
            direction: direction.all(),
            product: product.all(),
            partials: partials.all(),
        };
        bench.run(params, buffers, tasks * blocks * 64)?;
        let mut sums = partials.initial.clone();
        twin::cg_curvature(&reference, &list, &p, &hp, &mut sums);
        let what = format!("partials of {tasks} × {length}");
        bench.check(&what, &partials, &sums, Tolerance::sum(block.min(length), 1.25)).await?;
    }
    Ok(())
}

async fn step(gpu: &Gpu) -> Result<(), String> {
    for (tasks, length, stride, block, active) in SHAPES {
        for jacobi in [0, 1] {
            let (params, reference) = params!(cg_step CgStepParams {
                length: length,
                stride: stride,
                block: block,
                damping: 0.25,
                jacobi: jacobi,
            });
            let count = (tasks * stride) as usize;
            let (blocks, list) = (length.div_ceil(block), list(active, tasks));
            let [p, hp] = [1, 2].map(|seed| noise(seed, count));
            let d = diagonal_values(count);
            let mut bench = Bench::new(gpu)?;
            let active_tasks = bench.input(&list).await?;
            let direction = bench.input(&p).await?;
            let product = bench.input(&hp).await?;
            let diagonal = bench.input(&d).await?;
            let scalars = bench.updated(scalars(tasks)).await?;
            let solution = bench.updated(noise(5, count)).await?;
            let residual = bench.updated(noise(6, count)).await?;
            // Curvatures above a half, but those of task 4 are negative: it must not step.
            let mut curvatures: Vec<f32> =
                noise(7, (tasks * blocks * 4) as usize).iter().map(|value| 0.5 * value.abs() + 0.5).collect();
            curvatures.iter_mut().skip((16 * blocks) as usize).for_each(|value| *value = -*value);
            let partials = bench.updated(curvatures).await?;
            let buffers = kernels::cg_step::Buffers {
                active_tasks: active_tasks.all(),
                direction: direction.all(),
                product: product.all(),
                diagonal: diagonal.all(),
                scalars: scalars.all(),
                solution: solution.all(),
                residual: residual.all(),
                partials: partials.all(),
            };
            bench.run(params, buffers, tasks * blocks * 64)?;
            let outputs = [&scalars, &solution, &residual, &partials];
            let [mut numbers, mut x, mut r, mut sums] = outputs.map(|output| output.initial.clone());
            twin::cg_step(&reference, &list, &p, &hp, &d, &mut numbers, &mut x, &mut r, &mut sums);
            let what = format!("{tasks} × {length}, jacobi {jacobi}");
            // alpha: at most 0.9 / 0.5, from a sum of `blocks` terms of one sign and a division.
            let roundings = blocks + 8;
            bench.check(&format!("scalars of {what}"), &scalars, &numbers, Tolerance::roundings(roundings)).await?;
            let tolerance = Tolerance::cancelling(roundings + 4, 2.3);
            bench.check(&format!("solution of {what}"), &solution, &x, tolerance).await?;
            bench.check(&format!("residual of {what}"), &residual, &r, tolerance).await?;
            // |r| up to 3.3, z up to twice that; each term carries the roundings of r twice.
            let tolerance = Tolerance::sum(block.min(length) + 2 * roundings, 20.0);
            bench.check(&format!("partials of {what}"), &partials, &sums, tolerance).await?;
        }
    }
    Ok(())
}

async fn finish(gpu: &Gpu) -> Result<(), String> {
    for (tasks, length, stride, ..) in SHAPES {
        let (params, reference) = params!(cg_finish CgFinishParams { tasks: tasks, length: length, stride: stride });
        let count = (tasks * stride) as usize;
        let states: Vec<u32> = (0..2 * tasks).map(|index| index / 2 % 5).collect();
        let mut numbers: Vec<f32> = noise(3, tasks as usize * 8).iter().map(|value| value.abs()).collect();
        numbers.iter_mut().skip(5).step_by(24).for_each(|best| *best = -1.0);
        let kept = noise(1, count);
        let mut bench = Bench::new(gpu)?;
        let scalars = bench.input(&numbers).await?;
        let state_buffer = bench.input(&states).await?;
        let best = bench.input(&kept).await?;
        let solution = bench.updated(noise(2, count)).await?;
        let buffers = kernels::cg_finish::Buffers {
            scalars: scalars.all(),
            states: state_buffer.all(),
            best: best.all(),
            solution: solution.all(),
        };
        bench.run(params, buffers, tasks * length)?;
        let mut expected = solution.initial.clone();
        twin::cg_finish(&reference, &numbers, &states, &kept, &mut expected);
        bench.check(&format!("{tasks} × {length}"), &solution, &expected, Tolerance::EXACT).await?;
    }
    Ok(())
}

async fn check_project(
    gpu: &Gpu,
    (tasks, length, stride, active): (u32, u32, u32, &[u32]),
    rank: u32,
) -> Result<(), String> {
    let (params, reference) =
        params!(low_rank_project LowRankProjectParams { length: length, stride: stride, rank: rank });
    let (v, p) = (noise(1, (tasks * rank * stride) as usize), noise(2, (tasks * stride) as usize));
    let list = list(active, tasks);
    let mut bench = Bench::new(gpu)?;
    let active_tasks = bench.input(&list).await?;
    let factors = bench.input(&v).await?;
    let direction = bench.input(&p).await?;
    let projections = bench.output(tasks * rank).await?;
    let buffers = kernels::low_rank_project::Buffers {
        active_tasks: active_tasks.all(),
        factors: factors.all(),
        direction: direction.all(),
        projections: projections.all(),
    };
    bench.run(params, buffers, tasks * rank * 64)?;
    let mut expected = projections.initial.clone();
    twin::low_rank_project(&reference, &list, &v, &p, &mut expected);
    bench.check(&format!("{tasks} × {length}"), &projections, &expected, Tolerance::sum(length, 1.0)).await
}

async fn project(gpu: &Gpu) -> Result<(), String> {
    for (tasks, length, stride, _, active) in SHAPES {
        check_project(gpu, (tasks, length, stride, active), 3).await?;
    }
    Ok(())
}

async fn project_long(gpu: &Gpu) -> Result<(), String> {
    check_project(gpu, (1, 70_001, 70_016, &[0]), 2).await
}

async fn low_rank(gpu: &Gpu) -> Result<(), String> {
    for (tasks, length, stride, _, active) in SHAPES {
        let rank = 5;
        let (params, reference) =
            params!(diagonal_low_rank DiagonalLowRankParams { length: length, stride: stride, rank: rank });
        let count = (tasks * stride) as usize;
        let [d, p] = [1, 2].map(|seed| noise(seed, count));
        let (v, y) = (noise(3, rank as usize * count), noise(4, (tasks * rank) as usize));
        let list = list(active, tasks);
        let mut bench = Bench::new(gpu)?;
        let active_tasks = bench.input(&list).await?;
        let diagonal = bench.input(&d).await?;
        let factors = bench.input(&v).await?;
        let projections = bench.input(&y).await?;
        let direction = bench.input(&p).await?;
        let product = bench.output(tasks * stride).await?;
        let buffers = kernels::diagonal_low_rank::Buffers {
            active_tasks: active_tasks.all(),
            diagonal: diagonal.all(),
            factors: factors.all(),
            projections: projections.all(),
            direction: direction.all(),
            product: product.all(),
        };
        bench.run(params, buffers, tasks * length.div_ceil(64) * 64)?;
        let mut expected = product.initial.clone();
        twin::diagonal_low_rank(&reference, &list, &d, &v, &y, &p, &mut expected);
        bench.check(&format!("{tasks} × {length}"), &product, &expected, Tolerance::sum(rank + 1, 1.0)).await?;
    }
    Ok(())
}
