//! How much arithmetic and memory traffic each layer takes at least, and under which numbers a
//! recorder finds the time that it took.

use super::{Layer, Network, Node};

/// What one layer computes, reads and writes.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWork {
    /// That of its parameters, or a number.
    pub name: String,
    /// What it is, with its kernel and stride.
    pub kind: String,
    /// Channels, height and width of its output.
    pub out_shape: [u32; 3],
    /// Elements of its weights; read once a pass.
    pub weights: u64,
    /// Floating-point operations for one image, forward: of convolutions alone.
    pub forward_flops: f64,
    /// Elements read and written for one image, forward: every input and every output once.
    pub forward_elements: u64,
    /// Floating-point operations for one image, backward.
    pub backward_flops: f64,
    /// Elements read and written for one image, backward; none where no gradient comes by.
    pub backward_elements: u64,
}

impl Network {
    /// The work of every layer, in the order in which they run.
    pub fn layer_work(&self) -> Vec<LayerWork> {
        self.nodes.iter().enumerate().map(|(number, node)| self.work(number, node)).collect()
    }

    /// Where a recorder counts the forward pass of layer `number`.
    pub fn forward_scope(&self, number: usize) -> u32 {
        number as u32
    }

    /// Where a recorder counts the backward pass of layer `number`.
    pub fn backward_scope(&self, number: usize) -> u32 {
        (self.nodes.len() + number) as u32
    }

    /// Where a recorder counts [`Network::prepare`].
    pub fn prepare_scope(&self) -> u32 {
        2 * self.nodes.len() as u32
    }

    fn work(&self, number: usize, node: &Node) -> LayerWork {
        let inputs: u64 = node.inputs.iter().map(|&input| self.elements(input)).sum();
        let outputs = self.elements(number + 1);
        let window = |[kernel, stride]: [u32; 2]| match stride {
            1 => format!("{kernel}×{kernel}"),
            _ => format!("{kernel}×{kernel}, stride {stride}"),
        };
        let (kind, weights) = match &node.layer {
            Layer::Conv(conv) => (window(conv.window()), conv.weight_range().1),
            Layer::Depthwise(conv) => (format!("depthwise {}", window(conv.window())), conv.weight_range().1),
            Layer::Norm(norm) => ("norm".to_owned(), 2 * norm.channels),
            Layer::Sum(_) => ("sum".to_owned(), 0),
            Layer::AveragePool(_) => ("mean over pixels".to_owned(), 0),
            Layer::Plain(_) => (node.name.clone(), 0),
        };
        let (to_input, to_weights) = (self.is_reached(node.input()), node.trained);
        let backward_elements = match &node.layer {
            // The gradient of the input from that of the output, and that of the weights from both.
            Layer::Conv(_) | Layer::Depthwise(_) => (u64::from(to_input) + u64::from(to_weights)) * (inputs + outputs),
            // Activations are read to be open or closed.
            Layer::Norm(_) if to_input || to_weights => inputs + outputs + if to_input { inputs } else { 0 },
            Layer::AveragePool(_) if to_input => inputs + outputs,
            // What is kept of the forward pass, and both gradients.
            Layer::Plain(_) if to_input => 2 * inputs + outputs,
            // The gradient of a sum is that of its summands.
            Layer::Norm(_) | Layer::AveragePool(_) | Layer::Sum(_) | Layer::Plain(_) => 0,
        };
        let shape = self.shapes.get(number + 1).map_or([0; 3], |shape| [shape.channels, shape.size[0], shape.size[1]]);
        LayerWork {
            name: node.name.clone(),
            kind,
            out_shape: shape,
            weights: weights.into(),
            forward_flops: super::flops(node),
            forward_elements: inputs + outputs,
            backward_flops: f64::from(u8::from(to_input) + u8::from(to_weights)) * super::flops(node),
            backward_elements,
        }
    }
}
