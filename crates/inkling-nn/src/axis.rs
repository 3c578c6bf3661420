//! Which images and which parameters belong to which task of a pass.

use inkling_gpu::GpuError;

/// Stands for "all images" in kernels.
pub(crate) const ALL: u32 = u32::MAX;

/// The tasks of a pass: `images` consecutive images each, with shared or own parameters.
///
/// Task t's flat parameters begin at element t · `parameter_stride`, its gradient at
/// t · `gradient_stride`. Where both are shared, the images of uncoupled norms need not be in
/// the order of tasks at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskAxis {
    /// Tasks of the pass.
    pub tasks: u32,
    /// Images of each task in this pass.
    pub images: u32,
    /// Where tasks have parameters of their own: the first task's number among those in the vectors.
    pub first_task: u32,
    /// Elements from the parameters of one task to those of the next; 0: all share one vector.
    pub parameter_stride: u32,
    /// Elements from the gradient of one task to that of the next; 0: all add to one vector.
    pub gradient_stride: u32,
}

impl TaskAxis {
    /// `tasks` tasks that share parameters and gradient.
    pub fn shared(tasks: u32, images: u32) -> Self {
        Self { tasks, images, first_task: 0, parameter_stride: 0, gradient_stride: 0 }
    }

    /// `tasks` tasks, each with parameters and a gradient of its own, `stride` elements apart.
    pub fn own(tasks: u32, images: u32, stride: u32) -> Self {
        Self { tasks, images, first_task: 0, parameter_stride: stride, gradient_stride: stride }
    }

    /// Images of all tasks.
    pub fn all_images(&self) -> u32 {
        self.tasks * self.images
    }

    /// The rows of all images.
    pub fn rows(&self) -> Rows {
        Rows { axis: *self, first: 0, count: self.all_images() }
    }

    /// The `images` images of the pass from `first` on. `by_task`: also where parameters and
    /// gradient are shared, each task's images are a set of their own (batch statistics).
    ///
    /// # Errors
    /// [`GpuError::Validation`] when they are neither whole tasks nor a part of one.
    pub(crate) fn span(&self, first: u32, images: u32, by_task: bool) -> Result<Span, GpuError> {
        let strides = [self.parameter_stride, self.gradient_stride];
        if strides == [0, 0] && !by_task {
            return Ok(Span { first_task: 0, tasks: 1, images, strides });
        }
        let length = self.images.max(1);
        let (first_task, before) = (self.first_task + first / length, first % length);
        if before + images <= length {
            return Ok(Span { first_task, tasks: 1, images, strides });
        }
        if before == 0 && images.is_multiple_of(length) {
            return Ok(Span { first_task, tasks: images / length, images: length, strides });
        }
        Err(GpuError::Validation(format!(
            "a chunk of {images} images from image {first} on cuts tasks of {length} images; give chunks whole tasks, \
             or parts of one"
        )))
    }
}

/// Rows of features, or of logits, of consecutive images of a pass; they may cut tasks anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The tasks of the pass; parameters and gradients are theirs.
    pub axis: TaskAxis,
    /// The first row, counted over all tasks.
    pub first: u32,
    /// Rows.
    pub count: u32,
}

impl Rows {
    /// Tasks that have one of the rows.
    pub(crate) fn tasks(&self) -> u32 {
        let length = self.axis.images.max(1);
        (self.first + self.count).div_ceil(length) - self.first / length
    }
}

/// Consecutive images of a pass: whole tasks, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    first_task: u32,
    tasks: u32,
    images: u32,
    strides: [u32; 2],
}

impl Span {
    /// Images of one task, or of several that share parameters and gradient.
    pub fn shared(images: u32) -> Self {
        Self { first_task: 0, tasks: 1, images, strides: [0, 0] }
    }

    /// The same images, of tasks that share parameters and gradient.
    pub(crate) fn sharing(self) -> Self {
        Self { strides: [0, 0], ..self }
    }

    /// Tasks in the span.
    pub fn tasks(&self) -> u32 {
        self.tasks
    }

    /// Images of each task in the span.
    pub fn images(&self) -> u32 {
        self.images
    }

    /// Images of all tasks in the span.
    pub fn all_images(&self) -> u32 {
        self.tasks * self.images
    }

    /// Tasks with parameters of their own, the first of them, and the images of each.
    pub(crate) fn parameter_tasks(&self) -> (u32, u32, u32) {
        let [stride, _] = self.strides;
        if stride == 0 { (1, 0, self.all_images()) } else { (self.tasks, self.first_task, self.images) }
    }

    /// Tasks with a gradient of their own, and the images of each.
    pub(crate) fn gradient_tasks(&self) -> (u32, u32) {
        let [_, stride] = self.strides;
        if stride == 0 { (1, self.all_images()) } else { (self.tasks, self.images) }
    }

    /// Images after which a kernel goes on to the parameters of the next task.
    pub(crate) fn images_per_task(&self) -> u32 {
        if self.tasks == 1 { ALL } else { self.images }
    }

    pub(crate) fn parameter_stride(&self) -> u32 {
        self.strides[0]
    }

    pub(crate) fn gradient_stride(&self) -> u32 {
        self.strides[1]
    }

    /// Where the first task has what a layout places at `offset`.
    pub(crate) fn parameter_offset(&self, offset: u32) -> u32 {
        offset + self.first_task * self.strides[0]
    }

    /// Where the first task's gradient has what a layout places at `offset`.
    pub(crate) fn gradient_offset(&self, offset: u32) -> u32 {
        offset + self.first_task * self.strides[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_whole_tasks_or_a_part_of_one() {
        let axis = TaskAxis::own(3, 4, 64);
        let whole = axis.span(4, 8, false).map(|span| (span.tasks(), span.images(), span.parameter_offset(5)));
        assert!(matches!(whole, Ok((2, 4, 69))), "{whole:?}");
        let part = axis.span(9, 2, false).map(|span| (span.tasks(), span.images(), span.gradient_offset(5)));
        assert!(matches!(part, Ok((1, 2, 133))), "{part:?}");
        assert!(axis.span(2, 4, false).is_err());
    }

    #[test]
    fn shared_tasks_are_cut_anywhere_but_for_sets() {
        let axis = TaskAxis::shared(3, 4);
        let span = axis.span(2, 7, false).map(|span| (span.tasks(), span.images()));
        assert!(matches!(span, Ok((1, 7))), "{span:?}");
        assert!(axis.span(2, 7, true).is_err());
        let sets = axis.span(0, 12, true).map(|span| (span.tasks(), span.gradient_tasks()));
        assert!(matches!(sets, Ok((3, (1, 12)))), "{sets:?}");
    }
}
