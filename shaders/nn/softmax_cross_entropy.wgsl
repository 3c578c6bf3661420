// Softmax cross-entropy of each row of logits, its gradient, and whether the row is right.
//   p = softmax(l)        loss = −ln p_y        dl_w = scale · (p_w − [w = y])
//   outcome = (loss, 1 if y is the first of the largest logits, else 0)
// The largest logit is subtracted first. p_y − 1 is taken as minus the sum of the other
// probabilities, which keeps its digits where p_y is close to one.
// Row r is row r mod rows_per_task of task r / rows_per_task; labels and outcomes of a task begin
// task_stride elements, or rows, behind those of the task before.
// One invocation owns one row.
// Launch: rows invocations. Workgroup memory: none. Loop bound: 3 · ways.
// Bindings: logits [rows, ways]; labels (task 0's at element label_offset); d_logits [rows, ways];
// outcomes [·, 2] from row outcome_offset.

#import shared/grid.wgsl

struct Params {
    rows: u32,
    ways: u32,
    scale: f32,
    rows_per_task: u32,
    task_stride: u32,
    label_offset: u32,
    outcome_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> d_logits: array<f32>;
@group(0) @binding(4) var<storage, read_write> outcomes: array<f32>;

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
    let start = row * params.ways;
    let task = row / params.rows_per_task;
    let place = task * params.task_stride + row - task * params.rows_per_task;
    let label = labels[params.label_offset + place];

    var largest = logits[start];
    var argmax = 0u;
    for (var way = 1u; way < params.ways; way += 1u) {
        let logit = logits[start + way];
        if logit > largest {
            largest = logit;
            argmax = way;
        }
    }
    let label_logit = logits[start + label] - largest;
    var others = 0.0;
    for (var way = 0u; way < params.ways; way += 1u) {
        others += select(exp(logits[start + way] - largest), 0.0, way == label);
    }
    let total = others + exp(label_logit);
    for (var way = 0u; way < params.ways; way += 1u) {
        let share = select(exp(logits[start + way] - largest), -others, way == label);
        d_logits[start + way] = params.scale * share / total;
    }
    let outcome = 2u * (params.outcome_offset + place);
    outcomes[outcome] = log(total) - label_logit;
    outcomes[outcome + 1u] = select(0.0, 1.0, argmax == label);
}
