use inkling_nn::Layout;
use proptest::prelude::*;
use safetensors::tensor::TensorView;

use super::*;
use crate::tensor_file::FloatType;

const LEGACY: &[u8] = include_bytes!("../../tests/fixtures/legacy.pth");
const WRAPPED: &[u8] = include_bytes!("../../tests/fixtures/wrapped.pth");
const OBJECT: &[u8] = include_bytes!("../../tests/fixtures/object.pth");

fn open(bytes: &[u8]) -> Result<WeightsFile, RunError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.pth");
    fs::write(&path, bytes).unwrap();
    // A file that is open can be read on after it was removed.
    WeightsFile::open(&path)
}

fn refused(bytes: &[u8]) -> String {
    open(bytes).and_then(|file| file.weights()).unwrap_err().to_string()
}

/// What `make.py` beside the fixtures stores.
fn stored() -> Weights {
    let eighth = |index: usize| index as f32 / 8.0 - 1.0;
    let pair = vec![0.5, -1.25, 3.0];
    let transposed = (0..24).map(|at| {
        let (a, b, c, d) = (at / 12, at / 6 % 2, at / 2 % 3, at % 2);
        eighth(8 * c + 4 * d + 2 * b + a)
    });
    let mut weights = Weights::default();
    weights.insert("conv.weight", vec![2, 2, 3, 2], transposed.collect());
    for name in ["bn.weight", "bn.bias", "bn.running_mean"] {
        weights.insert(name, vec![3], pair.clone());
    }
    weights.insert("tied", vec![4], (4..8).map(eighth).collect());
    weights
}

#[test]
fn every_container_of_pytorch_gives_the_same_weights() {
    for (bytes, format) in [(LEGACY, "PyTorch (before 1.6)"), (WRAPPED, "PyTorch (zip)")] {
        let file = open(bytes).unwrap();
        assert_eq!(file.format(), format);
        assert_eq!(file.weights().unwrap(), stored());
        let entries: Vec<_> =
            file.entries().map(|e| format!("{} {:?} {} {}", e.name, e.shape, e.dtype, e.bytes)).collect();
        assert_eq!(
            entries,
            [
                "bn.bias [3] BF16 6",
                "bn.num_batches_tracked [] I64 8",
                "bn.running_mean [3] F64 24",
                "bn.weight [3] F16 6",
                "conv.weight [2, 2, 3, 2] F32 96",
                "tied [4] F32 16",
            ]
        );
    }
}

#[test]
fn weights_come_back_from_safetensors_with_their_origin() {
    let file = open(LEGACY).unwrap().to_tensor_file(Origin::example()).unwrap();
    let exact = open(&file.encode().unwrap()).unwrap();
    assert_eq!((exact.format(), exact.origin()), ("safetensors", Some(&Origin::example())));
    assert_eq!(exact.weights().unwrap(), stored());
    // All values of the fixture are exact in 16 bits.
    let half = open(&file.encode_as(FloatType::F16).unwrap()).unwrap();
    assert!(half.entries().all(|entry| entry.dtype == "F16"));
    assert_eq!(half.weights().unwrap(), stored());
    // What is known already stays.
    let other = Origin::new("other".to_owned(), None, String::new(), None);
    assert_eq!(half.to_tensor_file(other).unwrap(), file);
}

#[test]
fn a_common_prefix_is_dropped_and_a_single_one_is_not() {
    let bytes = 1f32.to_le_bytes();
    let view = || TensorView::new(Dtype::F32, vec![1], &bytes).unwrap();
    let names = |names: &[&str]| {
        let file = open(&safetensors::serialize(names.iter().map(|name| (name, view())), None).unwrap()).unwrap();
        file.entries().map(|entry| entry.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&["module.a", "module.b"]), ["a", "b"]);
    assert_eq!(names(&["module.a", "b"]), ["b", "module.a"]);
}

