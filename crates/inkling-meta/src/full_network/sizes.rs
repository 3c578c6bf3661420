//! How the tasks of a full-network learner are cut into passes, and a pass into chunks.
//!
//! Tasks have parameters of their own, so a chunk holds whole tasks or a part of one. As many
//! tasks as fit a chunk are one pass: a pass is one chunk, or one task in several. Batch
//! statistics couple the images of a task: its chunks then go through the network together, and
//! need as many rooms.

use inkling_nn::{Network, TaskAxis};

use crate::workspace::most_images;
use crate::{Estimator, GradientSettings, TaskLimits};

/// The sizes that everything else follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// G, tasks of one pass.
    pub(crate) tasks: u32,
    /// M_b, queries of each task in one batch.
    pub(crate) query_batch: u32,
    /// Images of each chunk that goes through the network together with the others.
    pub(crate) rooms: Vec<u32>,
    /// C, images of one chunk of a support that is not coupled.
    chunk: u32,
    coupled: bool,
}

/// Images of one half of the pass's tasks that go through the network together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The first image's number in its task's half, the same for all tasks.
    pub(crate) first: u32,
    /// Tasks, and images of each.
    pub(crate) tasks: u32,
    pub(crate) each: u32,
    /// Images of each chunk, room by room.
    pub(crate) chunks: Vec<u32>,
}

impl Group {
    pub(crate) fn images(&self) -> u32 {
        self.tasks * self.each
    }

    /// Every task with parameters and a gradient of its own, `stride` elements apart.
    pub(crate) fn axis(&self, stride: u32) -> TaskAxis {
        TaskAxis::own(self.tasks, self.each, stride)
    }
}

impl Sizes {
    pub(crate) fn new(network: &Network, gradient: &GradientSettings, limits: TaskLimits) -> Self {
        let coupled = network.config().norm.couples_images();
        let most = most_images(network);
        let (all_tasks, support, queries) = (limits.tasks.max(1), limits.support.max(1), limits.queries.max(1));
        // Batch statistics are those of one forward pass of all queries.
        let longest = if coupled { support.max(queries) } else { support };
        let wanted = match gradient.estimator {
            Estimator::Full => all_tasks.saturating_mul(longest),
            _ => gradient.chunk,
        };
        let chunk = wanted.clamp(1, most);
        let tasks = (chunk / longest).clamp(1, all_tasks);
        let query_batch = if coupled { queries } else { gradient.query_batch_of(queries).min((most / tasks).max(1)) };
        let rooms = if coupled {
            cut(tasks * longest, most)
        } else {
            vec![(tasks * support).min(chunk).max(tasks * query_batch)]
        };
        Self { tasks, query_batch, rooms, chunk, coupled }
    }

    /// Images of all rooms together: the most rows of embeddings at a time.
    pub(crate) fn rows(&self) -> u32 {
        self.rooms.iter().sum()
    }

    /// The most images of any chunk.
    pub(crate) fn largest(&self) -> u32 {
        self.rooms.iter().copied().max().unwrap_or(1)
    }

    /// The supports, `each` images of each of `tasks` tasks.
    pub(crate) fn support(&self, tasks: u32, each: u32) -> Vec<Group> {
        self.support_part(tasks, (0, each))
    }

    /// A part of the supports, `each` images of each of `tasks` tasks from number `first` on.
    pub(crate) fn support_part(&self, tasks: u32, (first, each): (u32, u32)) -> Vec<Group> {
        self.groups(tasks, (first, each), self.chunk)
    }

    /// One batch of queries, `each` of each of `tasks` tasks from number `first` on.
    pub(crate) fn queries(&self, tasks: u32, (first, each): (u32, u32)) -> Vec<Group> {
        self.groups(tasks, (first, each), self.rooms.first().copied().unwrap_or(1))
    }

    fn groups(&self, tasks: u32, (first, each): (u32, u32), most: u32) -> Vec<Group> {
        if self.coupled {
            let room = self.rooms.first().copied().unwrap_or(1).max(1);
            return vec![Group { first, tasks, each, chunks: cut(tasks * each, room) }];
        }
        if tasks * each <= most {
            return vec![Group { first, tasks, each, chunks: vec![tasks * each] }];
        }
        let piece = |(index, images): (u32, u32)| Group {
            first: first + index * most.max(1),
            tasks: 1,
            each: images,
            chunks: vec![images],
        };
        (0..).zip(cut(each, most.max(1))).map(piece).collect()
    }
}

/// Pieces of `most` images, the last of what remains.
fn cut(images: u32, most: u32) -> Vec<u32> {
    (0..images.div_ceil(most)).map(|index| (images - index * most).min(most)).collect()
}

#[cfg(test)]
mod tests {
    use inkling_gpu::Tier;
    use inkling_nn::{Backbone, NetworkConfig, Norm, Trained};

    use super::*;
    use crate::SubsetTime;

    fn sizes(norm: Norm, estimator: Estimator, chunk: u32, query_batch: u32) -> Sizes {
        let backbone = Backbone::Conv4 { channels: 4 };
        let network = NetworkConfig { backbone, trained: Trained::All, in_channels: 1, image_size: 16, norm };
        let gradient =
            GradientSettings { estimator, h: 0, chunk, subset: SubsetTime::Task, query_batch, support_subset: None };
        let limits = TaskLimits { tasks: 4, ways: 3, support: 6, queries: 9 };
        Sizes::new(&Network::new(network, Tier::Cpu).unwrap(), &gradient, limits)
    }

    #[test]
    fn a_chunk_holds_whole_tasks_or_a_part_of_one() {
        let two = sizes(Norm::Frozen, Estimator::Chunked, 13, 3);
        assert_eq!((two.tasks, two.query_batch, two.rooms.as_slice()), (2, 3, [12].as_slice()));
        assert_eq!(two.support(2, 6), [Group { first: 0, tasks: 2, each: 6, chunks: vec![12] }]);
        let part = sizes(Norm::Frozen, Estimator::Chunked, 4, 5);
        assert_eq!((part.tasks, part.rooms.as_slice()), (1, [5].as_slice()));
        let groups = part.support(1, 6);
        assert_eq!(groups.iter().map(|group| (group.first, group.each)).collect::<Vec<_>>(), [(0, 4), (4, 2)]);
        assert_eq!(part.queries(1, (5, 4)), [Group { first: 5, tasks: 1, each: 4, chunks: vec![4] }]);
        assert_eq!(sizes(Norm::Frozen, Estimator::Full, 1, 0).tasks, 4);
    }

    #[test]
    fn batch_statistics_take_a_task_at_once() {
        let one = sizes(Norm::Batch, Estimator::Chunked, 4, 2);
        assert_eq!((one.tasks, one.query_batch, one.rooms.as_slice()), (1, 9, [9].as_slice()));
        assert_eq!(one.support(1, 6), [Group { first: 0, tasks: 1, each: 6, chunks: vec![6] }]);
        let all = sizes(Norm::Batch, Estimator::Full, 4, 0);
        assert_eq!((all.tasks, all.rooms.as_slice()), (4, [36].as_slice()));
    }
}
