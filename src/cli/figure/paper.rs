//! The paper's figures by number: their arguments and what they show unless told.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::accuracy::AccuracyArgs;
use super::convergence::ConvergenceArgs;
use super::gallery::gallery_inputs;
use super::heatmap::map_inputs;
use super::style::{
    FigureStyle, GridStyle, LOOK, MapStyle, figure, grid_style, map_style, with_alias_beside,
};
use crate::cli::shared::{
    Commander, DecodingArgs, FilterArgs, ModelArgs, Point, QueryPlace, SearchArgs, pixels, positive,
    recall_words, show, thousands,
};
use crate::engine::facts::{DataSpec, PatchSpace, Split};
use crate::engine::jobs::embed::BankSource;
use crate::engine::jobs::figures::{GallerySource, Haystack, MapImages, MapSizes, MapSource, QueryChoice};
use crate::engine::{FigureContent, FigureKind, SearchRecall, Style, defaults, jobs};
use crate::patch::PatchRef;

/// The paper's figures by number.
#[derive(Subcommand)]
pub enum PaperFigure {
    /// Linear and kNN accuracies of results folders as bars
    Fig2(AccuracyArgs),
    /// Cosine of the mean of N patches with the whole image, in every space; or which patches carry an image
    Fig3a(ConvergenceArgs),
    /// Linear accuracies of results folders as bars
    Fig3b(AccuracyArgs),
    /// Heatmaps in z and h of one image at two patch sizes (71 and 100 of 224 pixels)
    Fig4(MapsArgs),
    /// The 119 nearest of two patches in z and h
    Fig5(GalleriesArgs),
    /// Heatmaps in z and h of eight images
    Fig6(MapsArgs),
    /// The 119 nearest of four patches in z and h
    Fig7(GalleriesArgs),
    /// The 255 nearest of a patch in h
    Fig8(GalleriesArgs),
    /// The 255 nearest of another patch in h
    Fig9(GalleriesArgs),
    /// Sixteen parts and their 35 nearest in h, named by row and column
    Fig10(SheetArgs),
    /// Five positions of an image and the 48 nearest of each in h
    Fig11(InstanceArgs),
    /// Five positions of another image and the 48 nearest of each in h
    Fig12(InstanceArgs),
}

#[derive(Args)]
pub struct MapsArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A second model, whose heatmaps stand beside those of --model
    #[arg(long, value_name = "MODEL")]
    pub beside: Option<PathBuf>,
    /// What the second model is called, as --alias says of the first
    #[arg(long, value_name = "NAME", requires = "beside", help_heading = LOOK)]
    pub alias_beside: Option<String>,
    /// An image file; may be given several times
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "split", "query"])]
    pub image: Vec<PathBuf>,
    /// X,Y: a point of an --image, pixels from the left and from the top; the query is the patch whose centre is
    /// nearest to it. Once for all or once for each
    #[arg(long, value_name = "X,Y", requires = "image")]
    pub at: Vec<Point>,
    /// demo, a folder, an image file or CIFAR's archive
    #[arg(long, default_value = "demo")]
    pub data: DataSpec,
    #[arg(long, value_enum)]
    pub split: Option<Split>,
    #[command(flatten)]
    pub decoding: DecodingArgs,
    /// IMAGE:Y:X of --data, the image's index and the patch's top-left pixel; may be given several times
    ///
    /// Where no query is given, the seed chooses: images in a random order, classes taking turns; in each the patch
    /// with the most contrast of 64 random positions.
    #[arg(long, value_name = "IMAGE:Y:X")]
    pub query: Vec<QueryPlace>,
    /// Number of queries to choose where none is given
    #[arg(long, value_name = "N", value_parser = positive(), conflicts_with_all = ["image", "query"])]
    pub queries: Option<usize>,
    /// Scale the short side to N x 256/224 and take the centre N x N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=8192))]
    pub fit: Option<u32>,
    /// Patch sizes, pixels, such as 71,100; what suits the images and the model unless told
    #[arg(long, value_name = "P,...", value_delimiter = ',', value_parser = pixels())]
    pub patch: Vec<u32>,
    /// Distance between patches, pixels; at most 25 x 25 patches unless told
    #[arg(long, value_parser = pixels())]
    pub stride: Option<u32>,
    /// Spaces, such as z,h [default: z,h, as far as they are there]
    #[arg(long, value_delimiter = ',')]
    pub space: Vec<PatchSpace>,
    #[arg(long)]
    pub out: PathBuf,
    /// Queries side by side
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8), help_heading = LOOK)]
    pub across: Option<u32>,
    #[command(flatten)]
    pub maps: MapStyle,
    #[command(flatten)]
    pub style: FigureStyle,
}