#[test]
fn what_a_network_lacks_and_what_it_does_not_know_are_listed() {
    let mut parameters = Layout::default();
    parameters.push("conv.weight", &[2, 2, 3, 2]);
    parameters.push("bn.weight", &[3]);
    parameters.push("fc.weight", &[5, 3]);
    let mut running = Layout::default();
    running.push("bn.running_mean", &[3]);
    let problems = open(LEGACY).unwrap().weights().unwrap().to_flat([&parameters, &running], &["bn.b"]).unwrap_err();
    let text = problems.to_string();
    assert!(text.contains("fc.weight [5, 3] is missing"), "{text}");
    assert!(text.contains("tied [4] is not part of the network"), "{text}");
    assert!(!text.contains("bn."), "{text}");
}

#[test]
fn objects_that_hold_tensors_are_refused_by_name() {
    let text = refused(OBJECT);
    assert!(text.contains("w.pth cannot be used: it holds tensors in __main__.Holder"), "{text}");
    assert!(text.contains("model.state_dict()"), "{text}");
}

#[test]
fn code_in_a_pickle_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let trap = folder.path().join("trap");
    let command = format!("touch {}", trap.display());
    let length = (command.len() as u32).to_le_bytes();
    // The call itself, and the call as an entry of a dictionary.
    let call = [b"cposix\nsystem\nX", &length[..], command.as_bytes(), b"\x85R"].concat();
    let alone = refused(&[b"\x80\x02", &call[..], b"."].concat());
    assert!(alone.contains("posix.system"), "{alone}");
    let entry = refused(&[b"\x80\x02}X\x01\x00\x00\x00w", &call[..], b"s."].concat());
    assert!(entry.contains("no tensors of floats"), "{entry}");
    assert!(!trap.exists());
}

#[test]
fn files_that_are_no_weights_say_so() {
    for bytes in [&b""[..], b"x", b"PK\x03\x04 and no more", b"\x80\x02.", b"\x80\x02}.", b"<html>not found</html>"] {
        let text = refused(bytes);
        assert!(text.contains("w.pth cannot be used") && text.contains(';'), "{text}");
    }
    let missing = WeightsFile::open(Path::new("no/such.pth")).unwrap_err().to_string();
    assert!(missing.contains("cannot read no/such.pth"), "{missing}");
}

#[test]
fn every_truncation_is_refused() {
    let safetensors = open(LEGACY).unwrap().to_tensor_file(Origin::example()).unwrap().encode().unwrap();
    for whole in [LEGACY, WRAPPED, &safetensors] {
        for length in (0..whole.len()).step_by(7) {
            let part = open(&whole[..length]).and_then(|file| file.weights());
            assert!(part.is_err(), "{length} of {} bytes", whole.len());
        }
    }
}

#[test]
fn a_broadcast_tensor_is_no_bomb() {
    // conv.weight claims a dimension of 65,536 by a stride of zero.
    let mut bytes = LEGACY.to_vec();
    let old = b"(K\x02K\x02K\x03K\x02tq\x09(K\x01K\x02K\x08K\x04t";
    let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
    let new = b"(K\x02K\x02K\x03J\x00\x00\x01\x00tq\x09(K\x01K\x02K\x08K\x00t";
    bytes.splice(at..at + old.len(), new.iter().copied());
    let text = refused(&bytes);
    assert!(text.contains("bytes of tensors; save them with .clone()"), "{text}");
}

proptest! {
    #[test]
    fn damaged_files_never_panic(
        which in 0usize..4, at in 0usize..4000, byte: u8, cut in proptest::option::of(0usize..4000),
    ) {
        let mut bytes = match which {
            3 => open(LEGACY).unwrap().to_tensor_file(Origin::example()).unwrap().encode().unwrap(),
            _ => [LEGACY, WRAPPED, OBJECT][which].to_vec(),
        };
        let length = bytes.len();
        bytes[at % length] = byte;
        if let Some(cut) = cut {
            bytes.truncate(cut % length);
        }
        if let Ok(file) = open(&bytes) {
            let _ = file.weights();
        }
    }

    #[test]
    fn pickles_of_any_opcodes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..60)) {
        let pickle = [b"\x80\x02", &body[..], b"."].concat();
        let _ = open(&pickle);
        // The same in place of the state dict of a legacy file, whose three headers end here.
        let begin = LEGACY.windows(4).position(|window| window == b"uu.\x80").unwrap() + 3;
        let _ = open(&[&LEGACY[..begin], &pickle[..]].concat());
    }
}
