//! The VERSA head by itself: against its f64 twin, and with its first parameters.

use inkling_gpu::Gpu;
use inkling_meta::{HeadModel, HeadSettings, VersaSettings};
use inkling_nn::Layout;
use inkling_reference as twin;

use super::fixture::message;
use super::heads::{CLOSE, Data, SHAPES, VERSA, check, run, run_with};
use crate::Case;
use crate::kernels::{case_list, noise};

pub fn cases() -> Vec<Case> {
    case_list![
        "heads/versa_is_its_twin" => versa_is_its_twin,
        "heads/versa_begins_with_class_means" => versa_begins_with_class_means,
    ]
}

async fn versa_is_its_twin(gpu: &Gpu) -> Result<(), String> {
    for (shape, hidden) in SHAPES.into_iter().zip([3, 4, 0, 17]) {
        let data = Data::new(shape);
        let dimension = shape[4];
        let head = twin::VersaHead { hidden: if hidden == 0 { dimension } else { hidden } };
        // Layers that neither vanish nor explode.
        let scale = (head.hidden as f32).sqrt().recip();
        let parameters: Vec<f32> = noise(9, head.parameters(dimension)).iter().map(|value| scale * value).collect();
        let settings = HeadSettings::Versa(VersaSettings { hidden });
        let found = run_with(gpu, settings, &data, &parameters).await?;
        let wide: Vec<f64> = parameters.iter().map(|&value| value.into()).collect();
        let expected = data.with_twin(|input| head.run(input, &wide));
        check(&format!("{shape:?}, {hidden} hidden"), &found, &expected, CLOSE)?;
    }
    Ok(())
}

/// The last layers are zero at first: what another start of the layers before them does not change.
async fn versa_begins_with_class_means(gpu: &Gpu) -> Result<(), String> {
    let mut layout = Layout::default();
    let model = HeadModel::new(VERSA, &mut layout, 6).map_err(message)?;
    let mut flat = vec![0.0; layout.elements() as usize];
    model.initialize(&mut flat, &mut || 1.0);
    for entry in layout.entries() {
        let is_zero = flat[entry.offset as usize..][..entry.length as usize].iter().all(|&value| value == 0.0);
        let is_last = entry.name.contains(".4.");
        if is_zero != (is_last || entry.name.ends_with("bias")) {
            return Err(format!("{}: zero is {is_zero}", entry.name));
        }
    }
    let data = Data::new([2, 3, 5, 7, 6]);
    let found = run(gpu, VERSA, &data, 7).await?;
    let head = twin::VersaHead { hidden: 4 };
    let expected = data.with_twin(|input| head.run(input, &vec![0.0; head.parameters(6)]).loss);
    let error = (found.outcomes.iter().step_by(2).map(|&loss| f64::from(loss)).sum::<f64>() / 7.0 - expected).abs();
    if error < CLOSE * expected { Ok(()) } else { Err(format!("the loss is off by {error:e}")) }
}
