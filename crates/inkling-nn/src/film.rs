//! FiLM: small networks that turn what a task is like, a vector z for each task, into scales and
//! shifts of a network's norms (Perez et al. 2018; Requeima et al. 2019).
//!
//! For each norm there is one network for its scale and one for its shift: a linear layer, layer
//! norm, ReLU, a linear layer. All first layers are one matrix, all layer norms one group norm of as
//! many groups. A modulated vector has the layout of the network's parameters, so that the network
//! knows nothing of FiLM: each task has parameters of its own.

use inkling_gpu::kernels::{film_backward, film_backward_hidden, film_forward};
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder};

use crate::NnError;
use crate::axis::{Rows, Span, TaskAxis};
use crate::layout::Layout;
use crate::linear::Linear;
use crate::network::{Layer, Network};
use crate::norm::{Activation, Norm, NormContext, NormPart, NormPool, NormPoolShape};

/// Values in the hidden layer of each small network.
const HIDDEN: u32 = 64;
/// PyTorch's default.
const EPSILON: f32 = 1e-5;
/// Standard deviation of the initial sizes r of scales and shifts: at first a task changes little.
const INITIAL_SIZE: f32 = 1e-3;

/// Where a small network's last layer lies, and the size of its output: offsets in elements.
#[derive(Clone, Copy, Debug)]
struct Output {
    weight: u32,
    bias: u32,
    size: u32,
}

/// What modulates one norm.
#[derive(Clone, Copy, Debug)]
struct Modulation {
    channels: u32,
    /// Offsets of the norm's scale and shift in the network's parameters.
    scale: u32,
    shift: u32,
    gamma: Output,
    beta: Output,
}

/// The small networks of all norms: geometry and places of parameters, no memory.
#[derive(Clone, Debug)]
pub struct Film {
    hidden: Linear,
    norm: NormPool,
    modulations: Vec<Modulation>,
    /// Elements of the modulated vector of a task.
    stride: u32,
    /// λ of the loss term λ Σ r².
    regulariser: f32,
}

/// What the small networks work on.
#[derive(Debug)]
pub struct FilmBuffers<B> {
    /// `[tasks, hidden]` before and after the layer norms.
    pre: B,
    hidden: B,
    statistics: B,
    partials: B,
    row_sums: B,
    back: Option<Back<B>>,
}

#[derive(Debug)]
struct Back<B> {
    d_outputs: B,
    d_hidden: B,
    d_pre: B,
}

/// The vectors that FiLM reads.
#[derive(Clone, Copy, Debug)]
pub struct FilmInputs<'b> {
    /// Flat parameters, the small networks' among them.
    pub parameters: &'b Buffer,
    /// The network's own scales and shifts, flat.
    pub base: &'b Buffer,
    /// z, `[tasks, ·]`.
    pub z: &'b Buffer,
}

impl Film {
    /// Adds the small networks to `layout` for all norms of `network` that are trained, which read
    /// vectors z of `z_size` values. `regulariser` is λ of the term λ Σ r², in which r are the
    /// learned sizes of γ − 1 and β.
    ///
    /// # Errors
    /// [`NnError::Config`] where the network has no such norms.
    pub fn new(layout: &mut Layout, network: &Network, z_size: u32, regulariser: f32) -> Result<Self, NnError> {
        let norms = network.nodes.iter().filter_map(|node| match &node.layer {
            Layer::Norm(norm) if node.trained => Some((&node.name, norm)),
            _ => None,
        });
        let norms: Vec<(&String, &NormPool)> = norms.collect();
        let groups = 2 * norms.len() as u32;
        if groups == 0 {
            return Err(NnError::Config {
                key: "model.trained",
                value: "film".into(),
                reason: "the network has no norms that could be modulated".into(),
            });
        }
        let hidden = Linear::new(layout, "film.hidden", z_size, groups * HIDDEN);
        let shape =
            NormPoolShape { norm: Norm::Group { groups }, activation: Activation::Relu, window: 1, epsilon: EPSILON };
        // Group norm has no running statistics.
        let mut unused = Layout::default();
        let norm = NormPool::new(layout, &mut unused, "film.norm", shape, (groups * HIDDEN, [1, 1]))?;
        let mut modulations = Vec::with_capacity(norms.len());
        for (name, norm) in norms {
            let channels = norm.channels;
            let mut output = |kind: &str| Output {
                weight: layout.push(format!("film.{name}.{kind}.weight"), &[channels as usize, HIDDEN as usize]),
                bias: layout.push(format!("film.{name}.{kind}.bias"), &[channels as usize]),
                size: layout.push(format!("film.{name}.{kind}.size"), &[channels as usize]),
            };
            let (gamma, beta) = (output("gamma"), output("beta"));
            modulations.push(Modulation { channels, scale: norm.weight_offset, shift: norm.bias_offset, gamma, beta });
        }
        Ok(Self { hidden, norm, modulations, stride: network.layout().elements(), regulariser })
    }

