// What the kernels of a linear classifier share. The lower variable w of a task is flat: weight
// [ways, dimension], then bias [ways], then zeros up to a stride.

#import shared/grid.wgsl

// The products of one image's features with the weights of all ways, biases added:
//   product_w = Σ_i W_wi x_i + b_w
// The importing kernel declares embeddings, weights, products (to be written) and params with
// dimension and ways; the arguments are first elements. One invocation owns an image and all its
// products, so that none waits for another. Loops run over addresses: Mesa 22.3's driver for
// processors compiles a kernel anew for every launch (and keeps what it compiled) where a loop
// counts from a constant to a parameter.
// Loop bound: ⌈ways / 4⌉ · dimension.
fn write_products(embedding: u32, weight: u32, product: u32) {
    let last_row = weight + (params.ways - 1u) * params.dimension;
    let end = embedding + params.dimension;
    let end_product = product + params.ways;
    var bias = last_row + params.dimension;
    var row = weight;
    for (var at = product; at < end_product; at += 4u) {
        var rows = min(row + vec4<u32>(0u, 1u, 2u, 3u) * params.dimension, vec4<u32>(last_row));
        var sum = vec4<f32>(0.0);
        for (var i = embedding; i < end; i += 1u) {
            sum += embeddings[i] * vec4<f32>(weights[rows.x], weights[rows.y], weights[rows.z], weights[rows.w]);
            rows += 1u;
        }
        products[at] = sum.x + weights[bias];
        if at + 1u < end_product {
            products[at + 1u] = sum.y + weights[bias + 1u];
        }
        if at + 2u < end_product {
            products[at + 2u] = sum.z + weights[bias + 2u];
        }
        if at + 3u < end_product {
            products[at + 3u] = sum.w + weights[bias + 3u];
        }
        row += 4u * params.dimension;
        bias += 4u;
    }
}
