//! The settings of the heatmaps and of the galleries, each with its unit.

use eframe::egui::containers::menu::{MenuButton, MenuConfig};
use eframe::egui::{
    Button, Checkbox, ComboBox, DragValue, Label, PopupCloseBehavior, Response, ScrollArea, Slider,
    TextStyle, Ui, WidgetText,
};

use crate::colormap::Colormap;
use crate::engine::defaults::PatchFault;
use crate::engine::{ExploreConfig, GalleryFilter, MapMode, SearchWay, Split, defaults};
use crate::gui::nouns::actions::Action;
use crate::gui::nouns::text::{count, first_upper, thousands};
use crate::gui::panels::view_switch::switch_ui;

use crate::gui::desk::Desk;
use crate::gui::nouns::spaces::{PLACE, explain_space};
use crate::gui::widgets::messages::warning_ui;
use crate::gui::widgets::whole::{DRAG, whole};
use crate::words::sample_words;

/// Colour scales to choose from, cosine at both ends.
const RANGES: [[f32; 2]; 4] = [[-1.0, 1.0], [-0.5, 1.0], [0.0, 1.0], [0.5, 1.0]];
const COLORMAPS: [(Colormap, &str); 4] = [
    (Colormap::Magma, "magma"),
    (Colormap::Viridis, "viridis"),
    (Colormap::Cividis, "cividis"),
    (Colormap::Coolwarm, "coolwarm"),
];
/// A toolbar that is narrower than this would have all controls of the maps in more than two rows, points.
const TWO_ROWS: f32 = 820.0;
/// Width of the menu of what does not fit, points.
const MENU: f32 = 220.0;
/// More would be too small to see.
const MOST_NEIGHBOURS: usize = 1023;
/// Ends of the scale of differences.
const DIFFERENCES: [f32; 4] = [0.25, 0.5, 1.0, 2.0];
const MODES: [(MapMode, &str, &str); 5] = [
    (MapMode::Cosine, "cosine", "Cosine similarity to the query."),
    (
        MapMode::Ranks,
        "ranks",
        "Rank of the cosine among those of the image, from 0 to 1: order without magnitude.",
    ),
    (MapMode::Difference, "difference", "Cosine in the first space less that in each other one."),
    (
        MapMode::Pictures,
        "pictures",
        "The first three principal components of the patches as colours, without a query.",
    ),
    (
        MapMode::Lengths,
        "lengths",
        "Length of each patch's vector, of the longest in the image: cosines do not see it.",
    ),
];

/// Patch size and stride of the heatmaps, and how these are coloured.
pub fn heatmap_controls_ui(ui: &mut Ui, desk: &mut Desk) {
    ui.horizontal_wrapped(|ui| {
        switch_ui(ui, desk);
        patches_ui(ui, desk);
        spaces_ui(ui, desk);
        ui.separator();
        looks_ui(ui, desk, true);
    });
}

/// Patch size and stride of the heatmaps.
pub fn patches_ui(ui: &mut Ui, desk: &mut Desk) {
    if let Some(lacks) = desk.lacks_network() {
        let fields = ui.add_enabled_ui(false, |ui| patch_fields_ui(ui, desk));
        fields.response.on_disabled_hover_text(lacks);
    } else {
        patch_fields_ui(ui, desk);
    }
}

fn patch_fields_ui(ui: &mut Ui, desk: &mut Desk) {
    config_ui(ui, desk, |ui, config, side| {
        number_ui(ui, "Patch", &mut config.grid.patch, 1..=side, " px")
            .on_hover_text("Side of a patch, pixels of the image (Sec. 3 of the paper).");
        number_ui(ui, "Stride", &mut config.grid.stride, 1..=side, " px").on_hover_text(
            "Distance between the patches of the heatmaps, pixels; smaller is finer and slower.",
        );
    });
}

/// How heatmaps are shown where pictures of the spaces are not.
pub fn without_pictures(mode: MapMode) -> MapMode {
    if mode == MapMode::Pictures { MapMode::Cosine } else { mode }
}

