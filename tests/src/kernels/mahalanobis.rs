//! Kernels of the Mahalanobis head.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "mahalanobis_center/shapes" => center,
        "mahalanobis_order/shapes" => order,
        "mahalanobis_gram/both_forms" => gram,
        "mahalanobis_matrix/shapes" => matrix,
        "mahalanobis_dual_matrix/shapes" => dual_matrix,
        "mahalanobis_residuals/shapes" => residuals,
        "mahalanobis_project/both_roles" => project,
        "mahalanobis_expand/shapes" => expand,
        "mahalanobis_logits/both_forms" => logits,
        "mahalanobis_verdict/shapes" => verdict,
        "mahalanobis_backward_query/shapes" => backward_query,
        "mahalanobis_rows/shapes" => rows,
    ]
}

/// Tasks, and of all their classes those of a block.
#[derive(Clone, Copy, Debug)]
struct Shape {
    tasks: u32,
    ways: u32,
    first_class: u32,
    classes: u32,
    support: u32,
    queries: u32,
    dimension: u32,
}

const SHAPES: [Shape; 4] = [
    Shape { tasks: 1, ways: 2, first_class: 0, classes: 2, support: 2, queries: 1, dimension: 1 },
    Shape { tasks: 3, ways: 3, first_class: 1, classes: 2, support: 7, queries: 5, dimension: 13 },
    Shape { tasks: 2, ways: 5, first_class: 2, classes: 1, support: 37, queries: 4, dimension: 67 },
    Shape { tasks: 2, ways: 4, first_class: 0, classes: 3, support: 71, queries: 6, dimension: 3 },
];

impl Shape {
    /// Classes of unequal size in no order; the last has a single image.
    fn labels(self) -> Vec<u32> {
        let of = |image: u32| match image % self.support {
            image if image < self.ways => self.ways - 1 - image,
            image => image * image % self.ways.max(2) % (self.ways - 1),
        };
        (0..self.tasks * self.support).map(of).collect()
    }

    fn counts(self) -> Vec<f32> {
        let mut counts = vec![0.0; (self.tasks * self.ways) as usize];
        for (image, label) in self.labels().into_iter().enumerate() {
            counts[(image as u32 / self.support * self.ways + label) as usize] += 1.0;
        }
        counts
    }

    fn images(self, seed: u64) -> Vec<f32> {
        noise(seed, (self.tasks * self.support * self.dimension) as usize)
    }

    /// Of all classes and queries.
    fn vectors(self, seed: u64) -> Vec<f32> {
        noise(seed, (self.tasks * self.ways * self.queries * self.dimension) as usize)
    }

    /// Of the block's classes, all queries and the support.
    fn projections(self, seed: u64) -> Vec<f32> {
        noise(seed, (self.tasks * self.classes * self.queries * self.support) as usize)
    }

    fn logits(self, seed: u64) -> Vec<f32> {
        noise(seed, (self.tasks * self.queries * self.ways) as usize)
    }

    /// Every third task failed.
    fn states(self) -> Vec<u32> {
        (0..self.tasks).map(|task| u32::from(task % 3 == 1)).collect()
    }
}

async fn center(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let Shape { tasks, ways, support, dimension, .. } = shape;
        let (params, reference) = params!(mahalanobis_center MahalanobisCenterParams {
            tasks: tasks,
            support: support,
            ways: ways,
            dimension: dimension,
        });
        let (x, y) = (shape.images(1), shape.labels());
        let means = noise(2, (tasks * ways * dimension) as usize);
        let mut bench = Bench::new(gpu)?;
        let embeddings = bench.input(&x).await?;
        let labels = bench.input(&y).await?;
        let prototypes = bench.input(&means).await?;
        let centered = bench.output(tasks * support * dimension).await?;
        let deviations = bench.output(tasks * support * dimension).await?;
        let buffers = kernels::mahalanobis_center::Buffers {
            embeddings: embeddings.all(),
            labels: labels.all(),
            prototypes: prototypes.all(),
            centered: centered.all(),
            deviations: deviations.all(),
        };
        bench.run(params, buffers, tasks * dimension)?;
        let (mut first, mut second) = (centered.initial.clone(), deviations.initial.clone());
        twin::mahalanobis_center(&reference, &x, &y, &means, &mut first, &mut second);
        bench.check(&format!("centered, {shape:?}"), &centered, &first, Tolerance::sum(support, 1.0)).await?;
        bench.check(&format!("deviations, {shape:?}"), &deviations, &second, Tolerance::roundings(1)).await?;
    }
    Ok(())
}

