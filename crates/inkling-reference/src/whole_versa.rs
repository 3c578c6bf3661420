//! The whole VERSA head as its twins compose it; see [`crate::whole_head`].

use crate::{
    EluBackwardParams, EluForwardParams, HeadGradient, HeadInput, LinearBackwardInputParams,
    LinearBackwardWeightParams, LinearForwardParams, PrototypeFinishParams, PrototypeFitParams, Real, elu_backward,
    elu_forward, linear_backward_input, linear_backward_weight, linear_forward, prototype_finish, prototype_fit,
};

/// A linear classifier that two perceptrons write from the class means (CNAPs). Its parameters are
/// those of A and then of B: weight and bias of three layers each, `[outputs, inputs]`.
#[derive(Clone, Copy, Debug)]
pub struct VersaHead {
    /// Features of each hidden layer.
    pub hidden: u32,
}

/// Parameters of a linear layer for rows that all share them.
#[derive(Clone, Copy)]
struct Layer {
    offset: u32,
    inputs: u32,
    outputs: u32,
}

impl Layer {
    fn forward<F: Real>(self, parameters: &[F], input: &[F]) -> Vec<F> {
        let images = input.len() as u32 / self.inputs;
        let mut output = vec![F::ZERO; (images * self.outputs) as usize];
        let params = LinearForwardParams {
            first_image: 0,
            images,
            in_features: self.inputs,
            out_features: self.outputs,
            images_per_task: images,
            parameter_stride: 0,
            weight_offset: self.offset,
            bias_offset: self.offset + self.inputs * self.outputs,
            accumulate: 0,
        };
        linear_forward(&params, input, parameters, &mut output);
        output
    }

    /// The gradient of the input; adds that of the parameters to `gradient`.
    fn backward<F: Real>(self, parameters: &[F], input: &[F], d_output: &[F], gradient: &mut [F]) -> Vec<F> {
        let images = input.len() as u32 / self.inputs;
        let params = LinearBackwardWeightParams {
            first_image: 0,
            images,
            in_features: self.inputs,
            out_features: self.outputs,
            images_per_task: images,
            gradient_stride: 0,
            weight_offset: self.offset,
            bias_offset: self.offset + self.inputs * self.outputs,
        };
        linear_backward_weight(&params, input, d_output, gradient);
        let mut d_input = vec![F::ZERO; input.len()];
        let params = LinearBackwardInputParams {
            first_image: 0,
            images,
            in_features: self.inputs,
            out_features: self.outputs,
            images_per_task: images,
            parameter_stride: 0,
            weight_offset: self.offset,
            accumulate: 0,
        };
        linear_backward_input(&params, d_output, parameters, &mut d_input);
        d_input
    }
}

/// Three layers with ELU between them, and what comes into each.
struct Perceptron<F> {
    layers: [Layer; 3],
    inputs: Vec<Vec<F>>,
    output: Vec<F>,
}

impl<F: Real> Perceptron<F> {
    fn new(layers: [Layer; 3], parameters: &[F], input: &[F]) -> Self {
        let mut inputs = vec![input.to_vec()];
        let mut output = Vec::new();
        for (number, layer) in layers.iter().enumerate() {
            output = layer.forward(parameters, &inputs[number]);
            if number < 2 {
                elu_forward(&EluForwardParams { elements: output.len() as u32 }, &mut output);
                inputs.push(output.clone());
            }
        }
        Self { layers, inputs, output }
    }

    fn backward(&self, parameters: &[F], d_output: &[F], gradient: &mut [F]) -> Vec<F> {
        let mut d_output = d_output.to_vec();
        for (number, layer) in self.layers.iter().enumerate().rev() {
            let mut d_input = layer.backward(parameters, &self.inputs[number], &d_output, gradient);
            if number > 0 {
                let params = EluBackwardParams { elements: d_input.len() as u32 };
                elu_backward(&params, &self.inputs[number], &mut d_input);
            }
            d_output = d_input;
        }
        d_output
    }
}

impl VersaHead {
    /// A's and B's layers.
    fn layers(self, dimension: u32) -> [[Layer; 3]; 2] {
        let mut offset = 0;
        let mut layer = |inputs, outputs| {
            let layer = Layer { offset, inputs, outputs };
            offset += (inputs + 1) * outputs;
            layer
        };
        [dimension, 1].map(|outputs| {
            [layer(dimension, self.hidden), layer(self.hidden, self.hidden), layer(self.hidden, outputs)]
        })
    }

    /// How many parameters there are for embeddings of `dimension` values.
    pub fn parameters(self, dimension: u32) -> usize {
        let [_, [_, _, last]] = self.layers(dimension);
        (last.offset + (last.inputs + 1) * last.outputs) as usize
    }

    /// Loss and gradients.
    pub fn run<F: Real>(&self, input: &HeadInput<'_, F>, parameters: &[F]) -> HeadGradient<F> {
        let HeadInput { tasks, ways, dimension, .. } = *input;
        let (support, queries) = (input.support(), input.query_count());
        let (classes, d) = ((tasks * ways) as usize, dimension as usize);
        let (mut prototypes, mut counts) = (vec![F::ZERO; classes * d], vec![F::ZERO; classes]);
        let params = PrototypeFitParams { tasks, support, ways, dimension };
        prototype_fit(&params, input.embeddings, input.support_labels, &mut prototypes, &mut counts);
        let [of_weight, of_bias] =
            self.layers(dimension).map(|layers| Perceptron::new(layers, parameters, &prototypes));
        let weights: Vec<F> = prototypes.iter().zip(&of_weight.output).map(|(&mean, &change)| mean + change).collect();

        let mut logits = vec![F::ZERO; (tasks * queries * ways) as usize];
        let class = |query: usize, way: usize| query / queries as usize * ways as usize + way;
        let ways = ways as usize;
        for (at, logit) in logits.iter_mut().enumerate() {
            let (query, class) = (at / ways, class(at / ways, at % ways));
            *logit = of_bias.output[class];
            for i in 0..d {
                *logit += input.queries[query * d + i] * weights[class * d + i];
            }
        }
        let (loss, d_logits) = input.cross_entropy(&logits);
        let mut d_queries = vec![F::ZERO; input.queries.len()];
        let (mut d_weights, mut d_biases) = (vec![F::ZERO; classes * d], vec![F::ZERO; classes]);
        for (at, &d_logit) in d_logits.iter().enumerate() {
            let (query, class) = (at / ways, class(at / ways, at % ways));
            d_biases[class] += d_logit;
            for i in 0..d {
                d_queries[query * d + i] += d_logit * weights[class * d + i];
                d_weights[class * d + i] += d_logit * input.queries[query * d + i];
            }
        }

        let mut gradient = vec![F::ZERO; parameters.len()];
        let through_weight = of_weight.backward(parameters, &d_weights, &mut gradient);
        let through_bias = of_bias.backward(parameters, &d_biases, &mut gradient);
        let d_prototypes: Vec<F> =
            (0..classes * d).map(|at| d_weights[at] + through_weight[at] + through_bias[at]).collect();
        let mut rows = vec![F::ZERO; input.embeddings.len()];
        let params = PrototypeFinishParams { tasks, support, ways: ways as u32, dimension };
        prototype_finish(&params, input.support_labels, &counts, &d_prototypes, &mut rows);
        HeadGradient { loss, rows, d_queries, parameters: gradient }
    }
}