/// How heatmaps are shown and coloured, in a view that has pictures of the spaces and previews, or has neither. Where
/// two rows do not suffice for all, what is changed least stands in a menu.
pub fn looks_ui(ui: &mut Ui, desk: &mut Desk, is_maps: bool) {
    let mode = if is_maps { desk.settings.mode } else { without_pictures(desk.settings.mode) };
    mode_ui(ui, desk, mode, is_maps);
    match mode {
        MapMode::Cosine => {
            colormap_ui(ui, desk);
            range_ui(ui, desk);
        }
        MapMode::Ranks | MapMode::Lengths => colormap_ui(ui, desk),
        MapMode::Difference => difference_ui(ui, desk),
        MapMode::Pictures => {}
    }
    if ui.max_rect().width() >= TWO_ROWS {
        return lines_ui(ui, desk, mode, is_maps);
    }
    let (response, _) = menu("More".to_owned()).ui(ui, |ui| {
        ui.set_min_width(MENU);
        lines_ui(ui, desk, mode, is_maps);
    });
    response.on_hover_text("Contour, overlay, grid and preview.");
}

/// What lies over the maps: contour, how much of the image shines through, grid, preview.
fn lines_ui(ui: &mut Ui, desk: &mut Desk, mode: MapMode, is_maps: bool) {
    if mode != MapMode::Pictures {
        contour_ui(ui, desk);
    }
    overlay_ui(ui, desk);
    ui.checkbox(&mut desk.settings.grid, "Grid").on_hover_text("Outlines the cells of the heatmaps (G).");
    if is_maps {
        ui.checkbox(&mut desk.is_previewing, "Preview").on_hover_text(
            "Shows the patch under the pointer as if it were the query, at once, as far as it is known (V).",
        );
    }
}

/// How much of the image shines through.
pub fn overlay_ui(ui: &mut Ui, desk: &mut Desk) {
    let label = name_ui(ui, "Overlay", ui.spacing().slider_width + 56.0);
    ui.add(Slider::new(&mut desk.settings.opacity, 0..=100).suffix(" %").step_by(5.0))
        .labelled_by(label.id)
        .on_hover_text("Opacity of the heatmaps over the image ([ and ]). Colours match the bar at 100 %.");
}

/// What the galleries search, and how much they show.
pub fn gallery_controls_ui(ui: &mut Ui, desk: &mut Desk) {
    let data = desk.session.snapshot().data.clone();
    let classes = data.as_ref().map_or(&[][..], |data| &data.classes);
    let has_splits = data.as_ref().is_some_and(|data| data.split == Some(Split::All));
    let images = data.as_ref().map_or(1, |data| data.images).max(1);
    let copies = desk.session.snapshot().extraction.as_ref().map_or(0, |extraction| extraction.copies);
    let has_codes = desk.session.snapshot().galleries.as_ref().is_some_and(|view| view.way.is_some());
    ui.horizontal_wrapped(|ui| {
        config_ui(ui, desk, |ui, config, side| {
            number_ui(ui, "Neighbours", &mut config.neighbours, 1..=MOST_NEIGHBOURS, "")
                .on_hover_text("How many of the nearest patches are shown in each space.");
            for (number, cells) in [defaults::CELLS, defaults::MANY_CELLS] {
                ui.selectable_value(&mut config.neighbours, number, cells).on_hover_text(format!(
                    "{number} neighbours: with the query they fill {cells} cells, as in the paper's figures."
                ));
            }
            filter_ui(ui, &mut config.filter, classes, has_splits);
            number_ui(ui, "Search stride", &mut config.gallery_stride, 1..=side, " px")
                .on_hover_text("Distance between the patches that the galleries search, pixels.");
            config.gallery_images = config.gallery_images.min(images);
            number_ui(ui, "in", &mut config.gallery_images, 1..=images, "").on_hover_text(
                "How many images the galleries reach: spread over the data set and its classes, the same ones for \
                 the same number, fewer always among more.",
            );
            let spread = if config.gallery_images < images { ", spread" } else { "" };
            ui.add(Label::new(format!("of {}{spread}", count(images, "image"))).extend())
                .on_hover_text(sample_words(config.gallery_images, images, classes.len()));
            if has_codes {
                way_ui(ui, &mut config.way);
            }
            // Last, so that its number moves nothing while it grows.
            if copies > 0 || config.filter.fold_copies {
                copies_ui(ui, &mut config.filter, copies);
            }
        });
    });
}

