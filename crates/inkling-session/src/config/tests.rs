//! Tests of reading, merging, refusing and writing configurations.

use proptest::prelude::*;

use super::keys::KnownKeys;
use super::*;
use crate::presets;
use crate::units::TimeSpan;

fn read(text: &str) -> Result<RunConfig, ConfigError> {
    let mut layers = Layers::new();
    layers.text("run.toml", text)?;
    layers.run_config()
}

fn with(assignments: &[&str]) -> Result<RunConfig, ConfigError> {
    let mut layers = Layers::new();
    for assignment in assignments {
        layers.assign(assignment)?;
    }
    layers.run_config()
}

fn message(result: Result<RunConfig, ConfigError>) -> String {
    result.expect_err("must be refused").to_string()
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    assert_eq!(read(presets::DEFAULTS).unwrap(), RunConfig::default());
    let known = KnownKeys::of(&RunConfig::complete()).unwrap();
    for key in known.values() {
        let leaf = key.rsplit('.').next().unwrap();
        let documented =
            presets::DEFAULTS.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{leaf} = ")));
        assert!(documented, "{key} is not in defaults.toml");
    }
}

#[test]
fn every_preset_is_valid_without_warnings() {
    for preset in presets::PRESETS {
        let mut layers = Layers::new();
        layers.preset(preset.name).unwrap();
        let config = layers.run_config().unwrap();
        // Batch statistics are marked wherever they are used, also where they are the published form.
        let warnings: Vec<_> =
            config.warnings().into_iter().filter(|warning| !warning.contains("transductive")).collect();
        assert_eq!(warnings, Vec::<String>::new(), "{}", preset.name);
    }
}

#[test]
fn published_weights_bring_their_crop() {
    let crop = |assignments: &[&str]| with(assignments).unwrap().open_options().center_crop;
    assert_eq!(crop(&[]), 1.0);
    assert_eq!(crop(&["model.backbone=efficientnet-lite0"]), 0.875);
    assert_eq!(crop(&["model.backbone=efficientnet-lite0", "data.center_crop=1.0"]), 1.0);
    assert_eq!(crop(&["data.center_crop=0.5"]), 0.5);
}

#[test]
fn features_are_kept_where_the_first_stages_are_frozen() {
    let keeps = |assignments: &[&str]| with(assignments).unwrap().keeps_features();
    assert!(!keeps(&[]) && keeps(&["model.stages=2"]));
    assert!(!keeps(&["model.stages=2", "data.feature_cache=0", "data.augmentation.flip=true"]));
    assert!(!keeps(&["model.stages=2", "learner.kind=fomaml", "gradient.estimator=full"]));
}

#[test]
fn a_wrong_preset_names_the_nearest() {
    let error = Layers::new().preset("glyph-protonet").unwrap_err().to_string();
    assert!(error.contains("did you mean \"glyphs-protonet-lite\""), "{error}");
}

#[test]
fn unknown_keys_name_file_line_and_the_nearest_key() {
    let text = "[task]\nways = 5\n\n[trainig]\nsteps = 3\n";
    assert_eq!(message(read(text)), "run.toml:5: unknown key \"trainig.steps\"; did you mean \"training.steps\"?");
    assert_eq!(
        message(with(&["gradient.hh=3"])),
        "--set gradient.hh=3: unknown key \"gradient.hh\"; did you mean \"gradient.h\"?"
    );
    let wrong_section = message(with(&["training.channels=3"]));
    assert!(wrong_section.contains("did you mean \"model.channels\""), "{wrong_section}");
    let two = message(read("lerning_rate = 1\n[gradient]\nchunks = 2\n"));
    assert!(two.contains("run.toml:1:") && two.contains("run.toml:3:"), "{two}");
    assert!(two.contains("\"training.learning_rate\"") && two.contains("\"gradient.chunk\""), "{two}");
    let empty = message(read("[modell]\n"));
    assert!(empty.contains("unknown key \"modell\""), "{empty}");
}