async fn order(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let Shape { tasks, ways, support, .. } = shape;
        let (params, reference) =
            params!(mahalanobis_order MahalanobisOrderParams { tasks: tasks, support: support, ways: ways });
        let (y, sizes) = (shape.labels(), shape.counts());
        let mut bench = Bench::new(gpu)?;
        let labels = bench.input(&y).await?;
        let counts = bench.input(&sizes).await?;
        let order = bench.input(&vec![u32::MAX; y.len()]).await?;
        let buffers =
            kernels::mahalanobis_order::Buffers { labels: labels.all(), counts: counts.all(), order: order.all() };
        bench.run(params, buffers, tasks * support)?;
        let mut expected = vec![u32::MAX; y.len()];
        twin::mahalanobis_order(&reference, &y, &sizes, &mut expected);
        bench.check_integers(&format!("{shape:?}"), &order, &expected).await?;
    }
    Ok(())
}

async fn gram(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let Shape { tasks, support, dimension, .. } = shape;
        let forms = [(support, dimension, dimension, 1), (dimension, support, 1, dimension)];
        for (lower, (size, terms, row_stride, column_stride)) in
            (0..2).flat_map(|lower| forms.map(|form| (lower, form)))
        {
            let (params, reference) = params!(mahalanobis_gram MahalanobisGramParams {
                tasks: tasks,
                size: size,
                terms: terms,
                row_stride: row_stride,
                column_stride: column_stride,
                stride: 2 * size * size + 3,
                offset: size * size,
                lower: lower,
            });
            let [a, b] = [1, 2].map(|seed| shape.images(seed));
            let mut bench = Bench::new(gpu)?;
            let first = bench.input(&a).await?;
            let second = bench.input(&b).await?;
            let gram = bench.output(tasks * (2 * size * size + 3)).await?;
            let buffers =
                kernels::mahalanobis_gram::Buffers { first: first.all(), second: second.all(), gram: gram.all() };
            bench.run(params, buffers, tasks * size.div_ceil(32).pow(2) * 64)?;
            let mut expected = gram.initial.clone();
            twin::mahalanobis_gram(&reference, &a, &b, &mut expected);
            bench
                .check(&format!("{shape:?}, size {size}, lower {lower}"), &gram, &expected, Tolerance::sum(terms, 1.0))
                .await?;
        }
    }
    Ok(())
}

async fn matrix(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let Shape { tasks, ways, first_class, classes, support, dimension, .. } = shape;
        let gram_stride = dimension * dimension + 3;
        let (params, reference) = params!(mahalanobis_matrix MahalanobisMatrixParams {
            tasks: tasks,
            classes: classes,
            first_class: first_class,
            ways: ways,
            support: support,
            dimension: dimension,
            gram_stride: gram_stride,
        });
        let (products, x) = (noise(1, (tasks * gram_stride) as usize), shape.images(2));
        let (y, sizes) = (shape.labels(), shape.counts());
        let mut places = vec![0; y.len()];
        twin::mahalanobis_order(&twin::MahalanobisOrderParams { tasks, support, ways }, &y, &sizes, &mut places);
        let padded = dimension.next_multiple_of(32);
        let mut bench = Bench::new(gpu)?;
        let gram = bench.input(&products).await?;
        let deviations = bench.input(&x).await?;
        let order = bench.input(&places).await?;
        let counts = bench.input(&sizes).await?;
        let matrix = bench.output(tasks * classes * padded * padded).await?;
        let buffers = kernels::mahalanobis_matrix::Buffers {
            gram: gram.all(),
            deviations: deviations.all(),
            order: order.all(),
            counts: counts.all(),
            matrix: matrix.all(),
        };
        bench.run(params, buffers, tasks * classes * (padded / 32).pow(2) * 64)?;
        let mut expected = matrix.initial.clone();
        twin::mahalanobis_matrix(&reference, &products, &x, &places, &sizes, &mut expected);
        // A share of at most 2/3 of a sum over the members.
        bench.check(&format!("{shape:?}"), &matrix, &expected, Tolerance::sum(support + 8, 1.0)).await?;
    }
    Ok(())
}

