//! Hessian-vector products of a whole Conv-4 with classifier, for tasks with parameters of their
//! own: against float64, their symmetry, and the ways to cut a pass.

use inkling_gpu::kernels::softmax_cross_entropy;
use inkling_gpu::{Allocate, Buffer, Category, Gpu, Recorder};
use inkling_nn::{
    Backbone, Chunk, Direction, Keep, Layout, Linear, Network, NetworkConfig, Norm, Pass, TangentChunk, TaskAxis,
    Trained, Weights, softmax_cross_entropy_tangent,
};

use super::fixture::{CHANNELS, message};
use super::gradient::{Closeness, Gradient, ORACLE, ROUNDING};
use super::network64::Network64;
use crate::Case;
use crate::kernels::{case_list, noise};

/// Height and width of the images: 20, 10, 5 and 2, so that the pooling drops a row.
const SIZE: u32 = 20;
const WAYS: u32 = 3;
/// Images of each task: in batch norm's chunks parts begin at multiples of eight.
const IMAGES: u32 = 10;
const TASKS: u32 = 3;
const NORMS: [Norm; 3] = [Norm::Group { groups: 2 }, Norm::Batch, Norm::Frozen];

pub fn cases() -> Vec<Case> {
    case_list![
        "hessian/equals_central_differences" => equals_central_differences,
        "hessian/is_symmetric" => is_symmetric,
        "hessian/chunks_are_one_pass" => chunks_are_one_pass,
        "hessian/tasks_are_single_tasks" => tasks_are_single_tasks,
        "hessian/shared_parameters_sum_over_tasks" => shared_parameters_sum_over_tasks,
    ]
}

/// Geometry, layout and numbers; what is on a device is made anew for every product.
pub(super) struct Problem {
    network: Network,
    classifier: Linear,
    layout: Layout,
    frozen: Vec<f32>,
    running: Vec<f32>,
    /// Of each task.
    images: u32,
}

/// Some tasks' parameters and images.
#[derive(Clone)]
pub(super) struct Tasks {
    axis: TaskAxis,
    pub(super) parameters: Vec<f32>,
    pixels: Vec<f32>,
    labels: Vec<u32>,
}

pub(super) struct Product {
    pub(super) embeddings: Vec<f32>,
    pub(super) gradient: Vec<f32>,
    pub(super) hv: Vec<f32>,
}

impl Problem {
    fn new(gpu: &Gpu, norm: Norm) -> Result<Self, String> {
        let config = NetworkConfig {
            backbone: Backbone::Conv4 { channels: CHANNELS },
            trained: Trained::All,
            in_channels: 2,
            image_size: SIZE,
            norm,
        };
        Self::of(gpu, config, IMAGES, 0.8)
    }

    /// Of any network, with tasks of so many images, and running variances around `variance`.
    pub(super) fn of(gpu: &Gpu, config: NetworkConfig, images: u32, variance: f32) -> Result<Self, String> {
        let network = Network::new(config, gpu.tier()).map_err(message)?;
        let mut layout = network.layout().clone();
        let classifier = Linear::new(&mut layout, "classifier", network.dimension(), WAYS);
        let mut running = vec![0.0; network.running().elements() as usize];
        for (seed, entry) in (50..).zip(network.running().entries()) {
            let is_variance = entry.name.ends_with("running_var");
            let spread = if is_variance { (0.375 * variance, variance) } else { (0.2, 0.0) };
            let slice = running.iter_mut().skip(entry.offset as usize);
            slice
                .zip(noise(seed, entry.length as usize))
                .for_each(|(value, noise)| *value = spread.0 * noise + spread.1);
        }
        let frozen = point_of(network.frozen(), 9);
        Ok(Self { network, classifier, layout, frozen, running, images })
    }

    fn stride(&self) -> u32 {
        self.layout.elements()
    }

    /// A flat vector of one task, its padding zero: weights of the size that He initialisation has.
    fn vector(&self, seed: u64, size: f32) -> Vec<f32> {
        vector_of(&self.layout, seed, size)
    }

    /// A point at which every norm's scale is near one.
    fn point(&self, seed: u64) -> Vec<f32> {
        point_of(&self.layout, seed)
    }