    /// Elements from the modulated vector of one task to that of the next.
    pub fn stride(&self) -> u32 {
        self.stride
    }

    /// Floating-point operations of the small networks for one task.
    pub fn flops(&self) -> f64 {
        let outputs: f64 = self.modulations.iter().map(|modulation| 4.0 * f64::from(modulation.channels)).sum();
        f64::from(HIDDEN) * outputs + self.hidden.flops()
    }

    /// Writes initial values into a flat vector: linear layers by their number of inputs, norms one
    /// and zero, sizes near zero.
    pub fn initialize(&self, parameters: &mut [f32], mut normal: impl FnMut() -> f32) {
        let mut fill = |from: u32, count: u32, value: &mut dyn FnMut() -> f32| {
            parameters.iter_mut().skip(from as usize).take(count as usize).for_each(|element| *element = value());
        };
        let (weight, count, inputs) = self.hidden.weight_range();
        fill(weight, count, &mut || (1.0 / inputs as f32).sqrt() * normal());
        fill(self.norm.weight_offset, self.norm.channels, &mut || 1.0);
        for Modulation { channels, gamma, beta, .. } in &self.modulations {
            for output in [gamma, beta] {
                fill(output.weight, channels * HIDDEN, &mut || (1.0 / HIDDEN as f32).sqrt() * normal());
                fill(output.size, *channels, &mut || INITIAL_SIZE * normal());
            }
        }
    }