async fn dual_matrix(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let Shape { tasks, ways, first_class, classes, support, .. } = shape;
        let gram_stride = 3 * support * support + 5;
        let (params, reference) = params!(mahalanobis_dual_matrix MahalanobisDualMatrixParams {
            tasks: tasks,
            classes: classes,
            first_class: first_class,
            ways: ways,
            support: support,
            gram_stride: gram_stride,
        });
        let products = noise(1, (tasks * gram_stride) as usize);
        let (y, sizes) = (shape.labels(), shape.counts());
        let padded = support.next_multiple_of(32);
        let mut bench = Bench::new(gpu)?;
        let gram = bench.input(&products).await?;
        let labels = bench.input(&y).await?;
        let counts = bench.input(&sizes).await?;
        let matrix = bench.output(tasks * classes * padded * padded).await?;
        let buffers = kernels::mahalanobis_dual_matrix::Buffers {
            gram: gram.all(),
            labels: labels.all(),
            counts: counts.all(),
            matrix: matrix.all(),
        };
        bench.run(params, buffers, tasks * classes * padded * padded)?;
        let mut expected = matrix.initial.clone();
        twin::mahalanobis_dual_matrix(&reference, &products, &y, &sizes, &mut expected);
        // Five terms below one, with factors of a few roundings: a root, a quotient, a difference of roots.
        bench.check(&format!("{shape:?}"), &matrix, &expected, Tolerance::sum(24, 1.0)).await?;
    }
    Ok(())
}

async fn residuals(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let Shape { tasks, ways, queries, dimension, .. } = shape;
        let (params, reference) = params!(mahalanobis_residuals MahalanobisResidualsParams {
            tasks: tasks,
            queries: queries,
            ways: ways,
            dimension: dimension,
        });
        let e = noise(1, (tasks * queries * dimension) as usize);
        let means = noise(2, (tasks * ways * dimension) as usize);
        let mut bench = Bench::new(gpu)?;
        let embeddings = bench.input(&e).await?;
        let prototypes = bench.input(&means).await?;
        let residuals = bench.output(tasks * ways * queries * dimension).await?;
        let buffers = kernels::mahalanobis_residuals::Buffers {
            queries: embeddings.all(),
            prototypes: prototypes.all(),
            residuals: residuals.all(),
        };
        bench.run(params, buffers, tasks * ways * queries * dimension)?;
        let mut expected = residuals.initial.clone();
        twin::mahalanobis_residuals(&reference, &e, &means, &mut expected);
        bench.check(&format!("{shape:?}"), &residuals, &expected, Tolerance::roundings(1)).await?;
    }
    Ok(())
}

async fn project(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for backward in [0, 1] {
            let Shape { tasks, ways, first_class, classes, support, queries, dimension } = shape;
            let (params, reference) = params!(mahalanobis_project MahalanobisProjectParams {
                tasks: tasks,
                classes: classes,
                first_class: first_class,
                ways: ways,
                queries: queries,
                support: support,
                dimension: dimension,
                backward: backward,
            });
            let (v, [x, z]) = (shape.vectors(1), [2, 3].map(|seed| shape.images(seed)));
            let (y, sizes, g) = (shape.labels(), shape.counts(), shape.logits(4));
            let mut bench = Bench::new(gpu)?;
            let vectors = bench.input(&v).await?;
            let centered = bench.input(&x).await?;
            let deviations = bench.input(&z).await?;
            let labels = bench.input(&y).await?;
            let counts = bench.input(&sizes).await?;
            let d_logits = bench.input(&g).await?;
            let output = bench.output(tasks * classes * queries * support).await?;
            let buffers = kernels::mahalanobis_project::Buffers {
                vectors: vectors.all(),
                centered: centered.all(),
                deviations: deviations.all(),
                labels: labels.all(),
                counts: counts.all(),
                d_logits: d_logits.all(),
                output: output.all(),
            };
            bench.run(params, buffers, tasks * classes * queries.div_ceil(4) * support)?;
            let mut expected = output.initial.clone();
            twin::mahalanobis_project(&reference, &v, &x, &z, &y, &sizes, &g, &mut expected);
            // Two sums whose shares are below one and together below two, times at most two.
            let tolerance = Tolerance::sum(dimension + 8, 4.0);
            bench.check(&format!("{shape:?}, backward {backward}"), &output, &expected, tolerance).await?;
        }
    }
    Ok(())
}