#[test]
fn wrong_types_name_line_and_key() {
    let text = message(read("[training]\n\nsteps = \"many\"\n"));
    assert!(text.starts_with("run.toml:3: training.steps: invalid type"), "{text}");
    let block = message(with(&["head.kind=mahalanobis", "head.class_block=-1"]));
    assert!(block.contains("head.class_block") && block.contains("expected a whole number"), "{block}");
    let negative = message(with(&["gradient.h=-3"]));
    assert!(
        negative.contains("--set gradient.h=-3: gradient.h: invalid value")
            && negative.contains("expected a whole number"),
        "{negative}"
    );
    let variant = message(with(&["gradient.estimator=liet"]));
    assert!(variant.contains("there is no `liet`, expected one of `full`, `chunked`, `lite`"), "{variant}");
    let section = message(with(&["training=3"]));
    assert!(section.contains("training"), "{section}");
    let size = message(with(&["memory.budget=lots"]));
    assert!(size.contains("memory.budget") && size.contains("512MiB"), "{size}");
}

#[test]
fn broken_toml_names_the_line() {
    let text = message(read("[task]\nways = = 5\n"));
    assert!(text.starts_with("run.toml:2: this is not valid TOML"), "{text}");
}

#[test]
fn values_that_cannot_be_are_refused_with_their_key() {
    for (assignments, key) in [
        (&["training.learning_rate=nan"][..], "training.learning_rate"),
        (&["training.learning_rate=-1.0"], "training.learning_rate"),
        (&["training.learning_rate=0"], "training.learning_rate"),
        (&["training.learning_rate=inf"], "training.learning_rate"),
        (&["training.beta2=1.0"], "training.beta2"),
        (&["training.weight_decay=-0.1"], "training.weight_decay"),
        (&["training.clip_norm=nan"], "training.clip_norm"),
        (&["training.steps=0"], "training.steps"),
        (&["training.tasks_per_step=0"], "training.tasks_per_step"),
        (&["training.tasks_per_pass=2"], "training.tasks_per_pass"),
        (&["training.tasks_per_step=4", "training.tasks_per_pass=2", "task.variable=true"], "training.tasks_per_pass"),
        (&["training.keep_checkpoints=0"], "training.keep_checkpoints"),
        (&["training.schedule=step", "training.schedule_every=0"], "training.schedule_every"),
        (&["training.time_limit=0s"], "training.time_limit"),
        (&["task.ways=1"], "task.ways"),
        (&["task.shots=0"], "task.shots"),
        (&["task.queries=0"], "task.queries"),
        (&["task.variable=true", "task.max_support=3"], "task.max_support"),
        (&["model.channels=0"], "model.channels"),
        (&["model.groups=7"], "model.groups"),
        (&["model.groups=0"], "model.groups"),
        (&["model.backbone=resnet-12", "model.groups=64"], "model.groups"),
        (&["model.backbone=resnet-12", "model.drop_rate=1.0"], "model.drop_rate"),
        (&["model.drop_rate=0.1"], "model.drop_rate"),
        (&["model.stages=0"], "model.stages"),
        (&["model.stages=5"], "model.stages"),
        (&["model.backbone=efficientnet-lite0", "model.stages=2"], "model.stages"),
        (&["model.stages=2", "data.augmentation.flip=true"], "data.augmentation.flip"),
        (&["training.backbone_factor=-0.1"], "training.backbone_factor"),
        (&["data.image_size=15"], "data.image_size"),
        (&["data.center_crop=0"], "data.center_crop"),
        (&["data.center_crop=1.5"], "data.center_crop"),
        (&["data.mean=[0.5]"], "data.mean"),
        (&["data.mean=[0.5]", "data.std=[0.0]"], "data.std"),
        (&["data.mean=[0.5, 0.5]", "data.std=[1.0]"], "data.mean"),
        (&["data.spec="], "data.spec"),
        (&["data.augmentation.scale=1.0"], "data.augmentation.scale"),
        (&["data.augmentation.rotation_degrees=-1.0"], "data.augmentation.rotation_degrees"),
        (&["head.scale=0"], "head.scale"),
        (&["head.kind=implicit", "head.inner_steps=0"], "head.inner_steps"),
        (&["head.kind=implicit", "head.cg_steps=0"], "head.cg_steps"),
        (&["head.kind=implicit", "head.ridge=0"], "head.ridge"),
        (&["head.kind=implicit", "head.ridge=-1"], "head.ridge"),
        (&["head.kind=unrolled", "head.inner_lr=nan"], "head.inner_lr"),
        (&["head.kind=neumann", "head.eta=0"], "head.eta"),
        (&["head.kind=ridge", "head.lambda=0"], "head.lambda"),
        (&["learner.kind=maml", "gradient.estimator=lite"], "gradient.estimator"),
        (&["learner.kind=maml", "gradient.estimator=full", "learner.inner_steps=0"], "learner.inner_steps"),
        (&["learner.kind=imaml", "gradient.estimator=chunked", "learner.prox=0"], "learner.prox"),
        (&["learner.kind=imaml", "gradient.estimator=chunked", "learner.cg_steps=0"], "learner.cg_steps"),
        (&["gradient.chunk=70000"], "gradient.chunk"),
        (&["gradient.h=26"], "gradient.h"),
        (&["gradient.estimator=subsampled", "gradient.h=4"], "gradient.h"),
        (&["evaluation.episodes=1"], "evaluation.episodes"),
        (&["memory.budget=0"], "memory.budget"),
    ] {
        let error = with(assignments).expect_err(assignments[0]);
        let keys: Vec<&str> = error.problems().iter().map(|p| p.key.as_str()).collect();
        assert!(keys.contains(&key), "{assignments:?}: {error}");
        assert!(error.to_string().contains("--set"), "{error}");
    }
}

