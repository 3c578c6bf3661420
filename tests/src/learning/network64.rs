//! A whole Conv-4 with classifier and loss in float64, composed of the CPU twins: the gradient that
//! Hessian-vector products are held against.

use inkling_nn::{Backbone, Layout, NetworkConfig, Norm};
use inkling_reference as twin;

/// PyTorch's epsilon, as the layers have it.
const EPSILON: f32 = 1e-5;
/// Stands for "all images".
const ALL: u32 = u32::MAX;

/// The network of one task.
pub struct Network64<'l> {
    pub config: NetworkConfig,
    pub layout: &'l Layout,
    pub running_layout: &'l Layout,
    pub running: Vec<f64>,
    pub ways: u32,
}

/// One block's sizes and offsets.
struct Block {
    images: u32,
    inputs: u32,
    channels: u32,
    size: u32,
    weight: u32,
    bias: u32,
    scale: u32,
    shift: u32,
    mean: u32,
    variance: u32,
}

/// What a block keeps for its backward pass.
struct Kept {
    block: Block,
    input: Vec<f64>,
    convolved: Vec<f64>,
    statistics: Vec<f64>,
}

impl Network64<'_> {
    fn offset(&self, name: &str) -> u32 {
        let entries = self.layout.entries().iter().chain(self.running_layout.entries());
        entries.filter(|entry| entry.name == name).map(|entry| entry.offset).next().unwrap_or(ALL)
    }

    fn channels(&self) -> u32 {
        match self.config.backbone {
            Backbone::Conv4 { channels } => channels,
            // Nothing would fit then.
            _ => 0,
        }
    }

    fn block(&self, index: u32, images: u32, size: u32) -> Block {
        let offset = |name: &str| self.offset(&format!("blocks.{index}.{name}"));
        Block {
            images,
            inputs: if index == 0 { self.config.in_channels } else { self.channels() },
            channels: self.channels(),
            size,
            weight: offset("conv.weight"),
            bias: offset("conv.bias"),
            scale: offset("norm.weight"),
            shift: offset("norm.bias"),
            mean: offset("norm.running_mean"),
            variance: offset("norm.running_var"),
        }
    }

    /// (sets, images of each, groups)
    fn rows(&self, images: u32) -> (u32, u32, u32) {
        match self.config.norm {
            Norm::Group { groups } => (images, 1, groups),
            Norm::Batch | Norm::Frozen => (1, images, self.channels()),
        }
    }

    /// The gradient of the mean softmax cross-entropy over all images, laid out like the parameters.
    pub fn gradient(&self, parameters: &[f64], images: &[f64], labels: &[u32]) -> Vec<f64> {
        self.loss(parameters, images, labels).1
    }

    /// The mean softmax cross-entropy over all images, and its gradient.
    pub fn loss(&self, parameters: &[f64], images: &[f64], labels: &[u32]) -> (f64, Vec<f64>) {
        let count = labels.len() as u32;
        let (mut size, mut values, mut kept) = (self.config.image_size, images.to_vec(), Vec::new());
        for index in 0..4 {
            let block = self.block(index, count, size);
            let convolved = convolve(&block, &values, parameters);
            let statistics = self.statistics(&block, &convolved);
            let pooled = self.pool(&block, &convolved, &statistics, parameters);
            size /= 2;
            kept.push(Kept { block, input: std::mem::replace(&mut values, pooled), convolved, statistics });
        }
        let mut gradient = vec![0.0; parameters.len()];
        let (loss, mut d_values) = self.classify(&values, parameters, labels, &mut gradient);
        for kept in kept.iter().rev() {
            d_values = self.backward(kept, &d_values, parameters, &mut gradient);
        }
        (loss, gradient)
    }

    fn statistics(&self, block: &Block, convolved: &[f64]) -> Vec<f64> {
        let (sets, images_per_set, groups) = self.rows(block.images);
        let (channels, pixels) = (block.channels, block.size * block.size);
        let mut statistics = vec![0.0; (2 * sets * groups) as usize];
        if self.config.norm == Norm::Frozen {
            let params = twin::NormRunningParams {
                channels,
                mean_offset: block.mean,
                variance_offset: block.variance,
                epsilon: EPSILON,
            };
            twin::norm_running(&params, &self.running, &mut statistics);
            return statistics;
        }
        let mut moments = vec![0.0; (2 * block.images * channels) as usize];
        let params =
            twin::NormMomentsParams { images: block.images, channels, pixels, segment_pixels: pixels, segments: 1 };
        twin::norm_moments(&params, convolved, &mut moments);
        let params = twin::NormCombineParams {
            sets,
            images_per_set,
            channels,
            groups,
            pixels,
            segment_pixels: pixels,
            segments: 1,
            epsilon: EPSILON,
        };
        twin::norm_combine(&params, &moments, &mut statistics);
        statistics
    }

    fn pool(&self, block: &Block, convolved: &[f64], statistics: &[f64], parameters: &[f64]) -> Vec<f64> {
        let (_, images_per_set, groups) = self.rows(block.images);
        let out = block.size / 2;
        let params = twin::NormForwardParams {
            images: block.images,
            channels: block.channels,
            height: block.size,
            width: block.size,
            out_height: out,
            out_width: out,
            groups,
            images_per_set,
            window: 2,
            floor: 0.0,
            ceiling: f32::MAX,
            output_offset: 0,
            images_per_task: ALL,
            parameter_stride: 0,
            weight_offset: block.scale,
            bias_offset: block.shift,
        };
        let mut pooled = vec![0.0; (block.images * block.channels * out * out) as usize];
        twin::norm_forward(&params, convolved, statistics, parameters, &mut pooled);
        pooled
    }

    /// Adds the classifier's gradient, and gives the mean loss and the embeddings' gradient.
    fn classify(
        &self,
        embeddings: &[f64],
        parameters: &[f64],
        labels: &[u32],
        gradient: &mut [f64],
    ) -> (f64, Vec<f64>) {
        let images = labels.len() as u32;
        let (in_features, out_features) = (embeddings.len() as u32 / images, self.ways);
        let (weight_offset, bias_offset) = (self.offset("classifier.weight"), self.offset("classifier.bias"));
        let params = twin::LinearForwardParams {
            first_image: 0,
            images,
            in_features,
            out_features,
            images_per_task: ALL,
            parameter_stride: 0,
            weight_offset,
            bias_offset,
            accumulate: 0,
        };
        let mut logits = vec![0.0; (images * self.ways) as usize];
        twin::linear_forward(&params, embeddings, parameters, &mut logits);
        let (loss, d_logits) = mean_loss(&logits, labels);
        let params = twin::LinearBackwardWeightParams {
            first_image: 0,
            images,
            in_features,
            out_features,
            images_per_task: ALL,
            gradient_stride: 0,
            weight_offset,
            bias_offset,
        };
        twin::linear_backward_weight(&params, embeddings, &d_logits, gradient);
        let params = twin::LinearBackwardInputParams {
            first_image: 0,
            images,
            in_features,
            out_features,
            images_per_task: ALL,
            parameter_stride: 0,
            weight_offset,
            accumulate: 0,
        };
        let mut d_embeddings = vec![0.0; embeddings.len()];
        twin::linear_backward_input(&params, &d_logits, parameters, &mut d_embeddings);
        (loss, d_embeddings)
    }

    /// Adds a block's gradient and gives that of its input.
    fn backward(&self, kept: &Kept, d_pooled: &[f64], parameters: &[f64], gradient: &mut [f64]) -> Vec<f64> {
        let Kept { block, convolved, statistics, .. } = kept;
        let (sets, images_per_set, groups) = self.rows(block.images);
        let (images, channels, size, out) = (block.images, block.channels, block.size, block.size / 2);
        let params = twin::NormBackwardSumsParams {
            images,
            channels,
            height: size,
            width: size,
            out_height: out,
            out_width: out,
            groups,
            images_per_set,
            window: 2,
            floor: 0.0,
            ceiling: f32::MAX,
            d_output_offset: 0,
            images_per_task: ALL,
            parameter_stride: 0,
            weight_offset: block.scale,
            bias_offset: block.shift,
            segment_cells: out * out,
            segments: 1,
        };
        let mut sums = vec![0.0; (2 * images * channels) as usize];
        twin::norm_backward_sums(&params, convolved, statistics, parameters, d_pooled, &mut sums);
        let params = twin::NormBackwardWeightParams {
            tasks: 1,
            images_per_task: images,
            channels,
            segments: 1,
            sum_values: 2,
            gradient_stride: 0,
            weight_offset: block.scale,
            bias_offset: block.shift,
        };
        twin::norm_backward_weight(&params, &sums, gradient);
        let params = twin::NormCombineBackwardParams {
            sets,
            images_per_set,
            channels,
            groups,
            segments: 1,
            images_per_task: ALL,
            parameter_stride: 0,
            weight_offset: block.scale,
        };
        let mut row_sums = vec![0.0; (2 * sets * groups) as usize];
        twin::norm_combine_backward(&params, &sums, parameters, &mut row_sums);
        let params = twin::NormBackwardInputParams {
            images,
            channels,
            height: size,
            width: size,
            out_height: out,
            out_width: out,
            groups,
            images_per_set,
            window: 2,
            floor: 0.0,
            ceiling: f32::MAX,
            d_output_offset: 0,
            images_per_task: ALL,
            parameter_stride: 0,
            weight_offset: block.scale,
            bias_offset: block.shift,
            coupled: u32::from(self.config.norm != Norm::Frozen),
        };
        let mut d_convolved = vec![0.0; convolved.len()];
        twin::norm_backward_input(&params, convolved, statistics, parameters, d_pooled, &row_sums, &mut d_convolved);
        convolve_back(kept, &d_convolved, parameters, gradient)
    }
}

