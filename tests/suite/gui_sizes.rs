//! Whether anything that can be operated is cut, at every size of the window and of the interface. For any tab:
//! [`wrong_at_all_sizes`] resizes a window and names what is neither seen whole nor scrolled to.

use std::collections::{HashMap, HashSet};

use eframe::egui::accesskit::{self, Role};
use eframe::egui::{Event, Rect, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::NodeT;

/// Windows, in pixels of a screen with one pixel a point.
pub const WINDOWS: [[f32; 2]; 4] = [[1000.0, 700.0], [1280.0, 800.0], [1920.0, 1080.0], [2560.0, 1440.0]];
/// Sizes of the interface.
pub const INTERFACES: [f32; 4] = [0.8, 1.0, 1.5, 2.0];
/// Scrolls before it counts as impossible.
const MOST_SCROLLS: usize = 200;
/// Rounding to pixels, points.
const ROUNDING: f32 = 1.0;

/// Something that can be operated.
struct Operable {
    name: String,
    node: (accesskit::NodeId, accesskit::TreeId),
    /// Where it lies, and the part of it that is seen.
    whole: Rect,
    seen: Rect,
}

impl Operable {
    fn is_seen(&self, window: Rect) -> bool {
        let (whole, seen) = (self.whole.size(), self.seen.intersect(window).size());
        seen.x >= whole.x - ROUNDING && seen.y >= whole.y - ROUNDING
    }
}

/// What can be operated and cannot be seen whole, at each of [`WINDOWS`] and [`INTERFACES`]. `is_asked` chooses by
/// name and place.
pub fn wrong_at_all_sizes<S>(
    harness: &mut Harness<'_, S>,
    is_asked: impl Fn(&str, Rect) -> bool,
) -> Vec<String> {
    let mut wrong = vec![];
    for size in WINDOWS {
        for interface in INTERFACES {
            resize(harness, size, interface);
            let cut = cut(harness, &is_asked);
            wrong.extend(cut.into_iter().map(|what| format!("{size:?} at {interface}: {what}")));
        }
    }
    wrong
}

/// A window of `size` pixels with an interface of that size: egui then counts so many points fewer.
pub fn resize<S>(harness: &mut Harness<'_, S>, size: [f32; 2], interface: f32) {
    harness.set_size(vec2(size[0], size[1]) / interface);
    harness.run_steps(4);
}

/// The names of all that can be operated now.
pub fn names<S>(harness: &Harness<'_, S>) -> HashSet<String> {
    operable(harness, &|_, _| true).into_iter().map(|widget| widget.name).collect()
}

/// What can be operated and is cut, where no scrolling shows it whole.
fn cut<S>(harness: &mut Harness<'_, S>, is_asked: &impl Fn(&str, Rect) -> bool) -> Vec<String> {
    let window = harness.ctx.content_rect();
    let mut open: Vec<_> = operable(harness, is_asked).into_iter().map(|widget| widget.node).collect();
    let mut wrong = vec![];
    for _ in 0..MOST_SCROLLS {
        let now = operable(harness, is_asked);
        open.retain(|node| now.iter().any(|widget| widget.node == *node && !widget.is_seen(window)));
        let Some(asked) = open.pop() else { return wrong };
        harness.event(Event::AccessKitActionRequest(accesskit::ActionRequest {
            action: accesskit::Action::ScrollIntoView,
            target_node: asked.0,
            target_tree: asked.1,
            data: None,
        }));
        harness.run_steps(14);
        let after = operable(harness, is_asked);
        if let Some(widget) = after.iter().find(|widget| widget.node == asked && !widget.is_seen(window)) {
            wrong.push(format!("{} at {:?}, seen {:?}", widget.name, widget.whole, widget.seen));
        }
    }
    wrong.push(format!("{} more were not looked at", open.len()));
    wrong
}

/// Everything with a role that is operated, as the last pass placed it.
fn operable<S>(harness: &Harness<'_, S>, is_asked: &impl Fn(&str, Rect) -> bool) -> Vec<Operable> {
    let rects: HashMap<_, _> = harness.ctx.viewport(|viewport| {
        let layers = viewport.prev_pass.widgets.layers();
        let all = layers.flat_map(|(_, widgets)| widgets);
        all.map(|widget| (widget.id.accesskit_id(), (widget.rect, widget.interact_rect))).collect()
    });
    let roles = [
        Role::Button,
        Role::CheckBox,
        Role::RadioButton,
        Role::ComboBox,
        Role::Slider,
        Role::SpinButton,
        Role::TextInput,
        Role::MultilineTextInput,
        Role::Link,
    ];
    let nodes = harness.root().children_recursive().filter(|node| {
        let node = node.accesskit_node();
        roles.contains(&node.role()) && !node.is_hidden()
    });
    let widgets = nodes.filter_map(|node| {
        let node = node.accesskit_node();
        let place = node.locate();
        let (whole, seen) = *rects.get(&place.0)?;
        let name = node.label().or_else(|| node.value()).unwrap_or_default();
        let name = format!("{:?} {name:?}", node.role());
        (whole.is_positive() && is_asked(&name, whole)).then_some(Operable { name, node: place, whole, seen })
    });
    widgets.collect()
}

#[cfg(test)]
mod tests {
    use eframe::egui::{Button, ScrollArea};

    use super::*;

    #[test]
    fn what_no_scrolling_shows_is_named_and_nothing_else() {
        let mut harness = Harness::new_ui(|ui| {
            ui.horizontal(|ui| {
                ui.button("near").clicked();
                ui.add_space(2000.0);
                ui.button("beyond the edge").clicked();
            });
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                ui.add_space(3000.0);
                ui.button("below").clicked();
                ui.add_sized([6000.0, 20.0], Button::new("too wide"));
            });
        });
        resize(&mut harness, [1000.0, 700.0], 1.0);
        let mut found = cut(&mut harness, &|_, _| true);
        found.sort();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("beyond the edge") && found[1].contains("too wide"), "{found:?}");
        let wrong =
            wrong_at_all_sizes(&mut harness, |name, _| name.contains("near") || name.contains("below"));
        assert!(wrong.is_empty(), "{wrong:?}");
        let all = wrong_at_all_sizes(&mut harness, |name, _| name.contains("too wide"));
        assert_eq!(all.len(), WINDOWS.len() * INTERFACES.len());
    }
}
