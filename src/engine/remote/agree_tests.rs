//! What comes from elsewhere and does not agree with itself is refused as it arrives.

use super::super::pieces::{ShownPiece, Update, read_update};
use super::*;
use crate::analysis::pca::PrincipalAxes;
use crate::analysis::plane::index::PlaneIndex;
use crate::analysis::plane::{PatchPlane, PlaneWay};
use crate::bank::BankSpec;
use crate::colormap::Colormap;
use crate::engine::ask::{
    MetricSeries, MicroscopeLevel, Picture, PointColor, PointPicture, RestOfImage, Snapshot,
};
use crate::figure::{MatrixPanel, Panel, PanelsData, PanelsSpec};
use crate::image::Image;
use crate::patch::{PatchGrid, PatchRef};
use crate::wire::{WirePool, pack};

const GRID: PatchGrid = PatchGrid { patch: 4, stride: 2 };

/// What `pieces` are on arrival, where `shown` is on show.
fn arrives(pieces: Vec<ShownPiece>, shown: &Snapshot) -> anyhow::Result<Update> {
    let bytes = pack(&Update { pieces, events: vec![] }, &mut WirePool::default()).unwrap();
    read_update(&bytes, &mut WirePool::default(), shown)
}

/// The words with which a piece is refused that `spoil` was applied to; as it was it is taken.
fn refused<T: Clone>(good: &T, piece: fn(T) -> ShownPiece, spoil: impl FnOnce(&mut T)) -> String {
    arrives(vec![piece(good.clone())], &Snapshot::default()).unwrap();
    let mut bad = good.clone();
    spoil(&mut bad);
    let error = arrives(vec![piece(bad)], &Snapshot::default()).err().expect("it is refused");
    format!("{error:#}")
}

fn map(rows: usize, cols: usize) -> Heatmap {
    let values = Arc::new(vec![0.5; rows * cols]);
    let (space, shown) = ("h".into(), values.clone());
    Heatmap { space, grid: GRID, rows, cols, values, shown, lengths: None }
}

fn picture(side: u32) -> Arc<Image> {
    Arc::new(Image::filled(side, side, [9; 3]))
}

#[test]
fn lists_that_are_not_as_long_as_each_other_are_refused() {
    let data = DataDescription {
        id: 1,
        name: "few".into(),
        kind: "folder".into(),
        images: 2,
        classes: vec!["car".into()],
        labels: vec![Some(0), None],
        size: None,
        side: 8,
        split: None,
        decoding: None,
        skipped: vec![],
    };
    let shown_data = |data| ShownPiece::Data(Some(Arc::new(data)));
    let words = refused(&data, shown_data, |data| data.images = usize::MAX);
    assert!(words.contains("has classes of 2"), "{words}");
    assert!(refused(&data, shown_data, |data| data.labels[1] = Some(1)).contains("class 1 of 1"));

    let patch = PatchRef { image: 0, y: 0, x: 0, size: 4 };
    let (query, parts, maps) = (QuerySpec::one(patch), vec![picture(4)], vec![map(2, 3), map(2, 3)]);
    let query = QueryView { id: 1, query, parts, image: 0, maps, known: 6, tiles: None };
    let shown_query = |query| ShownPiece::Query(Some(Arc::new(query)));
    assert!(refused(&query, shown_query, |query| query.parts.clear()).contains("has 0 pictures"));
    assert!(refused(&query, shown_query, |query| query.maps[1] = map(3, 2)).contains("other rows"));
    assert!(refused(&query, shown_query, |query| query.maps[0].rows = 9).contains("rows and columns"));
    let no_stride = PatchGrid { patch: 4, stride: 0 };
    assert!(refused(&query, shown_query, |query| query.maps[0].grid = no_stride).contains("stride is 0"));

    let rest = vec![RestOfImage { patches: 5, mean: 0.1, deviation: 0.2 }];
    let level =
        MicroscopeLevel { grid: GRID, positions: 6, known: 6, query: None, maps: vec![map(2, 3)], rest };
    let view = MicroscopeView { image: 0, levels: vec![Arc::new(level.clone())], left_out: vec![] };
    let shown_view = |view| ShownPiece::Microscope(Some(Arc::new(view)));
    let alone = Arc::new(MicroscopeLevel { rest: vec![], ..level });
    assert!(refused(&view, shown_view, |view| view.levels[0] = alone).contains("means of 0"));
    assert!(
        refused(&view, shown_view, |view| view.levels = vec![view.levels[0].clone(); 99])
            .contains("99 sizes")
    );

    let of_space = |side| Picture { space: "h".into(), colors: picture(side), explained: [0.5; 3] };
    let pictures = Pictures { image: 0, grid: GRID, spaces: vec![of_space(3), of_space(3)] };
    let shown_pictures = |pictures| ShownPiece::Pictures(Some(Arc::new(pictures)));
    assert!(refused(&pictures, shown_pictures, |it| it.spaces[1] = of_space(2)).contains("other sides"));
}

