use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::*;

/// The value of every pixel of an image: another for each half, class and number.
fn value(half: u8, class: u8, number: u8, channel: u8) -> u8 {
    class.wrapping_mul(2).wrapping_add(half * 7 + number * 3 + channel)
}

/// `train.bin` or `test.bin` with `each` images of every class, in turn.
fn bin(half: u8, each: u8) -> Vec<u8> {
    let classes = classes::all();
    let mut bytes = Vec::new();
    for number in 0..each {
        for (class, fine) in (0u8..).zip(&classes) {
            bytes.extend([fine.coarse, class]);
            for channel in 0..3 {
                bytes.extend([value(half, class, number, channel); 1024]);
            }
        }
    }
    bytes
}

fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The official layout: `test.bin` stands before `train.bin`, names beside them.
fn archive(train: &[u8], test: &[u8]) -> Vec<u8> {
    gz(&tar_of(&[
        ("cifar-100-binary/test.bin", test),
        ("cifar-100-binary/fine_label_names.txt", b"apple\n"),
        ("cifar-100-binary/train.bin", train),
    ]))
}

fn load(split: CifarSplit, bytes: &[u8]) -> Result<Cifar, DataError> {
    Cifar::from_archive(split, "x.tar.gz", bytes, &OpenOptions::default(), None)
}

fn refused(bytes: &[u8]) -> String {
    load(CifarSplit::CifarFs, bytes).err().unwrap().to_string()
}

#[test]
fn the_same_images_from_an_archive_its_folder_and_unpacked() {
    let (train, test) = (bin(0, 2), bin(1, 1));
    let bytes = archive(&train, &test);
    let memory = load(CifarSplit::CifarFs, &bytes).unwrap();
    assert_eq!(Split::ALL.map(|split| memory.class_count(split)), [64, 16, 20]);
    assert_eq!(memory.image_shape(), ImageShape { channels: 3, height: 32, width: 32 });
    assert_eq!(memory.class_name(Split::Test, 0), "baby");
    assert_eq!(memory.class_name(Split::Validation, 15), "tractor");

    let folder = tempfile::tempdir().unwrap();
    let (packed, unpacked) = (folder.path().join("packed"), folder.path().join("unpacked/cifar-100-binary"));
    std::fs::create_dir_all(&packed).unwrap();
    std::fs::create_dir_all(&unpacked).unwrap();
    std::fs::write(packed.join("cifar-100-binary.tar.gz"), &bytes).unwrap();
    std::fs::write(unpacked.join("train.bin"), &train).unwrap();
    std::fs::write(unpacked.join("test.bin"), &test).unwrap();
    let places =
        [packed.join("cifar-100-binary.tar.gz"), packed, unpacked.clone(), unpacked.parent().unwrap().to_owned()];
    for place in places {
        let set = Cifar::open(CifarSplit::CifarFs, &place, &OpenOptions::default()).unwrap();
        assert_eq!(set.spec(), format!("cifar-fs:{}", place.display()));
        assert_eq!(set.normalization(), memory.normalization());
        for split in Split::ALL {
            for class in 0..set.class_count(split) {
                assert_eq!(set.class_name(split, class), memory.class_name(split, class));
                for index in 0..3 {
                    assert_eq!(set.pixels(split, class, index).unwrap(), memory.pixels(split, class, index).unwrap());
                }
            }
        }
    }
}

#[test]
fn a_class_has_its_training_images_first_and_keeps_their_planes() {
    let set = load(CifarSplit::Fc100, &archive(&bin(0, 2), &bin(1, 1))).unwrap();
    assert_eq!(Split::ALL.map(|split| set.class_count(split)), [60, 20, 20]);
    // "beaver" is class 4; it is the third test class, after "baby" and "beaver" come "bee" and so on.
    let class = (0..20).find(|&class| set.class_name(Split::Test, class) == "beaver").unwrap();
    assert_eq!(set.image_count(Split::Test, class), 3);
    for (index, (half, number)) in [(0, 0), (0, 1), (1, 0)].into_iter().enumerate() {
        let pixels = set.pixels(Split::Test, class, index as u32).unwrap();
        for (channel, plane) in (0..3).zip(pixels.chunks_exact(1024)) {
            assert!(plane.iter().all(|&byte| byte == value(half, 4, number, channel)));
        }
    }
    assert!(matches!(set.pixels(Split::Test, class, 3), Err(DataError::NoSuchImage { .. })));
    let other = OpenOptions { image_size: Some(8), ..OpenOptions::default() };
    let set = Cifar::from_archive(CifarSplit::Fc100, "x", &archive(&bin(0, 1), &bin(1, 1)), &other, None).unwrap();
    let small = set.pixels(Split::Test, class, 1).unwrap();
    assert_eq!(small.len(), 3 * 64);
    assert!(small[64..128].iter().all(|&byte| byte == value(1, 4, 0, 1)), "{:?}", &small[64..70]);
    assert!(std::sync::Arc::ptr_eq(&small, &set.pixels(Split::Test, class, 1).unwrap()));
}

#[test]
fn no_superclass_of_fc100_is_in_two_splits() {
    let classes = classes::all();
    for fine in &classes {
        let splits = classes.iter().filter(|other| other.coarse == fine.coarse).map(|c| CifarSplit::Fc100.of(c));
        assert!(splits.into_iter().all(|split| split == CifarSplit::Fc100.of(fine)), "{fine:?}");
    }
}

