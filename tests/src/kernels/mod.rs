//! Every kernel against its CPU twin: on shapes that are one, odd, prime and larger than a
//! workgroup or a segment, into outputs that are filled with poison.

mod augment;
mod bench;
mod cholesky;
mod conv2d;
mod conv2d_packed;
mod conv3x3;
mod dense;
mod depthwise;
mod depthwise_strips;
mod elu;
mod film;
mod inner;
mod linear;
mod linear_head;
mod mahalanobis;
mod norm;
mod norm_backward;
mod norm_data;
mod norm_tangent;
mod norm_unpooled;
mod optim;
mod peak;
mod plain;
mod pointwise;
mod pool;
mod prototype;
mod prototype_backward;
mod ridge;
mod softmax;
mod solve;
mod tolerance;

use crate::Case;
pub(crate) use bench::{integers, noise};

/// `name => async function` of a kernel's cases.
macro_rules! case_list {
    ($($name:literal => $function:path),* $(,)?) => {
        vec![$(crate::Case { name: $name, run: |gpu| Box::pin($function(gpu)) }),*]
    };
}
pub(crate) use case_list;

/// One list of fields for the parameters of a kernel and those of its twin.
macro_rules! params {
    ($stem:ident $Twin:ident { $($field:ident: $value:expr),* $(,)? }) => {
        (
            inkling_gpu::kernels::$stem::Params { $($field: $value),* },
            inkling_reference::$Twin { $($field: $value),* },
        )
    };
}
pub(crate) use params;

/// All cases.
pub fn cases() -> Vec<Case> {
    [
        conv2d::cases(),
        conv2d_packed::cases(),
        conv3x3::cases(),
        depthwise::cases(),
        film::cases(),
        depthwise_strips::cases(),
        pointwise::cases(),
        norm::cases(),
        norm_backward::cases(),
        norm_tangent::cases(),
        norm_unpooled::cases(),
        pool::cases(),
        plain::cases(),
        linear::cases(),
        elu::cases(),
        softmax::cases(),
        prototype::cases(),
        prototype_backward::cases(),
        linear_head::cases(),
        ridge::cases(),
        cholesky::cases(),
        mahalanobis::cases(),
        solve::cases(),
        dense::cases(),
        optim::cases(),
        peak::cases(),
        inner::cases(),
        augment::cases(),
    ]
    .concat()
}
