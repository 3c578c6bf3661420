// Activations that cut off: ReLU (floor 0), ReLU6 (floor 0, ceiling 6), and none (the largest
// numbers). Bounds are numbers and not a choice, so that nothing branches on a parameter.

// The bounded value; a NaN passes.
fn activate(z: f32, floor: f32, ceiling: f32) -> f32 {
    return select(select(z, ceiling, z >= ceiling), floor, z <= floor);
}

// Whether the value passes unchanged, and its gradient with it.
fn is_open(z: f32, floor: f32, ceiling: f32) -> bool {
    return !(z <= floor) && !(z >= ceiling);
}
