//! The phases of a step that FiLM adds: before all others, what the support is like and the scales
//! and shifts that follow from it; after all others, the way back from their gradient.
//!
//! z is a mean over the support, so its gradient is a sum like that of the embeddings, and LITE
//! draws from it: dL/dφ = Σ_n (1/N) dL/dz · dg(x_n)/dφ. What multiplies it, dL/dz, is itself an
//! estimate from a draw, so this draw must be another one.

use inkling_gpu::Buffer;
use inkling_gpu::kernels::{gather_rows, segment_mean};
use inkling_nn::{Chunk, FilmInputs};

use crate::MetaError;
use crate::film::FilmWorkspace;
use crate::images::{Half, Place};
use crate::step::Step;

impl<'l> Step<'l> {
    /// Encodes the support images at `places`, as many of each task, and modulates the norms.
    pub(crate) async fn condition(&mut self, places: &[Place]) -> Result<(), MetaError> {
        let (Some(model), Some(film)) = (&self.model.film, &self.workspace.film) else { return Ok(()) };
        let (tasks, support) = (self.head_task.tasks, self.head_task.support);
        let mut first = 0;
        for part in places.chunks(film.chunk as usize) {
            self.encode(film, part, (first, &film.codes)).await?;
            first += part.len() as u32;
        }
        let firsts: Vec<u32> = (0..=tasks).map(|task| task * support).collect();
        self.recorder.upload_values(film.firsts.all(), &firsts).await?;
        let size = model.encoder.dimension();
        let params = segment_mean::Params { segments: tasks, length: size, stride: size };
        let buffers = segment_mean::Buffers { firsts: film.firsts.all(), rows: film.codes.all(), mean: film.z.all() };
        self.recorder.dispatch(params, buffers, u64::from(tasks) * u64::from(size))?;
        model.film.forward(self.recorder, tasks, self.film_inputs(film), &film.buffers, &film.vectors)?;
        if let Some(back) = &film.back {
            self.recorder.clear(back.d_vectors.all());
        }
        Ok(())
    }

    fn film_inputs(&self, film: &'l FilmWorkspace<Buffer>) -> FilmInputs<'l> {
        FilmInputs { parameters: &self.workspace.common.parameters, base: &film.base, z: &film.z }
    }

    /// Writes the codes of images, from row `first` on.
    async fn encode(
        &mut self,
        film: &'l FilmWorkspace<Buffer>,
        places: &[Place],
        (first, codes): (u32, &Buffer),
    ) -> Result<(), MetaError> {
        let Some(model) = &self.model.film else { return Ok(()) };
        self.loader().load(self.recorder, Half::Support, places, &film.work.images).await?;
        let chunk = chunk(film, places.len() as u32, first);
        let pass = film.pass(&self.workspace.common, chunk.images);
        model.encoder.forward(self.recorder, pass, &[chunk], codes).await?;
        Ok(())
    }

    /// Back-propagates the gradient of the scales and shifts: all of it through the small networks,
    /// and, of the set encoder's images, those of `subset`, positions among the `members` of all
    /// tasks, with the factor N/H.
    pub(crate) async fn back_propagate_condition(
        &mut self,
        members: &[Vec<u32>],
        (subset, factor): (&[u32], f32),
    ) -> Result<(), MetaError> {
        let workspace = self.workspace;
        let (Some(model), Some(film)) = (&self.model.film, &workspace.film) else { return Ok(()) };
        let (Some(back), Some(gradient)) = (&film.back, &workspace.common.gradient) else { return Ok(()) };
        let (inputs, gradients) = (self.film_inputs(film), (&back.d_vectors, &back.d_z, gradient));
        model.film.backward(self.recorder, self.head_task.tasks, inputs, &film.buffers, gradients)?;
        let (support, size) = (self.head_task.support.max(1), model.encoder.dimension());
        for positions in subset.chunks(film.chunk as usize) {
            let places = self.places(members, positions);
            // The codes come out again; their gradients then take their place.
            self.encode(film, &places, (0, &back.rows)).await?;
            let tasks: Vec<u32> = places.iter().map(|place| place.task).collect();
            self.recorder.upload_values(back.tasks.all(), &tasks).await?;
            let images = positions.len() as u32;
            let params = gather_rows::Params { rows: images, dimension: size, scale: factor / support as f32 };
            let buffers = gather_rows::Buffers {
                source: back.d_z.all(),
                indices: back.tasks.all(),
                destination: back.rows.all(),
            };
            self.recorder.dispatch(params, buffers, u64::from(images) * u64::from(size))?;
            let pass = film.pass(&workspace.common, images);
            model.encoder.backward(self.recorder, pass, &[chunk(film, images, 0)], &back.rows, gradient).await?;
        }
        Ok(())
    }
}

fn chunk(film: &FilmWorkspace<Buffer>, images: u32, first_row: u32) -> Chunk<'_> {
    Chunk { images, activations: &film.work, gradients: &film.gradients, first_row }
}