async fn expand(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let Shape { tasks, ways, first_class, classes, support, queries, dimension } = shape;
        let (params, reference) = params!(mahalanobis_expand MahalanobisExpandParams {
            tasks: tasks,
            classes: classes,
            first_class: first_class,
            ways: ways,
            queries: queries,
            support: support,
            dimension: dimension,
        });
        let (s, [x, z]) = (shape.projections(1), [2, 3].map(|seed| shape.images(seed)));
        let (y, sizes) = (shape.labels(), shape.counts());
        let mut bench = Bench::new(gpu)?;
        let solutions = bench.input(&s).await?;
        let centered = bench.input(&x).await?;
        let deviations = bench.input(&z).await?;
        let labels = bench.input(&y).await?;
        let counts = bench.input(&sizes).await?;
        let vectors = bench.updated(shape.vectors(4)).await?;
        let buffers = kernels::mahalanobis_expand::Buffers {
            solutions: solutions.all(),
            centered: centered.all(),
            deviations: deviations.all(),
            labels: labels.all(),
            counts: counts.all(),
            vectors: vectors.all(),
        };
        bench.run(params, buffers, tasks * classes * queries.div_ceil(4) * dimension)?;
        let mut expected = vectors.initial.clone();
        twin::mahalanobis_expand(&reference, &s, &x, &z, &y, &sizes, &mut expected);
        // Rows are below two, with factors of a few roundings.
        bench.check(&format!("{shape:?}"), &vectors, &expected, Tolerance::sum(support + 8, 2.0)).await?;
    }
    Ok(())
}

async fn logits(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for dual in [0, 1] {
            let Shape { tasks, ways, first_class, classes, support, queries, dimension } = shape;
            let (params, reference) = params!(mahalanobis_logits MahalanobisLogitsParams {
                tasks: tasks,
                classes: classes,
                first_class: first_class,
                ways: ways,
                queries: queries,
                support: support,
                dimension: dimension,
                dual: dual,
            });
            let e = noise(1, (tasks * queries * dimension) as usize);
            let means = noise(2, (tasks * ways * dimension) as usize);
            let (u, s) = (shape.vectors(3), shape.projections(4));
            let mut bench = Bench::new(gpu)?;
            let embeddings = bench.input(&e).await?;
            let prototypes = bench.input(&means).await?;
            let vectors = bench.input(&u).await?;
            let solutions = bench.input(&s).await?;
            let logits = bench.output(tasks * queries * ways).await?;
            let buffers = kernels::mahalanobis_logits::Buffers {
                queries: embeddings.all(),
                prototypes: prototypes.all(),
                vectors: vectors.all(),
                solutions: solutions.all(),
                logits: logits.all(),
            };
            bench.run(params, buffers, tasks * classes * queries)?;
            let mut expected = logits.initial.clone();
            twin::mahalanobis_logits(&reference, &e, &means, &u, &s, &mut expected);
            // Squares have one sign: their sum rounds like a chain, up to the size of the sum.
            let sum = f64::from(dimension + dual * support);
            let tolerance =
                if dual == 0 { Tolerance::sum(dimension, 2.0) } else { Tolerance::chain(dimension + support, sum) };
            bench.check(&format!("{shape:?}, dual {dual}"), &logits, &expected, tolerance).await?;
        }
    }
    Ok(())
}

