//! A task on the host: support and query images with their labels.

use inkling_data::{Normalization, Pixels};

use crate::MetaError;

/// Where the images of a task come from.
#[derive(Clone, Copy, Debug)]
pub enum Images<'a> {
    /// Values as the network takes them, `[images, channels, height, width]`.
    Values(&'a [f32]),
    /// Bytes, each image with the affine map that crops, flips and rotates it.
    Bytes {
        /// The images.
        pixels: &'a [Pixels],
        /// One map for each image.
        affines: &'a [[f32; 6]],
        /// Applied after scaling to `0..=1`.
        normalization: &'a Normalization,
    },
}

impl Images<'_> {
    /// How many images there are of `elements` values each.
    pub fn count(&self, elements: u64) -> usize {
        match self {
            Images::Values(values) => values.len() / (elements.max(1) as usize),
            Images::Bytes { pixels, .. } => pixels.len(),
        }
    }
}

/// One task. Labels are `0..ways`.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// W, the number of classes.
    pub ways: u32,
    /// The images to learn from.
    pub support: Images<'a>,
    /// One label for each support image.
    pub support_labels: &'a [u32],
    /// The images to classify.
    pub query: Images<'a>,
    /// One label for each query image.
    pub query_labels: &'a [u32],
}

/// The largest tasks that a learner has room for, and how many of them it takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskLimits {
    /// Tasks of one pass: they run side by side, in the same launches.
    pub tasks: u32,
    /// Classes.
    pub ways: u32,
    /// Support images of all classes.
    pub support: u32,
    /// Query images of all classes.
    pub queries: u32,
}

impl TaskLimits {
    /// Room for tasks of both kinds.
    pub fn union(self, other: Self) -> Self {
        Self {
            tasks: self.tasks.max(other.tasks),
            ways: self.ways.max(other.ways),
            support: self.support.max(other.support),
            queries: self.queries.max(other.queries),
        }
    }
}

impl Task<'_> {
    /// Checks counts, labels and room.
    pub(crate) fn check(&self, elements: u64, limits: TaskLimits) -> Result<(), MetaError> {
        let fail = |message: String| Err(MetaError::Task(message));
        let sets = [
            ("support", self.support, self.support_labels, limits.support),
            ("query", self.query, self.query_labels, limits.queries),
        ];
        for (name, images, labels, limit) in sets {
            if images.count(elements) != labels.len() {
                return fail(format!("{} {name} images but {} labels", images.count(elements), labels.len()));
            }
            if labels.is_empty() || labels.len() > limit as usize {
                return fail(format!("{} {name} images; there is room for 1 to {limit}", labels.len()));
            }
            if let Some(label) = labels.iter().find(|&&label| label >= self.ways) {
                return fail(format!("{name} label {label} in a {}-way task", self.ways));
            }
        }
        if self.ways < 2 || self.ways > limits.ways {
            return fail(format!("{} classes; there is room for 2 to {}", self.ways, limits.ways));
        }
        if let Some(class) = (0..self.ways).find(|class| !self.support_labels.contains(class)) {
            return fail(format!("class {class} has no support image; give each class at least one"));
        }
        Ok(())
    }
}

/// Checks the tasks of one pass: each by itself, and that they are of one size.
pub(crate) fn check_pass(tasks: &[Task<'_>], elements: u64, limits: TaskLimits) -> Result<(), MetaError> {
    let Some(first) = tasks.first() else {
        return Err(MetaError::Task("a pass without a task".into()));
    };
    if tasks.len() > limits.tasks as usize {
        return Err(MetaError::Task(format!("{} tasks in a pass; there is room for {}", tasks.len(), limits.tasks)));
    }
    for task in tasks {
        task.check(elements, limits)?;
        let sizes = |task: &Task<'_>| (task.ways, task.support_labels.len(), task.query_labels.len());
        if sizes(task) != sizes(first) {
            return Err(MetaError::Task(format!(
                "tasks of one pass must be of one size, but ways, support and queries are {:?} and {:?}; \
                 set training.tasks_per_pass = 1",
                sizes(first),
                sizes(task)
            )));
        }
    }
    Ok(())
}
