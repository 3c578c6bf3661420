//! `inkling weights`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use inkling_data::fetch::FetchOptions;
use inkling_session::origin::Origin;
use inkling_session::pretrained::{self, IMPORTABLE, PRETRAINED, PretrainedError};
use inkling_session::table::Table;
use inkling_session::tensor_file::FloatType;
use inkling_session::units::ByteSize;
use inkling_session::weights_file::{self, Entry, WeightsFile};
use serde_json::json;

use super::fetch_bars::FetchBars;
use crate::args::{WeightsCommand, WeightsFetchArgs, WeightsImportArgs, WeightsShowArgs};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;

pub fn run(command: &WeightsCommand, output: Output) -> Result<(), Failure> {
    match command {
        WeightsCommand::List => {
            list(output);
            Ok(())
        }
        WeightsCommand::Fetch(args) => fetch(args, output),
        WeightsCommand::Import(args) => import(args, output),
        WeightsCommand::Show(args) => show(args, output),
    }
}

fn list(output: Output) {
    let mut table = Table::new(["weights of", "how", "what they are", "licence, or where they are"]);
    for one in PRETRAINED {
        table.row([one.name, "fetch", one.description, one.licence]);
    }
    for one in IMPORTABLE {
        table.row([one.name, "import", one.description, one.source]);
    }
    output.table(&table);
}

fn fetch(args: &WeightsFetchArgs, output: Output) -> Result<(), Failure> {
    let Some(pretrained) = PRETRAINED.iter().find(|one| one.name == args.name) else {
        if let Some(one) = IMPORTABLE.iter().find(|one| one.name == args.name) {
            return Err(Failure::Usage(format!(
                "the weights of {} cannot be fetched, for want of a checksum to check them by; download them from {} \
                 and convert them with `inkling weights import FILE`",
                one.name, one.source
            )));
        }
        let known = PRETRAINED.iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
        return Err(Failure::Usage(format!("there are no weights called \"{}\"; known are {known}", args.name)));
    };
    let options = FetchOptions { base: args.mirror.clone(), ..FetchOptions::default() };
    let interrupt = Interrupt::install(None)?;
    let mut bars = FetchBars::new(output);
    let path = pretrained::fetch(pretrained, &args.out, float_type(args.half), &options, &mut |progress| {
        bars.show(progress);
        if interrupt.requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bars.close();
    let path = path.map_err(|error| match error {
        PretrainedError::Fetch(error) => Failure::failed(error),
        PretrainedError::File(error) => error.into(),
    })?;
    output.result(
        &json!({"file": path, "licence": pretrained.licence}),
        &format!("{} ({})", path.display(), pretrained.licence),
    );
    Ok(())
}

fn float_type(half: bool) -> FloatType {
    if half { FloatType::F16 } else { FloatType::F32 }
}

fn import(args: &WeightsImportArgs, output: Output) -> Result<(), Failure> {
    let out = import_target(args)?;
    let file = WeightsFile::open(&args.file)?;
    let source = args.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // What says where it comes from goes on saying so.
    let origin = match file.origin() {
        Some(origin) => origin.clone(),
        None => Origin::new(source, None, weights_file::sha256(&args.file)?, None),
    };
    let converted = file.to_tensor_file(origin)?;
    let converted = if args.no_classifier { converted.without_classifier() } else { converted };
    converted.write_as(&out, float_type(args.half))?;
    let left_out: Vec<String> = file.entries().filter(|entry| !entry.is_float).map(|entry| entry.name).collect();
    let mut text = format!("{}: {} tensors", out.display(), converted.tensors.len());
    if let Some(first) = left_out.first() {
        text.push_str(&format!("; {} of no floats left out, such as {first}", left_out.len()));
    }
    output.result(&json!({"file": out, "tensors": converted.tensors.len(), "left_out": left_out}), &text);
    Ok(())
}

/// The file to write, which is never by accident the one to read.
fn import_target(args: &WeightsImportArgs) -> Result<PathBuf, Failure> {
    if let Some(out) = &args.out {
        return Ok(out.clone());
    }
    let out = args.file.with_extension("safetensors");
    if out == args.file {
        return Err(Failure::Usage(format!("{} is safetensors already; give --out to convert it", out.display())));
    }
    Ok(out)
}

fn show(args: &WeightsShowArgs, output: Output) -> Result<(), Failure> {
    let file = WeightsFile::open(&args.file)?;
    let entries: Vec<Entry> = file.entries().collect();
    let values = entries.iter().filter(|entry| entry.is_float).map(values).sum::<u64>();
    let bytes = entries.iter().map(|entry| entry.bytes).sum::<u64>();
    if output.is_json() {
        for entry in &entries {
            output
                .object(&json!({"name": entry.name, "shape": entry.shape, "dtype": entry.dtype, "bytes": entry.bytes}));
        }
        let total = json!({"file": args.file, "format": file.format(), "tensors": entries.len(), "values": values,
            "bytes": bytes, "origin": file.origin(), "card": file.card()});
        output.object(&total);
        return Ok(());
    }
    let mut table = Table::new(["name", "shape", "type", "bytes"]);
    for entry in &entries {
        table.row([entry.name.clone(), format!("{:?}", entry.shape), entry.dtype.clone(), entry.bytes.to_string()]);
    }
    output.table(&table);
    let count = entries.len();
    let size = ByteSize(bytes).rounded();
    output.line(&format!("{}: {count} tensors, {values} values of floats, {size}", file.format()));
    describe(&file, &args.file, output);
    Ok(())
}

fn values(entry: &Entry) -> u64 {
    entry.shape.iter().fold(1, |product, &size| product.saturating_mul(size as u64))
}

/// What the file says about itself.
fn describe(file: &WeightsFile, path: &Path, output: Output) {
    if let Some(origin) = file.origin() {
        let member = origin.member.as_ref().map(|member| format!(", {member}")).unwrap_or_default();
        output.line(&format!("from {}{member}", origin.source));
        output.line(&format!("SHA-256 of the source {}", origin.sha256));
        output.line(&format!("licence {}", origin.licence.as_deref().unwrap_or("unknown")));
    }
    if let Some(card) = file.card() {
        let step = card.step;
        output.line(&format!(
            "a learner trained on {}, step {step}; inkling eval --model {}",
            card.trained_on,
            path.display()
        ));
    }
}
