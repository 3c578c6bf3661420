//! `inkling adapt`.

use std::path::PathBuf;

use inkling_data::{ClassImages, Pixels, load_class_folder, load_images};
use inkling_session::model_card::ModelCard;
use inkling_session::run::{AdaptTask, SessionError, adapt};
use inkling_session::table::Table;
use inkling_session::tensor_file::TensorFile;
use inkling_session::units::ByteSize;
use serde_json::json;

use super::eval::no_card;
use super::passed_over;
use crate::args::AdaptArgs;
use crate::failure::Failure;
use crate::output::Output;

/// Everything that the adaptation works on.
struct Task {
    weights: TensorFile,
    support: Vec<ClassImages>,
    queries: Vec<(PathBuf, Pixels)>,
    budget: Option<ByteSize>,
}

pub fn run(args: &AdaptArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let weights = TensorFile::read(&args.model)?;
    let card = weights.teaching_card().ok_or_else(|| no_card(&args.model))?;
    let framing = card.framing().map_err(Failure::failed)?;
    let support = load_class_folder(&args.support, framing, args.strict).map_err(Failure::failed)?;
    let queries = load_images(&args.query, framing, args.strict).map_err(Failure::failed)?;
    passed_over(&[support.skipped, queries.skipped].concat(), output);
    let task = Task { weights, support: support.images, queries: queries.images, budget: args.memory_budget };
    let probabilities = classify(&task, &card, adapter).map_err(Failure::with_weights(&args.model))?;
    print(&task, &probabilities, output);
    Ok(())
}

/// The probability of every class for every query image, `[queries][ways]`.
fn classify(task: &Task, card: &ModelCard, adapter: Option<String>) -> Result<Vec<Vec<f32>>, SessionError> {
    let pixels = |(_, images): &ClassImages| images.iter().map(|(_, pixels)| pixels.clone()).collect();
    let support: Vec<Vec<Pixels>> = task.support.iter().map(pixels).collect();
    let queries: Vec<Pixels> = task.queries.iter().map(|(_, pixels)| pixels.clone()).collect();
    let (weights, budget) = (&task.weights, task.budget);
    let learned = AdaptTask { weights, card, support: &support, queries: &queries, budget };
    pollster::block_on(adapt(learned, adapter))
}

fn print(task: &Task, probabilities: &[Vec<f32>], output: Output) {
    let classes: Vec<&str> = task.support.iter().map(|(name, _)| name.as_str()).collect();
    if output.is_json() {
        for ((path, _), row) in task.queries.iter().zip(probabilities) {
            let by_class: serde_json::Map<_, _> =
                classes.iter().zip(row).map(|(class, p)| ((*class).to_owned(), json!(p))).collect();
            output.object(&json!({
                "image": path.display().to_string(),
                "class": best(&classes, row),
                "probabilities": by_class,
            }));
        }
        return;
    }
    let mut table = Table::new(["image", "class"].iter().chain(&classes).copied());
    for ((path, _), row) in task.queries.iter().zip(probabilities) {
        let cells = row.iter().map(|p| format!("{p:.3}"));
        table.row([path.display().to_string(), best(&classes, row).to_owned()].into_iter().chain(cells));
    }
    output.table(&table);
}

fn best<'a>(classes: &[&'a str], row: &[f32]) -> &'a str {
    let highest = classes.iter().zip(row).max_by(|left, right| left.1.total_cmp(right.1));
    highest.map_or("", |(class, _)| class)
}
