//! The inner loop's twins against values worked out by hand.

use inkling_reference::*;

#[test]
fn an_inner_step_descends_and_is_pulled_back_to_its_start() {
    let params = InnerStepParams { tasks: 2, length: 2, rate: 0.5, rates_per_element: 0, prox: 0.0 };
    let run = |params: &InnerStepParams| {
        let mut parameters = [1.0, 2.0, 3.0, 4.0];
        inner_step(params, &[1.0, 0.0], &[2.0, 0.0], &[2.0, 4.0, -2.0, 6.0], &mut parameters);
        parameters
    };
    assert_eq!(run(&params), [0.0, 0.0, 4.0, 1.0]);
    // The proximal term adds 0.5 · (w − start) = (0, 1, 1, 2) to the gradient.
    assert_eq!(run(&InnerStepParams { prox: 0.5, ..params }), [0.0, -0.5, 3.5, 0.0]);
    // A rate of zero, as in padding, moves nothing.
    assert_eq!(run(&InnerStepParams { rates_per_element: 1, ..params }), [-3.0, 2.0, 7.0, 4.0]);
}

#[test]
fn rates_are_learned_against_the_step_that_they_took() {
    // L = λ·w₁ with w₁ = w₀ − r∘g has dL/dr = −λ∘g.
    let mut d_rates = [1.0, 1.0];
    rate_gradient(&RateGradientParams { length: 2 }, &[2.0, -1.0], &[3.0, 4.0], &mut d_rates);
    assert_eq!(d_rates, [-5.0, 5.0]);
    let mut direction = [0.0; 4];
    let params = ScaleByRatesParams { tasks: 2, length: 2, factor: -2.0, rates_per_element: 1 };
    scale_by_rates(&params, &[1.0, 2.0, 3.0, 4.0], &[0.5, 3.0], &mut direction);
    assert_eq!(direction, [-1.0, -12.0, -3.0, -24.0]);
}

#[test]
fn reptile_and_the_others_leave_failed_tasks_out() {
    let vectors = [1.0, 2.0, f64::NAN, f64::INFINITY, 5.0, 7.0];
    let (start, status) = ([10.0, 20.0], [9.0, 0.0, 1.0, 0.0]);
    let params = SumTasksParams { tasks: 3, length: 2, first_task: 1, factor: 1.0, anchor: 0.0 };
    let mut sum = [0.5, 0.5];
    sum_tasks(&params, &vectors, &start, &status, &mut sum);
    assert_eq!(sum, [6.5, 9.5]);
    let mut sum = [0.0, 0.0];
    sum_tasks(&SumTasksParams { factor: -1.0, anchor: 1.0, ..params }, &vectors, &start, &status, &mut sum);
    assert_eq!(sum, [14.0, 31.0]);
}

#[test]
fn a_task_that_is_not_finite_is_marked_once() {
    let vectors = [1.0, f64::NAN, f64::INFINITY, 1.0, 1.0, 1.0];
    let mut counts = [7.0; 4];
    count_not_finite(&CountNotFiniteParams { tasks: 2, length: 3, block: 2 }, &vectors, &mut counts);
    assert_eq!(counts, [1.0, 1.0, 0.0, 0.0]);
    let mut status = [0.0, 0.0, 0.0];
    task_status(&TaskStatusParams { tasks: 2, blocks: 2, first_task: 1, code: 1.0 }, &counts, &mut status);
    assert_eq!(status, [0.0, 1.0, 0.0]);
    task_status(&TaskStatusParams { tasks: 2, blocks: 2, first_task: 1, code: 2.0 }, &counts, &mut status);
    assert_eq!(status, [0.0, 1.0, 0.0]);
}

#[test]
fn slices_share_a_value_and_sum_to_one() {
    let table = [0, 2, 4, 1];
    let mut rates = [0.0; 6];
    expand_rates(&ExpandRatesParams { slices: 2, first: 1 }, &table, &[9.0, 2.0, 3.0], &mut rates);
    assert_eq!(rates, [2.0, 2.0, 0.0, 0.0, 3.0, 0.0]);
    let mut sums = [0.0, 1.0, 0.0];
    sum_slices(&SumSlicesParams { slices: 2, first: 1 }, &table, &[1.0, 2.0, 9.0, 9.0, 4.0, 9.0], &mut sums);
    assert_eq!(sums, [0.0, 4.0, 4.0]);
    let mut tasks = [0.0; 4];
    broadcast_tasks(&BroadcastTasksParams { tasks: 2, length: 2 }, &[1.0, 2.0], &mut tasks);
    assert_eq!(tasks, [1.0, 2.0, 1.0, 2.0]);
}
