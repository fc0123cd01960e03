//! How figures look: the options that they share, and the style that comes of them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use clap::Args;

pub use crate::cli::shared::LOOK;
use crate::cli::shared::finite;
use crate::colormap::Colormap;
use crate::engine::{FigureContent, FigureNames, FigureRequest, ModelNames, Output, Outputs, Style};
use crate::figure::{BUILT_IN_FONT, BoxPalette, FontSource, Format, Letters, TextAs};

/// How figures look.
#[derive(Args)]
pub struct FigureStyle {
    /// Page width in inches: 3.25 (a column), 5.5 or 6.75
    #[arg(long, default_value_t = Style::default().width_in, value_parser = finite, help_heading = LOOK)]
    pub width: f32,
    /// Pixels per inch of a PNG
    #[arg(long, default_value_t = Style::default().dpi, help_heading = LOOK)]
    pub dpi: u32,
    /// Colours of boxes: the paper's, or such as any colour blindness tells apart
    #[arg(long, value_enum, default_value_t, help_heading = LOOK)]
    pub palette: BoxPalette,
    /// Which panels bear letters
    #[arg(long, value_enum, default_value_t, help_heading = LOOK)]
    pub letters: Letters,
    /// What the text of an SVG is; a PDF holds its font
    #[arg(long, value_enum, default_value_t, help_heading = LOOK)]
    pub text: TextAs,
    /// A font file (.ttf, .otf) for all text; characters that it lacks are drawn in the program's own
    #[arg(long, value_name = "FILE", default_value = BUILT_IN_FONT, help_heading = LOOK)]
    pub font: FontSource,
    /// What the model is called in headings, notes and caption, in place of its hash; A of two models
    #[arg(long, value_name = "NAME", help_heading = LOOK)]
    pub alias: Option<String>,
    /// Leave geometry, model and data set out of the picture; the caption has them
    #[arg(long, help_heading = LOOK)]
    pub plain: bool,
    /// Also write the caption, as a LaTeX figure environment
    #[arg(long, value_name = "FILE.tex")]
    pub caption: Option<PathBuf>,
}

/// How heatmaps look.
#[derive(Args)]
pub struct MapStyle {
    #[arg(long, value_enum, default_value_t, help_heading = LOOK)]
    pub colormap: Colormap,
    /// Ends of the colour scale, such as -1,1
    #[arg(long, value_name = "LOW,HIGH", default_value_t = Ends(Style::default().range), allow_hyphen_values = true, help_heading = LOOK)]
    pub range: Ends,
    /// Draw a line where the cosine is LEVEL
    #[arg(long, value_name = "LEVEL", value_parser = finite, allow_hyphen_values = true, help_heading = LOOK)]
    pub contour: Option<f32>,
}

/// How galleries look.
#[derive(Args)]
pub struct GridStyle {
    /// Cells in a row of a gallery
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096), help_heading = LOOK)]
    pub columns: Option<u32>,
    /// Show the share of same image, same class and other class by rank below each gallery
    #[arg(long, help_heading = LOOK)]
    pub shares: bool,
}

/// `LOW,HIGH`.
#[derive(Clone, Copy)]
pub struct Ends(pub [f32; 2]);

impl FromStr for Ends {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ends = text.split_once(',').and_then(|(low, high)| {
            Some([low.trim().parse::<f32>().ok()?, high.trim().parse::<f32>().ok()?])
        });
        let ends = ends.filter(|[low, high]| low.is_finite() && high.is_finite() && low < high);
        ends.map(Self)
            .with_context(|| format!("\"{text}\": expected LOW,HIGH with LOW below HIGH, such as -1,1"))
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = self.0;
        write!(f, "{low},{high}")
    }
}

/// The figure, and where it goes: `out` chooses the format. `outputs` are the command's other paths.
pub fn figure(
    content: FigureContent,
    style: Style,
    (out, caption): (PathBuf, Option<PathBuf>),
    outputs: Outputs,
) -> anyhow::Result<(FigureRequest, Output)> {
    let outputs = outputs.reads("--font", style.font.file());
    outputs.writes_figure(&FigureNames::OPTIONS, &out, caption.as_deref()).check()?;
    let format = Format::from_path(&out, style.dpi)?;
    Ok((FigureRequest { content, style, format }, Output { out, caption }))
}

fn style(args: &FigureStyle) -> Style {
    Style {
        width_in: args.width,
        dpi: args.dpi,
        palette: args.palette,
        letters: args.letters,
        text: args.text,
        font: args.font.clone(),
        names: ModelNames { own: args.alias.clone().unwrap_or_default(), ..ModelNames::default() },
        facts: !args.plain,
        ..Style::default()
    }
}

pub fn map_style(args: &FigureStyle, maps: &MapStyle) -> Style {
    Style { colormap: maps.colormap, range: maps.range.0, contour: maps.contour, ..style(args) }
}

pub fn grid_style(args: &FigureStyle, grid: &GridStyle) -> Style {
    Style { columns: grid.columns.unwrap_or(0), shares: grid.shares, ..style(args) }
}

/// The style with what the second model is called, if that is told.
pub fn with_alias_beside(style: Style, alias: Option<String>) -> Style {
    let names = ModelNames { beside: alias.unwrap_or_default(), ..style.names };
    Style { names, ..style }
}
