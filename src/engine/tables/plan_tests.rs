//! Tests of plans at work and of results folders.

use super::*;
use crate::engine::ask::PlannedModel;

fn evaluation() -> PlannedEvaluation {
    PlannedEvaluation {
        name: "patch 16".into(),
        patch: Some(16),
        patches: vec!["central".into(), "4".into()],
        classifiers: vec!["linear".into()],
        paper: [("ours".to_owned(), vec![46.2.into(), 82.1.into()])].into(),
        ..PlannedEvaluation::default()
    }
}

fn cell(accuracy: f64) -> CellRow {
    let (low, high) = (accuracy - 0.1, accuracy + 0.1);
    let (classifier, patches) = ("linear".into(), "4".into());
    CellRow {
        classifier,
        patches,
        accuracy,
        low,
        high,
        images: 50,
        train_images: 90,
        seconds: 2.0,
        fewest_patches: Some(3),
        images_of: Some(60),
        train_images_of: None,
    }
}

#[test]
fn seeds_become_a_mean_and_a_deviation_beside_the_papers_number() {
    let rows = combined("ours", &evaluation(), &[vec![cell(0.7)], vec![cell(0.8)]]);
    let row = &rows[0];
    assert!(
        (row.accuracy - 0.75).abs() < 1e-12 && (row.deviation.unwrap() - 0.05f64.hypot(0.05)).abs() < 1e-12
    );
    assert_eq!(
        (row.paper, row.seeds, row.images, row.images_of, row.seconds),
        (Some(0.821), 2, 50, Some(60), 4.0)
    );
    assert_eq!(row.fewest_patches, Some(3));
    assert!((row.difference.unwrap() + 0.071).abs() < 1e-12);
}

#[test]
fn results_that_cannot_be_are_refused_by_file_and_row() {
    let folder = tempfile::tempdir().unwrap();
    let read = |accuracy: f64| {
        let mut rows = combined("ours", &evaluation(), &[vec![cell(0.7)]]);
        rows[0].accuracy = accuracy;
        let models =
            vec![PlannedModel { name: "ours".into(), path: "demo".into(), options: Overrides::default() }];
        let plan = EvalPlan { models, evaluations: vec![evaluation()], ..EvalPlan::of("demo".into()) };
        write_tables(folder.path(), &table::texts(&plan, &rows).unwrap()).unwrap();
        StoredResults::read(folder.path())
    };
    let stored = read(0.7).unwrap();
    assert_eq!((stored.done(), stored.rows[0].accuracy), (1, 0.7));
    let error = format!("{:#}", read(7.0).err().unwrap());
    assert!(error.contains("results.json") && error.contains("row 0: accuracy 7"), "{error}");
    fs::remove_file(folder.path().join(RESULTS_FILE)).unwrap();
    let error = format!("{:#}", StoredResults::read(folder.path()).err().unwrap());
    assert!(error.contains("not a results folder; expected one that bagssl eval --plan"), "{error}");
}

#[test]
fn a_folder_with_the_results_of_another_plan_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let named =
        |name: &str| PlannedModel { name: name.into(), path: "demo".into(), options: Overrides::default() };
    let plan = |name: &str| {
        let evaluations = vec![evaluation()];
        EvalPlan {
            title: "Table 5".into(),
            models: vec![named(name)],
            evaluations,
            ..EvalPlan::of("demo".into())
        }
    };
    let rows = combined("ours", &evaluation(), &[vec![cell(0.7)]]);
    write_tables(folder.path(), &table::texts(&plan("ours"), &rows).unwrap()).unwrap();
    let begin =
        |plan: EvalPlan| PlanWork::begin(PlanRequest { plan, out: folder.path().to_owned() }).map(drop);
    let mut of_two = plan("ours");
    of_two.evaluations[0].paper.clear();
    of_two.models.push(named("more"));
    begin(of_two).unwrap();
    let mut other = plan("theirs");
    other.evaluations[0].paper.clear();
    let error = begin(other).unwrap_err().to_string();
    let words = "holds the results of another plan, \"Table 5\" (first ours, patch 16), of which this one has no cell";
    assert!(error.contains(words), "{error}");
    let kept = fs::read_to_string(folder.path().join(PLAN_FILE)).unwrap();
    assert!(kept.contains("\"more\"") && !kept.contains("theirs"), "{kept}");
}

#[test]
fn names_of_cells_stay_apart() {
    assert_ne!(slug("a b"), slug("a-b"));
    assert!(slug("VICReg, 14").starts_with("vicreg--14-"));
}
