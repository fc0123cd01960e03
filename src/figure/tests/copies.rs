//! Neighbours that stand for exact copies of their image.

use super::*;

#[test]
fn a_figure_says_how_many_neighbours_stand_for_copies() {
    let mut figure = galleries(11, 2);
    figure.data.left_out = vec!["exact copies folded".to_owned()];
    let none = Figure::Gallery(figure.clone());
    assert!(!none.svg().unwrap().contains("stand for") && !none.caption().contains("stand for"));
    figure.data.queries[0].spaces[0].cells[4].copies = 3;
    figure.data.queries[1].spaces[0].cells[2].copies = 2;
    let words = "22 neighbours stand for 2 to 3 images with the same pixels: z 2, h 0";
    let folded = Figure::Gallery(figure);
    let caption = folded.caption();
    assert!(caption.contains(&format!("Neighbours: exact copies folded. Of {words}.")), "{caption}");
    let svg = folded.svg().unwrap();
    assert!(svg.contains("5: cosine") && svg.contains("stands for 3 images with the same pixels"), "{svg}");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("folded.svg");
    let saved = folded.save(&out, 72, json!({})).unwrap();
    assert_eq!(Sidecar::load(&saved.sidecar).unwrap().figure, folded);
    let text = fs::read_to_string(&saved.sidecar).unwrap();
    assert_eq!(text.matches("\"copies\"").count(), 2, "only where there are some");
}

#[test]
fn a_sheet_says_so_too() {
    let mut figure = sheet(8, 6, false);
    figure.data.queries[5].spaces[0].cells[7].copies = 4;
    let figure = Figure::Sheet(figure);
    let words = "f 48 neighbours stand for 4 images with the same pixels: h 1";
    assert!(figure.caption().contains(words), "{}", figure.caption());
}
