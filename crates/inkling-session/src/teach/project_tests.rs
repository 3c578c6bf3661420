use proptest::prelude::*;

use super::super::image::RgbaImage;
use super::*;
use crate::model_card::ModelCard;
use crate::tensor_file::{Tensor, TensorFile};

fn learner() -> LearnerFile {
    let mut file = TensorFile { card: Some(ModelCard::example()), ..TensorFile::default() };
    file.tensors.insert("w".to_owned(), Tensor::f32(vec![3], vec![1.0, -2.0, 0.5]).unwrap());
    LearnerFile::from_bytes("mine", file.encode().unwrap()).unwrap()
}

fn pixels(shade: u8) -> RgbaImage {
    RgbaImage::new(3, 2, (0..24).map(|at| shade.wrapping_add(10 * at)).collect::<Vec<u8>>()).unwrap()
}

fn example() -> Project {
    let file = Picture::of_rgba(3, 2, pixels(7).pixels()).unwrap().png().unwrap();
    Project {
        classes: vec![
            ("Tasse/cup: <1>".to_owned(), vec![NewImage::new("a.png", file), NewImage::new("webcam 1", pixels(1))]),
            ("空".to_owned(), vec![]),
            ("Tasse/cup: <1>".to_owned(), vec![NewImage::new("no image", b"text".to_vec())]),
        ],
        learner: Some(learner()),
    }
}

fn bytes(project: &Project) -> Vec<u8> {
    pollster::block_on(project.to_bytes(|_, _| ())).unwrap()
}

/// Names and files of all classes.
fn contents(project: &Project) -> Vec<(String, Vec<(String, ImageData)>)> {
    let images = |images: &[NewImage]| images.iter().map(|image| (image.name.clone(), image.data.clone())).collect();
    project.classes.iter().map(|(name, of)| (name.clone(), images(of))).collect()
}

/// An archive of these files.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn refusal(bytes: &[u8]) -> ProjectError {
    Project::from_bytes(bytes).unwrap_err()
}

#[test]
fn a_project_comes_back_as_it_was() {
    let project = example();
    let mut told = Vec::new();
    let file = pollster::block_on(project.to_bytes(|done, of| told.push((done, of)))).unwrap();
    assert_eq!(told, [(1, 3), (2, 3), (3, 3)]);
    assert_eq!(file, bytes(&project), "the same bytes every time");
    let read = Project::from_bytes(&file).unwrap();
    let (before, after) = (contents(&project), contents(&read));
    assert_eq!(after[0].0, "Tasse/cup: <1>");
    assert_eq!((&after[0].1[0], &after[1..]), (&before[0].1[0], &before[1..]), "files are kept byte for byte");
    // Pixels come back as a PNG of the same pixels.
    let ImageData::Encoded(png) = &after[0].1[1].1 else { panic!() };
    let shape = inkling_data::ImageShape { channels: 3, height: 2, width: 3 };
    let picture = Picture::of_rgba(3, 2, pixels(1).pixels()).unwrap();
    assert_eq!(Picture::decode(png, "x").unwrap().fit(shape).unwrap(), picture.fit(shape).unwrap());
    let of = |project: &Project| {
        project.learner.as_ref().map(|learner| (learner.name().to_owned(), learner.bytes().clone()))
    };
    assert_eq!(of(&read), of(&project));
    // Saved once more, nothing changes.
    assert_eq!(bytes(&read), bytes(&Project::from_bytes(&bytes(&read)).unwrap()));
}

#[test]
fn a_classroom_becomes_a_project_and_back() {
    let mut classroom = crate::teach::Classroom::default();
    classroom.replace(example().classes);
    let project = Project::new(&classroom.lesson(), None);
    let read = Project::from_bytes(&bytes(&project)).unwrap();
    classroom.replace(read.classes);
    assert_eq!(classroom.image_count(), 3);
    assert!(read.learner.is_none());
    classroom.undo();
    assert_eq!(classroom.classes()[0].images[0].image.name, "a.png");
}