    /// Tasks `first..first + tasks`, each with parameters of its own.
    pub(super) fn tasks(&self, first: u32, tasks: u32) -> Tasks {
        let (images, pixels) = (self.images, self.images as usize * self.network.image_elements() as usize);
        let numbers = || (first..first + tasks).map(u64::from);
        Tasks {
            axis: TaskAxis::own(tasks, images, self.stride()),
            parameters: numbers().flat_map(|task| self.point(1 + task)).collect(),
            pixels: numbers().flat_map(|task| noise(10 + task, pixels)).collect(),
            labels: numbers()
                .flat_map(|task| (0..u64::from(images)).map(move |image| ((image + task) % 3) as u32))
                .collect(),
        }
    }

    /// Directions of tasks `first..first + tasks`.
    pub(super) fn directions(&self, seed: u64, first: u32, tasks: u32) -> Vec<f32> {
        (first..first + tasks).flat_map(|task| self.vector(seed + u64::from(task), 0.5)).collect()
    }

    /// The gradient of each task's mean loss and its product with the Hessian, the pass cut into
    /// chunks of these sizes.
    pub(super) async fn product(
        &self,
        gpu: &Gpu,
        tasks: &Tasks,
        direction: &[f32],
        chunks: &[u32],
    ) -> Result<Product, String> {
        let mut run = Run::new(gpu, self, tasks, direction, chunks).await?;
        run.gradient(self, tasks, chunks).await?;
        run.tangents(self, tasks, chunks).await?;
        Ok(Product {
            embeddings: run.recorder.read(run.embeddings.all()).await.map_err(message)?,
            gradient: run.recorder.read(run.gradient.all()).await.map_err(message)?,
            hv: run.recorder.read(run.hv.all()).await.map_err(message)?,
        })
    }

    /// Vectors of parameters that are trained and of those that are not, as one of a problem of which
    /// all are trained.
    pub(super) fn widened(&self, wide: &Self, trained: &[f32], frozen: &[f32]) -> Result<Vec<f32>, String> {
        let mut weights = Weights::default();
        weights.insert_flat(&self.layout, trained).map_err(message)?;
        weights.insert_flat(self.network.frozen(), frozen).map_err(message)?;
        let [vector] = weights.to_flat([&wide.layout], &[]).map_err(message)?;
        Ok(vector)
    }

    /// The parameters that are not trained.
    pub(super) fn frozen(&self) -> &[f32] {
        &self.frozen
    }

    /// By name; fails where padding is not zero.
    pub(super) fn by_name(&self, vector: &[f32]) -> Result<Gradient, String> {
        let mut weights = Weights::default();
        weights.insert_flat(&self.layout, vector).map_err(message)?;
        let [without_padding] = weights.to_flat([&self.layout], &[]).map_err(message)?;
        if without_padding != vector { Err("padding is not zero".into()) } else { Ok(Gradient::from(&weights)) }
    }

    fn by_name_f64(&self, vector: &[f64]) -> Gradient {
        let mut gradient = Gradient::default();
        for entry in self.layout.entries() {
            let slice = vector.iter().skip(entry.offset as usize).take(entry.length as usize);
            gradient.insert(&entry.name, slice.copied());
        }
        gradient
    }

    /// Each task's part of flat vectors, by name.
    pub(super) fn split(&self, vectors: &[f32]) -> Result<Vec<Gradient>, String> {
        vectors.chunks_exact(self.stride() as usize).map(|vector| self.by_name(vector)).collect()
    }
}

/// A flat vector, its padding zero: weights of the size that He initialisation has.
fn vector_of(layout: &Layout, seed: u64, size: f32) -> Vec<f32> {
    let mut vector = vec![0.0; layout.elements() as usize];
    for (seed, entry) in (100 * seed..).zip(layout.entries()) {
        let fan_in: usize = entry.shape.iter().skip(1).product();
        let spread = if entry.shape.len() > 1 { (6.0 / fan_in as f32).sqrt() } else { 0.3 };
        let slice = vector.iter_mut().skip(entry.offset as usize);
        slice.zip(noise(seed, entry.length as usize)).for_each(|(value, noise)| *value = size * spread * noise);
    }
    vector
}

