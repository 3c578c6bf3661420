//! The buffers of a network's passes, handed out by a device or written down by a plan.

use inkling_gpu::{Allocate, Category, GpuError};

use super::places::Places;
use super::{Layer, Network};
use crate::conv2d::PackedWeights;
use crate::norm::{Norm, NormPool};

/// What a forward pass leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The embeddings alone.
    Nothing,
    /// What [`Network::backward`] reads, and [`Network::tangent`] and [`Network::backward_tangent`].
    Gradient,
}

/// The values of one chunk of images.
#[derive(Debug)]
pub struct Activations<B> {
    /// Normalised images, `[images, channels, height, width]`.
    pub images: B,
    /// A key for each image, `[images]`, where the network drops; what is dropped of an image is a
    /// function of its key, and with key zero nothing is.
    pub keys: Option<B>,
    places: Vec<Option<usize>>,
    buffers: Vec<B>,
    /// Norm statistics by node; where several chunks hold one task, with the first.
    statistics: Vec<Option<B>>,
}

/// Gradients of one chunk's values on their way back.
#[derive(Debug)]
pub struct Gradients<B> {
    places: Vec<Option<usize>>,
    buffers: Vec<B>,
}

/// What one chunk of images keeps from [`Network::tangent`] for [`Network::backward_tangent`].
#[derive(Debug)]
pub struct Tangents<B> {
    places: Vec<Option<usize>>,
    buffers: Vec<B>,
    /// The values whose tangents are zero, and read as such.
    zeros: Vec<usize>,
    /// Beside the statistics of each norm, and with the same chunk.
    sums: Vec<Option<B>>,
}

/// What every pass shares: partial sums and packed weights.
#[derive(Debug)]
pub struct Scratch<B> {
    pub(super) norm_partials: B,
    pub(super) row_sums: B,
    pub(super) weight_partials: B,
    pub(super) packed: Packed<B>,
}

/// What every product with a direction shares: partial sums, and the direction's packed weights.
#[derive(Debug)]
pub struct DirectionScratch<B> {
    pub(super) norm_partials: B,
    pub(super) norm_rows: B,
    pub(super) packed: Packed<B>,
}

/// Packed weights by node.
pub(super) type Packed<B> = Vec<Option<PackedWeights<B>>>;

fn at<'b, B>(places: &[Option<usize>], buffers: &'b [B], value: usize) -> Option<&'b B> {
    places.get(value).copied().flatten().and_then(|place| buffers.get(place))
}

impl<B> Activations<B> {
    /// A value's buffer; the last value is written elsewhere.
    pub(super) fn value(&self, value: usize) -> Option<&B> {
        if value == 0 { Some(&self.images) } else { at(&self.places, &self.buffers, value) }
    }

    pub(super) fn statistics(&self, node: usize) -> Option<&B> {
        self.statistics.get(node)?.as_ref()
    }
}

impl<B> Gradients<B> {
    /// The buffer of a value's gradient; images have none, and the last value's comes from outside.
    pub(super) fn value(&self, value: usize) -> Option<&B> {
        at(&self.places, &self.buffers, value)
    }
}

impl<B> Tangents<B> {
    /// The buffer of a value's tangent; images have none, nor have values that depend on nothing
    /// trained, and the last value's goes elsewhere.
    pub(super) fn value(&self, value: usize) -> Option<&B> {
        at(&self.places, &self.buffers, value)
    }

    /// The buffers that have to be zero.
    pub(super) fn zeros(&self) -> impl Iterator<Item = &B> {
        self.zeros.iter().filter_map(|&value| self.value(value))
    }

    pub(super) fn sums(&self, node: usize) -> Option<&B> {
        self.sums.get(node)?.as_ref()
    }
}

