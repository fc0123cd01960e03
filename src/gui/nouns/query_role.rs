//! What the keys that are held while clicking say.

use eframe::egui::Modifiers;

use crate::engine::Sign;

/// What a source becomes in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryRole {
    /// The whole query.
    Alone,
    /// A part of it.
    Part(Sign),
}

impl QueryRole {
    /// As the keys that are held say: Shift adds, Alt subtracts; so does Ctrl, since some desktops keep
    /// Alt with the mouse for themselves.
    pub fn of(modifiers: Modifiers) -> Self {
        match (modifiers.shift, modifiers.alt || modifiers.command) {
            (true, _) => QueryRole::Part(Sign::Plus),
            (_, true) => QueryRole::Part(Sign::Minus),
            _ => QueryRole::Alone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shift_adds_and_alt_or_ctrl_subtracts() {
        assert_eq!(QueryRole::of(Modifiers::NONE), QueryRole::Alone);
        assert_eq!(QueryRole::of(Modifiers::SHIFT), QueryRole::Part(Sign::Plus));
        assert_eq!(QueryRole::of(Modifiers::ALT), QueryRole::Part(Sign::Minus));
        assert_eq!(QueryRole::of(Modifiers::COMMAND), QueryRole::Part(Sign::Minus));
    }
}
