//! The architectures: which layers, in which order, under which names.

mod conv4;
mod efficientnet;
mod set_encoder;

pub(crate) use conv4::conv4;
pub(crate) use efficientnet::efficientnet_lite0;
pub(crate) use set_encoder::set_encoder;
