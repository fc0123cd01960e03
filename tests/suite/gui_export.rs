use std::sync::Arc;
use std::time::Duration;

use bagssl::engine::{
    Beside, Command, Event, FigureCommand, FigureEvent, FigureKind, FigurePage, FigureQuery, FigureRequest,
    FigureView, ModelDescription, ModelNames, QuerySpec, QueryView, Sign,
};
use bagssl::figure::{BoxPalette, FontSource, Format, TextAs};
use bagssl::image::Image;
use bagssl::patch::{BoxRef, PatchGrid, PatchRef};
use eframe::egui::{Key, Modifiers, OutputCommand, accesskit::Role, pos2};
use egui_kittest::kittest::{NodeT, Queryable};

use super::gui::{GRID, Window, config, patch, query_view};
use super::gui_compare::with_compare;
use super::gui_microscope::with_microscope;

fn figure_commands(window: &Window) -> Vec<FigureCommand> {
    let figure = |command| match command {
        Command::Figure(command) => Some(command),
        _ => None,
    };
    window.commands().into_iter().filter_map(figure).collect()
}

/// The figure that was asked for last, to be shown.
pub fn last_preview(window: &Window) -> Option<FigureRequest> {
    preview_of(figure_commands(window)).map(|(_, request)| request)
}

fn preview_of(commands: Vec<FigureCommand>) -> Option<(u64, FigureRequest)> {
    let preview = |command| match command {
        FigureCommand::Preview { id, request, .. } => Some((id, request)),
        _ => None,
    };
    commands.into_iter().rev().find_map(preview)
}

/// Plays the engine's answer: a page of 6.75 x 3 inches.
fn answer(window: &mut Window, id: u64, error: Option<&str>) {
    let page = FigurePage {
        picture: Arc::new(Image::filled(675, 300, [255; 3])),
        size_in: (6.75, 3.0),
        lacking: None,
        bytes: 182_400,
        format: Format::Pdf,
        caption: "\\textbf{The 119 nearest.}".into(),
        searched: Some((1_204, 1_960)),
    };
    let view =
        FigureView { id, page: Some(Arc::new(page)), error: error.map(str::to_owned), embedding: None };
    window.line.update(|shown| shown.views.figure = Some(Arc::new(view)));
    window.steps();
}

/// Waits for what is sent after a file thread has looked.
fn next_write(window: &mut Window) -> Option<FigureCommand> {
    (0..200).find_map(|_| {
        window.steps();
        match window.line.commands.recv_timeout(Duration::from_millis(10)) {
            Ok(Command::Figure(command @ FigureCommand::Write { .. })) => Some(command),
            _ => None,
        }
    })
}

fn type_path(window: &mut Window, path: &std::path::Path) {
    window.press(Modifiers::COMMAND, Key::A);
    let field = window.harness.get_by_role_and_label(Role::TextInput, "File");
    field.type_text(&path.display().to_string());
    window.steps();
}

/// The engine has answered further queries.
fn ask_about(window: &mut Window, patches: &[PatchRef]) {
    for (number, patch) in patches.iter().enumerate() {
        let view: QueryView = query_view(100 + number as u64, *patch);
        window.line.update(|shown| shown.query = Some(Arc::new(view)));
        window.steps();
    }
}

#[test]
fn enter_writes_the_figure_that_is_on_show_to_a_typed_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("neighbours.svg");
    let mut window = Window::with_query([1280.0, 800.0]);
    window.click("Galleries...");
    type_path(&mut window, &path);
    window.click("Caption file (.tex)");
    let shown = last_preview(&window).expect("a preview");
    assert_eq!((shown.format, shown.content.kind), (Format::Svg, FigureKind::Galleries));
    window.press(Modifiers::NONE, Key::Enter);
    let Some(FigureCommand::Write { request, path: to, caption }) = next_write(&mut window) else {
        panic!("nothing is written")
    };
    assert_eq!((request, to, caption), (shown, path.clone(), Some(path.with_extension("tex"))));
    // The dialog stays until the file is there.
    assert!(window.shows("Writing the figure"));
    let sidecar = folder.path().join("neighbours.svg.json");
    window.line.emit(Event::Figure(FigureEvent::Saved { path, sidecar, caption: None }));
    window.steps();
    assert!(!window.shows("Writing the figure") && window.shows("neighbours.svg"));
    assert!(matches!(figure_commands(&window)[..], [.., FigureCommand::Close]));
}

#[test]
fn a_figure_is_not_written_into_a_bank_or_a_run() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bank.json"), "1").unwrap();
    let mut window = Window::with_query([1280.0, 800.0]);
    window.click("Galleries...");
    type_path(&mut window, &folder.path().join("neighbours.svg"));
    window.press(Modifiers::NONE, Key::Enter);
    assert!(next_write(&mut window).is_none());
    assert!(window.shows("that place belongs to the bank"));
}

