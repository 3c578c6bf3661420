use proptest::prelude::*;

use super::super::image::RgbaImage;
use super::*;

fn image(shade: u8) -> NewImage {
    NewImage::new(format!("{shade}.png"), RgbaImage::new(1, 1, vec![shade; 4]).unwrap())
}

fn names(classroom: &Classroom) -> Vec<String> {
    let of = |class: &Class| {
        let images: Vec<&str> = class.images.iter().map(|image| image.image.name.trim_end_matches(".png")).collect();
        format!("{}: {}", class.name, images.join(" "))
    };
    classroom.classes().iter().map(of).collect()
}

#[test]
fn classes_and_images_move_and_come_back() {
    let mut classroom = Classroom::default();
    let (cup, pen) = (classroom.add_class("cup"), classroom.add_class("pen"));
    let cups = classroom.add_images(cup, [image(1), image(2), image(3)]);
    classroom.add_images(pen, [image(4)]);
    assert!(classroom.move_images(&[cups[2], cups[0]], pen));
    assert_eq!(names(&classroom), ["cup: 2", "pen: 4 1 3"]);
    assert!(classroom.move_class(pen, 0) && classroom.rename_class(cup, "mug"));
    assert_eq!(names(&classroom), ["pen: 4 1 3", "mug: 2"]);
    assert!(classroom.delete_class(pen));
    assert_eq!(names(&classroom), ["mug: 2"]);
    assert!(classroom.undo() && classroom.undo() && classroom.undo() && classroom.undo());
    assert_eq!(names(&classroom), ["cup: 1 2 3", "pen: 4"]);
    assert!(classroom.redo());
    assert_eq!(names(&classroom), ["cup: 2", "pen: 4 1 3"]);
    assert_eq!(classroom.image(cups[0]).unwrap().0.id, pen);
}

#[test]
fn a_recording_is_one_step() {
    let mut classroom = Classroom::default();
    let class = classroom.add_class("a");
    for shade in 0..3 {
        classroom.record(class, image(shade), shade == 0).unwrap();
    }
    classroom.record(class, image(9), true).unwrap();
    assert_eq!(names(&classroom), ["a: 0 1 2 9"]);
    classroom.undo();
    assert_eq!(names(&classroom), ["a: 0 1 2"]);
    classroom.undo();
    assert_eq!(names(&classroom), ["a: "]);
    classroom.redo();
    assert_eq!(names(&classroom), ["a: 0 1 2"]);
    // What was undone and made again is not continued.
    classroom.record(class, image(5), false).unwrap();
    classroom.undo();
    assert_eq!(names(&classroom), ["a: 0 1 2"]);
}

#[test]
fn what_is_not_there_changes_nothing() {
    let mut classroom = Classroom::default();
    let class = classroom.add_class("a");
    let images = classroom.add_images(class, [image(1)]);
    let other = classroom.add_class("b");
    classroom.delete_class(other);
    let revision = classroom.revision();
    assert!(
        !classroom.delete_class(other) && !classroom.rename_class(other, "x") && !classroom.rename_class(class, "a")
    );
    assert!(!classroom.move_images(&images, other) && !classroom.move_images(&images, class));
    assert!(!classroom.move_class(class, 7) && !classroom.delete_images(&[]));
    assert!(classroom.add_images(other, [image(2)]).is_empty() && classroom.record(other, image(3), false).is_none());
    assert_eq!(classroom.revision(), revision);
}

#[test]
fn images_are_shared_and_never_copied() {
    let mut classroom = Classroom::default();
    let class = classroom.add_class("a");
    classroom.add_images(class, [image(1)]);
    let lesson = classroom.lesson();
    classroom.delete_class(class);
    classroom.undo();
    assert!(Arc::ptr_eq(&lesson.classes[0].images[0].image, &classroom.classes()[0].images[0].image));
}

/// Does one of the edits, with places drawn from `at` and `of`.
fn edit(classroom: &mut Classroom, kind: u8, at: usize, of: usize) {
    let classes: Vec<ClassId> = classroom.classes().iter().map(|class| class.id).collect();
    let images: Vec<ImageId> =
        classroom.classes().iter().flat_map(|class| class.images.iter().map(|image| image.id)).collect();
    let class = classes.get(at % classes.len().max(1)).copied();
    let some: Vec<ImageId> = images.iter().copied().skip(of % 5).step_by(1 + at % 3).collect();
    match (kind, class) {
        (0, _) => drop(classroom.add_class(format!("class {at}"))),
        (1, Some(class)) => drop(classroom.add_images(class, (0..of as u8 % 4).map(image))),
        (2, Some(class)) => drop(classroom.record(class, image(of as u8), of.is_multiple_of(3))),
        (3, Some(class)) => drop(classroom.delete_class(class)),
        (4, Some(class)) => drop(classroom.rename_class(class, format!("name {of}"))),
        (5, Some(class)) => drop(classroom.move_class(class, of)),
        (6, Some(class)) => drop(classroom.move_images(&some, class)),
        (7, _) => drop(classroom.delete_images(&some)),
        (8, _) => classroom.replace([(format!("new {at}"), vec![image(of as u8)])]),
        (9, _) => drop(classroom.add_classes([("x".to_owned(), vec![image(1)]), ("y".to_owned(), vec![])])),
        (10, _) => drop(classroom.undo()),
        (11, _) => drop(classroom.redo()),
        _ => {}
    }
}

proptest! {
    #[test]
    fn undoing_all_leads_back_to_the_start_and_redoing_all_to_the_end(
        edits in proptest::collection::vec((0u8..12, 0usize..40, 0usize..40), 0..60),
    ) {
        let mut classroom = Classroom::default();
        let start = classroom.lesson();
        for (kind, at, of) in edits {
            edit(&mut classroom, kind, at, of);
            // Every image and class is there once.
            let mut ids: Vec<u64> = classroom.classes().iter()
                .flat_map(|class| class.images.iter().map(|image| image.id.0).chain([class.id.0])).collect();
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), count);
        }
        while classroom.redo() {}
        let end = classroom.lesson();
        while classroom.undo() {}
        prop_assert_eq!(classroom.lesson(), start);
        while classroom.redo() {}
        prop_assert_eq!(classroom.lesson(), end);
    }
}
