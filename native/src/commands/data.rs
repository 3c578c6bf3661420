//! `inkling data`.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use inkling_data::fetch::{DOWNLOADS, FetchOptions};
use inkling_data::{
    DataError, Dataset, EpisodePlan, EpisodeSpec, KNOWN, Normalization, OpenOptions, Split, contact_sheet,
    nearest_pixel_accuracy, png_bytes,
};
use inkling_session::run::SessionError;
use inkling_session::table::Table;
use serde_json::json;

use super::fetch_bars::FetchBars;
use super::passed_over;
use crate::args::{DataCommand, DataFetchArgs, DataOpenArgs, DataSheetArgs};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;

pub fn run(command: DataCommand, output: Output) -> Result<(), Failure> {
    match command {
        DataCommand::List => {
            list(output);
            Ok(())
        }
        DataCommand::Info(args) => {
            let dataset = open(&args.open)?;
            info(dataset.as_ref(), output)?;
            args.pixel_baseline.map_or(Ok(()), |ways| pixel_baseline(dataset.as_ref(), ways, output))
        }
        DataCommand::Fetch(args) => fetch(&args, output),
        DataCommand::Sheet(args) => sheet(&args, output),
    }
}

fn list(output: Output) {
    if output.is_json() {
        for (spec, description) in KNOWN {
            output.object(&json!({"spec": spec, "description": description}));
        }
        for download in DOWNLOADS {
            output.object(&json!({"fetch": download.name, "description": download.description}));
        }
        return;
    }
    let mut sets = Table::new(["data set", "what it is"]);
    for (name, description) in KNOWN {
        sets.row([name, description]);
    }
    output.table(&sets);
    let mut downloads = Table::new(["fetch", "what it is"]);
    for download in DOWNLOADS {
        downloads.row([download.name, download.description]);
    }
    output.line("");
    output.table(&downloads);
}

fn open(args: &DataOpenArgs) -> Result<Arc<dyn Dataset>, Failure> {
    let options = OpenOptions {
        image_size: args.image_size,
        center_crop: args.center_crop,
        seed: args.data_seed,
        split_file: args.split_file.clone(),
        split_counts: args.split_counts,
        strict: args.strict,
        ..OpenOptions::default()
    };
    inkling_data::open(&args.spec, &options).map_err(refusal)
}

/// What was asked for is wrong usage, what the data holds is not.
fn refusal(error: DataError) -> Failure {
    SessionError::from(error).into()
}

fn info(dataset: &dyn Dataset, output: Output) -> Result<(), Failure> {
    let summary = inkling_data::summary(dataset).map_err(Failure::failed)?;
    let shape = summary.shape;
    if output.is_json() {
        let splits: serde_json::Map<_, _> = summary
            .splits
            .iter()
            .map(|s| {
                let value = json!({"classes": s.classes, "images": s.images,
                    "smallest_class": s.smallest_class, "largest_class": s.largest_class});
                (s.split.name().to_owned(), value)
            })
            .collect();
        output.object(&json!({
            "spec": summary.spec, "channels": shape.channels, "height": shape.height, "width": shape.width,
            "splits": splits,
            "mean": summary.normalization.mean, "std": summary.normalization.std,
            "sample_mean": summary.sample.mean, "sample_std": summary.sample.std, "sample_images": summary.sample_images,
            "skipped": summary.skipped, "remark": summary.remark,
        }));
        return Ok(());
    }
    output.line(&format!("{}: images of {}×{}×{}", summary.spec, shape.channels, shape.height, shape.width));
    let mut table = Table::new(["split", "classes", "images", "smallest class", "largest class"]);
    for split in &summary.splits {
        table.row([
            split.split.name().to_owned(),
            split.classes.to_string(),
            split.images.to_string(),
            split.smallest_class.to_string(),
            split.largest_class.to_string(),
        ]);
    }
    output.table(&table);
    output.line(&format!("normalised with {}", statistics(&summary.normalization)));
    output.line(&format!("a sample of {} images has {}", summary.sample_images, statistics(&summary.sample)));
    passed_over(&summary.skipped, output);
    if let Some(remark) = &summary.remark {
        output.line(remark);
    }
    Ok(())
}

