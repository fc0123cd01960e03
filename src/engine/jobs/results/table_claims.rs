//! What the paper finds in its tables, held against the tables here.

use crate::engine::ask::{PaperTraining, ResultRow};
use crate::engine::jobs::results::given::{GivenResults, PlacedRow, training};
use crate::engine::jobs::results::trained::TrainedModel;
use crate::engine::jobs::results::verdict::{ClaimFinding, ClaimVerdict, PaperClaim, is_above};
use crate::engine::tables::table::share_words;
use crate::stats::Interval;
use crate::words::thousands;

/// The accuracy of a cell with its interval for the choice of test images.
fn share(cell: &ResultRow) -> Interval {
    Interval { value: cell.accuracy, low: cell.low, high: cell.high }
}

/// "1 patch 82.0 % [81.2, 82.8]".
fn cell_words(cell: &ResultRow, row: &PlacedRow<'_>) -> String {
    let what = row.evaluation.cut();
    let count = match cell.patches.as_str() {
        "1" => format!("1 {what}"),
        many if many.parse::<usize>().is_ok() => {
            format!("{many} {}", if what == "crop" { "crops" } else { "patches" })
        }
        other => other.to_owned(),
    };
    format!("{count} {}", share_words(cell))
}

fn classifier_words(row: &PlacedRow<'_>) -> &'static str {
    if row.classifier == "knn" { "kNN" } else { "linear" }
}

fn images_words(cell: &ResultRow) -> String {
    let seeds = if cell.seeds > 1 { format!(", {} seeds", cell.seeds) } else { String::new() };
    format!("of {} test images{seeds}", thousands(cell.images))
}

/// All claims about accuracies.
pub fn table_claims(given: &GivenResults) -> Vec<PaperClaim> {
    let rows = given.rows();
    vec![
        patch_training(given, &rows),
        multi_scale_training(given, &rows),
        whole_image(&rows),
        on_par(&rows),
        local_aggregation(&rows),
        classifiers_agree(&rows),
    ]
}

/// A finding of one row, of which `wanted` cells are needed; `differences` judges them.
fn finding(
    row: &PlacedRow<'_>,
    wanted: &[&str],
    shown: &[&str],
    differences: impl Fn(&[Interval]) -> Vec<Option<bool>>,
) -> ClaimFinding {
    let about = format!("{}, {}, {}", row.model, row.evaluation.name, classifier_words(row));
    let cells: Option<Vec<&ResultRow>> = wanted.iter().map(|patches| row.cell(patches)).collect();
    let Some(cells) = cells else {
        let lacking: Vec<&str> =
            wanted.iter().filter(|patches| row.cell(patches).is_none()).copied().collect();
        let words = format!("the table has no number for {}", lacking.join(", "));
        return ClaimFinding { about, verdict: ClaimVerdict::NotMeasured, words };
    };
    let verdict = ClaimVerdict::of(&differences(&cells.iter().map(|cell| share(cell)).collect::<Vec<_>>()));
    let all = shown.iter().filter_map(|patches| row.cell(patches));
    let numbers: Vec<String> = all.map(|cell| cell_words(cell, row)).collect();
    let images = cells.first().map_or_else(String::new, |cell| images_words(cell));
    ClaimFinding { about, verdict, words: format!("{}; {images}", numbers.join(", ")) }
}

/// Runs trained so that no table has an evaluation of.
fn untabled(
    given: &GivenResults,
    rows: &[PlacedRow<'_>],
    is_meant: impl Fn(PaperTraining) -> bool,
) -> Vec<ClaimFinding> {
    let is_untabled = |run: &&TrainedModel| {
        let is_in = given.tables.iter().any(|table| {
            table.stored.plan.models.iter().any(|model| {
                run.holds(&model.path)
                    && rows
                        .iter()
                        .any(|row| row.model == model.name && row.is_as_trained() && !row.cells.is_empty())
            })
        });
        run.crop().is_some_and(|crop| is_meant(training(crop))) && !is_in
    };
    let words = |run: &TrainedModel| ClaimFinding {
        about: run.name.clone(),
        verdict: ClaimVerdict::NotMeasured,
        words: format!("no table has it as it was trained; `{}` makes one", table_command(run)),
    };
    given.models.iter().filter(is_untabled).map(words).collect()
}

/// The command that makes the table of a run.
pub fn table_command(run: &TrainedModel) -> String {
    let is_100 = run.data.as_ref().is_some_and(|name| name.to_lowercase().contains("cifar-100"));
    let objective = run.config.objective.name();
    let (table, place) = match run.crop().map(training) {
        Some(PaperTraining::Patches(14)) => (if is_100 { 2 } else { 1 }, "patches"),
        Some(PaperTraining::Patches(100)) => (3, "patches"),
        Some(PaperTraining::MultiScale) => (if is_100 { 2 } else { 1 }, "multi"),
        _ => return format!("bagssl eval --plan PLAN.toml --out FOLDER (a plan with {})", run.name),
    };
    format!("bagssl eval --table {table} --data DATA --out table{table} {objective}-{place}={}", run.name)
}

fn patch_training(given: &GivenResults, rows: &[PlacedRow<'_>]) -> PaperClaim {
    let is_patch = |row: &&PlacedRow<'_>| {
        row.is_as_trained()
            && matches!(row.training, Some(PaperTraining::Patches(_)))
            && !row.cells.is_empty()
    };
    let wanted = ["central", "1", "16"];
    let judged = rows.iter().filter(is_patch).map(|row| {
        finding(row, &wanted, &wanted, |cells| cells.windows(2).map(|two| is_above(two[1], two[0])).collect())
    });
    let rest = untabled(given, rows, |training| matches!(training, PaperTraining::Patches(_)));
    PaperClaim {
        claim: "Trained on patches: the whole image is worse than 1 patch, and 1 patch worse than the mean of 16.",
        place: "Tables 1 to 3, left",
        findings: judged.chain(rest).collect(),
        command: None,
    }
    .or_command("bagssl eval --table 1 --data DATA --out table1 vicreg-patches=RUN")
}

fn multi_scale_training(given: &GivenResults, rows: &[PlacedRow<'_>]) -> PaperClaim {
    let is_multi = |row: &&PlacedRow<'_>| {
        row.is_as_trained() && row.training == Some(PaperTraining::MultiScale) && !row.cells.is_empty()
    };
    let judged = rows.iter().filter(is_multi).map(|row| {
        finding(row, &["central", "1"], &["central", "1", "16"], |cells| vec![is_above(cells[0], cells[1])])
    });
    let rest = untabled(given, rows, |training| training == PaperTraining::MultiScale);
    PaperClaim {
        claim: "Trained on crops of many scales: of single views the whole image is the best, better than 1 crop (in the \
                paper by 3 to 7 points; there the mean of 16 crops is 1 to 1.5 points above it).",
        place: "Tables 1 to 3, right",
        findings: judged.chain(rest).collect(),
        command: None,
    }
    .or_command("bagssl eval --table 1 --data DATA --out table1 vicreg-multi=RUN")
}

/// Rows of one method trained both ways, on the same data by the same classifier: patches, then multi-scale.
fn pairs<'a, 'b>(rows: &'b [PlacedRow<'a>]) -> Vec<(&'b PlacedRow<'a>, &'b PlacedRow<'a>)> {
    let of = |is_patch: bool| {
        rows.iter().filter(move |row| {
            row.is_as_trained() && matches!(row.training, Some(PaperTraining::Patches(_))) == is_patch
        })
    };
    let is_pair = |a: &PlacedRow<'_>, b: &PlacedRow<'_>| {
        a.objective.is_some() && (a.objective, a.data, a.classifier) == (b.objective, b.data, b.classifier)
    };
    of(true).flat_map(|a| of(false).filter(move |b| is_pair(a, b)).map(move |b| (a, b))).collect()
}

/// Findings of pairs: a cell of the first row against a cell of the second.
fn of_pairs(
    rows: &[PlacedRow<'_>],
    (first, second): (&str, &str),
    judge: impl Fn(Interval, Interval) -> (ClaimVerdict, &'static str),
) -> Vec<ClaimFinding> {
    let found = pairs(rows).into_iter().filter_map(|(a, b)| {
        let (one, other) = (a.cell(first)?, b.cell(second)?);
        let (verdict, said) = judge(share(one), share(other));
        Some(ClaimFinding {
            about: format!("{} and {}, {}", a.model, b.model, classifier_words(a)),
            verdict,
            words: format!(
                "{}: {}; {}: {}{said}; {}",
                a.model,
                cell_words(one, a),
                b.model,
                cell_words(other, b),
                images_words(one)
            ),
        })
    });
    found.collect()
}

const PAIR: &str = "bagssl eval --table 1 --data DATA --out table1 vicreg-patches=RUN vicreg-multi=OTHER_RUN";

fn whole_image(rows: &[PlacedRow<'_>]) -> PaperClaim {
    let judge = |patch: Interval, multi: Interval| (ClaimVerdict::of(&[is_above(multi, patch)]), "");
    PaperClaim {
        claim: "The whole image is far better known to a model trained on crops of many scales than to one trained on \
                patches, which never sees it.",
        place: "Section 4.1, Table 1",
        findings: of_pairs(rows, ("central", "central"), judge),
        command: None,
    }
    .or_command(PAIR)
}

fn on_par(rows: &[PlacedRow<'_>]) -> PaperClaim {
    let judge = |patch: Interval, multi: Interval| match is_above(patch, multi) {
        Some(true) => (ClaimVerdict::Holds, " (better)"),
        Some(false) => (ClaimVerdict::DoesNot, ""),
        None => (ClaimVerdict::Holds, " (on par: the intervals overlap)"),
    };
    PaperClaim {
        claim: "The mean of 16 patches of a model trained on patches is on par with, or better than, the whole image of one \
                trained on crops of many scales.",
        place: "Section 4.1, Table 1",
        findings: of_pairs(rows, ("16", "central"), judge),
        command: None,
    }
    .or_command(PAIR)
}

fn local_aggregation(rows: &[PlacedRow<'_>]) -> PaperClaim {
    let findings = rows.iter().filter_map(|row| {
        let local = row.cell("local-patches")?;
        let is_same = |other: &&PlacedRow<'_>| {
            (other.model, other.data, other.classifier) == (row.model, row.data, row.classifier)
        };
        let mut others = rows.iter().filter(is_same);
        let (whole, of_whole) = others.find_map(|other| Some((other.cell("central")?, other)))?;
        let map = row.cell("local-map").map(|cell| format!(", {}", cell_words(cell, row)));
        Some(ClaimFinding {
            about: format!("{}, {}", row.model, classifier_words(row)),
            verdict: ClaimVerdict::of(&[is_above(share(local), share(whole))]),
            words: format!(
                "{}, {}{}; {}",
                cell_words(whole, of_whole),
                cell_words(local, row),
                map.unwrap_or_default(),
                images_words(local)
            ),
        })
    });
    PaperClaim {
        claim: "Aggregated locally, the vectors of an image's patches classify it better than the vector of the whole image \
                (judged by 5 x 5 patches of 16 x 16 pixels, local-patches; the last feature map, local-map, stands beside them).",
        place: "Table 5",
        findings: findings.collect(),
        command: None,
    }
    .or_command("bagssl eval --table 5 --data DATA --out table5 vicreg=RUN")
}

fn classifiers_agree(rows: &[PlacedRow<'_>]) -> PaperClaim {
    let other = |row: &PlacedRow<'_>| {
        rows.iter().find(|other| {
            other.classifier == "knn"
                && (other.model, other.data) == (row.model, row.data)
                && std::ptr::eq(other.evaluation, row.evaluation)
        })
    };
    let linear = rows.iter().filter(|row| row.classifier == "linear" && row.cells.len() > 1);
    let findings = linear.filter_map(|row| agreement(row, other(row)?)).collect();
    PaperClaim {
        claim: "Linear and kNN accuracies agree in trend: from one number of patches to the next both rise or both fall.",
        place: "Figure 2",
        findings,
        command: None,
    }
    .or_command("bagssl eval --table 1 --data DATA --out table1 vicreg-patches=RUN")
}

/// Steps from one aggregate to the next, of two classifiers; those within the intervals of either tell nothing.
fn agreement(linear: &PlacedRow<'_>, knn: &PlacedRow<'_>) -> Option<ClaimFinding> {
    let both: Vec<(&ResultRow, &ResultRow)> =
        linear.cells.iter().filter_map(|cell| Some((*cell, knn.cell(&cell.patches)?))).collect();
    let (mut alike, mut unlike, mut open) = (vec![], vec![], vec![]);
    for step in both.windows(2) {
        let direction = |from: &ResultRow, to: &ResultRow| is_above(share(to), share(from));
        let name = format!("{} to {}", step[0].0.patches, step[1].0.patches);
        match (direction(step[0].0, step[1].0), direction(step[0].1, step[1].1)) {
            (Some(a), Some(b)) if a == b => alike.push(name),
            (Some(_), Some(_)) => unlike.push(name),
            _ => open.push(name),
        }
    }
    let verdict = match (alike.len(), unlike.len(), open.len()) {
        (0, 0, 0) => return None,
        (_, 1.., _) => ClaimVerdict::DoesNot,
        (1.., 0, 0) => ClaimVerdict::Holds,
        _ => ClaimVerdict::CannotBeTold,
    };
    let part = |words: &str, steps: &[String]| {
        (!steps.is_empty()).then(|| format!("{words} from {}", steps.join(", ")))
    };
    let parts = [part("alike", &alike), part("unlike", &unlike), part("within the intervals", &open)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let of =
        |cells: &mut dyn Iterator<Item = &ResultRow>| cells.map(share_words).collect::<Vec<_>>().join(", ");
    let words = format!(
        "{}: linear {}; kNN {}; {}",
        parts.join("; "),
        of(&mut both.iter().map(|(cell, _)| *cell)),
        of(&mut both.iter().map(|(_, cell)| *cell)),
        images_words(both.first()?.0)
    );
    Some(ClaimFinding { about: format!("{}, {}", linear.model, linear.evaluation.name), verdict, words })
}

impl PaperClaim {
    /// With the command that measures it, where nothing is found.
    pub fn or_command(self, command: &str) -> Self {
        let command = self.findings.is_empty().then(|| command.to_owned());
        Self { command, ..self }
    }
}
