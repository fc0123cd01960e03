//! What the keys that are held while clicking say.

use eframe::egui::Modifiers;

use crate::engine::Sign;

/// What a source becomes in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The whole query.
    Alone,
    /// A part of it.
    Part(Sign),
}

impl Role {
    /// As the keys that are held say: Shift adds, Alt subtracts; so does Ctrl, since some desktops keep
    /// Alt with the mouse for themselves.
    pub fn of(modifiers: Modifiers) -> Self {
        match (modifiers.shift, modifiers.alt || modifiers.command) {
            (true, _) => Role::Part(Sign::Plus),
            (_, true) => Role::Part(Sign::Minus),
            _ => Role::Alone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shift_adds_and_alt_or_ctrl_subtracts() {
        assert_eq!(Role::of(Modifiers::NONE), Role::Alone);
        assert_eq!(Role::of(Modifiers::SHIFT), Role::Part(Sign::Plus));
        assert_eq!(Role::of(Modifiers::ALT), Role::Part(Sign::Minus));
        assert_eq!(Role::of(Modifiers::COMMAND), Role::Part(Sign::Minus));
    }
}
