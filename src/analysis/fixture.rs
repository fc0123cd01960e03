//! A small bank whose vectors follow from where their patches are.

use crate::bank::{Bank, BankSink, BankSpec, ImageEntry, MemoryBank};
use crate::patch::{PatchGrid, PatchRef};

/// Images of 24 x 24 pixels with 5 x 5 patches of 8 every 4, in classes by turns; one space "h" of `width` values.
pub fn bank(images: u32, classes: u32, width: u32, vector: impl Fn(PatchRef) -> Vec<f32>) -> Bank {
    let spec = BankSpec {
        classes: (0..classes).map(|class| class.to_string()).collect(),
        ..BankSpec::of_test(PatchGrid { patch: 8, stride: 4 }, &[("h", width)])
    };
    let entry = |index: u32| {
        let label = (classes > 0).then(|| index % classes);
        ImageEntry { index, height: 24, width: 24, label, name: index.to_string() }
    };
    let mut bank = MemoryBank::new(spec, (0..images).map(entry).collect()).unwrap();
    for image in 0..images {
        let patch = |cell: u32| PatchRef { image, y: cell / 5 * 4, x: cell % 5 * 4, size: 8 };
        let rows: Vec<f32> = (0..25).flat_map(|cell| vector(patch(cell))).collect();
        bank.push_image(image as usize, &[("h", &rows)]).unwrap();
    }
    bank.snapshot()
}