/// The same with every norm's scale near one.
fn point_of(layout: &Layout, seed: u64) -> Vec<f32> {
    let mut point = vector_of(layout, seed, 1.0);
    let scales = layout.entries().iter().filter(|entry| entry.shape.len() == 1 && entry.name.ends_with(".weight"));
    for entry in scales {
        let slice = point.iter_mut().skip(entry.offset as usize).take(entry.length as usize);
        slice.for_each(|value| *value += 1.0);
    }
    point
}

/// The buffers of one product.
struct Run {
    recorder: Recorder,
    parameters: Buffer,
    frozen: Option<Buffer>,
    running: Buffer,
    direction: Buffer,
    labels: Buffer,
    scratch: inkling_nn::Scratch<Buffer>,
    direction_scratch: inkling_nn::DirectionScratch<Buffer>,
    chunks: Vec<Room>,
    embeddings: Buffer,
    embeddings_dot: Buffer,
    d_embeddings: Buffer,
    d_embeddings_dot: Buffer,
    logits: Buffer,
    logits_dot: Buffer,
    d_logits: Buffer,
    d_logits_dot: Buffer,
    outcomes: Buffer,
    gradient: Buffer,
    hv: Buffer,
}

struct Room {
    activations: inkling_nn::Activations<Buffer>,
    gradients: inkling_nn::Gradients<Buffer>,
    tangents: inkling_nn::Tangents<Buffer>,
    gradients_dot: inkling_nn::Gradients<Buffer>,
}

impl Run {
    async fn new(
        gpu: &Gpu,
        problem: &Problem,
        tasks: &Tasks,
        direction: &[f32],
        chunks: &[u32],
    ) -> Result<Self, String> {
        let (network, mut device) = (&problem.network, gpu.clone());
        let largest = chunks.iter().copied().max().unwrap_or(0);
        let (images, own) = (tasks.axis.all_images(), tasks.axis.tasks);
        let scratch = network.scratch(&mut device, largest, images, own).map_err(message)?;
        let direction_scratch = network.direction(&mut device, largest, images, own).map_err(message)?;
        let mut rooms = Vec::new();
        for &images in chunks {
            rooms.push(Room {
                activations: network.activations(&mut device, "test", images, Keep::Gradient).map_err(message)?,
                gradients: network.gradients(&mut device, "test", images).map_err(message)?,
                tangents: network.tangents(&mut device, "test", images).map_err(message)?,
                gradients_dot: network.gradients(&mut device, "test", images).map_err(message)?,
            });
        }
        let mut buffer = |elements: usize| device.values(Category::Workspace, "test", elements as u64).map_err(message);
        let (rows, logits) = ((images * network.dimension()) as usize, (images * WAYS) as usize);
        let vectors = match tasks.axis.gradient_stride {
            0 => problem.stride() as usize,
            stride => (tasks.axis.tasks * stride) as usize,
        };
        let mut run = Self {
            recorder: gpu.recorder().map_err(message)?,
            parameters: buffer(tasks.parameters.len())?,
            frozen: (!problem.frozen.is_empty()).then(|| buffer(problem.frozen.len())).transpose()?,
            running: buffer(problem.running.len())?,
            direction: buffer(direction.len())?,
            labels: buffer(tasks.labels.len())?,
            scratch,
            direction_scratch,
            chunks: rooms,
            embeddings: buffer(rows)?,
            embeddings_dot: buffer(rows)?,
            d_embeddings: buffer(rows)?,
            d_embeddings_dot: buffer(rows)?,
            logits: buffer(logits)?,
            logits_dot: buffer(logits)?,
            d_logits: buffer(logits)?,
            d_logits_dot: buffer(logits)?,
            outcomes: buffer(2 * images as usize)?,
            gradient: buffer(vectors)?,
            hv: buffer(vectors)?,
        };
        run.upload(problem, tasks, direction, chunks).await?;
        Ok(run)
    }