/// The patches that are searched: a bank, or those of a data set, embedded for this figure.
#[derive(Args)]
pub struct HaystackArgs {
    /// A bank of `bagssl embed`; without it the patches are embedded for this figure alone
    #[arg(long, conflicts_with_all = ["model", "split", "patch", "stride", "limit", "OverrideArgs", "DecodingArgs"])]
    pub bank: Option<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// A second model (with --bank: a bank of the same patches), whose galleries stand beside (fig5, fig7, fig8, fig9)
    #[arg(long, value_name = "MODEL|BANK")]
    pub beside: Option<PathBuf>,
    /// What the second model is called, as --alias says of the first
    #[arg(long, value_name = "NAME", requires = "beside", help_heading = LOOK)]
    pub alias_beside: Option<String>,
    /// demo, a folder, an image file or CIFAR's archive; with --bank: where its images lie, if they were moved
    #[arg(long)]
    pub data: Option<DataSpec>,
    #[arg(long, value_enum)]
    pub split: Option<Split>,
    #[command(flatten)]
    pub decoding: DecodingArgs,
    /// Patch size, pixels; what suits the images and the model unless told
    #[arg(long, value_parser = pixels())]
    pub patch: Option<u32>,
    /// Distance between patches, pixels; about 7 x 7 of each image unless told
    #[arg(long, value_parser = pixels())]
    pub stride: Option<u32>,
    /// Only N images, spread over the data set and its classes
    #[arg(long, value_name = "N", default_value_t = defaults::GALLERY_IMAGES, value_parser = positive())]
    pub limit: usize,
    /// Number of neighbours of each query; as in the paper's figure unless told
    #[arg(long, value_parser = positive())]
    pub k: Option<usize>,
    #[command(flatten)]
    pub search: SearchArgs,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// IMAGE:Y:X, the image's index and the patch's top-left pixel; may be given several times
    ///
    /// Where no query is given, the seed chooses: images in a random order, classes taking turns; in each the patch
    /// with the most contrast of 64 random positions. Positions of one image (fig11, fig12) begin with such a patch;
    /// each next one is the patch least like those before (whose greatest cosine to them is the least).
    #[arg(long, value_name = "IMAGE:Y:X")]
    pub query: Vec<QueryPlace>,
    /// Number of queries to choose where none is given
    #[arg(long, value_name = "N", value_parser = positive(), conflicts_with = "query")]
    pub queries: Option<usize>,
    /// Spaces, such as z,h; as in the paper's figure unless told
    #[arg(long, value_delimiter = ',')]
    pub space: Vec<String>,
}

#[derive(Args)]
pub struct GalleriesArgs {
    #[command(flatten)]
    pub search: HaystackArgs,
    #[arg(long)]
    pub out: PathBuf,
    #[command(flatten)]
    pub grid: GridStyle,
    #[command(flatten)]
    pub style: FigureStyle,
}

#[derive(Args)]
pub struct SheetArgs {
    /// Queries side by side
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=26), help_heading = LOOK)]
    pub across: Option<u32>,
    #[command(flatten)]
    pub galleries: GalleriesArgs,
}

#[derive(Args)]
pub struct InstanceArgs {
    /// The image, by its index; the seed's choice unless told
    #[arg(long, value_name = "N")]
    pub index: Option<usize>,
    #[command(flatten)]
    pub sheet: SheetArgs,
}

