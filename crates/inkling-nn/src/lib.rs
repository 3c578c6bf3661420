//! Layers and backbones with forward and backward passes, and weights by name.
