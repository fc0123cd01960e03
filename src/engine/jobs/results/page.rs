//! The page as Markdown.

use std::fmt::Write as _;

use crate::analysis::convergence::OverDraws;
use crate::engine::jobs::results::drawings::{PageFigure, ShownResult};
use crate::engine::jobs::results::given::{GivenConvergence, GivenResults, GivenTable};
use crate::engine::jobs::results::measure_claims::{about, number_words};
use crate::engine::jobs::results::trained::{TrainedModel, TrainedProgress};
use crate::engine::jobs::results::verdict::{ClaimVerdict, PaperClaim};
use crate::engine::tables::table;
use crate::stats::Interval;
use crate::words::{count, thousands};

/// What stands for something that is not there.
const NOTHING: &str = "-";

/// The page of what is given, with the claims and figures that were made of it.
pub fn markdown(given: &GivenResults, claims: &[PaperClaim], figures: &[PageFigure]) -> String {
    let mut text = "# Results\n".to_owned();
    let counts = [
        count(given.models.len(), "run folder"),
        count(given.tables.len(), "results folder"),
        count(given.convergences.len(), "measure") + " of R",
        count(given.localities.len(), "locality report"),
    ];
    let _ = writeln!(
        text,
        "\nMade by `bagssl results` from {}. Intervals are of 95 %: of accuracies for the choice of test images, of measures \
         over images. What is not in the folders is said to be missing, with the command that would make it; there DATA is \
         the place of the data set, and a run stands by its folder's name.",
        counts.join(", ")
    );
    claims_section(&mut text, claims);
    models_section(&mut text, given, figures);
    for (place, table) in given.tables.iter().enumerate() {
        table_section(&mut text, table, figure(figures, ShownResult::Bars(place)));
    }
    convergence_section(&mut text, given, figures);
    locality_section(&mut text, given, figures);
    text
}

/// The figure that shows this, as Markdown.
fn figure(figures: &[PageFigure], of: ShownResult) -> Option<String> {
    let shown = figures.iter().find(|figure| figure.of == of)?;
    let what = match of {
        ShownResult::Curves => "losses and online kNN accuracies",
        ShownResult::Bars(_) => "Figure 2: linear and kNN accuracies",
        ShownResult::Convergence(_) => "Figure 3a",
        ShownResult::Locality(_) => "locality report",
    };
    Some(format!("![{what}]({})", shown.name().replace(' ', "%20")))
}

fn claims_section(text: &mut String, claims: &[PaperClaim]) {
    text.push_str(
        "\n## Beside what the paper finds\n\nA claim holds where every difference goes the way that it says beyond the intervals, \
         does not hold where one goes the other way beyond them, and cannot be told where they overlap.\n",
    );
    for claim in claims {
        let _ = writeln!(text, "\n### {}\n\n{}: **{}**.\n", claim.claim, claim.place, claim.summary());
        for finding in &claim.findings {
            let verdict = finding.verdict.words();
            let _ = writeln!(text, "- {}: **{verdict}**. {}.", table::escaped(&finding.about), finding.words);
        }
        if let Some(command) = &claim.command {
            let _ =
                writeln!(text, "Not measured; run `{command}`, and give what it makes to `bagssl results`.");
        }
    }
}

fn models_section(text: &mut String, given: &GivenResults, figures: &[PageFigure]) {
    text.push_str("\n## Trained models\n\n");
    if given.models.is_empty() {
        text.push_str("No run folder was given, so that methods, epochs, times and alarms are not known; give those that `bagssl train` made.\n");
        return;
    }
    text.push_str(
        "| run | method | data | trained on | network | epochs | steps | views | time | device | loss | online kNN, % | signs of collapse |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for model in &given.models {
        let _ = writeln!(text, "| {} |", model_cells(model).map(|cell| table::escaped(&cell)).join(" | "));
    }
    text.push_str(
        "\nTime is that of the steps, without checkpoints and probes. The online kNN looks at few images while a run goes on; the \
         tables below are the measure.\n",
    );
    for model in &given.models {
        if let Some(stopped) = &model.watched.stopped {
            let _ = writeln!(text, "\n{} stopped: {}", table::escaped(&model.name), table::escaped(stopped));
        }
        if model
            .progress
            .as_ref()
            .is_some_and(|progress| progress.steps.is_some_and(|all| progress.step < all))
        {
            let run = &model.name;
            let _ = writeln!(
                text,
                "\n{run} is not finished: `bagssl train --data DATA --out {run} --resume` goes on."
            );
        }
    }
    if let Some(figure) = figure(figures, ShownResult::Curves) {
        let _ = writeln!(text, "\n{figure}");
    }
}

fn model_cells(model: &TrainedModel) -> [String; 13] {
    let config = &model.config;
    let of = |words: &dyn Fn(&TrainedProgress) -> String| {
        model.progress.as_ref().map_or(NOTHING.to_owned(), words)
    };
    let data = model.data.clone().unwrap_or(NOTHING.into());
    let images = model.images.map_or(String::new(), |images| format!(", {} images", thousands(images)));
    let projector: Vec<String> = config.model.projector.iter().map(usize::to_string).collect();
    let knn = model.watched.knn.as_ref().map_or(NOTHING.to_owned(), |knn| {
        let [value, low, high] = [knn.score.accuracy, knn.low, knn.high].map(|share| 100.0 * share);
        let (asked, known) = (thousands(knn.score.asked_images), thousands(knn.score.known_images));
        let seen = if knn.score.held_out { "" } else { ", trained on" };
        format!("{value:.1} [{low:.1}, {high:.1}] of {asked}{seen}, knows {known}, epoch {:.1}", knn.epoch)
    });
    [
        model.name.clone(),
        config.objective.title().into(),
        data + &images,
        format!("{}, {} views, {} px", model.regime(), config.views.len(), config.model.input),
        format!(
            "{}, width {}, z {}",
            config.model.backbone.title(),
            config.model.backbone.width,
            projector.join("-")
        ),
        of(&|progress| format!("{:.1} of {}", progress.epoch, config.epochs)),
        of(&|progress| {
            let all = progress.steps.map_or(String::new(), |steps| format!(" of {}", thousands(steps)));
            thousands(progress.step) + &all
        }),
        of(&|progress| thousands(progress.views)),
        of(&|progress| time_words(progress.seconds)),
        model.device.clone().unwrap_or(NOTHING.into()),
        of(&|progress| format!("{:.4}", progress.loss)),
        knn,
        model.alarm_words(),
    ]
}

