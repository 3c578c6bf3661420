//! Named configurations that travel inside the program.

use crate::config::ConfigError;

/// A named configuration.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// What `--preset` takes.
    pub name: &'static str,
    /// What it is for, in one line.
    pub purpose: &'static str,
    /// Its TOML text with comments.
    pub text: &'static str,
}

/// All presets, the ones for newcomers first.
pub const PRESETS: [Preset; 17] = [
    Preset {
        name: "glyphs-protonet-lite",
        purpose: "minutes on two cores: generated characters, a small Conv-4, nothing to download",
        text: include_str!("../presets/glyphs-protonet-lite.toml"),
    },
    Preset {
        name: "scenes-protonet-lite",
        purpose: "the learner that Inkling ships: generated photographs, nothing to download",
        text: include_str!("../presets/scenes-protonet-lite.toml"),
    },
    Preset {
        name: "photos",
        purpose: "your own photos, nothing to tune: EfficientNet-Lite0 as published; needs its weights (14 MB)",
        text: include_str!("../presets/photos.toml"),
    },
    Preset {
        name: "omniglot-protonet-lite",
        purpose: "Omniglot, half an hour on two cores; needs the two official archives",
        text: include_str!("../presets/omniglot-protonet-lite.toml"),
    },
    Preset {
        name: "photos-last-stages",
        purpose: "own photos of twenty classes or more: the last stages of EfficientNet-Lite0, for one example each",
        text: include_str!("../presets/photos-last-stages.toml"),
    },
    Preset {
        name: "cifar-fs-implicit",
        purpose: "implicit gradients on CIFAR-FS, half an hour on two cores; needs the CIFAR-100 archive",
        text: include_str!("../presets/cifar-fs-implicit.toml"),
    },
    Preset {
        name: "cifar-fs-protonet",
        purpose: "prototypes on CIFAR-FS, to compare with",
        text: include_str!("../presets/cifar-fs-protonet.toml"),
    },
    Preset {
        name: "cifar-fs-itd",
        purpose: "exact gradients through the head's steps on CIFAR-FS, to compare with",
        text: include_str!("../presets/cifar-fs-itd.toml"),
    },
    Preset {
        name: "cifar-fs-anil",
        purpose: "ANIL on CIFAR-FS, to compare with",
        text: include_str!("../presets/cifar-fs-anil.toml"),
    },
    Preset {
        name: "cifar-fs-ridge",
        purpose: "ridge regression in closed form on CIFAR-FS, to compare with",
        text: include_str!("../presets/cifar-fs-ridge.toml"),
    },
    Preset {
        name: "cifar-fs-maml",
        purpose: "MAML on CIFAR-FS, to compare with",
        text: include_str!("../presets/cifar-fs-maml.toml"),
    },
    Preset {
        name: "cifar-fs-fomaml",
        purpose: "first-order MAML on CIFAR-FS, to compare with",
        text: include_str!("../presets/cifar-fs-fomaml.toml"),
    },
    Preset {
        name: "cifar-fs-imaml",
        purpose: "iMAML on CIFAR-FS, to compare with",
        text: include_str!("../presets/cifar-fs-imaml.toml"),
    },
    Preset {
        name: "vtab-simple-cnaps-lite",
        purpose: "Simple CNAPs with LITE at 224 pixels, tasks of up to 500 photos; needs a real GPU and weights",
        text: include_str!("../presets/vtab-simple-cnaps-lite.toml"),
    },
    Preset {
        name: "vtab-small-task",
        purpose: "the same without LITE on small tasks, to compare with",
        text: include_str!("../presets/vtab-small-task.toml"),
    },
    Preset {
        name: "orbit-protonet-lite",
        purpose: "prototypes with LITE on frames of objects at 224 pixels, EfficientNet-B0 learned whole; needs a real GPU",
        text: include_str!("../presets/orbit-protonet-lite.toml"),
    },
    Preset {
        name: "vtab-84",
        purpose: "the same without LITE on images of 84 pixels, to compare with",
        text: include_str!("../presets/vtab-84.toml"),
    },
];

/// Every key with its default and a comment: the reference of the configuration.
pub const DEFAULTS: &str = include_str!("../presets/defaults.toml");

/// The preset of that name.
///
/// # Errors
/// [`ConfigError::Preset`] with the most similar name.
pub fn find(name: &str) -> Result<Preset, ConfigError> {
    PRESETS.iter().find(|preset| preset.name == name).copied().ok_or_else(|| {
        let names = || PRESETS.iter().map(|preset| preset.name);
        ConfigError::Preset {
            name: name.to_owned(),
            nearest: crate::config::most_similar(name, names()).unwrap_or_default().to_owned(),
            known: names().collect::<Vec<_>>().join(", "),
        }
    })
}