fn convolve(block: &Block, input: &[f64], parameters: &[f64]) -> Vec<f64> {
    let params = twin::Conv2dForwardParams {
        images: block.images,
        in_channels: block.inputs,
        out_channels: block.channels,
        in_height: block.size,
        in_width: block.size,
        out_height: block.size,
        out_width: block.size,
        kernel: 3,
        stride: 1,
        padding: 1,
        images_per_task: ALL,
        parameter_stride: 0,
        weight_offset: block.weight,
        bias_offset: block.bias,
        accumulate: 0,
    };
    let mut output = vec![0.0; (block.images * block.channels * block.size * block.size) as usize];
    twin::conv2d_forward(&params, input, parameters, &mut output);
    output
}

/// Adds the convolution's gradient and gives that of its input.
fn convolve_back(kept: &Kept, d_convolved: &[f64], parameters: &[f64], gradient: &mut [f64]) -> Vec<f64> {
    let Kept { block, input, .. } = kept;
    let weights = block.channels * block.inputs * 9;
    let params = twin::Conv2dBackwardWeightParams {
        images: block.images,
        in_channels: block.inputs,
        out_channels: block.channels,
        in_height: block.size,
        in_width: block.size,
        out_height: block.size,
        out_width: block.size,
        kernel: 3,
        stride: 1,
        padding: 1,
        splits: 1,
        images_per_split: block.images,
        splits_per_task: 1,
        images_per_task: block.images,
    };
    let mut partials = vec![0.0; (weights + block.channels) as usize];
    twin::conv2d_backward_weight(&params, input, d_convolved, &mut partials);
    let params = twin::Conv2dReducePartialsParams {
        tasks: 1,
        splits_per_task: 1,
        weights,
        biases: block.channels,
        added: weights + block.channels,
        weight_offset: block.weight,
        bias_offset: block.bias,
        gradient_stride: 0,
    };
    twin::conv2d_reduce_partials(&params, &partials, gradient);
    let params = twin::Conv2dBackwardInputParams {
        images: block.images,
        in_channels: block.inputs,
        out_channels: block.channels,
        in_height: block.size,
        in_width: block.size,
        out_height: block.size,
        out_width: block.size,
        kernel: 3,
        stride: 1,
        padding: 1,
        images_per_task: ALL,
        parameter_stride: 0,
        weight_offset: block.weight,
        accumulate: 0,
    };
    let mut d_input = vec![0.0; input.len()];
    twin::conv2d_backward_input(&params, d_convolved, parameters, &mut d_input);
    d_input
}

/// The mean of −ln p_y over the rows of logits, and its gradient (p − y) / rows.
fn mean_loss(logits: &[f64], labels: &[u32]) -> (f64, Vec<f64>) {
    let ways = logits.len() / labels.len();
    let (rows, mut loss) = (labels.len() as f64, 0.0);
    let mut gradient = Vec::with_capacity(logits.len());
    for (row, &label) in logits.chunks_exact(ways).zip(labels) {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = row.iter().map(|logit| (logit - largest).exp()).sum();
        loss += (total.ln() - (row[label as usize] - largest)) / rows;
        for (way, logit) in row.iter().enumerate() {
            let target = f64::from(u8::from(way == label as usize));
            gradient.push(((logit - largest).exp() / total - target) / rows);
        }
    }
    (loss, gradient)
}