/// "2 h 5 min", "12.4 min", "7.0 s".
fn time_words(seconds: f64) -> String {
    match seconds {
        long if long >= 3600.0 => format!("{} h {} min", (long / 3600.0) as u64, (long / 60.0) as u64 % 60),
        some if some >= 60.0 => format!("{:.1} min", some / 60.0),
        short => format!("{short:.1} s"),
    }
}

fn table_section(text: &mut String, given: &GivenTable, figure: Option<String>) {
    let (plan, rows) = (&given.stored.plan, &given.stored.rows);
    let title = if plan.title.is_empty() { &given.name } else { &plan.title };
    let _ = writeln!(text, "\n## {}", table::escaped(title));
    let _ = writeln!(text, "\n{}.", plan.protocol());
    text.push_str(&table::sections("###", rows));
    let (done, all) = (given.stored.done(), plan.cells());
    if done < all {
        let name = &given.name;
        let _ = writeln!(
            text,
            "\n{done} of {all} cells are there; `bagssl eval --plan {name}/plan.toml --out {name}` makes the others."
        );
    }
    if let Some(figure) = figure {
        let _ = writeln!(text, "\n{figure}");
    }
}

fn convergence_section(text: &mut String, given: &GivenResults, figures: &[PageFigure]) {
    for (place, GivenConvergence { found, .. }) in given.convergences.iter().enumerate() {
        let run = given.run_of_measure(&found.model, &found.model_hash);
        let _ = writeln!(
            text,
            "\n## Figure 3a: {}\n\nCosine of the mean of so many patches with the whole image, {} of {} images, patches of {} px every \
             {} px.\n",
            table::escaped(&about(&found.model, &found.data, run)),
            thousands(found.images),
            thousands(found.of),
            found.patch,
            found.stride
        );
        let counts = found.spaces.first().map_or_else(Vec::new, |space| {
            space.points.iter().map(|point| format!("{} ({})", point.count, point.patches.1)).collect()
        });
        let _ = writeln!(text, "| | {} |\n|---|{}", counts.join(" | "), "---|".repeat(counts.len()));
        for space in &found.spaces {
            let value = |whole: Option<OverDraws>| {
                let words = |whole: OverDraws| {
                    number_words(Interval { value: whole.mean, low: whole.low, high: whole.high })
                };
                whole.map_or_else(|| "-".to_owned(), words)
            };
            let cells: Vec<String> = space.points.iter().map(|point| value(point.whole)).collect();
            let _ = writeln!(text, "| {} | {} |", space.space, cells.join(" | "));
        }
        if let Some(figure) = figure(figures, ShownResult::Convergence(place)) {
            let _ = writeln!(text, "\n{figure}");
        }
    }
}

fn locality_section(text: &mut String, given: &GivenResults, figures: &[PageFigure]) {
    for (place, local) in given.localities.iter().enumerate() {
        let found = &local.found;
        let (run, report) = (given.run_of_measure(&found.model, &found.model_hash), &found.report);
        let _ = writeln!(
            text,
            "\n## Locality: {}\n\n{} queries, {} neighbours, {} of {} images, patches of {} px every {} px; seed {}.\n",
            table::escaped(&about(&found.model, &found.data, run)),
            thousands(report.queries),
            report.config.neighbours,
            thousands(report.images),
            thousands(found.of),
            found.patch,
            found.stride,
            report.config.seed
        );
        text.push_str("| space | part purity | half-width, px | floor | near minus far | of 1 less the floor | places, bits below shuffled | nearest of the same image |\n|---|---|---|---|---|---|---|---|\n");
        for space in &report.spaces {
            let purity = report.purity.get(&space.space);
            let purity = purity.map(|found| Interval { value: found.mean, low: found.low, high: found.high });
            let words = |value: Option<Interval>| value.map_or(NOTHING.to_owned(), number_words);
            let width =
                space.displacement.half_width.map_or(NOTHING.to_owned(), |width| format!("{width:.1}"));
            let _ = writeln!(
                text,
                "| {} | {} | {width} | {} | {} | {} | {} | {} |",
                space.space,
                words(purity),
                words(space.displacement.floor),
                words(space.displacement.near_minus_far),
                words(space.displacement.near_minus_far_share),
                words(space.positions.map(|positions| positions.difference)),
                words(space.composition.same_image.first().copied())
            );
        }
        if let Some(figure) = figure(figures, ShownResult::Locality(place)) {
            let _ = writeln!(text, "\n{figure}");
        }
    }
}

/// Of all findings, how many there are of each verdict.
pub fn counts(claims: &[PaperClaim]) -> Vec<(&'static str, usize)> {
    let findings = || claims.iter().flat_map(|claim| &claim.findings);
    let count = |verdict| findings().filter(|finding| finding.verdict == verdict).count();
    ClaimVerdict::ALL.into_iter().map(|(verdict, words)| (words, count(verdict))).collect()
}