    async fn upload(
        &mut self,
        problem: &Problem,
        tasks: &Tasks,
        direction: &[f32],
        chunks: &[u32],
    ) -> Result<(), String> {
        let recorder = &mut self.recorder;
        recorder.upload_values(self.parameters.all(), &tasks.parameters).await.map_err(message)?;
        if let Some(frozen) = &self.frozen {
            recorder.upload_values(frozen.all(), &problem.frozen).await.map_err(message)?;
        }
        recorder.upload_values(self.running.all(), &problem.running).await.map_err(message)?;
        recorder.upload_values(self.direction.all(), direction).await.map_err(message)?;
        recorder.upload_values(self.labels.all(), &tasks.labels).await.map_err(message)?;
        let mut rest = tasks.pixels.as_slice();
        for (room, &images) in self.chunks.iter().zip(chunks) {
            let (part, after) = rest.split_at(images as usize * problem.network.image_elements() as usize);
            recorder.upload_values(room.activations.images.all(), part).await.map_err(message)?;
            rest = after;
        }
        Ok(())
    }

    fn laid_out<'r>(rooms: &'r [Room], chunks: &[u32]) -> Vec<TangentChunk<'r>> {
        let (mut laid_out, mut first_row) = (Vec::new(), 0);
        for (room, &images) in rooms.iter().zip(chunks) {
            let Room { activations, gradients, tangents, gradients_dot } = room;
            let chunk = Chunk { images, activations, gradients, first_row };
            laid_out.push(TangentChunk { chunk, tangents, gradients_dot });
            first_row += images;
        }
        laid_out
    }

    /// The gradient of the mean loss of each task.
    async fn gradient(&mut self, problem: &Problem, tasks: &Tasks, chunks: &[u32]) -> Result<(), String> {
        let Problem { network, classifier, .. } = problem;
        let axis = tasks.axis;
        let (parameters, running, scratch) = (&self.parameters, &self.running, &self.scratch);
        let pass = Pass { parameters, frozen: self.frozen.as_ref(), running, scratch, axis };
        let chunks: Vec<Chunk<'_>> = Self::laid_out(&self.chunks, chunks).iter().map(|chunk| chunk.chunk).collect();
        let (recorder, rows) = (&mut self.recorder, axis.rows());
        network.prepare(recorder, pass).map_err(message)?;
        network.forward(recorder, pass, &chunks, &self.embeddings).await.map_err(message)?;
        classifier.forward(recorder, rows, &self.embeddings, &self.parameters, &self.logits).map_err(message)?;
        let params = softmax_cross_entropy::Params {
            rows: rows.count,
            ways: WAYS,
            scale: 1.0 / axis.images as f32,
            rows_per_task: axis.images,
            task_stride: axis.images,
            label_offset: 0,
            outcome_offset: 0,
        };
        let buffers = softmax_cross_entropy::Buffers {
            logits: self.logits.all(),
            labels: self.labels.all(),
            d_logits: self.d_logits.all(),
            outcomes: self.outcomes.all(),
        };
        recorder.dispatch(params, buffers, u64::from(rows.count)).map_err(message)?;
        let (d_logits, gradient) = (&self.d_logits, &self.gradient);
        classifier.backward_weight(recorder, rows, &self.embeddings, d_logits, gradient).map_err(message)?;
        classifier.backward_input(recorder, rows, d_logits, &self.parameters, &self.d_embeddings).map_err(message)?;
        network.backward(recorder, pass, &chunks, &self.d_embeddings, gradient).await.map_err(message)
    }

    /// H·v, after [`Run::gradient`].
    async fn tangents(&mut self, problem: &Problem, tasks: &Tasks, chunks: &[u32]) -> Result<(), String> {
        let Problem { network, classifier, .. } = problem;
        let axis = tasks.axis;
        let (parameters, running, scratch) = (&self.parameters, &self.running, &self.scratch);
        let pass = Pass { parameters, frozen: self.frozen.as_ref(), running, scratch, axis };
        let direction = Direction { parameters: &self.direction, scratch: &self.direction_scratch };
        let chunks = Self::laid_out(&self.chunks, chunks);
        let (recorder, rows) = (&mut self.recorder, axis.rows());
        network.prepare_direction(recorder, pass, direction).map_err(message)?;
        network.tangent(recorder, pass, direction, &chunks, &self.embeddings_dot).await.map_err(message)?;
        let embeddings = (&self.embeddings, &self.embeddings_dot);
        let vectors = (&self.parameters, &self.direction);
        classifier.tangent(recorder, rows, embeddings, vectors, &self.logits_dot).map_err(message)?;
        let logits = (&self.logits, &self.logits_dot);
        let scale = 1.0 / axis.images as f32;
        softmax_cross_entropy_tangent(recorder, rows, WAYS, scale, logits, &self.d_logits_dot).map_err(message)?;
        let d_logits = (&self.d_logits, &self.d_logits_dot);
        let to = (&self.d_embeddings_dot, &self.hv);
        classifier.backward_tangent(recorder, rows, embeddings, d_logits, vectors, to).map_err(message)?;
        let (d_embeddings, d_embeddings_dot) = (&self.d_embeddings, &self.d_embeddings_dot);
        let propagated =
            network.backward_tangent(recorder, pass, direction, &chunks, d_embeddings, d_embeddings_dot, &self.hv);
        propagated.await.map_err(message)
    }
}

