// Names of the metrics between embeddings, and the bound that keeps a cosine finite.

const METRIC_EUCLIDEAN: u32 = 0u;
const METRIC_COSINE: u32 = 1u;
const SMALLEST_NORM: f32 = 1e-8;
