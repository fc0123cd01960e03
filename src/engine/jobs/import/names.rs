//! Images by what a table calls them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::bank::{PatchTable, TableImage};
use crate::dataset::{DataSpec, Dataset, Split};
use crate::words::{name_list, thousands};

/// The split that a table is of: both where it names both.
pub fn split_of(images: &[TableImage]) -> anyhow::Result<Option<Split>> {
    let mut found: Option<Split> = None;
    for image in images {
        let Some(text) = &image.split else { continue };
        let split = [Split::Train, Split::Test].into_iter().find(|split| split.name() == text);
        let split = split.with_context(|| {
            format!("row {}: the split is {text:?}; expected train or test, or --split", image.first_row)
        })?;
        found = Some(if found.is_none_or(|before| before == split) { split } else { Split::All });
    }
    Ok(found)
}

/// The folder below which all images of a table lie; paths in it are from the table's folder on.
pub fn common_folder(table: &PatchTable, path: &Path) -> anyhow::Result<PathBuf> {
    let base = path.parent().unwrap_or(Path::new(""));
    let mut common: Option<PathBuf> = None;
    for image in &table.images {
        ensure!(
            !image.path.is_empty(),
            "row {} names its image by number alone: --data says of which data set",
            image.first_row
        );
        let file = base.join(&image.path);
        let folder = file.parent().unwrap_or(base).to_path_buf();
        common = Some(match common {
            None => folder,
            Some(before) => before
                .components()
                .zip(folder.components())
                .take_while(|(a, b)| a == b)
                .map(|(a, _)| a)
                .collect(),
        });
    }
    let common = common.unwrap_or_default();
    Ok(if common.as_os_str().is_empty() { PathBuf::from(".") } else { common })
}

/// What finds an image of the data set by what a table calls it.
pub struct ImageNames<'a> {
    data: &'a dyn Dataset,
    /// Folder of the data set, and of the table.
    folders: (Option<PathBuf>, PathBuf),
    /// By name; `None` where several are called so.
    indices: HashMap<String, Option<u32>>,
}

impl<'a> ImageNames<'a> {
    pub fn of(data: &'a dyn Dataset, spec: &DataSpec, table: &Path) -> Self {
        let mut indices: HashMap<String, Option<u32>> = HashMap::new();
        for index in 0..data.len() {
            match indices.entry(data.image_name(index)) {
                Entry::Vacant(free) => _ = free.insert(Some(index as u32)),
                Entry::Occupied(mut taken) => _ = taken.insert(None),
            }
        }
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let folders = (spec.path().map(absolute), absolute(table.parent().unwrap_or(Path::new(""))));
        Self { data, folders, indices }
    }

    /// Index in the data set of each image of `table`.
    pub fn indices(&self, table: &PatchTable) -> anyhow::Result<Vec<u32>> {
        table.images.iter().map(|image| self.index(image)).collect()
    }

    fn index(&self, image: &TableImage) -> anyhow::Result<u32> {
        let TableImage { path, index, first_row, .. } = image;
        let (count, name) = (self.data.len(), self.data.name());
        if let Some(index) = index {
            ensure!(
                (*index as usize) < count,
                "row {first_row} is of image {index}; {name} has {count}, 0 to {}",
                count - 1
            );
            let called = self.data.image_name(*index as usize);
            ensure!(
                path.is_empty() || *path == called,
                "row {first_row} calls image {index} {path:?}; in {name} it is {called:?}"
            );
            return Ok(*index);
        }
        let (folder, base) = &self.folders;
        // As the data set calls it, or as a path: from the root, or from the table's folder on.
        let as_path = folder.as_ref().and_then(|folder| {
            let inner = base.join(path).strip_prefix(folder).ok()?.to_str()?.to_owned();
            self.indices.get(&inner)
        });
        match self.indices.get(path).or(as_path) {
            Some(Some(index)) => Ok(*index),
            Some(None) => bail!(
                "row {first_row}: several images of {name} are called {path:?}; a column image with their numbers tells \
                 them apart"
            ),
            None => {
                let some: Vec<String> = (0..count.min(3)).map(|index| self.data.image_name(index)).collect();
                let some: Vec<&str> = some.iter().map(String::as_str).collect();
                bail!(
                    "row {first_row}: {name} has no image {path:?}; it has {} images, such as {} (--data names another \
                     data set)",
                    thousands(count),
                    name_list(&some)
                )
            }
        }
    }
}