/// f32 against f64, forward over reverse: a product is some five times as many operations deep as a
/// gradient, and is measured against the weight beside it where a norm cancels a bias.
const HESSIAN: Closeness = Closeness { relative: 2.0 * ORACLE.relative, ..ORACLE };

async fn equals_central_differences(gpu: &Gpu) -> Result<(), String> {
    for norm in NORMS {
        let problem = Problem::new(gpu, norm)?;
        let (tasks, direction) = (problem.tasks(0, 1), problem.directions(5, 0, 1));
        let product = problem.product(gpu, &tasks, &direction, &[IMAGES]).await?;
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        let network = Network64 {
            config: problem.network.config(),
            layout: &problem.layout,
            running_layout: problem.network.running(),
            running: wide(&problem.running),
            ways: WAYS,
        };
        let (at, along, pixels) = (wide(&tasks.parameters), wide(&direction), wide(&tasks.pixels));
        let gradient = |step: f64| {
            let moved: Vec<f64> = at.iter().zip(&along).map(|(at, along)| at + step * along).collect();
            network.gradient(&moved, &pixels, &tasks.labels)
        };
        let expected = problem.by_name_f64(&gradient(0.0));
        problem.by_name(&product.gradient)?.check(&format!("gradient, {norm:?}"), &expected, ORACLE)?;
        // The gradient rounds at 1e-16 of itself, the difference then at 1e-9; ReLUs and argmaxes
        // that change within a step so small are none of some ten thousand.
        const STEP: f64 = 1e-7;
        let (above, below) = (gradient(STEP), gradient(-STEP));
        let difference: Vec<f64> =
            above.iter().zip(&below).map(|(above, below)| (above - below) / (2.0 * STEP)).collect();
        let expected = problem.by_name_f64(&difference);
        problem.by_name(&product.hv)?.check(&format!("H·v, {norm:?}"), &expected, HESSIAN)?;
    }
    Ok(())
}

async fn is_symmetric(gpu: &Gpu) -> Result<(), String> {
    for norm in NORMS {
        let problem = Problem::new(gpu, norm)?;
        let tasks = problem.tasks(0, TASKS);
        let (u, v) = (problem.directions(5, 0, TASKS), problem.directions(15, 0, TASKS));
        let chunks = [TASKS * IMAGES];
        let hu = problem.split(&problem.product(gpu, &tasks, &u, &chunks).await?.hv)?;
        let hv = problem.split(&problem.product(gpu, &tasks, &v, &chunks).await?.hv)?;
        for (task, (u, v)) in problem.split(&u)?.iter().zip(problem.split(&v)?.iter()).enumerate() {
            let (left, right) = (u.dot(&hv[task]), v.dot(&hu[task]));
            // Each element of a product is good to some 1e-6 of its norm; the errors of the sum over
            // elements are independent.
            let scale = (u.norm() * hv[task].norm()).max(v.norm() * hu[task].norm());
            let error = (left - right).abs() / scale;
            // Written so that a NaN fails.
            let close = error <= 1e-5;
            if !close || left.abs() < 1e-3 * scale {
                return Err(format!("{norm:?}, task {task}: uᵀHv = {left}, vᵀHu = {right}, off by {error:.1e}"));
            }
        }
    }
    Ok(())
}