#[test]
fn normalization_is_that_of_the_training_classes() {
    let set = load(CifarSplit::CifarFs, &archive(&bin(0, 1), &bin(1, 1))).unwrap();
    let classes = classes::all();
    let values: Vec<f64> = (0u8..100)
        .filter(|&class| CifarSplit::CifarFs.of(&classes[class as usize]) == Split::Train)
        .flat_map(|class| [value(0, class, 0, 2), value(1, class, 0, 2)])
        .map(|value| f64::from(value) / 255.0)
        .collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    // One rounding to f32.
    assert!((f64::from(set.normalization().mean[2]) - mean).abs() < 1e-7);
    assert!((f64::from(set.normalization().std[2]) - variance.sqrt()).abs() < 1e-7);
}

#[test]
fn incomplete_classes_are_remarked_on() {
    let set = load(CifarSplit::CifarFs, &archive(&bin(0, 2), &bin(1, 1))).unwrap();
    assert!(set.remark().unwrap().starts_with("3 images per class, where the official CIFAR-100 has 600"));
    let mut uneven = bin(0, 2);
    uneven.truncate(uneven.len() - 3074);
    let set = load(CifarSplit::CifarFs, &archive(&uneven, &bin(1, 1))).unwrap();
    assert!(set.remark().unwrap().starts_with("2 to 3 images per class"), "{:?}", set.remark());
    let without_worms = bin(0, 1)[..99 * 3074].to_vec();
    assert!(refused(&archive(&without_worms, &[])).contains("no image of the class worm"));
    let whole = FoundClass { name: String::new(), images: vec![Pixels::from([0; 1]); 600], split: None };
    assert_eq!(remark(&[whole]), None);
}

#[test]
fn a_split_file_may_name_classes_and_superclasses() {
    let bytes = archive(&bin(0, 1), &bin(1, 1));
    let open = |text: &str| {
        let lists = ClassLists::parse(text, "s.toml").unwrap();
        Cifar::from_archive(CifarSplit::CifarFs, "x", &bytes, &OpenOptions::default(), Some(&lists))
    };
    let set = open("train = [\"fish\", \"apple\"]\ntest = [\"baby\"]").unwrap();
    assert_eq!(Split::ALL.map(|split| set.class_count(split)), [6, 0, 1]);
    let error = open("train = [\"fish\"]\ntest = [\"shark\"]").err().unwrap().to_string();
    assert!(error.contains("class shark is listed twice"), "{error}");
    let error = open("train = [\"fishes\"]").err().unwrap().to_string();
    assert!(error.contains("no class fishes"), "{error}");
}

#[test]
fn what_cannot_be_read_is_named_with_its_remedy() {
    let (train, test) = (bin(0, 1), bin(1, 1));
    let whole = archive(&train, &test);
    for keep in [0, 10, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        let text = refused(&whole[..keep]);
        assert!(text.contains("x.tar.gz") && text.contains("inkling data fetch cifar-100"), "{keep}: {text}");
        assert!(text.contains("truncated"), "{keep}: {text}");
    }
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1; // the length behind the checksum
    assert!(refused(&changed).contains("damaged"));
    assert!(refused(b"PK\x03\x04 this is a zip archive").contains("no tar.gz archive"));
    assert!(refused(&gz(b"no archive")).contains("x.tar.gz"));
    let text = refused(&archive(&train[..train.len() - 1], &test));
    assert!(text.contains("train.bin") && text.contains("3073 bytes into record 99"), "{text}");
    let mut mislabelled = train.clone();
    mislabelled[3074 * 5] = 19;
    let text = refused(&archive(&mislabelled, &test));
    assert!(text.contains("record 5 has the labels 19 and 5"), "{text}");
    let one = gz(&tar_of(&[("cifar-100-binary/train.bin", &train)]));
    assert!(refused(&one).contains("no train.bin with a test.bin"));
    let twice = gz(&tar_of(&[("a/train.bin", &train), ("b/train.bin", &train)]));
    assert!(refused(&twice).contains("b/train.bin cannot be used: the archive holds it twice"));
    let python = gz(&tar_of(&[("cifar-100-python/train", b"\x80\x02}q")]));
    assert!(refused(&python).contains("the Python version, whose files are pickles"));

    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| Cifar::open(CifarSplit::Fc100, path, &OpenOptions::default()).err().unwrap().to_string();
    assert!(open(folder.path()).contains("holds no cifar-100-binary.tar.gz"));
    assert!(open(&folder.path().join("nowhere")).contains("cannot open"));
    std::fs::write(folder.path().join("train.bin"), &train[..5000]).unwrap();
    std::fs::write(folder.path().join("test.bin"), &test).unwrap();
    assert!(open(folder.path()).contains("train.bin cannot be used: it ends 1926 bytes into record 1"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn damaged_archives_do_not_panic(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        keep in prop::option::of(any::<prop::sample::Index>()),
        packed in any::<bool>(),
    ) {
        // Damage inside the compressed stream seldom reaches the tar headers, so both are damaged.
        let (train, test) = (bin(0, 1), bin(1, 1));
        let plain = tar_of(&[("train.bin", &train), ("test.bin", &test)]);
        let mut bytes = if packed { gz(&plain) } else { plain };
        for (at, value) in flips {
            let at = if packed { at.index(bytes.len()) } else { at.index(512) };
            bytes[at] = value;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()));
        }
        if !packed {
            bytes = gz(&bytes);
        }
        if let Ok(set) = load(CifarSplit::CifarFs, &bytes) {
            prop_assert_eq!(set.image_count(Split::Train, 0), 2);
        }
    }
}