/// What a figure of neighbours shows unless told.
struct PaperPlan {
    kind: FigureKind,
    choice: QueryChoice,
    neighbours: usize,
    spaces: &'static str,
}

impl Commander {
    pub(super) fn paper_figure(&self, paper: PaperFigure) -> anyhow::Result<()> {
        use defaults::{
            MANY_NEIGHBOURS, NEIGHBOURS, PART_NEIGHBOURS, PARTS, POSITION_NEIGHBOURS, POSITIONS, SPACES,
        };
        const H: &str = "h";
        let plan = |kind, (count, skip, index), neighbours, spaces| PaperPlan {
            kind,
            choice: QueryChoice { count, skip, index },
            neighbours,
            spaces,
        };
        let of_patches = |count, skip, neighbours, spaces| {
            plan(FigureKind::Galleries, (count, skip, None), neighbours, spaces)
        };
        let of_image =
            |skip, index| plan(FigureKind::Instance, (POSITIONS, skip, index), POSITION_NEIGHBOURS, H);
        match paper {
            PaperFigure::Fig2(args) => self.accuracy(args, &["linear", "knn"]),
            PaperFigure::Fig3a(args) => self.convergence(args),
            PaperFigure::Fig3b(args) => self.accuracy(args, &["linear"]),
            PaperFigure::Fig4(args) => self.maps(args, 1, 2),
            PaperFigure::Fig6(args) => self.maps(args, 8, 1),
            PaperFigure::Fig5(args) => self.galleries(args, None, &of_patches(2, 0, NEIGHBOURS, SPACES)),
            PaperFigure::Fig7(args) => self.galleries(args, None, &of_patches(4, 0, NEIGHBOURS, SPACES)),
            PaperFigure::Fig8(args) => self.galleries(args, None, &of_patches(1, 0, MANY_NEIGHBOURS, H)),
            PaperFigure::Fig9(args) => self.galleries(args, None, &of_patches(1, 1, MANY_NEIGHBOURS, H)),
            PaperFigure::Fig10(args) => {
                self.sheet(args, &plan(FigureKind::Parts, (PARTS, 0, None), PART_NEIGHBOURS, H))
            }
            PaperFigure::Fig11(args) => self.sheet(args.sheet, &of_image(0, args.index)),
            PaperFigure::Fig12(args) => self.sheet(args.sheet, &of_image(1, args.index)),
        }
    }

    /// Fig 4 or 6: `count` queries at so many patch sizes, unless told.
    fn maps(&self, args: MapsArgs, count: usize, sizes: usize) -> anyhow::Result<()> {
        let images = if args.image.is_empty() {
            let queries = args.query.iter().map(|q| (q.image, q.y, q.x)).collect();
            MapImages::Data { data: args.decoding.of(args.data), split: args.split, queries }
        } else {
            let paths = args.image.into_iter().map(|path| args.decoding.of(DataSpec::Path(path))).collect();
            MapImages::Files { paths, at: args.at.iter().map(|at| (at.x, at.y)).collect() }
        };
        let source = MapSource {
            model: args.model.into(),
            beside: args.beside.as_deref().map(Into::into),
            images,
            fit: args.fit,
            sizes: match args.patch {
                told if told.is_empty() => MapSizes::Suitable(sizes),
                told => MapSizes::Told(told),
            },
            stride: args.stride,
            count: args.queries.unwrap_or(count),
        };
        let style = with_alias_beside(map_style(&args.style, &args.maps), args.alias_beside);
        let style = Style { across: args.across.unwrap_or(0), ..style };
        let spaces = args.space.iter().map(PatchSpace::to_string).collect();
        let content = FigureContent::new(FigureKind::Heatmaps, spaces);
        let paths = (args.out, args.style.caption);
        let (request, output) = figure(content, style, paths, map_inputs(&source))?;
        let report = self.job(|job| jobs::figures::maps(request, &source, &output, job))?;
        show(self.json(), &report, || {
            let mut lines = vec![report.files.out.display().to_string()];
            lines.extend(report.maps.iter().map(|map| {
                let PatchRef { y, x, size, .. } = map.query;
                let (rows, cols) = (map.rows, map.cols);
                let at = map.at.map_or(String::new(), |at| format!("; {}", at.words(map.query.into())));
                format!("image {}: {rows} x {cols} patches of {size}, query at y {y}, x {x}{at}", map.image)
            }));
            lines.join("\n") + &report.files.warning_line()
        })
    }

