//! `bagssl heatmap`.

use std::path::PathBuf;

use clap::Args;

use super::style::{FigureStyle, MapStyle, figure, map_style};
use crate::cli::shared::{Commander, DecodingArgs, ModelArgs, Point, pixels, show};
use crate::engine::facts::{DataSpec, PatchSpace};
use crate::engine::jobs::figures::{MapImages, MapSizes, MapSource};
use crate::engine::{FigureContent, FigureKind, OutputKind, Outputs, jobs};

#[derive(Args)]
pub struct HeatmapArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[arg(long)]
    pub image: PathBuf,
    #[command(flatten)]
    pub decoding: DecodingArgs,
    /// Scale the short side to N x 256/224 and take the centre N x N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=8192))]
    pub fit: Option<u32>,
    /// Patch size, pixels
    #[arg(long, value_parser = pixels())]
    pub patch: u32,
    /// Distance between patches, pixels
    #[arg(long, value_parser = pixels())]
    pub stride: u32,
    /// X,Y: a point, pixels from the left and from the top; the query is the patch whose centre is nearest to it
    #[arg(long, value_name = "X,Y")]
    pub at: Point,
    #[arg(long)]
    pub out: PathBuf,
    /// Spaces, such as z,h [default: z,h, as far as they are there]
    #[arg(long, value_delimiter = ',')]
    pub space: Vec<PatchSpace>,
    /// Also write the cosines as a float32 array [spaces, rows, cols]
    #[arg(long, value_name = "FILE.npy")]
    pub values: Option<PathBuf>,
    #[command(flatten)]
    pub maps: MapStyle,
    #[command(flatten)]
    pub style: FigureStyle,
}

/// What is read for heatmaps.
pub fn map_inputs(source: &MapSource) -> Outputs {
    let models = Outputs::default().reads_model("--model", &source.model);
    let models = models.reads_model("--beside", source.beside.as_ref());
    match &source.images {
        MapImages::Files { paths, .. } => {
            paths.iter().fold(models, |outputs, path| outputs.reads_data("--image", path))
        }
        MapImages::Data { data, .. } => models.reads_data("--data", data),
    }
}

impl Commander {
    pub fn heatmap(&self, args: HeatmapArgs) -> anyhow::Result<()> {
        let style = map_style(&args.style, &args.maps);
        let spaces = args.space.iter().map(PatchSpace::to_string).collect();
        let source = MapSource {
            model: args.model.into(),
            beside: None,
            images: MapImages::Files {
                paths: vec![args.decoding.of(DataSpec::Path(args.image))],
                at: vec![(args.at.x, args.at.y)],
            },
            fit: args.fit,
            sizes: MapSizes::Told(vec![args.patch]),
            stride: Some(args.stride),
            count: 1,
        };
        let content = FigureContent::new(FigureKind::Heatmaps, spaces);
        let values = args.values.as_deref();
        let outputs = map_inputs(&source).writes("--values", values, OutputKind::File);
        let (request, output) = figure(content, style, (args.out, args.style.caption), outputs)?;
        let report = self.job(|job| jobs::figures::heatmap(request, &source, &output, values, job))?;
        show(self.json(), &report, || {
            let spaces = report.spaces.iter();
            let spaces =
                spaces.map(|(name, s)| format!("{name} {:.2} to {:.2}, mean {:.2}", s.min, s.max, s.mean));
            let tiles = report.tiles.map_or(String::new(), |tiles| format!("\nplaces: {tiles}"));
            let at = report.at.map_or(String::new(), |at| format!("\n{}", at.words(report.query)));
            format!(
                "{}: {} x {} patches, query at y {}, x {}; {}{at}{tiles}{}",
                report.files.out.display(),
                report.rows,
                report.cols,
                report.query.y,
                report.query.x,
                spaces.collect::<Vec<_>>().join("; "),
                report.files.warning_line()
            )
        })
    }
}
