//! Points of a plane as a table.

use std::fmt::Write as _;
use std::path::Path;

use crate::analysis::plane::PatchPlane;
use crate::dataset::Dataset;
use crate::files;
use crate::words::csv_cell;

/// Writes `points` of `plane`, in this order, as comma-separated values: images are called as in `data`, the label of a
/// point is one of `classes`.
///
/// # Errors
/// The file cannot be written.
pub fn write_points(
    path: &Path,
    plane: &PatchPlane,
    data: &dyn Dataset,
    (label, classes): (&dyn Fn(usize) -> Option<u32>, &[String]),
    points: impl Iterator<Item = usize>,
) -> anyhow::Result<()> {
    let mut text = "image,name,y,x,size,label,class,first,second,norm\n".to_owned();
    for point in points {
        let (patch, [first, second]) = (plane.patches[point], plane.at[point]);
        let image = patch.image as usize;
        let label = label(point);
        let class = label.and_then(|label| classes.get(label as usize)).map_or("", String::as_str);
        let name = data.image_name(image);
        let _ = writeln!(
            text,
            "{image},{},{},{},{},{},{},{first},{second},{}",
            csv_cell(&name),
            patch.y,
            patch.x,
            patch.size,
            label.map_or(String::new(), |label| label.to_string()),
            csv_cell(class),
            plane.norms[point]
        );
    }
    files::write_bytes_atomic(path, text.as_bytes())
}
