//! Room for what needs it: in a window too small a tab scrolls as a whole, and what the keyboard is on, or a screen
//! reader asks for, is scrolled into sight, however many areas lie about it.

use eframe::egui::accesskit::{Action, ActionRequest, NodeId, TreeId};
use eframe::egui::style::ScrollAnimation;
use eframe::egui::{Context, Event, Id, Rect, ScrollArea, Ui, UiBuilder, Vec2};

/// Passes in which a widget is looked after: an area within scrolls in the first, what lies about it follows.
const PASSES: u8 = 10;
/// With so many left it is asked for again: an area that was out of sight itself scrolled to a wrong place.
const AGAIN: u8 = 6;
/// What comes to the focus so soon after a press came by it, seconds.
const PRESS_SECS: f64 = 0.3;
/// Rounding to pixels, points.
const ROUNDING: f32 = 1.0;

/// Draws with at least so much room; in a window too narrow or too low for it, it scrolls.
pub fn with_room(ui: &mut Ui, least: Vec2, add: impl FnOnce(&mut Ui)) {
    let room = ui.available_size();
    if room.x >= least.x && room.y >= least.y {
        return add(ui);
    }
    let mut sought = Sought::load(ui.ctx());
    ScrollArea::both().auto_shrink(false).show(ui, |ui| {
        let (_, rect) = ui.allocate_space(room.max(least));
        add(&mut ui.new_child(UiBuilder::new().max_rect(rect)));
        // An area within keeps the request for itself, although it may lie out of sight itself.
        if let Some(place) = sought.as_ref().and_then(|sought| place_of(ui.ctx(), sought.node)) {
            let place = place.intersect(rect);
            if place.is_positive() {
                ui.scroll_to_rect_animation(place, None, ScrollAnimation::none());
            }
        }
    });
    sought.take_if(|sought| sought.passes == 0);
    Sought::store(ui.ctx(), sought);
}

/// A widget that is to be seen.
#[derive(Clone, Copy)]
struct Sought {
    node: NodeId,
    /// In which it is still looked after.
    passes: u8,
}

impl Sought {
    const KEY: &'static str = "sought";

    /// The one that is asked for in this pass, else the one from before.
    fn load(ctx: &Context) -> Option<Self> {
        let before: Option<Self> = ctx.data(|data| data.get_temp(Id::unique(Self::KEY)));
        if let Some(before) = before.filter(|before| before.passes == AGAIN && is_cut(ctx, before.node)) {
            ctx.input_mut(|input| input.events.push(request(before.node)));
            return Some(Self { passes: AGAIN - 1, ..before });
        }
        let asked = ctx.input(|input| input.events.iter().find_map(scrolled_to));
        match asked {
            Some(node) => Some(Self { node, passes: PASSES }),
            None => before.map(|before| Self { passes: before.passes - 1, ..before }),
        }
    }

    fn store(ctx: &Context, sought: Option<Self>) {
        let key = Id::unique(Self::KEY);
        match sought {
            Some(sought) => {
                ctx.data_mut(|data| data.insert_temp(key, sought));
                ctx.request_repaint();
            }
            None => ctx.data_mut(|data| data.remove::<Self>(key)),
        }
    }
}

fn scrolled_to(event: &Event) -> Option<NodeId> {
    match event {
        Event::AccessKitActionRequest(request) if request.action == Action::ScrollIntoView => {
            Some(request.target_node)
        }
        _ => None,
    }
}

/// What a screen reader asks for where a widget is to be seen.
fn request(node: NodeId) -> Event {
    Event::AccessKitActionRequest(ActionRequest {
        action: Action::ScrollIntoView,
        target_tree: TreeId::ROOT,
        target_node: node,
        data: None,
    })
}

/// Whether a widget was not seen whole in the pass before.
fn is_cut(ctx: &Context, node: NodeId) -> bool {
    ctx.viewport(|viewport| {
        let mut all = viewport.prev_pass.widgets.layers().flat_map(|(_, widgets)| widgets);
        all.find(|widget| widget.id.accesskit_id() == node).is_some_and(|widget| {
            let (whole, seen) = (widget.rect.size(), widget.interact_rect.size());
            seen.x < whole.x - ROUNDING || seen.y < whole.y - ROUNDING
        })
    })
}

/// Where a widget was drawn in this pass.
fn place_of(ctx: &Context, node: NodeId) -> Option<Rect> {
    ctx.viewport(|viewport| {
        let mut all = viewport.this_pass.widgets.layers().flat_map(|(_, widgets)| widgets);
        all.find(|widget| widget.id.accesskit_id() == node).map(|widget| widget.rect)
    })
}

/// Has what the keyboard goes to scrolled into sight, where it is not seen whole.
#[derive(Default)]
pub struct FocusInSight {
    on: Option<Id>,
    /// Passes in which it is still looked at: where it lies is known once it was drawn.
    passes: u8,
    /// When the pointer last pressed something, seconds.
    pressed: Option<f64>,
}

impl FocusInSight {
    /// To be called before a pass is drawn.
    pub fn follow(&mut self, ctx: &Context) {
        let (now, is_pressing) =
            ctx.input(|input| (input.time, input.pointer.any_down() || input.pointer.any_released()));
        if is_pressing {
            self.pressed = Some(now);
        }
        let on = ctx.memory(|memory| memory.focused());
        if std::mem::replace(&mut self.on, on) != on {
            self.passes = PASSES;
        }
        let Some(id) = on.filter(|_| self.passes > 0) else { return };
        self.passes -= 1;
        // What the pointer pressed is seen well enough, and must not move below it.
        if self.pressed.is_some_and(|pressed| now - pressed < PRESS_SECS) {
            self.passes = 0;
            return;
        }
        let Some(drawn) = ctx.read_response(id) else { return ctx.request_repaint() };
        let window = ctx.content_rect();
        let (whole, seen) = (drawn.rect.size(), drawn.interact_rect.intersect(window).size());
        // What is larger than the window, as a long list, looks after its own cursor.
        if whole.x > window.width() || whole.y > window.height() {
            return;
        }
        if seen.x < whole.x - ROUNDING || seen.y < whole.y - ROUNDING {
            self.passes = 0;
            ctx.input_mut(|input| input.events.push(request(id.accesskit_id())));
        }
    }
}