#[test]
fn the_preview_follows_the_options_and_tells_sizes() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::COMMAND, Key::G);
    let (id, request) = preview_of(figure_commands(&window)).expect("a preview");
    assert_eq!(request.content.queries, [patch(3, 8, 8)].map(FigureQuery::from));
    assert_eq!((request.content.neighbours, request.content.spaces.len()), (119, 2));
    assert!(window.shows("Drawing the figure"));
    answer(&mut window, id, None);
    assert!(window.shows("Preview of the figure, 6.75 x 3.00 inches"));
    assert!(window.shows("6.75 \u{d7} 3.00 in \u{b7} 486 \u{d7} 216 pt \u{b7} PDF, 183 kB"));
    assert!(window.shows("over 1,204 of 1,960 patches"));
    figure_commands(&window);
    window.click("3.25");
    window.click("Colour-blind safe");
    // The gallery on show offers this number as well, below the dialog.
    assert!(!window.shows("255"), "a field and what it offers look alike");
    window.harness.get_all_by_label("16 x 16").last().expect("a number of neighbours").click();
    window.steps();
    let (_, changed) = preview_of(figure_commands(&window)).expect("a preview of what was changed");
    assert_eq!((changed.style.width_in, changed.style.palette), (3.25, BoxPalette::Safe));
    assert_eq!(changed.content.neighbours, 255);
    window.click("Search again");
    let (_, again) = preview_of(figure_commands(&window)).expect("another search");
    assert_eq!(again.content.round, 1);
}

#[test]
fn an_error_stands_in_the_preview_with_a_way_out() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::COMMAND, Key::G);
    let (id, _) = preview_of(figure_commands(&window)).expect("a preview");
    answer(&mut window, id, Some("no patch is embedded yet; wait a moment"));
    assert!(window.shows("no patch is embedded yet; wait a moment"));
    window.click("Try again");
    assert_eq!(last_preview(&window).expect("another try").content.round, 1);
}

#[test]
fn an_instance_says_what_to_do_first_and_then_shows_the_positions_of_the_image() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.click("Instance...");
    assert!(window.shows("click other patches of the image"));
    assert!(last_preview(&window).is_none(), "what cannot be made is not asked for");
    let export = window.harness.get_by_role_and_label(Role::Button, "Export");
    assert!(export.accesskit_node().is_disabled());
    window.press(Modifiers::NONE, Key::Escape);
    ask_about(&mut window, &[patch(7, 0, 0), patch(3, 16, 4)]);
    window.click("Instance...");
    let request = last_preview(&window).expect("a preview");
    let of_image = [patch(3, 8, 8), patch(3, 16, 4)].map(FigureQuery::from);
    assert_eq!(request.content.queries, of_image, "those of the image on show");
    assert_eq!((request.content.spaces, request.content.neighbours), (vec!["h".to_owned()], 48));
    // A sheet of parts takes all.
    window.click("Parts (Fig. 10)");
    let request = last_preview(&window).expect("a preview");
    let all = [patch(3, 8, 8), patch(7, 0, 0), patch(3, 16, 4)].map(FigureQuery::from);
    assert_eq!(request.content.queries, all);
    assert!(window.harness.query_all_by_label_contains("figure10-parts").next().is_none());
}

#[test]
fn heatmaps_take_a_second_patch_size() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::COMMAND, Key::E);
    window.click("8 px and also patches of");
    let request = last_preview(&window).expect("a preview");
    assert_eq!(request.content.grids, [GRID, PatchGrid { patch: 20, ..GRID }]);
    assert_eq!(request.content.filter, config().filter);
}

#[test]
fn a_file_that_is_there_is_replaced_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("here.pdf");
    std::fs::write(&path, "a paper").unwrap();
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::COMMAND, Key::E);
    type_path(&mut window, &path);
    window.press(Modifiers::NONE, Key::Enter);
    let is_asked = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        window.steps();
        window.shows("This file exists already")
    });
    assert!(is_asked);
    assert!(!figure_commands(&window).iter().any(|command| matches!(command, FigureCommand::Write { .. })));
    window.click("Replace");
    assert!(matches!(next_write(&mut window), Some(FigureCommand::Write { path: to, .. }) if to == path));
    // A failure stands in the dialog, which stays open.
    window.line.emit(Event::Figure(FigureEvent::Failed("the disk is full".into())));
    window.steps();
    assert!(window.shows("Not done: the disk is full"));
    assert!(window.harness.query_by_role_and_label(Role::TextInput, "File").is_some());
}

