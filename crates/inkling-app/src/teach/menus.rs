//! The menus of a class and of an image.

use egui::Ui;
use inkling_session::teach::{ClassId, ImageId};

use super::action::Action;
use super::desk::Desk;
use super::text::counted;

/// What can be done with a class.
pub(crate) fn class_menu(ui: &mut Ui, desk: &Desk, class: ClassId, actions: &mut Vec<Action>) {
    let Some(name) = desk.room.class(class).map(|class| class.name.clone()) else { return };
    let place = desk.place(class);
    let last = desk.room.classes().len().saturating_sub(1);
    let mut item = |ui: &mut Ui, text: &str, enabled: bool, action: Action| {
        if ui.add_enabled(enabled, egui::Button::new(text)).clicked() {
            actions.push(action);
            ui.close();
        }
    };
    item(ui, "Rename", true, Action::BeginRename(class));
    item(ui, "Add images…", true, Action::PickImages(Some(class)));
    item(ui, "Add a folder…", true, Action::PickFolder(Some(class)));
    ui.separator();
    item(ui, "Choose all images", !empty(desk, class), Action::ChooseAll(images(desk, class)));
    item(ui, "Move left", place > 0, Action::MoveClass(class, place.saturating_sub(1)));
    item(ui, "Move right", place < last, Action::MoveClass(class, place + 1));
    ui.separator();
    item(ui, &format!("Delete {name}"), true, Action::DeleteClass(class));
}

fn images(desk: &Desk, class: ClassId) -> Vec<ImageId> {
    desk.room.class(class).map(|class| class.images.iter().map(|image| image.id).collect()).unwrap_or_default()
}

fn empty(desk: &Desk, class: ClassId) -> bool {
    desk.room.class(class).is_none_or(|class| class.images.is_empty())
}

/// What can be done with an image, or with all that are chosen where it is one of them.
pub(crate) fn image_menu(ui: &mut Ui, desk: &Desk, image: ImageId, actions: &mut Vec<Action>) {
    let images = desk.selection.or_alone(image);
    if images.len() > 1 {
        ui.weak(counted(images.len(), "image", "images"));
    }
    ui.menu_button("Move to", |ui| move_menu(ui, desk, &images, actions));
    if ui.button("Delete").clicked() {
        actions.push(Action::DeleteImages(images));
        ui.close();
    }
}

/// The classes that images can go to.
pub(crate) fn move_menu(ui: &mut Ui, desk: &Desk, images: &[ImageId], actions: &mut Vec<Action>) {
    let home = images.first().and_then(|image| desk.room.image(*image)).map(|(class, _)| class.id);
    let mut any = false;
    for class in desk.room.classes().iter().filter(|class| images.len() > 1 || Some(class.id) != home) {
        any = true;
        if ui.button(&class.name).clicked() {
            actions.push(Action::MoveImages(images.to_vec(), class.id));
            ui.close();
        }
    }
    if !any {
        ui.weak("There is no other class");
    }
}
