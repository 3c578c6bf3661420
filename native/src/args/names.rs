//! Names of methods, estimators and networks, as arguments take them.

use inkling_session::config::{BackboneKind, TrainedKind};

/// An estimator by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Estimator {
    Full,
    Chunked,
    Lite,
    Subsampled,
}

impl Estimator {
    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Chunked => "chunked",
            Self::Lite => "lite",
            Self::Subsampled => "subsampled",
        }
    }
}

/// A head or a learner by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Method {
    Prototypes,
    Implicit,
    Unrolled,
    Neumann,
    Ridge,
    Mahalanobis,
    Versa,
    Maml,
    Fomaml,
    Reptile,
    Imaml,
}

impl Method {
    /// Whether the whole network adapts.
    pub fn is_learner(self) -> bool {
        matches!(self, Self::Maml | Self::Fomaml | Self::Reptile | Self::Imaml)
    }

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prototypes => "prototypes",
            Self::Implicit => "implicit",
            Self::Unrolled => "unrolled",
            Self::Neumann => "neumann",
            Self::Ridge => "ridge",
            Self::Mahalanobis => "mahalanobis",
            Self::Versa => "versa",
            Self::Maml => "maml",
            Self::Fomaml => "fomaml",
            Self::Reptile => "reptile",
            Self::Imaml => "imaml",
        }
    }
}

/// What adapts to a task: a head, a learner of the whole network, or fine-tuning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Adapter {
    Prototypes,
    Mahalanobis,
    Versa,
    Ridge,
    Implicit,
    Unrolled,
    Neumann,
    Maml,
    Fomaml,
    Imaml,
    Reptile,
    FinetunerHead,
    FinetunerFilm,
    FinetunerNorms,
    FinetunerAll,
}

impl Adapter {
    /// The key that chooses it, and the key's value.
    pub fn kind(self) -> (&'static str, &'static str) {
        const HEAD: &str = "head.kind";
        const LEARNER: &str = "learner.kind";
        match self {
            Self::Prototypes => (HEAD, "prototypes"),
            Self::Mahalanobis => (HEAD, "mahalanobis"),
            Self::Versa => (HEAD, "versa"),
            Self::Ridge => (HEAD, "ridge"),
            Self::Implicit => (HEAD, "implicit"),
            Self::Unrolled => (HEAD, "unrolled"),
            Self::Neumann => (HEAD, "neumann"),
            Self::Maml => (LEARNER, "maml"),
            Self::Fomaml => (LEARNER, "fomaml"),
            Self::Imaml => (LEARNER, "imaml"),
            Self::Reptile => (LEARNER, "reptile"),
            Self::FinetunerHead | Self::FinetunerFilm | Self::FinetunerNorms | Self::FinetunerAll => {
                (LEARNER, "finetuner")
            }
        }
    }

    /// Whether parameters of the network or of a classifier adapt, in place of a head.
    pub fn is_learner(self) -> bool {
        self.kind().0 == "learner.kind"
    }

    /// What fine-tuning adapts beside its classifier.
    pub fn trains(self) -> Option<&'static str> {
        match self {
            Self::FinetunerHead => Some("head"),
            Self::FinetunerFilm => Some("film"),
            Self::FinetunerNorms => Some("norms"),
            Self::FinetunerAll => Some("all"),
            _ => None,
        }
    }

    /// What reports call it.
    pub fn name(self) -> String {
        let (_, kind) = self.kind();
        self.trains().map_or_else(|| kind.to_owned(), |trains| format!("{kind}-{trains}"))
    }
}

/// A network larger than Conv-4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Backbone {
    /// EfficientNet-Lite0 (Tan & Le 2019)
    EfficientnetLite0,
    /// EfficientNet-B0, with SiLU and squeeze-and-excitation
    EfficientnetB0,
    /// The ResNet-12 of few-shot learning, its norms frozen
    #[value(name = "resnet-12")]
    Resnet12,
    /// ResNet-18 (He et al. 2016)
    #[value(name = "resnet-18")]
    Resnet18,
}

impl Backbone {
    /// As the configuration has it.
    pub fn kind(self) -> BackboneKind {
        match self {
            Self::EfficientnetLite0 => BackboneKind::EfficientnetLite0,
            Self::EfficientnetB0 => BackboneKind::EfficientnetB0,
            Self::Resnet12 => BackboneKind::Resnet12,
            Self::Resnet18 => BackboneKind::Resnet18,
        }
    }
}

/// What is trained of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Trained {
    /// Nothing
    Nothing,
    /// Those scales and shifts of norms that FiLM adapts to a task
    Film,
    /// Scales and shifts of the norms
    Norms,
    /// Everything but the norms' statistics
    All,
}

impl Trained {
    /// As the configuration has it.
    pub fn kind(self) -> TrainedKind {
        match self {
            Self::Nothing => TrainedKind::Nothing,
            Self::Film => TrainedKind::Film,
            Self::Norms => TrainedKind::Norms,
            Self::All => TrainedKind::All,
        }
    }
}
