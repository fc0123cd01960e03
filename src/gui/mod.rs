//! The window: draws the engine's latest snapshot and turns what the user does
//! into commands. No frame waits for anything.
//!
//! # Floors
//!
//! A file imports from floors below its own, and no circle of imports stands.
//!
//! | floor | folder | what lives there |
//! |---|---|---|
//! | 0 | `nouns` | what can be done (actions and their keys), where one can look (tabs, views), what spaces are called, how numbers are written |
//! | 1 | `paint` | colours, textures, the image and the heatmaps over it, marks, the colour bar |
//! | 2 | `widgets` | what is drawn in a given place, whatever it is about: headings, histograms, notices, roving by keys |
//! | 3 | `memory` | what is remembered: settings, what was opened lately, links, pins, positions, history; the files that it lies in |
//! | 4 | `desk` | what is explored: the talk with the engine, maps on show, what lies under the pointer, undo |
//! | 5 | `panels` | what stands about the views, and what several of them draw |
//! | 6 | `train` | the Train tab, and the curves that a comparison shows too |
//! | 7 | `evaluate` | the Evaluate tab: plans of evaluations and their results |
//! | 8 | `views` | what the middle of Explore shows, each a `View` in one list |
//! | 9 | `export` | the dialog that makes figures of what is on show |
//! | 10 | `app` | the window as a whole: opens, takes in events, lays out, carries out actions |

mod app;
mod desk;
mod evaluate;
mod export;
mod memory;
mod nouns;
mod paint;
mod panels;
mod train;
mod views;
mod widgets;

pub use app::App;
pub use app::frame_time;
pub use app::options::GuiOptions;
pub use app::quit::Quit;
pub use app::window::{open, run};
pub use memory::kept::{settings_file, settings_file_of};
pub use memory::link::Link;