async fn chunks_are_one_pass(gpu: &Gpu) -> Result<(), String> {
    for norm in NORMS {
        let problem = Problem::new(gpu, norm)?;
        let (tasks, direction) = (problem.tasks(0, TASKS), problem.directions(5, 0, TASKS));
        let whole = problem.product(gpu, &tasks, &direction, &[TASKS * IMAGES]).await?;
        let expected = problem.split(&whole.hv)?;
        let mut cuts: Vec<&[u32]> = vec![&[IMAGES, IMAGES, IMAGES], &[8, 2, 2 * IMAGES], &[2 * IMAGES, 8, 2]];
        if norm != Norm::Batch {
            let more: [&[u32]; 2] = [&[3, 7, 1, 9, 5, 5], &[1, 4, 5, 2 * IMAGES]];
            cuts.extend(more);
        }
        for chunks in cuts {
            let cut = problem.product(gpu, &tasks, &direction, chunks).await?;
            let what = format!("{norm:?}, chunks of {chunks:?}");
            if cut.embeddings != whole.embeddings {
                return Err(format!("{what}: other embeddings than in one chunk"));
            }
            for (found, expected) in problem.split(&cut.hv)?.iter().zip(&expected) {
                found.check(&what, expected, ROUNDING)?;
            }
        }
        if norm == Norm::Batch {
            continue;
        }
        // A chunk that cuts tasks is refused where tasks have parameters of their own.
        if problem.product(gpu, &tasks, &direction, &[15, 15]).await.is_ok() {
            return Err(format!("{norm:?}: a chunk that cuts a task was taken"));
        }
    }
    Ok(())
}

/// Bit for bit: a task's sums do not know of the others.
async fn tasks_are_single_tasks(gpu: &Gpu) -> Result<(), String> {
    for norm in NORMS {
        let problem = Problem::new(gpu, norm)?;
        let direction = problem.directions(5, 0, TASKS);
        let together = problem.product(gpu, &problem.tasks(0, TASKS), &direction, &[TASKS * IMAGES]).await?;
        let stride = problem.stride() as usize;
        for task in 0..TASKS {
            let direction = problem.directions(5, task, 1);
            let alone = problem.product(gpu, &problem.tasks(task, 1), &direction, &[IMAGES]).await?;
            let of = |vectors: &[f32]| vectors[task as usize * stride..][..stride].to_vec();
            if of(&together.gradient) != alone.gradient || of(&together.hv) != alone.hv {
                return Err(format!("{norm:?}, task {task}: another gradient or product than alone"));
            }
        }
    }
    Ok(())
}

/// One vector of parameters, of gradient and of direction for all tasks: the sums of the tasks'.
async fn shared_parameters_sum_over_tasks(gpu: &Gpu) -> Result<(), String> {
    for norm in NORMS {
        let problem = Problem::new(gpu, norm)?;
        let mut tasks = problem.tasks(0, TASKS);
        let (point, direction) = (problem.point(1), problem.directions(5, 0, 1));
        tasks.parameters = point.repeat(TASKS as usize);
        let own = problem.product(gpu, &tasks, &direction.repeat(TASKS as usize), &[TASKS * IMAGES]).await?;
        tasks.parameters = point;
        tasks.axis = TaskAxis::shared(TASKS, IMAGES);
        let cuts: [&[u32]; 2] = if norm == Norm::Batch { [&[30], &[20, 8, 2]] } else { [&[30], &[15, 7, 8]] };
        for chunks in cuts {
            let shared = problem.product(gpu, &tasks, &direction, chunks).await?;
            for (found, of_tasks) in [(&shared.gradient, &own.gradient), (&shared.hv, &own.hv)] {
                let mean = Gradient::mean(&problem.split(of_tasks)?);
                let expected = mean.scaled(f64::from(TASKS));
                problem.by_name(found)?.check(&format!("{norm:?}, chunks of {chunks:?}"), &expected, ROUNDING)?;
            }
        }
    }
    Ok(())
}
