//! All that can be typed, and from there to the command that is meant.

use clap::{Parser, Subcommand};

use super::bank::BankCommand;
use super::compare::CompareArgs;
use super::cooccurrence::CooccurrenceArgs;
use super::data::DataCommand;
use super::embed::EmbedArgs;
use super::eval::EvalArgs;
use super::figure::{ConvergenceArgs, FigureArgs, GalleryArgs, HeatmapArgs};
use super::geometry::GeometryArgs;
use super::knn::KnnArgs;
use super::locality::LocalityArgs;
use super::model::ModelCommand;
use super::results::ResultsArgs;
use super::scatter::ScatterArgs;
use super::serve::{ServeArgs, serve};
use super::shared::{Commander, SharedArgs};
use super::train::TrainArgs;
use super::window::{GuiArgs, window};
use crate::threads;

/// See what a self-supervised vision model thinks is alike.
#[derive(Parser)]
#[command(name = "bagssl", version, about)]
pub struct Cli {
    #[command(flatten)]
    pub shared: SharedArgs,
    #[command(flatten)]
    pub window: GuiArgs,
    #[command(subcommand)]
    pub command: Option<CliCommand>,
}

impl Cli {
    /// Whether it is a window, here or on another machine, that the engine works for.
    pub fn has_window(&self) -> bool {
        matches!(self.command, None | Some(CliCommand::Gui(_) | CliCommand::Serve(_)))
    }
}

#[derive(Subcommand)]
pub enum CliCommand {
    /// Open the window (also what happens without a command)
    Gui(GuiArgs),
    /// Look at, fetch or make data sets
    #[command(subcommand)]
    Data(DataCommand),
    /// Look at or convert models
    #[command(subcommand)]
    Model(ModelCommand),
    /// Embed all patches of a data set into a bank
    Embed(EmbedArgs),
    /// Look at a bank, hand it to other tools, or make one of their vectors
    #[command(subcommand)]
    Bank(BankCommand),
    /// Find the nearest neighbours of a patch
    Knn(KnnArgs),
    /// Count the neighbours that two models have in common (overlap@k), by a bank of each
    Compare(CompareArgs),
    /// Draw the heatmap of a patch (Fig. 4)
    Heatmap(HeatmapArgs),
    /// Draw the nearest neighbours of a patch (Fig. 5)
    Gallery(GalleryArgs),
    /// Train a model
    Train(TrainArgs),
    /// Accuracy of a model's features by the paper's protocol
    Eval(EvalArgs),
    /// The page of results: trained models, tables beside the paper's, figures, and whether what the paper finds holds
    Results(ResultsArgs),
    /// Figure 3a in numbers: cosine of the mean of N patches with the whole image, in every space
    Converge(ConvergenceArgs),
    /// How local each space of a model is: neighbours by rank, distance, position, part purity, invariances
    Locality(LocalityArgs),
    /// How the spaces of a bank lie: spectrum, dimension, norms, hubs; likeness of two spaces or models
    Geometry(GeometryArgs),
    /// A map of a bank's patches: points on a plane by the principal components of a space, or by t-SNE
    Scatter(ScatterArgs),
    /// A toy world in which the spectral loss finds the co-occurrence of patches (section 3, App. A and B)
    #[command(visible_alias = "cooccur")]
    Cooccurrence(CooccurrenceArgs),
    /// Make a figure of the paper by its number (fig2, fig3a, fig3b, fig4 to fig12), any figure again from its sidecar, or a run's loss curve
    Figure(FigureArgs),
    /// Be the engine of a window on another machine, which starts this by ssh (bagssl --remote)
    Serve(ServeArgs),
    /// This machine's numbers
    Bench {
        /// Fewer repetitions, a smaller bank
        #[arg(long)]
        quick: bool,
    },
}

