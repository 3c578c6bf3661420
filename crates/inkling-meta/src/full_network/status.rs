//! What has become of a task.

/// What has become of a task in a step. A task that failed adds nothing to the step's gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskStatus {
    /// All went well.
    #[default]
    Solved,
    /// The inner steps left the finite numbers: the inner learning rate is too high.
    InnerLoop,
    /// The adapted parameters are finite, but not the gradient through them.
    Gradient,
}

impl TaskStatus {
    /// As kernels write it.
    pub(crate) fn code(self) -> f32 {
        match self {
            Self::Solved => 0.0,
            Self::InnerLoop => 1.0,
            Self::Gradient => 2.0,
        }
    }

    /// From what a kernel wrote.
    pub(crate) fn of(code: f32) -> Self {
        [Self::Solved, Self::InnerLoop].into_iter().find(|status| status.code() == code).unwrap_or(Self::Gradient)
    }
}