/// Lets `edit` change a copy of the settings and hands it on if it did. `edit`
/// also gets the longest side that makes sense here, pixels.
fn config_ui(ui: &mut Ui, desk: &mut Desk, edit: impl FnOnce(&mut Ui, &mut ExploreConfig, u32)) {
    let Some(config) = desk.session.config() else { return };
    let view = desk.session.snapshot().view.clone();
    let side = view.map_or(224, |view| view.image.width().min(view.image.height())).max(1);
    let mut edited = config.clone();
    edit(ui, &mut edited, side);
    if edited != config {
        let data = desk.session.snapshot().data.as_ref();
        let usual = data.map_or(side, |data| data.side);
        defaults::follow_patch(&config, &mut edited, usual);
        desk.session.change_config(edited, ui.input(|input| input.time));
    }
}

/// What is wrong with patch size or stride on the image on show, below their fields, and the nearest that will do.
/// Nothing where nothing is.
pub fn patch_fault_ui(ui: &mut Ui, desk: &mut Desk) {
    let (Some(fault), Some(config)) = (desk.patch_fault(), desk.session.config()) else { return };
    let mut suited = config.clone();
    let remedy = match fault {
        PatchFault::TooLarge { image: (height, width), .. } => {
            let side = height.min(width);
            suited.grid.patch = defaults::patch(side);
            let usual = desk.session.snapshot().data.as_ref().map_or(side, |data| data.side);
            defaults::follow_patch(&config, &mut suited, usual);
            suited.grid.stride = suited.grid.stride.min(side);
            format!("Use patches of {} px", suited.grid.patch)
        }
        PatchFault::TooMany { least, .. } => {
            suited.grid.stride = least;
            format!("Use stride {least} px")
        }
    };
    ui.horizontal_wrapped(|ui| {
        warning_ui(ui, &first_upper(&fault.to_string()));
        if ui.button(remedy).clicked() {
            desk.session.change_config(suited, ui.input(|input| input.time));
        }
    });
}

/// The name of a control of about `width` points that follows; both go to the next row if they do not fit this one.
pub fn name_ui(ui: &mut Ui, name: &str, width: f32) -> Response {
    let galley = WidgetText::from(name).into_galley(ui, None, f32::INFINITY, TextStyle::Body);
    if ui.available_size_before_wrap().x < galley.size().x + ui.spacing().item_spacing.x + width {
        ui.end_row();
        // The name is centred in a row as high as the control.
        ui.set_row_height(ui.spacing().interact_size.y);
    }
    ui.label(name)
}

/// A whole number with its name and unit.
pub fn number_ui<N: eframe::emath::Numeric>(
    ui: &mut Ui,
    name: &str,
    number: &mut N,
    range: std::ops::RangeInclusive<N>,
    unit: &str,
) -> Response {
    let label = name_ui(ui, name, 56.0);
    let plain = |number: f64, _| thousands(number.round() as usize);
    let parse = |text: &str| text.replace([',', ' '], "").trim_end_matches("px").parse().ok();
    let drag = if range.end().to_f64() > 1000.0 { 25.0 } else { 0.1 };
    // A value that is out of range for this image stays until it is touched.
    let value = whole(ui, number, drag).range(range).clamp_existing_to_range(false);
    ui.add(value.suffix(unit).custom_formatter(plain).custom_parser(parse)).labelled_by(label.id)
}

/// A menu that stays open while its boxes are ticked.
fn menu(text: String) -> MenuButton<'static> {
    let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    MenuButton::new(text).config(config)
}

fn model_spaces(desk: &Desk) -> Vec<String> {
    desk.session.snapshot().model.as_ref().map_or_else(Vec::new, |model| model.all_spaces.clone())
}