async fn verdict(gpu: &Gpu) -> Result<(), String> {
    for shape in [Shape { tasks: 67, ..SHAPES[1] }, SHAPES[2], SHAPES[0]] {
        let Shape { tasks, ways, queries, .. } = shape;
        let (params, reference) =
            params!(mahalanobis_verdict MahalanobisVerdictParams { tasks: tasks, queries: queries, ways: ways });
        // The first, or the last class of some tasks.
        let of_class: Vec<u32> = (0..tasks * ways)
            .map(|class| u32::from(class % (3 * ways) == 0 || class % (5 * ways) == ways - 1))
            .collect();
        let mut bench = Bench::new(gpu)?;
        let class_states = bench.input(&of_class).await?;
        let states = bench.input(&vec![7_u32; tasks as usize]).await?;
        let logits = bench.updated(shape.logits(1)).await?;
        let buffers = kernels::mahalanobis_verdict::Buffers {
            class_states: class_states.all(),
            states: states.all(),
            logits: logits.all(),
        };
        bench.run(params, buffers, tasks * queries)?;
        let (mut verdicts, mut expected) = (vec![7; tasks as usize], logits.initial.clone());
        twin::mahalanobis_verdict(&reference, &of_class, &mut verdicts, &mut expected);
        bench.check_integers(&format!("states, {shape:?}"), &states, &verdicts).await?;
        bench.check(&format!("logits, {shape:?}"), &logits, &expected, Tolerance::EXACT).await?;
    }
    Ok(())
}

async fn backward_query(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let Shape { tasks, ways, queries, dimension, .. } = shape;
        let (params, reference) = params!(mahalanobis_backward_query MahalanobisBackwardQueryParams {
            tasks: tasks,
            queries: queries,
            ways: ways,
            dimension: dimension,
        });
        let (verdicts, u, g) = (shape.states(), shape.vectors(1), shape.logits(2));
        let mut bench = Bench::new(gpu)?;
        let states = bench.input(&verdicts).await?;
        let vectors = bench.input(&u).await?;
        let d_logits = bench.input(&g).await?;
        let d_queries = bench.output(tasks * queries * dimension).await?;
        let buffers = kernels::mahalanobis_backward_query::Buffers {
            states: states.all(),
            vectors: vectors.all(),
            d_logits: d_logits.all(),
            d_queries: d_queries.all(),
        };
        bench.run(params, buffers, tasks * queries * dimension)?;
        let mut expected = d_queries.initial.clone();
        twin::mahalanobis_backward_query(&reference, &verdicts, &u, &g, &mut expected);
        bench.check(&format!("{shape:?}"), &d_queries, &expected, Tolerance::sum(ways, 2.0)).await?;
    }
    Ok(())
}

async fn rows(gpu: &Gpu) -> Result<(), String> {
    // As many pairs as the head gives to one launch: a loop that lavapipe would stop must not go unnoticed.
    let long = Shape { queries: 16_384, support: 5, dimension: 3, ..SHAPES[0] };
    for shape in SHAPES.into_iter().chain([long]) {
        let Shape { tasks, ways, first_class, classes, support, queries, dimension } = shape;
        let (params, reference) = params!(mahalanobis_rows MahalanobisRowsParams {
            tasks: tasks,
            classes: classes,
            first_class: first_class,
            ways: ways,
            queries: queries,
            support: support,
            dimension: dimension,
        });
        let (verdicts, w, u) = (shape.states(), shape.projections(1), shape.vectors(2));
        let mut bench = Bench::new(gpu)?;
        let states = bench.input(&verdicts).await?;
        let coefficients = bench.input(&w).await?;
        let vectors = bench.input(&u).await?;
        let rows = bench.updated(shape.images(3)).await?;
        let buffers = kernels::mahalanobis_rows::Buffers {
            states: states.all(),
            coefficients: coefficients.all(),
            vectors: vectors.all(),
            rows: rows.all(),
        };
        bench.run(params, buffers, tasks * support.div_ceil(4) * dimension)?;
        let mut expected = rows.initial.clone();
        twin::mahalanobis_rows(&reference, &verdicts, &w, &u, &mut expected);
        bench.check(&format!("{shape:?}"), &rows, &expected, Tolerance::sum(classes * queries + 1, 1.0)).await?;
    }
    Ok(())
}
