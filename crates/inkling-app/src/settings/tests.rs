//! The panel, and settings that outlive the window.

use egui::Theme;
use egui_kittest::kittest::Queryable;
use inkling_platform::Storage;

use super::{LARGEST, MEBIBYTE, Settings};
use crate::adapters::Adapters;
use crate::services::Services;
use crate::testing::{NARROW, Script, WIDE, look, open, picture, wait};
use crate::{InklingApp, Tab, ThemeChoice};

#[test]
fn stored_settings_come_back_within_bounds() {
    let settings: Settings = serde_json::from_str(r#"{"scale": 1e9, "budget_bytes": 0, "theme": "dark"}"#).unwrap();
    let settings = settings.within_bounds();
    assert_eq!((settings.scale, settings.budget_bytes), (LARGEST, Some(MEBIBYTE)));
    assert_eq!(settings.theme, ThemeChoice::Dark);
    let nothing = Settings { scale: f32::NAN, ..Settings::default() };
    assert_eq!(nothing.within_bounds().scale, 1.0);
}

#[test]
fn choices_show_at_once() {
    let mut window = open(Script::default().app(), Tab::Settings, WIDE, Theme::Light);
    window.run();
    assert!(!window.ctx.global_style().visuals.dark_mode);
    window.get_by_label("Dark").click();
    window.run();
    assert!(window.ctx.global_style().visuals.dark_mode);
    window.get_by_label("125 %").click();
    window.run();
    assert_eq!(window.ctx.zoom_factor(), 1.25);
    window.get_by_label("Refuse runs that plan more than").click();
    window.run();
    let settings = window.state().state()["settings"].clone();
    assert_eq!(settings["budget_bytes"], 512 << 20);
    assert_eq!(settings["theme"], "dark");
    window.get_by_label("Example GPU 4000").click();
    window.run();
    assert_eq!(window.state().state()["settings"]["adapter"], "Example GPU 4000");
}

#[test]
fn settings_outlive_the_window() {
    let storage = Storage::in_memory();
    let app = || InklingApp::new(Services::new(storage.clone()));
    let mut window = open(app(), Tab::Settings, NARROW, Theme::Light);
    window.get_by_label("125 %").click();
    let is_stored = || {
        let bytes = pollster::block_on(storage.get("settings.json")).unwrap().unwrap_or_default();
        String::from_utf8(bytes).unwrap().contains("1.25")
    };
    wait(&mut window, |_| is_stored());
    let mut window = egui_kittest::Harness::builder().build_ui_state(|ui, app: &mut InklingApp| app.ui(ui), app());
    wait(&mut window, |app| app.state()["settings"]["scale"] == 1.25);
    assert_eq!(window.state().state()["settings"]["theme"], "light");
    let shown = window.state_mut().shared_mut().settings.theme;
    assert_eq!(shown, ThemeChoice::Light);
}

#[test]
fn damaged_settings_fall_back_to_the_defaults() {
    let storage = Storage::in_memory();
    pollster::block_on(storage.put("settings.json", b"{\"scale\": ".to_vec())).unwrap();
    let app = InklingApp::new(Services::new(storage));
    let mut window = egui_kittest::Harness::builder().build_ui_state(|ui, app: &mut InklingApp| app.ui(ui), app);
    for _ in 0..20 {
        window.run_steps(1);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_eq!(window.state().state()["settings"]["scale"], 1.0);
}

#[test]
fn a_machine_without_adapters_says_what_to_do() {
    let mut window = open(Script::default().app(), Tab::Settings, NARROW, Theme::Dark);
    window.state_mut().shared_mut().adapters = Adapters::of(vec![]);
    window.run();
    assert!(window.query_by_label_contains("Update the graphics driver").is_some());
}

#[test]
fn pictures() {
    let mut window = open(Script::default().app(), Tab::Settings, NARROW, Theme::Dark);
    window.run();
    picture(&mut window, "settings-narrow-dark").unwrap();
    let mut window = open(Script::default().app(), Tab::Settings, WIDE, Theme::Light);
    look(&mut window, "settings-wide-light");
}