    /// Room for passes of up to `tasks` tasks; without what only gradients need where there are none.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn buffers<A: Allocate>(
        &self,
        allocate: &mut A,
        tasks: u32,
        has_gradient: bool,
    ) -> Result<FilmBuffers<A::Buffer>, GpuError> {
        let hidden = u64::from(tasks) * u64::from(self.norm.channels);
        let channels = self.modulations.iter().map(|modulation| modulation.channels).max().unwrap_or(0);
        let mut values = |name: &str, elements| allocate.values(Category::Workspace, &format!("film.{name}"), elements);
        Ok(FilmBuffers {
            pre: values("pre", hidden)?,
            hidden: values("hidden", hidden)?,
            statistics: values("statistics", self.norm.statistics_elements(tasks))?,
            partials: values("partials", self.norm.partial_elements(tasks))?,
            row_sums: values("row_sums", self.norm.statistics_elements(tasks))?,
            back: has_gradient
                .then(|| {
                    Ok::<_, GpuError>(Back {
                        d_outputs: values("d_outputs", 2 * u64::from(tasks) * u64::from(channels))?,
                        d_hidden: values("d_hidden", hidden)?,
                        d_pre: values("d_pre", hidden)?,
                    })
                })
                .transpose()?,
        })
    }

    /// Writes the modulated vector of each task, `[tasks, stride]`; its padding stays.
    ///
    /// # Errors
    /// Device errors.
    pub fn forward(
        &self,
        recorder: &mut Recorder,
        tasks: u32,
        inputs: FilmInputs<'_>,
        buffers: &FilmBuffers<Buffer>,
        film: &Buffer,
    ) -> Result<(), GpuError> {
        let FilmInputs { parameters, base, z } = inputs;
        self.hidden.forward(recorder, rows(tasks), z, parameters, &buffers.pre)?;
        let context = self.context(tasks, parameters, buffers);
        let part = self.part(tasks, buffers);
        self.norm.statistics(recorder, &[part], context, parameters)?;
        self.norm.forward(recorder, tasks, &buffers.pre, context, (&buffers.hidden, 0))?;
        for (number, modulation) in (0..).zip(&self.modulations) {
            let Modulation { channels, scale, shift, gamma, beta } = *modulation;
            let params = film_forward::Params {
                tasks,
                channels,
                hidden_stride: self.norm.channels,
                hidden_offset: 2 * HIDDEN * number,
                film_stride: self.stride,
                scale_offset: scale,
                shift_offset: shift,
                gamma_weight: gamma.weight,
                gamma_bias: gamma.bias,
                gamma_size: gamma.size,
                beta_weight: beta.weight,
                beta_bias: beta.bias,
                beta_size: beta.size,
            };
            let bindings = film_forward::Buffers {
                parameters: parameters.all(),
                base: base.all(),
                hidden: buffers.hidden.all(),
                film: film.all(),
            };
            recorder.dispatch(params, bindings, u64::from(tasks) * u64::from(channels))?;
        }
        Ok(())
    }

    /// From the gradient of the modulated vectors, `[tasks, stride]`, to that of z, `[tasks, ·]`;
    /// adds those of the small networks' parameters, and of the regulariser once for each task, to
    /// the flat `gradient`. The buffers must be those of [`Film::forward`] for the same tasks.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward(
        &self,
        recorder: &mut Recorder,
        tasks: u32,
        inputs: FilmInputs<'_>,
        buffers: &FilmBuffers<Buffer>,
        (d_film, d_z, gradient): (&Buffer, &Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        let Some(back) = &buffers.back else { return Ok(()) };
        let parameters = inputs.parameters;
        for (number, modulation) in (0..).zip(&self.modulations) {
            let hidden_offset = 2 * HIDDEN * number;
            self.backward_last(recorder, (tasks, hidden_offset), modulation, inputs, buffers, (d_film, gradient))?;
            let params = film_backward_hidden::Params {
                tasks,
                channels: modulation.channels,
                hidden_stride: self.norm.channels,
                hidden_offset,
                gamma_weight: modulation.gamma.weight,
                beta_weight: modulation.beta.weight,
            };
            let bindings = film_backward_hidden::Buffers {
                parameters: parameters.all(),
                d_outputs: back.d_outputs.all(),
                d_hidden: back.d_hidden.all(),
            };
            recorder.dispatch(params, bindings, u64::from(tasks) * u64::from(2 * HIDDEN))?;
        }
        let part = NormPart { d_output: &back.d_hidden, d_input: Some(&back.d_pre), ..self.part(tasks, buffers) };
        self.norm.backward(recorder, &[part], self.context(tasks, parameters, buffers), Some(gradient))?;
        self.hidden.backward_weight(recorder, rows(tasks), inputs.z, &back.d_pre, gradient)?;
        self.hidden.backward_input(recorder, rows(tasks), &back.d_pre, parameters, d_z)
    }

    fn backward_last(
        &self,
        recorder: &mut Recorder,
        (tasks, hidden_offset): (u32, u32),
        modulation: &Modulation,
        inputs: FilmInputs<'_>,
        buffers: &FilmBuffers<Buffer>,
        (d_film, gradient): (&Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        let Some(back) = &buffers.back else { return Ok(()) };
        let Modulation { channels, scale, shift, gamma, beta } = *modulation;
        let params = film_backward::Params {
            tasks,
            channels,
            hidden_stride: self.norm.channels,
            hidden_offset,
            film_stride: self.stride,
            scale_offset: scale,
            shift_offset: shift,
            gamma_weight: gamma.weight,
            gamma_bias: gamma.bias,
            gamma_size: gamma.size,
            beta_weight: beta.weight,
            beta_bias: beta.bias,
            beta_size: beta.size,
            decay: 2.0 * self.regulariser * tasks as f32,
        };
        let bindings = film_backward::Buffers {
            parameters: inputs.parameters.all(),
            base: inputs.base.all(),
            hidden: buffers.hidden.all(),
            d_film: d_film.all(),
            d_outputs: back.d_outputs.all(),
            gradient: gradient.all(),
        };
        recorder.dispatch(params, bindings, u64::from(2 * channels))
    }

    fn part<'b>(&self, tasks: u32, buffers: &'b FilmBuffers<Buffer>) -> NormPart<'b> {
        // A forward pass has no gradients, and reads none.
        let d_output = &buffers.pre;
        NormPart { images: tasks, first: 0, input: &buffers.pre, d_output, d_output_offset: 0, d_input: None }
    }

    fn context<'b>(&self, tasks: u32, parameters: &'b Buffer, buffers: &'b FilmBuffers<Buffer>) -> NormContext<'b> {
        NormContext {
            span: Span::shared(tasks),
            parameters,
            statistics: &buffers.statistics,
            partials: &buffers.partials,
            row_sums: &buffers.row_sums,
        }
    }
}

/// A row for each task, whose parameters are shared.
fn rows(tasks: u32) -> Rows {
    TaskAxis::shared(1, tasks).rows()
}
