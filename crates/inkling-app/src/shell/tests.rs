//! The bar of tabs and the keys.

use egui::accesskit::Toggled;
use egui::{Key, Modifiers, Theme};
use egui_kittest::kittest::{NodeT, Queryable};
use inkling_platform::PickedFile;
use inkling_session::events::Event;

use super::Tab;
use crate::notice::Notice;
use crate::testing::{NARROW, Script, WIDE, beginning, is_looking, look, open, snapshot, steps, wait};

#[test]
fn tabs_are_chosen_by_click_and_by_key() {
    for size in [WIDE, NARROW] {
        let mut window = open(Script::default().app(), Tab::Teach, size, Theme::Light);
        for tab in Tab::ALL {
            window.get_by_role_and_label(egui::Role::Tab, tab.title()).click();
            window.run_steps(3);
            assert_eq!(window.state().tab(), tab);
            let node = window.get_by_role_and_label(egui::Role::Tab, tab.title());
            assert_eq!(node.accesskit_node().toggled(), Some(Toggled::True), "{tab:?}");
        }
        for (modifiers, key, tab) in [
            (Modifiers::COMMAND, Key::Num2, Tab::MetaTrain),
            (Modifiers::ALT, Key::Num4, Tab::Learners),
            (Modifiers::COMMAND, Key::Num1, Tab::Teach),
        ] {
            window.key_press_modifiers(modifiers, key);
            window.run_steps(3);
            assert_eq!(window.state().tab(), tab);
        }
        window.key_press(Key::Num3);
        window.run_steps(3);
        assert_eq!(window.state().tab(), Tab::Teach, "a digit alone is text");
    }
}

#[test]
fn the_keyboard_reaches_every_tab_and_start() {
    let mut window = open(Script::default().app(), Tab::MetaTrain, WIDE, Theme::Light);
    let mut reached = Vec::new();
    for _ in 0..80 {
        window.key_press(Key::Tab);
        window.run_steps(2);
        if reached.last().is_some_and(|label| label == "Glyphs") {
            look(&mut window, "focus-on-a-choice");
        }
        let focused = window.query_all(egui_kittest::kittest::By::new().predicate(|node| node.is_focused()));
        reached.extend(focused.filter_map(|node| node.accesskit_node().label()));
    }
    for wanted in ["Teach", "Settings", "Start", "Glyphs"] {
        assert!(reached.iter().any(|label| label == wanted), "{wanted} is not among {reached:?}");
    }
}

#[test]
fn a_notice_for_all_tabs_stays_until_it_is_dismissed() {
    let mut window = open(Script::default().app(), Tab::Settings, NARROW, Theme::Dark);
    let notice = Notice::warning("There is no place to keep data", "Projects last until the window closes");
    window.state_mut().shared_mut().notice = Some(notice);
    window.run();
    window.state_mut().show_tab(Tab::Inspect);
    window.run();
    assert_eq!(window.state().state()["notice"], "There is no place to keep data");
    window.get_by_label_contains("Dismiss").click();
    window.run();
    assert!(window.state().state()["notice"].is_null());
}

/// Every tab on a desktop and on a phone, light and dark, before and during a run; for the eyes only.
#[test]
fn pictures() {
    if !is_looking() {
        return;
    }
    for (shape, size) in [("wide", WIDE), ("narrow", NARROW)] {
        for (shade, theme) in [("light", Theme::Light), ("dark", Theme::Dark)] {
            let script = Script::default();
            let mut window = open(script.app(), Tab::MetaTrain, size, theme);
            for tab in Tab::ALL {
                window.state_mut().show_tab(tab);
                look(&mut window, &format!("{}-empty-{shape}-{shade}", tab.id()));
            }
            window.state_mut().show_tab(Tab::MetaTrain);
            window.run_steps(3);
            window.get_by_label("Start").click();
            window.run_steps(3);
            script.say(beginning(400));
            script.say(steps(1, 150));
            script.say([snapshot(150), Event::Checkpoint { path: None, step: 150 }]);
            script.say([Event::Exported { archive: vec![1] }, Event::Paused { step: 150 }]);
            for tab in [Tab::MetaTrain, Tab::Inspect] {
                window.state_mut().show_tab(tab);
                look(&mut window, &format!("{}-paused-{shape}-{shade}", tab.id()));
            }
        }
    }
}

#[test]
fn dropped_archives_go_to_the_visible_tab() {
    let mut window = open(Script::default().app(), Tab::Settings, WIDE, Theme::Light);
    window.state_mut().drop_files(vec![PickedFile::from_bytes("pets.zip", *b"no zip")]);
    window.run_steps(4);
    assert_eq!(window.state().state()["train"]["data_is_open"], true, "nobody was there to take it");
    window.state_mut().show_tab(Tab::MetaTrain);
    window.state_mut().drop_files(vec![PickedFile::from_bytes("pets.zip", *b"no zip")]);
    wait(&mut window, |app| app.state()["train"]["data_is_open"] == false);
}
