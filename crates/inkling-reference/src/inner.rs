//! Twins of the inner loop's kernels: flat vectors of several tasks, `[tasks, length]`.

use crate::{
    BroadcastTasksParams, CountNotFiniteParams, ExpandRatesParams, InnerStepParams, RateGradientParams, Real,
    ScaleByRatesParams, SumSlicesParams, SumTasksParams, TaskStatusParams,
};

/// The source `[length]` for every task.
pub fn broadcast_tasks<F: Real>(params: &BroadcastTasksParams, source: &[F], destination: &mut [F]) {
    let length = params.length as usize;
    for task in destination.chunks_exact_mut(length).take(params.tasks as usize) {
        task.copy_from_slice(&source[..length]);
    }
}

/// `w −= r ∘ (g + prox · (w − start))` for every task.
pub fn inner_step<F: Real>(params: &InnerStepParams, start: &[F], rates: &[F], gradient: &[F], parameters: &mut [F]) {
    let (length, prox) = (params.length as usize, F::of(params.prox.into()));
    for index in 0..params.tasks as usize * length {
        let element = index % length;
        let rate = if params.rates_per_element != 0 { rates[element] } else { F::of(params.rate.into()) };
        let parameter = parameters[index];
        parameters[index] = parameter - rate * (gradient[index] + prox * (parameter - start[element]));
    }
}

/// `factor · r ∘ source` for every task.
pub fn scale_by_rates<F: Real>(params: &ScaleByRatesParams, source: &[F], rates: &[F], destination: &mut [F]) {
    let (length, factor) = (params.length as usize, F::of(params.factor.into()));
    for index in 0..params.tasks as usize * length {
        let rate = if params.rates_per_element != 0 { rates[index % length] } else { F::ONE };
        destination[index] = factor * rate * source[index];
    }
}

/// `d_rates −= adjoint ∘ gradient`.
pub fn rate_gradient<F: Real>(params: &RateGradientParams, adjoint: &[F], gradient: &[F], d_rates: &mut [F]) {
    for index in 0..params.length as usize {
        d_rates[index] -= adjoint[index] * gradient[index];
    }
}

/// Adds `factor · (x_t − anchor · start)` of every task whose status is zero.
pub fn sum_tasks<F: Real>(params: &SumTasksParams, vectors: &[F], start: &[F], status: &[F], sum: &mut [F]) {
    let length = params.length as usize;
    let [factor, anchor] = [params.factor, params.anchor].map(|value| F::of(value.into()));
    for index in 0..length {
        let mut total = F::ZERO;
        for task in 0..params.tasks as usize {
            if status[params.first_task as usize + task] == F::ZERO {
                total += vectors[task * length + index] - anchor * start[index];
            }
        }
        sum[index] += factor * total;
    }
}

/// The number of elements that are not finite in each block of each task's vector.
pub fn count_not_finite<F: Real>(params: &CountNotFiniteParams, vectors: &[F], counts: &mut [F]) {
    let (length, block) = (params.length as usize, params.block as usize);
    let blocks = vectors.chunks_exact(length).take(params.tasks as usize).flat_map(|task| task.chunks(block));
    for (count, values) in counts.iter_mut().zip(blocks) {
        *count = F::count(values.iter().filter(|value| !value.as_f64().is_finite()).count());
    }
}

/// Gives the tasks with a count above zero the code, unless they have one.
pub fn task_status<F: Real>(params: &TaskStatusParams, counts: &[F], status: &mut [F]) {
    let tasks = counts.chunks_exact(params.blocks as usize).take(params.tasks as usize);
    for (status, counts) in status[params.first_task as usize..].iter_mut().zip(tasks) {
        if *status == F::ZERO && counts.iter().any(|&count| count > F::ZERO) {
            *status = F::of(params.code.into());
        }
    }
}

/// The value of each slice of the table, in all its elements.
pub fn expand_rates<F: Real>(params: &ExpandRatesParams, table: &[u32], values: &[F], rates: &mut [F]) {
    for (index, slice) in table.chunks_exact(2).take(params.slices as usize).enumerate() {
        let (offset, length) = (slice[0] as usize, slice[1] as usize);
        rates[offset..offset + length].fill(values[params.first as usize + index]);
    }
}

/// Adds the sum of each slice of the table.
pub fn sum_slices<F: Real>(params: &SumSlicesParams, table: &[u32], vector: &[F], sums: &mut [F]) {
    for (index, slice) in table.chunks_exact(2).take(params.slices as usize).enumerate() {
        let (offset, length) = (slice[0] as usize, slice[1] as usize);
        let sum = vector[offset..offset + length].iter().fold(F::ZERO, |sum, &value| sum + value);
        sums[params.first as usize + index] += sum;
    }
}