#[test]
fn batch_norm_is_refused_with_an_explanation() {
    for estimator in ["chunked", "lite"] {
        let text =
            message(with(&["model.norm=batch", &format!("gradient.estimator={estimator}"), "gradient.query_batch=0"]));
        assert!(text.contains("batch statistics couple the images"), "{text}");
        assert!(text.contains("model.norm = \"group\"") && text.contains("\"full\""), "{text}");
    }
    let config = with(&["model.norm=batch", "gradient.estimator=full", "gradient.query_batch=0"]).unwrap();
    assert!(config.warnings()[0].contains("transductive"));
    let cut = message(with(&["model.norm=batch", "gradient.estimator=full", "gradient.query_batch=8"]));
    assert!(cut.contains("gradient.query_batch"), "{cut}");
}

#[test]
fn h_of_zero_and_of_n_are_allowed() {
    assert!(with(&["gradient.h=0"]).unwrap().warnings()[0].contains("gradient.h = 0"));
    assert!(with(&["gradient.h=25"]).unwrap().warnings().is_empty());
    // Variable episodes may be smaller than H.
    assert!(with(&["task.variable=true", "gradient.h=600"]).is_ok());
}

#[test]
fn overrides_win_over_files_and_read_as_toml_or_bare_text() {
    let mut layers = Layers::new();
    layers.preset("glyphs-protonet-lite").unwrap();
    layers.assign("training.steps = 7").unwrap();
    layers.assign("data.spec=folder:/a b/c").unwrap();
    layers.assign("training.time_limit=30min").unwrap();
    layers.assign("memory.budget=512MiB").unwrap();
    layers.assign("model={channels=8, groups=2}").unwrap();
    layers.set("--seed", "training.seed", toml::Value::Integer(9));
    let config = layers.run_config().unwrap();
    assert_eq!(config.training.steps, 7);
    assert_eq!(config.training.seed, 9);
    assert_eq!(config.data.spec, "folder:/a b/c");
    assert_eq!(config.memory.budget, Some(ByteSize::mebibytes(512)));
    assert_eq!(config.training.time_limit, Some(TimeSpan(std::time::Duration::from_secs(1800))));
    assert_eq!((config.model.channels, config.model.groups), (8, 2));
    assert_eq!(config.task.ways, 10, "the preset's other values stay");
    for wrong in ["training.steps", "=3", ".=3", "a..b=1"] {
        assert!(Layers::new().assign(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn resolved_configurations_read_back() {
    for config in [RunConfig::default(), RunConfig::complete()] {
        let text = config.to_toml().unwrap();
        assert!(text.starts_with("# "));
        assert_eq!(read(&text).unwrap(), config);
    }
}

#[test]
fn fingerprints_follow_the_arithmetic_only() {
    let base = RunConfig::default().fingerprint().unwrap();
    let of = |assignments: &[&str]| with(assignments).unwrap().fingerprint().unwrap();
    assert_eq!(of(&["training.steps=5000", "training.time_limit=1h", "evaluation.ways=20"]), base);
    assert_ne!(of(&["training.seed=1"]), base);
    assert_ne!(of(&["gradient.h=11"]), base);
    assert_ne!(
        of(&["training.schedule=cosine", "training.steps=5"]),
        of(&["training.schedule=cosine", "training.steps=6"])
    );
}

const CASE: &str = "
[model]
backbone = \"conv4\"
channels = 8
norm = \"frozen\"
image_size = 28
in_channels = 1
[head]
kind = \"prototypes\"
[gradient]
estimator = \"lite\"
support_subset = [3, 0, 7, 11]
";

fn case(text: &str) -> Result<CaseConfig, ConfigError> {
    let mut layers = Layers::new();
    layers.text("case.toml", text)?;
    layers.case_config()
}

#[test]
fn cases_read_strictly() {
    let config = case(CASE).unwrap();
    let gradient = config.gradient.unwrap();
    assert_eq!((gradient.h(), gradient.query_batch), (Some(4), None));
    for (from, to, expected) in [
        ("channels = 8\n", "", "model.channels is missing"),
        ("channels = 8", "channel = 8", "did you mean \"model.channels\""),
        ("\"frozen\"", "\"group\"", "model.groups"),
        ("\"frozen\"", "\"batch\"", "batch statistics"),
        ("[3, 0, 7, 11]", "[3, 3]", "twice"),
        ("support_subset = [3, 0, 7, 11]", "", "gradient.h"),
        ("\"lite\"", "\"full\"", "gradient.support_subset"),
        ("image_size = 28", "image_size = 8", "model.image_size"),
        ("[3, 0, 7, 11]", "[3, -1]", "case.toml:12: gradient.support_subset"),
    ] {
        let error = case(&CASE.replace(from, to)).expect_err(to).to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(case(&CASE.replace("\"frozen\"", "\"group\"\ngroups = 4")).is_ok());
    let head = case(&CASE.replace("\"prototypes\"", "\"mahalanobis\"\nclass_block = 2")).unwrap().head.unwrap();
    assert_eq!((head.kind.name(), head.class_block()), ("mahalanobis", 2));
    let (model, _) = CASE.split_once("[head]").unwrap();
    assert!(case(&format!("{model}[learner]\nkind = \"imaml\"\nprox = 2.0\n")).is_ok());
    for (sections, expected) in [
        ("[learner]\nkind = \"maml\"\n[head]\nkind = \"ridge\"\n", "replaces"),
        ("[head]\nkind = \"ridge\"\n", "[gradient]"),
        ("", "[learner]"),
    ] {
        let error = case(&format!("{model}{sections}")).expect_err(sections).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// Lines that are nearly a configuration: the readers' branches lie close to valid text.
fn nearly_toml() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "\\[{1,2}(data|task|model|gradient|training|memory|data\\.augmentation|x)\\]{1,2}",
        "(spec|ways|h|chunk|budget|mean|learning_rate|time_limit|scale|a\\.b) ?= ?(-?[0-9]{1,20}|nan|-inf|\"[a-zA-Z0-9 ]{0,8}\"|\\[[0-9, ]{0,8}\\]|\\{a=1\\}|true|1e999)",
        "\\PC{0,40}",
    ];
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_panics(text in nearly_toml(), assignment in "[a-z.]{0,12}=?\\PC{0,16}") {
        let mut layers = Layers::new();
        if layers.text("fuzz.toml", &text).is_ok() {
            let _ = layers.assign(&assignment);
            if let Ok(config) = layers.run_config() {
                prop_assert_eq!(read(&config.to_toml().unwrap()).unwrap(), config);
            }
            let _ = layers.case_config();
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = read(&String::from_utf8_lossy(&bytes));
    }
}
