//! Shapes and numbers that the normalisation kernels are tested on.

use super::bench::noise;

/// What a normalisation is applied to.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub images: u32,
    pub channels: u32,
    pub height: u32,
    pub width: u32,
    pub groups: u32,
    pub images_per_set: u32,
    pub window: u32,
    pub bounds: [f32; 2],
    pub images_per_task: u32,
}

/// No activation, a ReLU, and one with a ceiling within the values' reach.
const LINEAR: [f32; 2] = [f32::MIN, f32::MAX];
pub const RELU: [f32; 2] = [0.0, f32::MAX];
const CEILING: [f32; 2] = [0.0, 1.0];
const ACTIVATIONS: [[f32; 2]; 3] = [LINEAR, RELU, CEILING];

/// `[images, channels, height, width], [groups, images_per_set], [window, activation],
/// images_per_task`
const fn shape(size: [u32; 4], rows: [u32; 2], pool: [u32; 2], images_per_task: u32) -> Shape {
    let [images, channels, height, width] = size;
    let [groups, images_per_set] = rows;
    let [window, activation] = pool;
    let bounds = ACTIVATIONS[activation as usize];
    Shape { images, channels, height, width, groups, images_per_set, window, bounds, images_per_task }
}

pub const SHAPES: &[Shape] = &[
    shape([1, 1, 1, 1], [1, 1], [1, 0], 1),
    shape([2, 3, 2, 2], [1, 1], [2, 1], 2),
    // Group norm; odd sizes, whose last row and column the pooling drops.
    shape([3, 6, 5, 7], [3, 1], [2, 1], 1),
    shape([6, 4, 13, 17], [2, 1], [2, 0], 3),
    shape([2, 6, 5, 3], [6, 1], [1, 1], 1),
    shape([3, 4, 6, 5], [2, 1], [1, 2], 3),
    shape([2, 6, 9, 8], [3, 1], [2, 2], 1),
    // Batch norm of two sets.
    shape([4, 5, 7, 6], [5, 2], [2, 1], 4),
    shape([4, 5, 3, 11], [5, 2], [1, 1], 2),
    // Frozen statistics: one set.
    shape([7, 3, 4, 9], [3, 7], [2, 1], 7),
    shape([3, 8, 28, 28], [4, 1], [2, 1], 3),
];

/// Offsets within one task's flat vector, with elements between and behind that belong to others.
pub const WEIGHT_OFFSET: u32 = 3;
pub const OUTPUT_OFFSET: u32 = 5;

impl Shape {
    pub fn out_height(&self) -> u32 {
        self.height / self.window
    }

    pub fn out_width(&self) -> u32 {
        self.width / self.window
    }

    pub fn cells(&self) -> u32 {
        self.out_height() * self.out_width()
    }

    pub fn planes(&self) -> u32 {
        self.images * self.channels
    }

    pub fn pixels(&self) -> u32 {
        self.height * self.width
    }

    pub fn rows(&self) -> u32 {
        self.images / self.images_per_set * self.groups
    }

    pub fn tasks(&self) -> u32 {
        self.images / self.images_per_task
    }

    pub fn bias_offset(&self) -> u32 {
        WEIGHT_OFFSET + self.channels + 2
    }

    pub fn stride(&self) -> u32 {
        self.bias_offset() + self.channels + 1
    }
}

/// Inputs of a normalisation.
pub struct NormData {
    /// `[images, channels, height, width]`, within ±3.
    pub input: Vec<f32>,
    /// `[rows, 2]`: means within ±½, rstd from ½ to 2.
    pub statistics: Vec<f32>,
    /// `[tasks, stride]`, within ±1; the second weight of each task is zero.
    pub parameters: Vec<f32>,
}

impl NormData {
    /// Random numbers at which no activation is within 1e-3 of a kink: there a rounding decides.
    pub fn random(shape: &Shape) -> Self {
        let mut statistics = noise(1, 2 * shape.rows() as usize);
        for row in statistics.chunks_exact_mut(2) {
            row[0] *= 0.5;
            row[1] = 0.5 + 1.5 * row[1].abs();
        }
        let mut parameters = noise(2, (shape.tasks() * shape.stride()) as usize);
        for task in parameters.chunks_exact_mut(shape.stride() as usize) {
            if shape.channels > 1 {
                task[WEIGHT_OFFSET as usize + 1] = 0.0;
            }
            for bias in &mut task[shape.bias_offset() as usize..][..shape.channels as usize] {
                *bias = if *bias < 0.0 { *bias - 0.05 } else { *bias + 0.05 };
            }
        }
        let input = noise(3, (shape.planes() * shape.pixels()) as usize);
        let mut data = Self { input: input.iter().map(|value| 2.0 * value).collect(), statistics, parameters };
        data.leave_kinks(shape);
        data
    }

    fn leave_kinks(&mut self, shape: &Shape) {
        for (at, value) in self.input.iter_mut().enumerate() {
            let plane = at as u32 / shape.pixels();
            let (image, channel) = (plane / shape.channels, plane % shape.channels);
            let row = image / shape.images_per_set * shape.groups + channel / (shape.channels / shape.groups);
            let parameter = image / shape.images_per_task * shape.stride() + channel;
            let mean = self.statistics[2 * row as usize];
            let slope = self.statistics[2 * row as usize + 1] * self.parameters[(WEIGHT_OFFSET + parameter) as usize];
            let shift = self.parameters[(shape.bias_offset() + parameter) as usize];
            let at_kink = |z: f32| shape.bounds.iter().any(|bound| (z - bound).abs() < 1e-3);
            while at_kink((*value - mean) * slope + shift) {
                *value += 0.05;
            }
        }
    }

    /// Small integers, so that windows tie and ReLUs meet zero exactly: with mean ½ and rstd 2,
    /// z = ±(2x − 1) + 1, which is 0 at x = 0 or x = 1.
    pub fn ties(shape: &Shape) -> Self {
        let statistics = [0.5, 2.0].repeat(shape.rows() as usize);
        let mut parameters = vec![0.0; (shape.tasks() * shape.stride()) as usize];
        for task in parameters.chunks_exact_mut(shape.stride() as usize) {
            for channel in 0..shape.channels as usize {
                task[WEIGHT_OFFSET as usize + channel] = [1.0, -1.0, 0.0][channel % 3];
                task[shape.bias_offset() as usize + channel] = 1.0;
            }
        }
        let input = noise(3, (shape.planes() * shape.pixels()) as usize);
        Self { input: input.iter().map(|value| (1.5 * value).round()).collect(), statistics, parameters }
    }
}
