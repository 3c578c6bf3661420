// What the kernels of a linear classifier share. The lower variable w of a task is flat: weight
// [ways, dimension], then bias [ways], then zeros up to a stride.

#import shared/total.wgsl

// The products of one image's features with the weights of all ways, biases added:
//   product_w = Σ_i W_wi x_i + b_w
// The importing kernel declares embeddings, weights, products (to be written) and params with
// dimension and ways; the arguments are first elements. All invocations of a workgroup call it
// together and may read the products afterwards.
// Loop bound: ⌈ways / 4⌉ · (dimension / 64 + 66).
fn write_products(local: u32, embedding: u32, weight: u32, product: u32) {
    let last = vec4<u32>(params.ways - 1u);
    let bias = weight + params.ways * params.dimension;
    for (var way = 0u; way < params.ways; way += 4u) {
        let rows = weight + params.dimension * min(way + vec4<u32>(0u, 1u, 2u, 3u), last);
        var sum = vec4<f32>(0.0);
        for (var i = local; i < params.dimension; i += WORKGROUP_INVOCATIONS) {
            sum += embeddings[embedding + i]
                * vec4<f32>(weights[rows.x + i], weights[rows.y + i], weights[rows.z + i], weights[rows.w + i]);
        }
        var total = workgroup_total(local, sum);
        if local < 4u && way + local < params.ways {
            products[product + way + local] = total[local] + weights[bias + way + local];
        }
    }
    storageBarrier();
}
