//! What in a module stands against gradients image by image, as its layers say themselves.

use burn::module::{Flag, Module, ModuleVisitor, Param};
use inkling_meta::ImageCoupling;

/// The layer whose statistics are those of a pass.
const BATCH_NORM: &str = "Struct:BatchNorm";

/// What couples the images of a pass of this module; batch norms before chance.
///
/// Layers that behave otherwise in training say so with a flag: batch norms, and those that draw
/// (dropout, noise, randomised activations).
pub(crate) fn coupling<M: Module>(module: &M) -> Option<ImageCoupling> {
    let mut visitor = Flags::default();
    module.visit(&mut visitor);
    match visitor {
        Flags { statistics: true, .. } => Some(ImageCoupling::Statistics),
        Flags { chance: true, .. } => Some(ImageCoupling::Chance),
        Flags { .. } => None,
    }
}

#[derive(Default)]
struct Flags {
    /// The types of the modules on the way to the present one.
    path: Vec<String>,
    statistics: bool,
    chance: bool,
}

impl ModuleVisitor for Flags {
    fn visit_flag(&mut self, flag: &Param<Flag>) {
        if !flag.is_enabled() {
            return;
        }
        if self.path.last().is_some_and(|owner| owner == BATCH_NORM) {
            self.statistics = true;
        } else {
            self.chance = true;
        }
    }

    fn enter_module(&mut self, _name: &str, container_type: &str) {
        self.path.push(container_type.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }
}