/// Which spaces stand side by side, in the order of the network from its end on.
pub fn spaces_ui(ui: &mut Ui, desk: &mut Desk) {
    let all = model_spaces(desk);
    config_ui(ui, desk, |ui, config, _| {
        let text = format!("Spaces: {}", config.spaces.join(", "));
        let (response, _) = menu(text).ui(ui, |ui| {
            let is_place = |space: &String| space.starts_with(PLACE);
            let (places, crops): (Vec<&String>, Vec<&String>) = all.iter().partition(|space| is_place(space));
            let room = (ui.ctx().content_rect().height() - 160.0).max(64.0);
            ScrollArea::vertical().max_height(room).min_scrolled_height(room).show(ui, |ui| {
                ui.horizontal_top(|ui| {
                    for (title, column) in
                        [("Patches, each alone", crops), ("Places in the whole image", places)]
                    {
                        ui.vertical(|ui| {
                            ui.weak(title);
                            column.into_iter().for_each(|space| space_ui(ui, &all, space, config));
                        });
                    }
                });
            });
            ui.weak("A new space embeds the patches\nof the galleries again.");
        });
        response
            .on_hover_text("The spaces side by side: layers of the network, of a patch alone or of its place in the whole image, and raw \
                 pixels as a baseline.");
    });
}

/// A space that stands beside the others or does not.
fn space_ui(ui: &mut Ui, all: &[String], space: &String, config: &mut ExploreConfig) {
    let is_shown = config.spaces.contains(space);
    let mut wanted = is_shown;
    let is_last = is_shown && config.spaces.len() == 1;
    ui.add_enabled(!is_last, Checkbox::new(&mut wanted, space.as_str())).on_hover_text(explain_space(space));
    if wanted != is_shown {
        let shown = |name: &&String| if *name == space { wanted } else { config.spaces.contains(name) };
        config.spaces = all.iter().filter(shown).cloned().collect();
    }
}

fn mode_ui(ui: &mut Ui, desk: &mut Desk, mode: MapMode, has_pictures: bool) {
    name_ui(ui, "View", 100.0);
    let name = MODES.iter().find(|(other, ..)| *other == mode).map_or("", |(_, name, _)| name);
    let combo = ComboBox::from_id_salt("view").width(84.0).selected_text(name).show_ui(ui, |ui| {
        let is_there = |(mode, ..): &(MapMode, &str, &str)| has_pictures || *mode != MapMode::Pictures;
        for (other, name, explanation) in MODES.into_iter().filter(is_there) {
            if ui.selectable_label(mode == other, name).on_hover_text(explanation).clicked() {
                desk.todo.push(Action::View(other));
            }
        }
    });
    combo.response.accessible_name("View").on_hover_text("How the heatmaps are shown (1 to 4).");
}

/// The end of the symmetric scale of differences.
fn difference_ui(ui: &mut Ui, desk: &mut Desk) {
    let text = |end: f32| format!("\u{00b1}{end}");
    name_ui(ui, "Range", 84.0);
    let combo =
        ComboBox::from_id_salt("difference").width(64.0).selected_text(text(desk.settings.difference));
    let combo = combo.show_ui(ui, |ui| {
        for end in DIFFERENCES {
            ui.selectable_value(&mut desk.settings.difference, end, text(end));
        }
    });
    combo.response.accessible_name("Range").on_hover_text("Ends of the scale of differences, about 0.");
}

fn contour_ui(ui: &mut Ui, desk: &mut Desk) {
    let mut is_on = desk.settings.contour.is_some();
    let explanation = "Draws a line where the maps reach this value (C).";
    if ui.checkbox(&mut is_on, "Contour").on_hover_text(explanation).changed() {
        desk.todo.push(Action::ToggleContour);
    }
    if let Some(level) = &mut desk.settings.contour {
        let value = DragValue::new(level).range(-2.0..=2.0).speed(0.01).fixed_decimals(2);
        ui.add(value).on_hover_text(explanation);
    }
}

/// Whether a bank that has codes is searched by them.
fn way_ui(ui: &mut Ui, way: &mut SearchWay) {
    let mut is_exact = *way == SearchWay::Exact;
    ui.checkbox(&mut is_exact, "exact").on_hover_text(
        "The bank has codes, by which it is searched sooner, and a neighbour may be missed (the galleries say how many are \
         found). Exact: every patch is compared.",
    );
    *way = if is_exact { SearchWay::Exact } else { SearchWay::Quantised };
}

/// Whether one image stands for all that have its pixels. There only where some have: few data sets hold copies.
fn copies_ui(ui: &mut Ui, filter: &mut GalleryFilter, copies: usize) {
    let text = format!("fold copies ({})", thousands(copies));
    ui.checkbox(&mut filter.fold_copies, text).on_hover_text(format!(
        "Exact copies: {} embedded so far with the same pixels as another. Folded, one image stands for all: the \
         query's own, else the first. Its cells say for how many.",
        count(copies, "image")
    ));
}

