//! How the images of a pass are laid into chunks of bounded size.
//!
//! Where all images share parameters and the norm treats each by itself, chunks cut the images of
//! all tasks as one list. Where tasks have scales and shifts of their own, a chunk holds whole tasks
//! or a part of one. Batch statistics couple the images of a task: the chunks of one then go through
//! the network together.

/// A chunk's place: the room with its activations, and the images of the pass that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) room: usize,
    pub(crate) first: u32,
    pub(crate) images: u32,
}

/// What the images of one task have in common in the network, and not with those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coupling {
    /// Nothing.
    Free,
    /// Scales and shifts.
    Parameters,
    /// Statistics.
    Statistics,
}

/// The images of some tasks, as many of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) tasks: u32,
    /// Images of each task.
    pub(crate) each: u32,
    pub(crate) coupling: Coupling,
}

impl Batch {
    pub(crate) fn images(self) -> u32 {
        self.tasks * self.each
    }

    /// Sizes of the rooms that hold all images at once, each at most `most`.
    pub(crate) fn rooms(self, most: u32) -> Vec<u32> {
        let cut =
            |images: u32, most: u32| (0..images.div_ceil(most)).map(move |index| (images - index * most).min(most));
        if self.coupling == Coupling::Free {
            cut(self.images(), most).collect()
        } else if self.each <= most {
            cut(self.images(), (most / self.each.max(1)).max(1) * self.each.max(1)).collect()
        } else {
            (0..self.tasks).flat_map(|_| cut(self.each, most)).collect()
        }
    }

    /// All images at once: spans that go through the network together, each in a room of its own.
    pub(crate) fn passes(self, rooms: &[u32]) -> Vec<Vec<Span>> {
        let mut rooms = rooms.iter().copied().enumerate().peekable();
        if self.coupling == Coupling::Free {
            return fill(&mut rooms, 0, self.images()).into_iter().map(|span| vec![span]).collect();
        }
        let mut passes = Vec::new();
        let mut task = 0;
        while task < self.tasks
            && let Some(&(_, room)) = rooms.peek()
        {
            let together = self.together(room).min(self.tasks - task);
            let spans = fill(&mut rooms, task * self.each, together * self.each);
            match self.coupling {
                Coupling::Statistics => passes.push(spans),
                Coupling::Free | Coupling::Parameters => passes.extend(spans.into_iter().map(|span| vec![span])),
            }
            task += together;
        }
        passes
    }

    /// Tasks of which all images fit into a chunk of `room` images; one that does not fit takes
    /// several chunks.
    fn together(self, room: u32) -> u32 {
        (room / self.each.max(1)).max(1)
    }

    /// One piece after the other in the same rooms, nothing kept: pieces of at most `chunk` images
    /// where they may be cut.
    pub(crate) fn pieces(self, rooms: &[u32], chunk: u32) -> Vec<Vec<Span>> {
        if self.coupling == Coupling::Statistics {
            let together = self.together(rooms.first().copied().unwrap_or(1));
            let group = |first: u32| {
                let tasks = together.min(self.tasks - first);
                fill(&mut rooms.iter().copied().enumerate(), first * self.each, tasks * self.each)
            };
            return (0..self.tasks).step_by(together as usize).map(group).collect();
        }
        let chunk = chunk.clamp(1, rooms.first().copied().unwrap_or(1).max(1));
        // All tasks as one list, or as many whole ones at once as fit, or each by itself.
        let together = if self.coupling == Coupling::Free { self.tasks } else { self.together(chunk) };
        let mut pieces = Vec::new();
        for task in (0..self.tasks).step_by(together.max(1) as usize) {
            let (first, images) = (task * self.each, together.min(self.tasks - task) * self.each);
            let whole = if self.coupling == Coupling::Free || images > chunk { chunk } else { images };
            let piece = |before: u32| Span { room: 0, first: first + before, images: whole.min(images - before) };
            pieces.extend((0..images).step_by(whole.max(1) as usize).map(|before| vec![piece(before)]));
        }
        pieces
    }
}

/// Fills room after room with the images from `first` on.
fn fill(rooms: &mut impl Iterator<Item = (usize, u32)>, mut first: u32, mut images: u32) -> Vec<Span> {
    let mut spans = Vec::new();
    while images > 0
        && let Some((room, size)) = rooms.next()
    {
        let span = Span { room, first, images: size.min(images) };
        first += span.images;
        images -= span.images;
        spans.push(span);
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(batch: Batch, passes: &[Vec<Span>], most: u32) {
        let spans: Vec<Span> = passes.iter().flatten().copied().collect();
        let mut next = 0;
        for span in &spans {
            assert_eq!(span.first, next);
            assert!(span.images > 0 && span.images <= most);
            next += span.images;
        }
        assert_eq!(next, batch.images());
        let images = |pass: &Vec<Span>| pass.iter().map(|span| span.images).sum::<u32>();
        if batch.coupling == Coupling::Statistics {
            assert!(passes.iter().all(|pass| images(pass).is_multiple_of(batch.each)));
            assert!(passes.iter().all(|pass| pass.len() == 1 || images(pass) == batch.each));
        } else {
            assert!(passes.iter().all(|pass| pass.len() == 1));
        }
        if batch.coupling == Coupling::Parameters {
            let is_whole =
                |span: &Span| span.first.is_multiple_of(batch.each) && span.images.is_multiple_of(batch.each);
            let is_part = |span: &Span| span.first / batch.each == (span.first + span.images - 1) / batch.each;
            assert!(spans.iter().all(|span| is_whole(span) || is_part(span)), "{spans:?}");
        }
    }

    #[test]
    fn every_image_has_one_place() {
        for (tasks, each, most) in [(1, 1, 1), (1, 7, 3), (4, 5, 8), (3, 9, 4), (2, 6, 6)] {
            for coupling in [Coupling::Free, Coupling::Parameters, Coupling::Statistics] {
                let largest = Batch { tasks, each, coupling };
                let rooms = largest.rooms(most);
                for (tasks, each) in [(tasks, each), (tasks, each.div_ceil(2)), (1, each)] {
                    let batch = Batch { tasks, each, coupling };
                    check(batch, &batch.passes(&rooms), most);
                    for chunk in [1, 2, most] {
                        check(batch, &batch.pieces(&rooms, chunk), most);
                    }
                }
            }
        }
    }

    #[test]
    fn a_room_holds_one_chunk_of_a_layout() {
        let rooms = Batch { tasks: 3, each: 5, coupling: Coupling::Statistics }.rooms(4);
        assert_eq!(rooms, [4, 1, 4, 1, 4, 1]);
        let mut used: Vec<usize> = Batch { tasks: 3, each: 5, coupling: Coupling::Statistics }
            .passes(&rooms)
            .iter()
            .flatten()
            .map(|span| span.room)
            .collect();
        used.dedup();
        assert_eq!(used, [0, 1, 2, 3, 4, 5]);
    }
}