#[test]
fn a_figure_and_its_caption_are_copied() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers { shift: true, ..Modifiers::COMMAND }, Key::E);
    let sent = figure_commands(&window);
    let [FigureCommand::CopyImage(request)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(request.content.kind, FigureKind::Heatmaps);
    let image = Arc::new(Image::filled(20, 10, [1, 2, 3]));
    window.line.emit(Event::Figure(FigureEvent::Image(image)));
    let copied = |window: &mut Window| {
        window.harness.step();
        window.harness.output().platform_output.commands.clone()
    };
    let commands = copied(&mut window);
    let is_image = |c: &OutputCommand| matches!(c, OutputCommand::CopyImage(image) if image.size == [20, 10]);
    assert!(commands.iter().any(is_image), "{commands:?}");
    window.steps();
    assert!(window.shows("20 x 10 pixels are on the clipboard"));
    window.click("Galleries...");
    window.click("Copy caption");
    assert!(matches!(figure_commands(&window)[..], [.., FigureCommand::CopyCaption(_)]));
    window.line.emit(Event::Figure(FigureEvent::Caption("\\textbf{Near.}".into())));
    let commands = copied(&mut window);
    let is_text = |c: &OutputCommand| matches!(c, OutputCommand::CopyText(text) if text == "\\textbf{Near.}");
    assert!(commands.iter().any(is_text), "{commands:?}");
    window.steps();
    assert!(window.shows("The caption is on the clipboard."));
}

#[test]
fn nothing_of_the_dialog_is_cut_in_a_small_window() {
    for size in [[1280.0, 800.0], [1000.0, 640.0]] {
        let mut window = Window::with_query(size);
        window.press(Modifiers::COMMAND, Key::G);
        let screen = eframe::egui::Rect::from_min_max(pos2(0.0, 0.0), pos2(size[0], size[1]));
        for label in [
            "File",
            "Export",
            "Copy image",
            "Copy caption",
            "Cancel",
            "Whole page",
            "Galleries (Fig. 5, 7, 8, 9)",
        ] {
            let found: Vec<_> = window.harness.query_all_by_label(label).map(|node| node.rect()).collect();
            assert!(!found.is_empty(), "{label:?} is missing at {size:?}");
            assert!(
                found.iter().all(|rect| screen.contains_rect(*rect)),
                "{label:?} is cut at {size:?}: {found:?}"
            );
        }
    }
}

#[test]
fn from_a_comparison_both_models_are_exported_unless_only_a_is_wanted() {
    let mut window = with_compare([1280.0, 800.0]);
    window.press(Modifiers::COMMAND, Key::G);
    let beside = |window: &Window| last_preview(window).expect("a preview is asked for").content.beside;
    assert_eq!(beside(&window), Some(Beside { hash: "fedcba9876543210".into(), step: Some(8) }));
    window.harness.get_by_role_and_label(Role::CheckBox, "Both models of the comparison").click();
    window.steps();
    assert_eq!(beside(&window), None);
    window.press(Modifiers::NONE, Key::Escape);
    window.press(Modifiers::NONE, Key::Num5);
    window.press(Modifiers::COMMAND, Key::G);
    assert_eq!(beside(&window), None, "the comparison is not on show");
    assert!(!window.shows("Both models of the comparison"));
}

#[test]
fn from_the_microscope_its_patch_sizes_are_exported() {
    let mut window = with_microscope([1280.0, 800.0]);
    window.press(Modifiers::COMMAND, Key::E);
    let sizes = |window: &Window| -> Vec<u32> {
        let preview = last_preview(window).expect("a preview is asked for");
        preview.content.grids.iter().map(|grid| grid.patch).collect()
    };
    assert_eq!(sizes(&window), [8, 16, 30]);
    window.harness.get_by_role_and_label(Role::CheckBox, "16 px").click();
    window.steps();
    assert_eq!(sizes(&window), [8, 30]);
}

#[test]
fn after_a_failure_the_path_can_be_typed_again_at_once() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::COMMAND, Key::E);
    window.press(Modifiers::NONE, Key::Tab);
    window.line.emit(Event::Figure(FigureEvent::Failed("/nowhere: there is no such folder".into())));
    window.steps();
    assert!(window.shows("Not done: /nowhere: there is no such folder"));
    assert!(window.harness.get_by_role_and_label(Role::TextInput, "File").is_focused());
    // With another figure it is past.
    window.steps();
    assert!(window.shows("Not done: /nowhere"));
    window.click("3.25");
    assert!(!window.shows("Not done: /nowhere"));
}