/// Which patches the galleries may show: all unless asked for. The words are those of the figures.
fn filter_ui(ui: &mut Ui, filter: &mut GalleryFilter, classes: &[String], has_splits: bool) {
    let words = filter.words(classes);
    let text = if words.is_empty() { "All patches".to_owned() } else { words.join(", ") };
    let (response, _) = menu(text).ui(ui, |ui| {
        ui.checkbox(&mut filter.other_images_only, "other images only")
            .on_hover_text("Leaves out the patches of the query's own image.");
        ui.checkbox(&mut filter.without_overlap, "no overlaps")
            .on_hover_text("Leaves out a patch that overlaps a nearer one of its image.");
        ui.horizontal(|ui| {
            let mut is_limited = filter.per_image.is_some();
            ui.checkbox(&mut is_limited, "at most per image:")
                .on_hover_text("Of each image the nearest patches alone, this many.");
            filter.per_image = is_limited.then(|| filter.per_image.unwrap_or(1));
            if let Some(most) = &mut filter.per_image {
                let most = whole(ui, most, DRAG).range(1..=99);
                ui.add(most);
            }
        });
        if !classes.is_empty() {
            ui.label("class:");
            ScrollArea::vertical().max_height(160.0).show(ui, |ui| {
                ui.selectable_value(&mut filter.class, None, "all classes");
                for (class, name) in classes.iter().enumerate() {
                    ui.selectable_value(&mut filter.class, Some(class as u32), name);
                }
            });
        }
        if has_splits {
            ui.horizontal(|ui| {
                ui.label("split:");
                ui.radio_value(&mut filter.split, None, "both");
                for split in [Split::Train, Split::Test] {
                    ui.radio_value(&mut filter.split, Some(split), split.name());
                }
            });
        }
        if ui.add_enabled(!words.is_empty(), Button::new("Show all")).clicked() {
            *filter = GalleryFilter::default();
        }
    });
    response.on_hover_text("Which patches may be neighbours. What is left out is always said.");
}

/// The colours of what lies over the image.
pub fn colormap_ui(ui: &mut Ui, desk: &mut Desk) {
    let chosen = &mut desk.settings.colormap;
    let name = COLORMAPS.iter().find(|(colormap, _)| colormap == chosen).map_or("", |(_, name)| name);
    let combo = ComboBox::from_id_salt("colours").width(72.0).selected_text(name).show_ui(ui, |ui| {
        for (colormap, name) in COLORMAPS {
            ui.selectable_value(chosen, colormap, name);
        }
    });
    combo.response.accessible_name("Colours").on_hover_text("Colours of the heatmaps.");
}

fn range_ui(ui: &mut Ui, desk: &mut Desk) {
    let text = |[lo, hi]: [f32; 2]| format!("{lo} to {hi}").replace('-', "\u{2212}");
    name_ui(ui, "Range", 100.0);
    let combo = ComboBox::from_id_salt("range").width(64.0).selected_text(text(desk.settings.range));
    let combo = combo.show_ui(ui, |ui| {
        for range in RANGES {
            ui.selectable_value(&mut desk.settings.range, range, text(range));
        }
        if let Some(range) = common_range(desk) {
            ui.selectable_value(&mut desk.settings.range, range, format!("{} (these maps)", text(range)));
        }
    });
    combo.response.accessible_name("Range").on_hover_text(
        "Cosines at the ends of the one colour scale. It is shared by all spaces and stays until you change it.",
    );
}

/// The tightest range in tenths that holds all values of all maps on show.
fn common_range(desk: &Desk) -> Option<[f32; 2]> {
    let query = desk.session.snapshot().query.as_ref()?;
    let values = || query.maps.iter().flat_map(|map| map.values.iter()).filter(|value| !value.is_nan());
    let lo = values().copied().reduce(f32::min)?;
    let hi = values().copied().reduce(f32::max)?;
    let [lo, hi] = [(lo * 10.0).floor() / 10.0, (hi * 10.0).ceil() / 10.0].map(|at| at.clamp(-1.0, 1.0));
    (lo < hi).then_some([lo, hi])
}