/// Does what the arguments say.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let Cli { shared, window: opened, command } = cli;
    let Some(command) = command else { return window(opened, &shared) };
    if let CliCommand::Gui(args) = command {
        return window(args, &shared);
    }
    if let CliCommand::Serve(args) = command {
        return serve(&args, &shared);
    }
    threads::lead();
    let context = Commander::new(shared)?;
    match command {
        CliCommand::Gui(_) | CliCommand::Serve(_) => unreachable!("handled above"),
        CliCommand::Data(command) => context.data(command),
        CliCommand::Model(command) => context.model(command),
        CliCommand::Embed(args) => context.embed(args),
        CliCommand::Bank(command) => context.bank(command),
        CliCommand::Knn(args) => context.knn(args),
        CliCommand::Compare(args) => context.compare(args),
        CliCommand::Heatmap(args) => context.heatmap(args),
        CliCommand::Gallery(args) => context.gallery(args),
        CliCommand::Train(args) => context.train(args),
        CliCommand::Eval(args) => context.eval(args),
        CliCommand::Results(args) => context.results(args),
        CliCommand::Converge(args) => context.converge(args),
        CliCommand::Locality(args) => context.locality(args),
        CliCommand::Geometry(args) => context.geometry(args),
        CliCommand::Scatter(args) => context.scatter(args),
        CliCommand::Cooccurrence(args) => context.cooccurrence(args),
        CliCommand::Figure(args) => context.figure(args),
        CliCommand::Bench { quick } => context.bench(quick),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command, CommandFactory, Parser};

    use super::Cli;
    use crate::cli::figure::LOOK;
    use crate::cli::shared::{FILTER, OVERRIDES, READING, SHARED};

    /// The heading that an option belongs under, by what it means; none for what a command is about.
    fn heading_of(option: &str) -> Option<&'static str> {
        Some(match option {
            "weights" | "stem_padding" | "max_pool" | "heads" | "mean" | "std" | "input" | "resize"
            | "resolution" | "tiles" | "precision" | "activation" => OVERRIDES,
            "exclude_same_image" | "per_image" | "without_overlap" | "fold_copies" | "class"
            | "only_split" => FILTER,
            "width" | "dpi" | "palette" | "letters" | "plain" | "colormap" | "range" | "columns"
            | "shares" | "across" | "text" | "font" | "alias" | "alias_beside" | "contour" => LOOK,
            "exif" | "value_window" => READING,
            "device" | "seed" | "threads" | "memory" | "cache_size" | "json" => SHARED,
            _ => return None,
        })
    }

    fn check(command: &Command, path: &str, seen: &mut Vec<String>) {
        let path = format!("{path} {}", command.get_name());
        for arg in command.get_arguments().filter(|arg| arg.get_long().is_some()) {
            let id = arg.get_id().as_str();
            assert_eq!(Arg::get_help_heading(arg), heading_of(id), "{path} --{id}");
            seen.extend(arg.get_help_heading().map(str::to_owned));
        }
        command.get_subcommands().for_each(|inner| check(inner, &path, seen));
    }

    /// Words as a shell takes them, up to a comment.
    fn words_of(line: &str) -> Vec<String> {
        let (mut words, mut word, mut is_quoted, mut is_word) = (vec![], String::new(), false, false);
        for character in line.chars().chain([' ']) {
            match character {
                '#' if !is_quoted && !is_word => break,
                '\'' => (is_quoted, is_word) = (!is_quoted, true),
                ' ' if !is_quoted => {
                    if std::mem::take(&mut is_word) {
                        words.push(std::mem::take(&mut word));
                    }
                }
                _ => {
                    word.push(character);
                    is_word = true;
                }
            }
        }
        words
    }

    #[test]
    fn every_command_that_the_readme_shows_is_one() {
        let readme = include_str!("../../README.md");
        let commands: Vec<&str> = readme.lines().filter(|line| line.starts_with("bagssl ")).collect();
        assert!(commands.len() > 30, "{} found", commands.len());
        for command in commands {
            let parsed = Cli::try_parse_from(words_of(command));
            assert!(parsed.is_ok(), "{command}\n{}", parsed.err().unwrap());
        }
    }

    #[test]
    fn what_a_command_would_not_heed_is_refused() {
        let parsed = |words: &str| Cli::try_parse_from(words_of(&format!("bagssl {words}")));
        for words in [
            "locality --dpi 300",
            "locality --caption a.tex --csv a.csv",
            "geometry --width 3.25",
            "scatter bank --space h --text outlines",
            "cooccurrence --font built-in",
            "figure fig4 --out a.svg --query 1:0:0 --queries 2",
            "figure fig6 --out a.svg --query 1:0:0 --queries 2",
            "figure fig5 --out a.svg --across 2",
            "figure fig9 --out a.svg --across 2",
        ] {
            assert!(parsed(words).is_err(), "{words}");
        }
        for words in [
            "locality --dpi 300 --out a.png",
            "geometry --width 3.25 --out a.svg",
            "figure fig4 --out a.svg --queries 2 --across 2",
            "figure fig10 --out a.svg --across 2",
            "figure fig11 --out a.svg --index 1 --across 2",
            "locality --report a.svg --dpi 300",
            "cooccur --images 8",
        ] {
            assert!(parsed(words).is_ok(), "{words}\n{}", parsed(words).err().unwrap());
        }
    }

    #[test]
    fn every_option_of_every_command_stands_under_a_heading_that_fits() {
        let mut seen = vec![];
        let mut cli = Cli::command();
        cli.build();
        check(&cli, "", &mut seen);
        for heading in [OVERRIDES, FILTER, LOOK, READING, SHARED] {
            assert!(seen.iter().any(|other| other == heading), "nothing stands under {heading}");
        }
    }
}