#[test]
fn a_neighbours_galleries_are_exported_from_its_menu() {
    let mut window = Window::with_query([1280.0, 800.0]);
    let neighbour = "h neighbour 8: cosine 0.965, car, other class";
    window.harness.get_by_label(neighbour).click_secondary();
    window.steps();
    window.click("Export its galleries...");
    window.steps();
    let request = last_preview(&window).expect("a preview is asked for");
    assert_eq!(
        (request.content.kind, &request.content.queries[..]),
        (FigureKind::Galleries, &[FigureQuery::from(patch(7, 4, 12))][..])
    );
    window.press(Modifiers::NONE, Key::Escape);
    window.harness.get_by_label(neighbour).click_secondary();
    window.steps();
    window.click("Compare two models on it");
    assert!(window.shows("The open model beside another"));
}

#[test]
fn whatever_is_looked_for_is_exported_and_copied() {
    let drawn = BoxRef { image: 3, y: 4, x: 6, height: 12, width: 9 };
    let composed = QuerySpec::one(patch(3, 8, 8)).with(Sign::Minus, patch(7, 0, 0));
    for (spec, words) in [
        (QuerySpec::one(drawn), "image 3 \u{b7} horse, 9 x 12 px, y 4, x 6 (on show)"),
        (composed, "1 plus, 1 minus (on show)"),
    ] {
        let mut window = Window::with_query([1280.0, 800.0]);
        let view = QueryView { query: spec.clone(), ..query_view(100, patch(3, 8, 8)) };
        window.line.update(|shown| shown.query = Some(Arc::new(view)));
        window.steps();
        let asked = [FigureQuery { spec: spec.clone(), image: 3 }];
        for (key, kind) in [(Key::E, FigureKind::Heatmaps), (Key::G, FigureKind::Galleries)] {
            window.press(Modifiers::COMMAND, key);
            let content = last_preview(&window).expect("a preview").content;
            assert_eq!((content.kind, &content.queries[..]), (kind, &asked[..]));
            assert!(window.shows(words), "{words}");
            window.press(Modifiers::NONE, Key::Escape);
            figure_commands(&window);
            window.press(Modifiers { shift: true, ..Modifiers::COMMAND }, key);
            let sent = figure_commands(&window);
            let [FigureCommand::CopyImage(request)] = &sent[..] else { panic!("{sent:?}") };
            assert_eq!(request.content.queries, asked);
        }
    }
}

#[test]
fn two_models_of_one_architecture_are_told_apart_by_name() {
    let mut window = with_compare([1280.0, 800.0]);
    window.press(Modifiers::COMMAND, Key::G);
    let names = |window: &Window| last_preview(window).expect("a preview").style.names;
    assert_eq!(names(&window), ModelNames::default(), "architectures tell them apart");
    window.press(Modifiers::NONE, Key::Escape);
    window.line.update(|shown| {
        let model = shown.model.as_deref().cloned().unwrap();
        shown.model = Some(Arc::new(ModelDescription { arch: "ResNet-18/16".into(), ..model }));
    });
    window.steps();
    window.press(Modifiers::COMMAND, Key::G);
    assert_eq!(names(&window), ModelNames { own: "demo".into(), beside: "tiny".into() });
    assert!(window.shows("Name of A") && window.shows("Name of B"));
}

#[test]
fn the_text_of_an_svg_is_chosen_and_a_page_taller_than_paper_is_told() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::COMMAND, Key::G);
    assert!(!window.shows("Outlines"), "a PDF holds its font");
    window.click("SVG");
    window.click("Font");
    let (id, request) = preview_of(figure_commands(&window)).expect("a preview");
    assert_eq!((request.format, request.style.text), (Format::Svg, TextAs::Font));
    answer(&mut window, id, None);
    assert!(!window.shows("taller than paper"));
    window.line.update(|shown| {
        let view = shown.views.figure.as_deref().cloned().unwrap();
        let page = view.page.as_deref().cloned().unwrap();
        let lacking = Some("no font here has “猫”".to_owned());
        let page = Some(Arc::new(FigurePage { size_in: (6.75, 14.0), lacking, ..page }));
        shown.views.figure = Some(Arc::new(FigureView { page, ..view }));
    });
    window.steps();
    assert!(window.shows("taller than paper") && window.shows("the font lacks characters"));
}

#[test]
fn a_font_file_is_taken_when_its_field_is_left() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::COMMAND, Key::G);
    let (_, request) = preview_of(figure_commands(&window)).expect("a preview");
    assert_eq!(request.style.font, FontSource::BuiltIn);
    window.click("Font file");
    window.harness.get_by_role_and_label(Role::TextInput, "Font file").type_text("/fonts/Inter.ttf");
    window.steps();
    assert!(preview_of(figure_commands(&window)).is_none(), "half a path is no font");
    window.press(Modifiers::NONE, Key::Tab);
    let (_, request) = preview_of(figure_commands(&window)).expect("a preview in that font");
    assert_eq!(request.style.font, FontSource::File("/fonts/Inter.ttf".into()));
}