impl Network {
    /// Room for the values of a chunk of up to `images` images.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn activations<A: Allocate>(
        &self,
        allocate: &mut A,
        name: &str,
        images: u32,
        keep: Keep,
    ) -> Result<Activations<A::Buffer>, GpuError> {
        let inputs = u64::from(images) * self.image_elements();
        let inputs = allocate.values(Category::Activations, &format!("{name}.images"), inputs)?;
        let Places { of_value, elements, .. } = self.value_places(|_| true, |value| self.is_kept(value, keep));
        let buffers = self.chunk_buffers(allocate, name, images, (&elements, Category::Activations))?;
        let statistics = self.by_norm(allocate, &format!("{name}.statistics"), images)?;
        let key = |allocate: &mut A| allocate.values(Category::Workspace, &format!("{name}.keys"), u64::from(images));
        let keys = self.drops().then(|| key(allocate)).transpose()?;
        Ok(Activations { images: inputs, keys, places: of_value, buffers, statistics })
    }

    /// Room for the gradients of a chunk's values.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn gradients<A: Allocate>(
        &self,
        allocate: &mut A,
        name: &str,
        images: u32,
    ) -> Result<Gradients<A::Buffer>, GpuError> {
        let Places { of_value, elements, .. } = self.gradient_places();
        let buffers = self.chunk_buffers(allocate, name, images, (&elements, Category::Workspace))?;
        Ok(Gradients { places: of_value, buffers })
    }

    /// Room for the tangents of the values of a chunk of up to `images` images.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn tangents<A: Allocate>(
        &self,
        allocate: &mut A,
        name: &str,
        images: u32,
    ) -> Result<Tangents<A::Buffer>, GpuError> {
        let Places { of_value, elements, .. } =
            self.value_places(|value| self.has_tangent(value), |value| self.is_tangent_kept(value));
        let buffers = self.chunk_buffers(allocate, name, images, (&elements, Category::Activations))?;
        let sums = self.by_norm(allocate, &format!("{name}.sums"), images)?;
        let is_zero = |&value: &usize| self.has_tangent(value) && !self.is_reached(value);
        let zeros = (1..self.nodes.len()).filter(is_zero).collect();
        Ok(Tangents { places: of_value, buffers, zeros, sums })
    }

    /// Scratch for passes of up to `pass_images` images in chunks of up to `chunk_images`, with up
    /// to `own_parameters` tasks that have parameters or gradients of their own (1: all share them).
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn scratch<A: Allocate>(
        &self,
        allocate: &mut A,
        chunk_images: u32,
        pass_images: u32,
        own_parameters: u32,
    ) -> Result<Scratch<A::Buffer>, GpuError> {
        let images = self.norm_images(chunk_images, pass_images);
        let weight_partials = self.nodes.iter().filter(|node| node.trained).map(|node| match &node.layer {
            Layer::Conv(conv) => conv.partial_elements(chunk_images, own_parameters),
            Layer::Depthwise(conv) => conv.partial_elements(chunk_images, own_parameters),
            Layer::Norm(_) | Layer::Sum(_) | Layer::AveragePool(_) | Layer::Plain(_) => 0,
        });
        let weight_partials = weight_partials.max().unwrap_or(0);
        let packed = self.packed(allocate, "weights", own_parameters, |_| true)?;
        let mut values = |name: &str, elements| allocate.values(Category::Workspace, name, elements);
        Ok(Scratch {
            norm_partials: values("norm.partials", self.largest_norm(|norm| norm.partial_elements(images)))?,
            row_sums: values("norm.row_sums", self.largest_norm(|norm| norm.statistics_elements(images)))?,
            weight_partials: values("conv.weight_partials", weight_partials)?,
            packed,
        })
    }

    /// Scratch for the products of passes of up to `pass_images` images in chunks of up to
    /// `chunk_images`, with up to `own_parameters` tasks that have parameters of their own (1: all
    /// share them): the sizes given to [`Network::scratch`].
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn direction<A: Allocate>(
        &self,
        allocate: &mut A,
        chunk_images: u32,
        pass_images: u32,
        own_parameters: u32,
    ) -> Result<DirectionScratch<A::Buffer>, GpuError> {
        let images = self.norm_images(chunk_images, pass_images);
        let partials = self.largest_norm(|norm| norm.tangent_partial_elements(images));
        let rows = self.largest_norm(|norm| norm.tangent_row_elements(images));
        Ok(DirectionScratch {
            norm_partials: allocate.values(Category::Workspace, "direction.norm.partials", partials)?,
            norm_rows: allocate.values(Category::Workspace, "direction.norm.rows", rows)?,
            packed: self.packed(allocate, "direction", own_parameters, |node| node.trained)?,
        })
    }

    /// The most images whose statistics belong to one stretch.
    fn norm_images(&self, chunk_images: u32, pass_images: u32) -> u32 {
        if self.couples_images() { pass_images } else { chunk_images }
    }

    /// The most that any norm needs which sums over pixels: one whose statistics come from the
    /// images, or through which gradients go.
    fn largest_norm(&self, elements: impl Fn(&NormPool) -> u64) -> u64 {
        let summed = |(number, node): (usize, &super::Node)| match &node.layer {
            Layer::Norm(norm) if norm.norm != Norm::Frozen || self.is_reached(number + 1) => Some(elements(norm)),
            _ => None,
        };
        self.nodes.iter().enumerate().filter_map(summed).max().unwrap_or(0)
    }

    fn packed<A: Allocate>(
        &self,
        allocate: &mut A,
        name: &str,
        tasks: u32,
        has: impl Fn(&super::Node) -> bool,
    ) -> Result<Packed<A::Buffer>, GpuError> {
        let pack = |node: &super::Node| match &node.layer {
            Layer::Conv(conv) if has(node) => {
                let tasks = if node.trained { tasks } else { 1 };
                let backward = self.is_reached(node.input());
                conv.packed(allocate, &format!("{name}.{}", node.name), backward, tasks).map(Some)
            }
            _ => Ok(None),
        };
        self.nodes.iter().map(pack).collect()
    }

    fn chunk_buffers<A: Allocate>(
        &self,
        allocate: &mut A,
        name: &str,
        images: u32,
        (elements, category): (&[u64], Category),
    ) -> Result<Vec<A::Buffer>, GpuError> {
        let one = |(number, elements): (usize, &u64)| {
            allocate.values(category, &format!("{name}.{number}"), u64::from(images) * elements)
        };
        elements.iter().enumerate().map(one).collect()
    }

    /// A pair of values for each row of every norm.
    fn by_norm<A: Allocate>(
        &self,
        allocate: &mut A,
        name: &str,
        images: u32,
    ) -> Result<Vec<Option<A::Buffer>>, GpuError> {
        let one = |node: &super::Node| match &node.layer {
            Layer::Norm(norm) => {
                let elements = norm.statistics_elements(images);
                allocate.values(Category::Activations, &format!("{name}.{}", node.name), elements).map(Some)
            }
            _ => Ok(None),
        };
        self.nodes.iter().map(one).collect()
    }

    /// Where a forward pass puts its values, or their tangents: what is kept stays, the others share.
    fn value_places(&self, has: impl Fn(usize) -> bool, is_kept: impl Fn(usize) -> bool) -> Places {
        let mut places = Places::new(self.shapes.len());
        let last = self.nodes.len();
        for (number, node) in self.nodes.iter().enumerate() {
            let value = number + 1;
            if value < last && has(value) {
                let elements = self.elements(value);
                if is_kept(value) { places.keep(value, elements) } else { places.take(value, elements) }
            }
            for &input in &node.inputs {
                let is_last_use = self.nodes.iter().skip(value).all(|later| !later.inputs.contains(&input));
                if is_last_use && !is_kept(input) {
                    places.release(input);
                }
            }
        }
        places
    }

    /// The layers that read a value, and the numbers of those that they write.
    fn readers(&self, value: usize) -> impl Iterator<Item = (usize, &super::Node)> {
        let numbered = self.nodes.iter().enumerate().map(|(number, node)| (number + 1, node));
        numbered.filter(move |(_, node)| node.inputs.contains(&value))
    }

    fn is_kept(&self, value: usize, keep: Keep) -> bool {
        let is_read = |(output, node): (usize, &super::Node)| match &node.layer {
            Layer::Conv(_) | Layer::Depthwise(_) => node.trained,
            Layer::Norm(_) => self.is_reached(output),
            Layer::Plain(plain) => plain.keeps_inputs() && self.is_reached(output),
            Layer::Sum(_) | Layer::AveragePool(_) => false,
        };
        match keep {
            Keep::Nothing => false,
            Keep::Gradient => self.readers(value).any(is_read) || self.is_kept_as_output(value),
        }
    }

    /// Whether a value's tangent has a buffer: it is none of zeros, or a layer reads it whose other
    /// input, scale or shift has a tangent. Convolutions do without zeros.
    fn has_tangent(&self, value: usize) -> bool {
        let reads_zeros = |(output, node): (usize, &super::Node)| {
            self.is_reached(output) && !matches!(node.layer, Layer::Conv(_) | Layer::Depthwise(_))
        };
        value > 0 && (self.is_reached(value) || self.readers(value).any(reads_zeros))
    }

    /// Whether the way back reads a value's tangent. Zeros are written once, and so kept.
    fn is_tangent_kept(&self, value: usize) -> bool {
        let is_read = |(output, node): (usize, &super::Node)| match &node.layer {
            Layer::Conv(_) | Layer::Depthwise(_) => node.trained,
            Layer::Norm(_) => self.is_reached(output),
            Layer::Plain(plain) => plain.keeps_input_tangents() && self.is_reached(output),
            Layer::Sum(_) | Layer::AveragePool(_) => false,
        };
        !self.is_reached(value) || self.readers(value).any(is_read)
    }

    /// Whether the way back through the layer that wrote a value reads it.
    fn is_kept_as_output(&self, value: usize) -> bool {
        let writer = value.checked_sub(1).and_then(|number| self.nodes.get(number));
        let is_read = |node: &super::Node| matches!(&node.layer, Layer::Plain(plain) if plain.keeps_output());
        self.is_reached(value) && writer.is_some_and(is_read)
    }

    /// Where a backward pass puts the gradients of values. The summands of a sum have its gradient
    /// in common: each of them is read before another layer adds to it, because what lies between
    /// a summand and the sum comes first on the way back.
    fn gradient_places(&self) -> Places {
        let mut places = Places::new(self.shapes.len());
        for (number, node) in self.nodes.iter().enumerate().rev() {
            let value = number + 1;
            for &input in node.inputs.iter().filter(|&&input| self.is_reached(input)) {
                match &node.layer {
                    _ if places.of(input).is_some() => {}
                    Layer::Sum(_) => places.share(input, value),
                    _ => places.take(input, self.elements(input)),
                }
            }
            places.release(value);
        }
        places
    }
}
