//! How things are painted: colours, textures, the image and the heatmaps over it, the marks on them. Knows no
//! desk and no memory.

pub mod color_bar;
pub mod dots;
pub mod heatmap_paint;
pub mod map_painter;
pub mod marks;
pub mod pane;
pub mod scale;
pub mod textures;
pub mod theme;