    /// Fig 10 to 12.
    fn sheet(&self, args: SheetArgs, plan: &PaperPlan) -> anyhow::Result<()> {
        self.galleries(args.galleries, args.across, plan)
    }

    /// Fig 5 and 7 to 12; on a sheet so many queries stand side by side.
    fn galleries(&self, args: GalleriesArgs, across: Option<u32>, plan: &PaperPlan) -> anyhow::Result<()> {
        let GalleriesArgs { search, out, grid, style } = args;
        let haystack = match search.bank {
            Some(folder) => Haystack::Bank { folder, data: search.data },
            None => Haystack::Fresh {
                model: search.model.into(),
                source: BankSource {
                    data: search.decoding.of(search.data.unwrap_or_default()),
                    split: search.split,
                    limit: Some(search.limit),
                },
                patch: search.patch,
                stride: search.stride,
            },
        };
        let look = with_alias_beside(grid_style(&style, &grid), search.alias_beside);
        let look = Style { across: across.unwrap_or(0), ..look };
        // The usual ones as far as they are there.
        let is_usual = plan.spaces == defaults::SPACES;
        let own = || plan.spaces.split(',').map(String::from).collect();
        let spaces = if search.space.is_empty() && !is_usual { own() } else { search.space };
        let content = FigureContent {
            neighbours: search.k.unwrap_or(plan.neighbours),
            ..FigureContent::new(plan.kind, spaces)
        };
        let source = GallerySource {
            way: search.search.search.into(),
            cache: self.shared.cache(),
            beside: search.beside.as_deref().map(|named| haystack.with(named)),
            haystack,
            queries: search.query.iter().map(|q| (q.image, q.y, q.x)).collect(),
            choice: QueryChoice { count: search.queries.unwrap_or(plan.choice.count), ..plan.choice },
            filter: search.filter.into(),
        };
        let inputs = gallery_inputs(&source.haystack, search.beside.as_deref());
        let (request, output) = figure(content, look, (out, style.caption), inputs)?;
        let report = self.job(|job| jobs::figures::galleries(request, &source, &output, job))?;
        show(self.json(), &report, || {
            let (searched, total) = (thousands(report.searched), thousands(report.total));
            let out = report.files.out.display();
            let own = report.searches.iter().map(|(name, way)| (name.clone(), *way));
            let beside = report.beside_searches.iter().flatten();
            let beside = beside.map(|(name, way)| (format!("{name} of the second model"), *way));
            let ways: Vec<(String, SearchRecall)> = own.chain(beside).collect();
            let ways = recall_words(ways.iter().map(|(name, way)| (name.as_str(), *way)));
            let fewest =
                if report.fewest < report.k { format!("{} to ", report.fewest) } else { String::new() };
            let mut lines = vec![format!(
                "{out}: {fewest}{} nearest over {searched} of {total} patches, {ways}",
                report.k
            )];
            lines.extend(report.queries.iter().map(|query| {
                let PatchRef { image, y, x, .. } = query.query;
                let spaces = query.spaces.iter().map(|(name, n)| {
                    format!(
                        "{name}: {} same image, {} same class, {} other class, {} unlabelled",
                        n.same_image, n.same_class, n.other_class, n.other_image
                    )
                });
                format!("{image}:{y}:{x}  {}", spaces.collect::<Vec<_>>().join("; "))
            }));
            lines.join("\n") + &report.files.warning_line()
        })
    }
}