fn statistics(of: &Normalization) -> String {
    let list = |values: &[f32]| values.iter().map(|v| format!("{v:.3}")).collect::<Vec<_>>().join(", ");
    format!("mean {} and standard deviation {}", list(&of.mean), list(&of.std))
}

fn fetch(args: &DataFetchArgs, output: Output) -> Result<(), Failure> {
    let Some(download) = DOWNLOADS.iter().find(|one| one.name == args.name) else {
        let known = DOWNLOADS.iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
        return Err(Failure::Usage(format!("there is nothing to fetch called \"{}\"; known are {known}", args.name)));
    };
    let folder = args.out.clone().unwrap_or_else(|| Path::new("data").join(download.name));
    let options = FetchOptions { base: args.mirror.clone(), ..FetchOptions::default() };
    let interrupt = Interrupt::install(None)?;
    let mut bars = FetchBars::new(output);
    let paths = inkling_data::fetch::fetch(download.name, &folder, &options, &mut |progress| {
        bars.show(progress);
        if interrupt.requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bars.close();
    for path in paths.map_err(Failure::failed)? {
        output.result(&json!({"file": path}), &path.display().to_string());
    }
    Ok(())
}

/// The accuracy of nearest-neighbour matching on raw pixels.
fn pixel_baseline(dataset: &dyn Dataset, ways: u32, output: Output) -> Result<(), Failure> {
    let spec = EpisodeSpec::Fixed { ways, shots: 1, queries: 5 };
    let accuracy =
        nearest_pixel_accuracy(dataset, Split::Test, &spec, 0, PIXEL_EPISODES).map_err(refusal)?.nearest_neighbour;
    output.result(
        &json!({"pixel_baseline": {"ways": ways, "shots": 1, "episodes": accuracy.episodes,
            "accuracy": accuracy.mean, "interval": accuracy.ci95}}),
        &format!(
            "nearest neighbour on raw pixels, {ways}-way 1-shot: {:.2} ± {:.2} % ({} episodes)",
            100.0 * accuracy.mean,
            100.0 * accuracy.ci95,
            accuracy.episodes
        ),
    );
    Ok(())
}

/// Episodes of the pixel baseline: as many as an evaluation has.
const PIXEL_EPISODES: u32 = 600;

fn sheet(args: &DataSheetArgs, output: Output) -> Result<(), Failure> {
    let dataset = open(&args.open)?;
    let split = match args.episode.split.as_deref() {
        Some(name) => name.parse::<Split>().map_err(|error| Failure::Usage(error.to_string()))?,
        None => Split::Test,
    };
    let spec = EpisodeSpec::Fixed {
        ways: args.episode.ways.unwrap_or(5),
        shots: args.episode.shots.unwrap_or(5),
        queries: args.episode.queries.unwrap_or(5),
    };
    let seed = args.episode.seed.unwrap_or(0);
    let plan = EpisodePlan::draw(dataset.as_ref(), split, &spec, seed, args.index).map_err(refusal)?;
    let episode = plan.load(dataset.as_ref()).map_err(Failure::failed)?;
    passed_over(&dataset.skipped(0), output);
    let png = png_bytes(&contact_sheet(&episode)).map_err(Failure::failed)?;
    inkling_session::write_atomically(&args.out, &png)?;
    let classes: Vec<String> = plan.classes().iter().map(|&class| dataset.class_name(split, class)).collect();
    output.result(
        &json!({"file": args.out, "classes": classes}),
        &format!("{}: {} from top to bottom", args.out.display(), classes.join(", ")),
    );
    Ok(())
}
