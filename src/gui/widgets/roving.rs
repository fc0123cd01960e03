//! Many cells as one stop of the Tab key: arrows, Home, End, PgUp and PgDn move a cursor among them and
//! Enter takes the one that it is on.

use eframe::egui::{Event, EventFilter, Id, Key, Modifiers, Rect, Response, Role, Sense, Ui, WidgetInfo};

/// How the cells lie: row by row.
#[derive(Clone, Copy, Debug)]
pub struct CellRows {
    /// How many there are.
    pub count: usize,
    /// Cells in a row.
    pub columns: usize,
    /// Rows that are seen at a time.
    pub page: usize,
}

/// What the keyboard did to the cells in a frame.
pub struct Roved {
    /// The cursor, while the cells have the keyboard.
    pub cursor: Option<usize>,
    /// Whether the cursor has moved.
    pub has_moved: bool,
    /// Whether the cell under the cursor was taken.
    pub is_taken: bool,
}

/// Keys that move the cursor.
const KEYS: [Key; 8] = [
    Key::ArrowLeft,
    Key::ArrowRight,
    Key::ArrowUp,
    Key::ArrowDown,
    Key::Home,
    Key::End,
    Key::PageUp,
    Key::PageDown,
];

/// Makes the cells within `rect` reachable by keyboard. `cursor` is kept by the caller; `title` says what lies
/// under it.
pub fn rove(
    ui: &Ui,
    id: Id,
    rect: Rect,
    name: &str,
    cells: CellRows,
    cursor: &mut usize,
    title: impl Fn(usize) -> String,
) -> Roved {
    let response = ui.interact(rect, id, Sense::focusable_noninteractive());
    let idle = Roved { cursor: None, has_moved: false, is_taken: false };
    if cells.count == 0 {
        return idle;
    }
    *cursor = (*cursor).min(cells.count - 1);
    if !response.has_focus() {
        describe(&response, name, title(*cursor));
        return idle;
    }
    let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
    let before = *cursor;
    for key in pressed(ui) {
        *cursor = moved(*cursor, key, cells);
    }
    let is_taken = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
    describe(&response, name, title(*cursor));
    Roved { cursor: Some(*cursor), has_moved: *cursor != before || response.gained_focus(), is_taken }
}

fn describe(response: &Response, name: &str, title: String) {
    response.widget_info(|| {
        let label = format!("{name}: arrows move, Enter takes");
        WidgetInfo {
            current_text_value: Some(title.clone()),
            ..WidgetInfo::labeled(Role::ListBox, true, label)
        }
    });
}

/// The moving keys that were pressed, in their order; nobody else sees them.
fn pressed(ui: &Ui) -> Vec<Key> {
    ui.input_mut(|input| {
        let mut pressed = vec![];
        input.events.retain(|event| match event {
            Event::Key { key, pressed: true, modifiers, .. } if modifiers.is_none() && KEYS.contains(key) => {
                pressed.push(*key);
                false
            }
            _ => true,
        });
        pressed
    })
}

/// Where `key` takes the cursor.
fn moved(at: usize, key: Key, cells: CellRows) -> usize {
    let CellRows { count, columns, page } = cells;
    let last = count - 1;
    let up = |rows: usize| at.checked_sub(rows * columns);
    let down = |rows: usize| Some(at + rows * columns).filter(|at| *at <= last);
    match key {
        Key::ArrowLeft => at.saturating_sub(1),
        Key::ArrowRight => (at + 1).min(last),
        Key::ArrowUp => up(1).unwrap_or(at),
        Key::ArrowDown => down(1).unwrap_or(at),
        Key::PageUp => up(page.max(1)).unwrap_or(at % columns),
        Key::PageDown => down(page.max(1)).unwrap_or(last),
        Key::Home => 0,
        Key::End => last,
        _ => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stays_among_the_cells() {
        let cells = CellRows { count: 8, columns: 3, page: 2 };
        let path = [
            (Key::ArrowLeft, 0),
            (Key::ArrowRight, 1),
            (Key::ArrowDown, 4),
            (Key::ArrowDown, 7),
            (Key::ArrowDown, 7),
            (Key::PageUp, 1),
            (Key::ArrowUp, 1),
            (Key::PageDown, 7),
            (Key::Home, 0),
            (Key::End, 7),
            (Key::ArrowRight, 7),
        ];
        let mut at = 0;
        for (key, expected) in path {
            at = moved(at, key, cells);
            assert_eq!(at, expected, "{key:?}");
        }
    }
}
