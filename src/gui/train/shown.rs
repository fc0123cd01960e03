//! Runs that are drawn, by colour and letter.

use eframe::egui::Color32;

use crate::engine::training::RunView;
use crate::gui::paint::theme;

/// A run that is drawn, with its colour and, for those who cannot tell colours, its letter.
pub struct ShownRun<'a> {
    /// What is known of it.
    pub run: &'a RunView,
    /// Of its curves.
    pub color: Color32,
    /// At the end of its curves.
    pub letter: char,
}

/// The colours of runs, the same as in exported figures.
pub struct RunColors;

impl RunColors {
    const HUES: [[u8; 3]; 6] = [
        [0x2b, 0x5f, 0xa8],
        [0xb3, 0x58, 0x06],
        [0x1b, 0x7f, 0x79],
        [0x7a, 0x4f, 0xa0],
        [0xc2, 0x3b, 0x5e],
        [0x55, 0x61, 0x6f],
    ];

    /// The letter of run `index` of the list.
    pub fn letter(index: usize) -> char {
        char::from(b'A' + (index % 26) as u8)
    }

    /// The colour of run `index` of the list.
    pub fn of(index: usize, dark: bool) -> Color32 {
        let color = theme::rgb(Self::HUES[index % Self::HUES.len()]);
        if dark { color.lerp_to_gamma(Color32::WHITE, 0.4) } else { color }
    }
}
