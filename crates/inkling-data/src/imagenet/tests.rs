use std::io::{Cursor, Write};

use image::{ImageFormat, Rgb, RgbImage};
use proptest::prelude::*;

use super::*;
use crate::npy::tests::npy;
use crate::store::tests::zip_of;

const SIDE: usize = 6;

type Files = Vec<(String, Vec<u8>)>;

fn options() -> OpenOptions {
    OpenOptions { image_size: Some(SIDE as u32), ..OpenOptions::default() }
}

fn png(value: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let image = RgbImage::from_pixel(SIDE as u32, SIDE as u32, Rgb([value, 100, 200]));
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// The classes of the synthetic set, three images each: the red of an image is `10 class + image`.
const CLASSES: [(&str, &str); 5] = [
    ("train", "n01532829"),
    ("train", "n01558993"),
    ("val", "n01855672"),
    ("test", "n01930112"),
    ("test", "n07613480"),
];

/// Every image at the path that `place` gives it: split, class and number.
fn images(place: impl Fn(&str, &str, u8) -> String) -> Files {
    let mut files = Files::new();
    for (number, (split, class)) in (0u8..).zip(CLASSES) {
        files.extend((0..3).map(|image| (place(split, class, image), png(number * 10 + image))));
    }
    files
}

/// `train.csv`, `val.csv` and `test.csv` in the columns of the published ones.
fn csvs(folder: &str, filename: impl Fn(&str, u8) -> String) -> Files {
    let rows = |split: &str| -> String {
        let classes = CLASSES.iter().filter(|(of, _)| *of == split);
        classes
            .flat_map(|&(_, class)| (0..3).map(move |image| (class, image)))
            .map(|(class, image)| format!("{},{class}\n", filename(class, image)))
            .collect()
    };
    ["train", "val", "test"]
        .map(|split| (format!("{folder}{split}.csv"), format!("filename,label\n{}", rows(split)).into_bytes()))
        .to_vec()
}

fn ravi(class: &str, image: u8) -> String {
    format!("{class}{image:08}.png")
}

fn open(files: &Files) -> Result<Arc<dyn Dataset>, DataError> {
    ImagenetSubset::Mini.open_bytes("x.zip", zip_of(files), &options(), None)
}

/// Asserts that a data set is the synthetic one; npz without names has its own.
fn assert_whole(set: &dyn Dataset, what: &str, has_names: bool) {
    assert_eq!(Split::ALL.map(|split| set.class_count(split)), [2, 1, 2], "{what}");
    let mut number = 0;
    for split in Split::ALL {
        for class in 0..set.class_count(split) {
            if has_names {
                assert_eq!(set.class_name(split, class), CLASSES[number].1, "{what}");
            }
            assert_eq!(set.image_count(split, class), 3, "{what}");
            for image in 0..3 {
                let pixels = set.pixels(split, class, image).unwrap();
                let expected = [number as u8 * 10 + image as u8, 100, 200];
                assert_eq!(pixels.len(), 3 * SIDE * SIDE);
                for (plane, value) in pixels.chunks_exact(SIDE * SIDE).zip(expected) {
                    assert!(plane.iter().all(|&byte| byte == value), "{what}: {split} {class} {image}");
                }
            }
            number += 1;
        }
    }
}

#[test]
fn every_layout_of_images_is_the_same_set() {
    let with = |mut files: Files, more: Files| {
        files.extend(more);
        files
    };
    let one_folder = images(|_, class, image| format!("mini/images/{}", ravi(class, image)));
    let class_folders = images(|_, class, image| format!("images/{class}/{image:08}.png"));
    let layouts: [(&str, Files); 7] = [
        ("one folder and CSVs beside it", with(one_folder.clone(), csvs("mini/", ravi))),
        ("CSVs in a folder of their own", with(one_folder, csvs("mini/split/", ravi))),
        ("class folders and bare names", with(class_folders.clone(), csvs("", |_, i| format!("{i:08}.png")))),
        ("class folders and paths", with(class_folders.clone(), csvs("", |c, i| format!("images/{c}/{i:08}.png")))),
        ("class folders in split folders", images(|split, class, image| format!("mini/{split}/{class}/{image}.png"))),
        ("split folders and CSVs", {
            let folders = images(|split, class, image| format!("{split}/{}", ravi(class, image)));
            with(folders, csvs("", ravi))
        }),
        ("class folders of WordNet names", class_folders),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (number, (what, files)) in layouts.iter().enumerate() {
        assert_whole(open(files).unwrap().as_ref(), what, true);
        let root = folder.path().join(number.to_string());
        for (name, bytes) in files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let set = ImagenetSubset::Mini.open(&root, &options()).unwrap();
        assert_eq!(set.spec(), format!("mini-imagenet:{}", root.display()));
        assert_whole(set.as_ref(), what, true);
    }
}

#[test]
fn splits_that_cannot_be_found_or_contradict_each_other_are_named() {
    let message = |files: &Files| open(files).err().unwrap().to_string();
    let class_folders = images(|_, class, image| format!("{class}/{image}.png"));
    let tiered = ImagenetSubset::Tiered.open_bytes("x.zip", zip_of(&class_folders), &options(), None);
    assert!(tiered.err().unwrap().to_string().contains("x.zip holds no split; put train.csv"));
    let other = images(|_, class, image| format!("{class}x/{image}.png"));
    assert!(message(&other).contains("data.split_file"));
    assert!(message(&vec![("notes.txt".to_owned(), Vec::new())]).contains("x.zip holds no JPEG"));
    let lists = ClassLists::parse("train = [\"n01532829\"]\ntest = [\"n01930112\"]", "s").unwrap();
    let tiered = ImagenetSubset::Tiered.open_bytes("x.zip", zip_of(&class_folders), &options(), Some(&lists));
    assert_eq!(Split::ALL.map(|split| tiered.as_ref().unwrap().class_count(split)), [1, 0, 1]);

    let mut twice = images(|split, class, image| format!("{split}/{class}/{image}.png"));
    twice.push(("test/n01532829/9.png".to_owned(), png(0)));
    assert!(message(&twice).contains("class n01532829 stands in the train and in the test split"));

    let base = images(|_, class, image| format!("images/{}", ravi(class, image)));
    let with_csv = |name: &str, text: &str| {
        let mut files = base.clone();
        files.push((name.to_owned(), text.as_bytes().to_vec()));
        message(&files)
    };
    let text = with_csv("train.csv", "filename,label\nn0153282900000009.png,n01532829\n");
    assert!(text.contains("x.zip: train.csv") && text.contains("n0153282900000009.png, which is not among"), "{text}");
    assert!(with_csv("train.csv", "name,class\na,b\n").contains("columns filename and label"));
    assert!(with_csv("train.csv", "filename,label\nonly_one\n").contains("train.csv"));
    let ambiguous = [
        images(|_, class, image| format!("a/{class}{image}/0.png")),
        vec![("train.csv".to_owned(), b"filename,label\n0.png,n01532829\n".to_vec())],
    ];
    assert!(message(&ambiguous.concat()).contains("there are 15 images of this name"));
    let two = [csvs("a/", ravi), csvs("b/", ravi), base.clone()].concat();
    assert!(message(&two).contains("b/test.csv cannot be used: x.zip: a/test.csv lists the test split too"));
}

/// Arrays of one split, or of all: images, labels and names.
fn arrays(split: Option<&str>, first_label: i64) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let classes = (0u8..).zip(CLASSES).filter(|(_, (of, _))| split.is_none_or(|split| *of == split));
    let (mut pixels, mut labels, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (label, (class, (_, name))) in (first_label..).zip(classes) {
        names.extend(name.as_bytes());
        for image in 0..3 {
            labels.extend(label.to_le_bytes());
            (0..SIDE * SIDE).for_each(|_| pixels.extend([class * 10 + image, 100, 200]));
        }
    }
    let (count, classes) = (labels.len() / 8, names.len() / 9);
    (npy("|u1", &[count, SIDE, SIDE, 3], &pixels), npy("<i8", &[count], &labels), npy("|S9", &[classes], &names))
}

fn npz(packed: bool, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let method = if packed { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    for (name, bytes) in files {
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        writer.start_file(format!("{name}.npy"), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn every_layout_of_arrays_is_the_same_set() {
    let folder = tempfile::tempdir().unwrap();
    let mut layouts = 0;
    let mut check = |files: &[(String, Vec<u8>)], what: &str, has_names: bool| {
        let root = folder.path().join(layouts.to_string());
        layouts += 1;
        std::fs::create_dir(&root).unwrap();
        files.iter().for_each(|(name, bytes)| std::fs::write(root.join(name), bytes).unwrap());
        let path = if files.len() == 1 { root.join(&files[0].0) } else { root };
        assert_whole(ImagenetSubset::Tiered.open(&path, &options()).unwrap().as_ref(), what, has_names);
    };
    for packed in [false, true] {
        let each = |make: &dyn Fn(&str) -> Files| ["train", "val", "test"].map(make).concat();
        let files = each(&|split| {
            let (images, labels, names) = arrays(Some(split), 0);
            let bytes = npz(packed, &[("images", images), ("labels", labels), ("class_names", names)]);
            vec![(format!("{split}.npz"), bytes)]
        });
        check(&files, "a file for each split", true);
        let files = each(&|split| {
            let (images, labels, _) = arrays(Some(split), 64);
            vec![(format!("few-shot-{split}.npz"), npz(packed, &[("features", images), ("targets", labels)]))]
        });
        check(&files, "other names of the arrays", false);
        let files = each(&|split| {
            let (images, labels, _) = arrays(Some(split), 0);
            let labels = npz(packed, &[("label_specific", labels.clone()), ("label_general", labels)]);
            vec![
                (format!("{split}_images.npz"), npz(packed, &[("images", images)])),
                (format!("{split}_labels.npz"), labels),
            ]
        });
        check(&files, "images and labels in files of their own", false);
        let members = ["train", "val", "test"].map(|split| {
            let (images, labels, _) = arrays(Some(split), 0);
            [(format!("{split}_images"), images), (format!("{split}_labels"), labels)]
        });
        let members = members.concat();
        let members: Vec<(&str, Vec<u8>)> =
            members.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        check(&[("all.npz".to_owned(), npz(packed, &members))], "one file with every split", false);
    }
}

fn from_npz(members: &[(&str, Vec<u8>)]) -> Result<Arc<dyn Dataset>, DataError> {
    ImagenetSubset::Mini.open_bytes("mini.npz", npz(true, members), &options(), None)
}

#[test]
fn arrays_without_a_split_take_the_published_one_by_name() {
    let (images, labels, names) = arrays(None, 0);
    let members = [("images", images.clone()), ("labels", labels.clone()), ("class_names", names)];
    assert_whole(from_npz(&members).unwrap().as_ref(), "one file, no split", true);
    let error = from_npz(&[("images", images), ("labels", labels)]).err().unwrap().to_string();
    assert!(error.contains("mini.npz holds no split"), "{error}");
}

#[test]
fn arrays_that_cannot_be_used_are_named() {
    let (images, labels, names) = arrays(Some("train"), 0);
    let message = |members: &[(&str, Vec<u8>)]| from_npz(members).err().unwrap().to_string();
    let text = message(&[("pictures", images.clone())]);
    assert!(text.contains("holds no array of images (it has: pictures)"), "{text}");
    assert!(message(&[("images", images.clone())]).contains("mini.npz: images"));
    assert!(message(&[("images", images.clone())]).contains("no array of labels"));
    let few = npy("<i8", &[2], &[0; 16]);
    assert!(message(&[("images", images.clone()), ("labels", few)]).contains("6 images, but there are 2 labels"));
    let objects = npy("|O", &[6], b"\x80\x04pickle");
    assert!(message(&[("images", images.clone()), ("labels", objects)]).contains("pickles that can run code"));
    let floats = npy("<f4", &[6, 6, 6, 3], &[0; 4 * 648]);
    assert!(message(&[("images", floats), ("labels", labels.clone())]).contains("uint8"));
    let planar = npy("|u1", &[6, 3, 6, 6], &[0; 648]);
    assert!(message(&[("images", planar), ("labels", labels.clone())]).contains("[images, height, width, 3]"));
    let short = npy("|u1", &[7, 6, 6, 3], &[0; 648]);
    assert!(message(&[("images", short), ("labels", labels.clone())]).contains("has not the 756 bytes"));
    let unnamed = [("images", images.clone()), ("labels", arrays(Some("train"), 5).1), ("class_names", names)];
    assert!(message(&unnamed).contains("label 5 has no name"));
    let twice = [("images", images.clone()), ("data", images), ("labels", labels)];
    assert!(message(&twice).contains("is for the same"));
    let bytes = ImagenetSubset::Mini.open_bytes("a.npz", b"PK no".to_vec(), &options(), None);
    assert!(bytes.err().unwrap().to_string().contains("a.npz cannot be used: it is no readable npz archive"));
}

#[test]
fn packed_arrays_over_the_limit_of_memory_are_refused() {
    let (images, _, _) = arrays(Some("train"), 0);
    let open = |packed, limit| {
        arrays::open_bytes("a.npz", npz(packed, &[("images", images.clone())])).unwrap().images("images", limit)
    };
    let text = open(true, 647).err().unwrap().to_string();
    assert!(text.contains("needs 648 bytes of memory") && text.contains("numpy.savez instead"), "{text}");
    assert_eq!(open(true, 648).unwrap().memory_bytes(), 648);
    assert_eq!(open(false, 0).unwrap().memory_bytes(), 0);
}

#[test]
fn pickles_are_refused_with_the_line_that_converts_them() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| ImagenetSubset::Mini.open(path, &options()).err().unwrap().to_string();
    let pickle = folder.path().join("mini-imagenet-cache-train.pkl");
    std::fs::write(&pickle, b"\x80\x04cos\nsystem\n(S'true'\ntR.").unwrap();
    for path in [pickle.as_path(), folder.path()] {
        let text = open(path);
        assert!(text.contains("mini-imagenet-cache-train.pkl cannot be used: it is a Python pickle"), "{text}");
        assert!(
            text.contains("python3 -c \"import pickle, numpy; d = pickle.load(open('mini-imagenet-cache-train.pkl'")
        );
    }
    // Images that are arrays already, beside labels that are not.
    let tiered = tempfile::tempdir().unwrap();
    let (images, labels, _) = arrays(Some("train"), 0);
    std::fs::write(tiered.path().join("train_images.npz"), npz(false, &[("images", images)])).unwrap();
    std::fs::write(tiered.path().join("train_labels.pkl"), b"\x80\x04.").unwrap();
    let text = open(tiered.path());
    assert!(text.contains("train_labels.pkl") && text.contains("label_specific"), "{text}");
    std::fs::write(tiered.path().join("train_labels.npz"), npz(false, &[("labels", labels)])).unwrap();
    assert_eq!(ImagenetSubset::Mini.open(tiered.path(), &options()).unwrap().class_count(Split::Train), 2);
    let (images, _, _) = arrays(Some("val"), 0);
    std::fs::write(tiered.path().join("val_images.npz"), npz(false, &[("images", images)])).unwrap();
    std::fs::write(tiered.path().join("val_labels.pkl"), b"\x80\x04.").unwrap();
    assert!(open(tiered.path()).contains("val_labels.pkl cannot be used"), "what is converted is not asked for again");
    let empty = tempfile::tempdir().unwrap();
    assert!(open(empty.path()).contains("holds no images and no npz arrays"));
}

/// Everything one can ask; any result will do but a panic.
fn exercise(set: Result<Arc<dyn Dataset>, DataError>) {
    let Ok(set) = set else { return };
    for split in Split::ALL {
        for class in 0..set.class_count(split) {
            for index in 0..set.image_count(split, class) {
                let _ = set.pixels(split, class, index);
            }
        }
    }
}

fn damage(bytes: &mut Vec<u8>, flips: Vec<(prop::sample::Index, u8)>, keep: Option<prop::sample::Index>) {
    for (at, value) in flips {
        let at = at.index(bytes.len());
        bytes[at] = value;
    }
    if let Some(keep) = keep {
        bytes.truncate(keep.index(bytes.len()));
    }
}

proptest! {
    #[test]
    fn damaged_arrays_do_not_panic(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keep in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        packed in any::<bool>(), inside in any::<bool>(),
    ) {
        let (mut images, mut labels, names) = arrays(None, 0);
        if inside {
            // Behind the checksum of the archive, where damage would be noticed.
            let header = flips.clone();
            damage(&mut labels, header.iter().map(|&(at, value)| (at, value)).collect(), None);
            images.truncate(images.len() - 1);
        }
        let mut bytes = npz(packed, &[("images", images), ("labels", labels), ("class_names", names)]);
        if !inside {
            damage(&mut bytes, flips, keep);
        }
        exercise(ImagenetSubset::Mini.open_bytes("a.npz", bytes, &options(), None));
    }

    #[test]
    fn damaged_split_csvs_do_not_panic(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keep in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut files = csvs("", ravi);
        damage(&mut files[0].1, flips, keep);
        files.extend(images(|_, class, image| format!("images/{}", ravi(class, image))));
        exercise(open(&files));
    }
}