#[test]
fn curves_and_pages_whose_lists_do_not_agree_are_refused() {
    let matrix = MatrixPanel {
        title: "m".into(),
        rows: 2,
        cols: 2,
        values: vec![0.0; 4],
        range: [0.0, 1.0],
        colormap: Colormap::Magma,
        row_label: String::new(),
        col_label: String::new(),
        names: vec![],
    };
    let page = |matrix| MeasuredPage {
        spec: PanelsSpec::default(),
        data: PanelsData { title: String::new(), panels: vec![Panel::Matrix(matrix)], notes: vec![] },
        source: serde_json::Value::Null,
    };
    page(matrix.clone()).check().unwrap();
    for (rows, cols) in [(3, 2), (usize::MAX, 2)] {
        let bad = MatrixPanel { rows, cols, ..matrix.clone() };
        assert!(page(bad).check().unwrap_err().to_string().contains("panel 0"));
    }
    let series = |x: Vec<f64>| Arc::new(MetricSeries { x, y: vec![2.0] });
    let run = |x| {
        let series = std::collections::BTreeMap::from([("loss".to_owned(), series(x))]);
        RunView {
            path: "/runs/a".into(),
            name: "a".into(),
            config: None,
            data: None,
            images: None,
            device: None,
            total_steps: None,
            series: Arc::new(series),
            vectors: Default::default(),
            checkpoints: Default::default(),
            status: crate::engine::ask::RunStatus::Finished,
            alarms: Default::default(),
            notices: Default::default(),
            error: None,
        }
    };
    let folders = |run| ShownPiece::Folders(Arc::new(vec![Arc::new(run)]));
    assert!(refused(&run(vec![1.0]), folders, |bad| *bad = run(vec![])).contains("1 values at 0 steps"));
}

fn plane(at: Vec<[f32; 2]>) -> ShownPlane {
    let count = at.len();
    let spec = BankSpec::of_test(GRID, &[]);
    let plane = PatchPlane {
        space: "h".into(),
        way: PlaneWay::Pca,
        grid: GRID,
        axes: PrincipalAxes { mean: vec![], axes: vec![], explained: vec![] },
        fitted: count,
        of: count,
        rows: (0..count as u32).collect(),
        patches: vec![PatchRef { image: 0, y: 0, x: 0, size: 4 }; count],
        index: PlaneIndex::of(&at),
        at,
        norms: vec![1.0; count],
    };
    ShownPlane { number: 7, plane, spec, labels: vec![None; count], images: (1, 1), total: count }
}

fn tints(tints: Tints) -> ShownPiece {
    ShownPiece::ScatterTints(Some(Arc::new(PointTints { plane: 7, color: PointColor::Class, tints })))
}

fn point_picture(point: u32) -> ShownPiece {
    let pictures = vec![PointPicture { point, pixels: picture(4) }];
    ShownPiece::ScatterPictures(Some(Arc::new(PointPictures { plane: 7, pictures })))
}

#[test]
fn what_is_said_of_the_points_of_a_plane_is_of_as_many_as_it_has() {
    let mut shown = Snapshot::default();
    let three = || plane(vec![[0.0, 0.5], [1.0, 0.0], [-1.0, -0.5]]);
    let came = arrives(vec![ShownPiece::ScatterPlane(Some(Arc::new(three())))], &shown).unwrap();
    came.pieces.into_iter().for_each(|piece| piece.show(&mut shown));
    let words = |piece: ShownPiece| match arrives(vec![piece], &shown) {
        Ok(_) => String::new(),
        Err(error) => format!("{error:#}"),
    };
    let kinds =
        |index: Vec<u16>, there: Vec<u16>| tints(Tints::Kinds { index, names: vec!["car".into()], there });
    assert_eq!(words(kinds(vec![0, Tints::NO_KIND, 0], vec![0])), "");
    assert!(words(kinds(vec![0, 0], vec![0])).contains("a plane of 3 points has colours of 2"));
    assert!(words(kinds(vec![0, 1, 0], vec![0])).contains("of a kind that has no name"));
    assert!(words(kinds(vec![0, 0, 0], vec![5])).contains("of a kind that has no name"));
    assert!(words(tints(Tints::Places(vec![[0.0; 2]; 4]))).contains("colours of 4"));
    let numbers = |count| tints(Tints::Numbers { values: vec![0.0; count], range: [0.0, 1.0] });
    assert_eq!((words(numbers(3)), words(numbers(0)).is_empty()), (String::new(), false));
    assert_eq!(words(point_picture(2)), "");
    assert!(words(point_picture(3)).contains("point 3 of a plane of 3"));
    let picked = |points: Vec<u32>| {
        let picked = PickedPoints { plane: 7, outline: vec![], points, patches: vec![] };
        ShownPiece::ScatterPicked(Some(Arc::new(picked)))
    };
    assert_eq!(words(picked(vec![0, 2])), "");
    assert!(words(picked(vec![u32::MAX])).contains("of a plane of 3"));
    // A plane of fewer points under what is said of the one before; one that lies nowhere near.
    let few = ShownPiece::ScatterPlane(Some(Arc::new(plane(vec![[0.0; 2]]))));
    let both = [kinds(vec![0; 3], vec![0]), few];
    assert!(arrives(both.to_vec(), &shown).is_err());
    let far = ShownPiece::ScatterPlane(Some(Arc::new(plane(vec![[1e30, 0.0]]))));
    assert!(words(far).contains("farther out"));
    let short = ShownPlane { labels: vec![Some(0); 2], ..three() };
    let short = ShownPiece::ScatterPlane(Some(Arc::new(short)));
    assert!(words(short).contains("a plane of 3 points has labels of 2"));
    // Planes by t-SNE are wider than any vector is long.
    let wide = |at: f32| {
        let mut wide = plane(vec![[at, 0.0]]);
        wide.plane.way = PlaneWay::Tsne;
        words(ShownPiece::ScatterPlane(Some(Arc::new(wide))))
    };
    assert!(wide(150.0).is_empty() && wide(1e30).contains("farther out"));
}
