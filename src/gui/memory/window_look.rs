//! The window itself as it is remembered: where it stands, how large it and its interface are.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use eframe::egui::{Context, Rect, Vec2, ViewportBuilder, pos2, vec2};
use serde::{Deserialize, Serialize};

/// Sizes of the interface that the keys reach.
const ZOOMS: RangeInclusive<f32> = 0.2..=5.0;
/// Sides of a window, the system's points.
const SIDES: RangeInclusive<f32> = 100.0..=20_000.0;
/// Places on all monitors together, the system's points.
const PLACES: RangeInclusive<f32> = -100_000.0..=100_000.0;
/// Widths and heights of panels, points.
const PANELS: RangeInclusive<f32> = 10.0..=10_000.0;
/// So much of a window has to lie on a monitor for it to be grasped, pixels.
const GRASP: Vec2 = vec2(120.0, 40.0);

/// Where the window stands and how large it is. The system's points are pixels at a scale of 1, whatever the size of the
/// interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowLook {
    /// Size of the interface.
    pub zoom: f32,
    /// Width and height within its frame, the system's points.
    pub size: [f32; 2],
    /// Left and top of its frame, the system's points, where the system says it.
    pub position: Option<[f32; 2]>,
    /// Whether it fills the screen; size and position are those from before.
    pub is_maximized: bool,
    /// Widths or heights of the panels that can be drawn larger, points.
    pub panels: BTreeMap<String, f32>,
}

impl Default for WindowLook {
    fn default() -> Self {
        Self {
            zoom: 1.0,
            size: [1280.0, 800.0],
            position: None,
            is_maximized: false,
            panels: BTreeMap::new(),
        }
    }
}

impl WindowLook {
    /// Whether a window of this kind can be seen.
    ///
    /// # Errors
    /// What was expected.
    pub fn check(&self) -> Result<(), String> {
        let expected = |what: &str, range: RangeInclusive<f32>| {
            Err(format!("expected {what} from {} to {}", range.start(), range.end()))
        };
        if !ZOOMS.contains(&self.zoom) {
            return expected("a size of the interface", ZOOMS);
        }
        if !self.size.iter().all(|side| SIDES.contains(side)) {
            return expected("a width and a height", SIDES);
        }
        if !self.position.iter().flatten().all(|at| PLACES.contains(at)) {
            return expected("a place", PLACES);
        }
        match self.panels.values().all(|size| PANELS.contains(size)) {
            true => Ok(()),
            false => expected("a panel's size", PANELS),
        }
    }

    /// The size of a panel, `fallback` until it was drawn to another one.
    pub fn panel(&self, name: &str, fallback: f32) -> f32 {
        self.panels.get(name).copied().unwrap_or(fallback)
    }

    /// Takes in the size that a panel has.
    pub fn set_panel(&mut self, name: &str, size: f32) {
        if PANELS.contains(&size) && self.panels.get(name) != Some(&size) {
            self.panels.insert(name.to_owned(), size);
        }
    }

    /// Takes in how the window is now.
    pub fn follow(&mut self, ctx: &Context) {
        let (info, size) = ctx.input(|input| (input.viewport().clone(), input.viewport_rect().size()));
        let now = Self { zoom: ctx.zoom_factor(), ..self.clone() };
        let points = now.zoom;
        let now = match (info.minimized, info.maximized, info.fullscreen) {
            (Some(true), ..) => now,
            (_, Some(true), _) | (.., Some(true)) => {
                Self { is_maximized: info.maximized == Some(true), ..now }
            }
            _ => Self {
                size: (size * points).into(),
                position: info.outer_rect.map(|frame| (frame.min.to_vec2() * points).into()).or(now.position),
                is_maximized: false,
                ..now
            },
        };
        // Some systems name odd places for a moment; those are not taken.
        if now.check().is_ok() {
            *self = now;
        }
    }

    /// A window of that size at that place.
    pub fn dress(&self, window: ViewportBuilder) -> ViewportBuilder {
        let window = window.with_inner_size(self.size);
        match self.position {
            Some(at) => window.with_position(at),
            None => window,
        }
    }

    /// Whether enough of the window lies on one of these monitors, all in pixels, `scale` of them a point: the one it
    /// stood on may be gone.
    pub fn is_in_sight(&self, scale: f32, mut monitors: impl Iterator<Item = Rect>) -> bool {
        let Some([left, top]) = self.position else { return true };
        let window = Rect::from_min_size(pos2(left, top) * scale, Vec2::from(self.size) * scale);
        monitors.any(|monitor| {
            let seen = window.intersect(monitor).size();
            seen.x >= GRASP.x && seen.y >= GRASP.y && window.top() >= monitor.top() - GRASP.y / 2.0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_refused() {
        let with = |change: &dyn Fn(&mut WindowLook)| {
            let mut look = WindowLook::default();
            change(&mut look);
            look.check()
        };
        assert_eq!(with(&|_| {}), Ok(()));
        for zoom in [0.0, -1.0, f32::NAN, 1e9, 0.001, f32::INFINITY] {
            let error = with(&|look| look.zoom = zoom).unwrap_err();
            assert_eq!(error, "expected a size of the interface from 0.2 to 5");
        }
        for size in [[0.0, 800.0], [1280.0, 1e9], [f32::NAN, 800.0]] {
            assert!(with(&|look| look.size = size).is_err(), "{size:?}");
        }
        assert!(with(&|look| look.position = Some([0.0, 1e9])).is_err());
        assert!(with(&|look| look.set_panel("images", f32::NAN)).is_ok());
        assert!(with(&|look| _ = look.panels.insert("images".into(), 0.0)).is_err());
    }

    #[test]
    fn a_window_beyond_all_monitors_is_out_of_sight() {
        let monitors = [Rect::from_min_size(pos2(0.0, 0.0), vec2(1920.0, 1080.0))];
        let at = |position| WindowLook { position, ..WindowLook::default() };
        let sees = |position, scale| at(position).is_in_sight(scale, monitors.into_iter());
        assert!(sees(None, 1.0) && sees(Some([0.0, 0.0]), 1.0) && sees(Some([-8.0, -8.0]), 1.0));
        assert!(sees(Some([1700.0, 900.0]), 1.0) && !sees(Some([1700.0, 900.0]), 2.0));
        for far in [[5000.0, 0.0], [0.0, 5000.0], [-1270.0, 0.0], [0.0, -700.0], [1919.0, 0.0]] {
            assert!(!sees(Some(far), 1.0), "{far:?}");
        }
    }

    #[test]
    fn the_zoom_and_the_size_follow_the_window() {
        let ctx = Context::default();
        ctx.set_zoom_factor(2.0);
        let mut look = WindowLook { position: Some([5.0, 6.0]), ..WindowLook::default() };
        let input = eframe::egui::RawInput {
            screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(700.0, 500.0))),
            ..Default::default()
        };
        for _ in 0..2 {
            let _ = ctx.run_ui(input.clone(), |ui| look.follow(ui.ctx()));
        }
        assert_eq!((look.zoom, look.size, look.position), (2.0, [1400.0, 1000.0], Some([5.0, 6.0])));
    }
}
