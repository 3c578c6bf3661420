// Max-pooling after a monotone map. The four taps of a window stand in reading order: (0,0),
// (0,1), (1,0), (1,1); a window of one pixel repeats that pixel in all four.

// The first tap at which direction·value is largest: `direction` is the sign of the map's slope.
// Comparing the inputs instead of the mapped values leaves ties to exact equality, so that the
// forward and the backward pass choose the same tap whatever the compiler fuses.
fn first_best_tap(taps: vec4<f32>, direction: f32) -> u32 {
    let keys = taps * direction;
    var best = keys.x;
    var tap = 0u;
    if keys.y > best {
        best = keys.y;
        tap = 1u;
    }
    if keys.z > best {
        best = keys.z;
        tap = 2u;
    }
    if keys.w > best {
        tap = 3u;
    }
    return tap;
}

// The value of that tap. A slope of zero has no direction and forgets the value.
fn best_tap(taps: vec4<f32>, direction: f32) -> f32 {
    let keys = taps * direction;
    return direction * max(max(keys.x, keys.y), max(keys.z, keys.w));
}