#[test]
fn what_is_no_project_says_what_it_is() {
    let manifest =
        |format: u32| format!(r#"{{"kind":"inkling project","format":{format},"classes":[],"learner":null}}"#);
    assert!(Project::from_bytes(&zip(&[(MANIFEST, manifest(1).as_bytes())])).is_ok());
    assert!(matches!(refusal(b"GIF89a and so on"), ProjectError::Foreign(_)));
    assert!(matches!(refusal(b""), ProjectError::Foreign(_)));
    assert!(matches!(refusal(&zip(&[("a.txt", b"x")])), ProjectError::Foreign(_)));
    assert!(matches!(refusal(&zip(&[(MANIFEST, b"{}")])), ProjectError::Foreign(_)));
    assert!(matches!(refusal(&zip(&[(MANIFEST, br#"{"kind":"x","format":1}"#)])), ProjectError::Foreign(_)));
    assert!(matches!(refusal(&zip(&[(MANIFEST, manifest(2).as_bytes())])), ProjectError::TooNew(2)));
    let twice = r#"{"kind":"inkling project","format":1,"learner":null,
        "classes":[{"name":"a","images":[{"name":"x","file":"f"},{"name":"y","file":"f"}]}]}"#;
    assert!(matches!(refusal(&zip(&[(MANIFEST, twice.as_bytes()), ("f", b"1")])), ProjectError::Damaged(_)));
    let missing = twice.replace(r#",{"name":"y","file":"f"}"#, "");
    assert!(matches!(refusal(&zip(&[(MANIFEST, missing.as_bytes())])), ProjectError::Damaged(_)));
}

#[test]
fn a_bomb_is_not_unpacked() {
    let manifest = r#"{"kind":"inkling project","format":1,"learner":null,
        "classes":[{"name":"a","images":[{"name":"x","file":"f"}]}]}"#;
    let mut archive = zip(&[(MANIFEST, manifest.as_bytes()), ("f", &vec![0; 1 << 20])]);
    // As large as it says it is: refused before anything is read.
    let bomb = ZipArchive::new(Cursor::new(archive.as_slice())).unwrap();
    assert!(bomb.len() == 2);
    let mut left = 1000;
    let mut opened = ZipArchive::new(Cursor::new(archive.as_slice())).unwrap();
    assert!(matches!(read(&mut opened, "f", MOST_FILE_BYTES, &mut left), Err(ProjectError::TooLarge(_))));
    // A lie about the size does not help it: what is unpacked counts.
    let central = archive.windows(4).rposition(|four| four == b"PK\x01\x02").unwrap();
    archive[central + 24..central + 28].copy_from_slice(&10u32.to_le_bytes());
    let mut opened = ZipArchive::new(Cursor::new(archive.as_slice())).unwrap();
    assert!(read(&mut opened, "f", MOST_FILE_BYTES, &mut left).is_err());
}

#[test]
fn every_truncation_is_refused() {
    let whole = bytes(&example());
    for length in (0..whole.len()).step_by(7).chain(whole.len() - 30..whole.len()) {
        assert!(Project::from_bytes(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
    }
}

proptest! {
    #[test]
    fn damage_is_refused_or_harmless(at in 0usize..1_000_000, to: u8) {
        let project = example();
        let mut damaged = bytes(&project);
        let at = at % damaged.len();
        damaged[at] = to;
        // What does not count, such as a time stamp, may change; contents may not.
        if let Ok(read) = Project::from_bytes(&damaged) {
            let whole = Project::from_bytes(&bytes(&project)).unwrap();
            prop_assert_eq!(contents(&read), contents(&whole));
            let weights = |project: &Project| project.learner.as_ref().map(|learner| learner.bytes().clone());
            prop_assert_eq!(weights(&read), weights(&whole));
        }
    }

    #[test]
    fn bytes_of_any_kind_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), manifest in "\\{\"kind\":\"inkling project\",\"format\":1,\\PC{0,60}\\}") {
        let _ = Project::from_bytes(&bytes);
        let _ = Project::from_bytes(&zip(&[(MANIFEST, manifest.as_bytes()), ("f", &bytes)]));
    }
}
