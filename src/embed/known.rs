//! Vectors that banks hold already: of a plan's patches only the others are embedded.

use crate::bank::{Bank, BankSpec, ImageEntry, PixelHash, SpaceSpec};

/// Banks with vectors of the same model on the same images, whatever their positions; the first that holds a patch is
/// asked for it. What one of them cannot give, since its files are damaged, is embedded.
#[derive(Clone, Debug, Default)]
pub struct Known(Vec<KnownBank>);

#[derive(Clone, Debug)]
struct KnownBank {
    bank: Bank,
    /// Of its images, in its order; none where the bank has no hashes.
    hashes: Vec<Option<PixelHash>>,
}

/// What is known of the patches of one image.
pub struct KnownCells {
    /// Whether the patch has its vectors, for each of the image.
    pub has: Vec<bool>,
    /// `[patches, width]` for each space; zeros where nothing is known.
    pub vectors: Vec<Vec<f32>>,
    /// Which pixels the image has, where that is known.
    pub pixels: Option<PixelHash>,
}

impl Known {
    /// What `banks` hold, each of which has the spaces that will be asked for.
    pub fn of(banks: Vec<Bank>) -> Self {
        let with_hashes = |bank: Bank| {
            let hashes = bank.knows_copies().then(|| bank.pixel_hashes());
            match hashes.transpose() {
                Ok(hashes) => Some(KnownBank { hashes: hashes.unwrap_or_default(), bank }),
                Err(error) => {
                    log::warn!("not used: {error:#}");
                    None
                }
            }
        };
        Self(banks.into_iter().filter_map(with_hashes).collect())
    }

    /// So many banks are asked.
    pub(super) fn banks(&self) -> usize {
        self.0.len()
    }

    /// Whether a bank holds every patch of `image`, as far as can be told without reading its rows.
    pub fn has_all(&self, spec: &BankSpec, image: &ImageEntry) -> bool {
        self.0
            .iter()
            .any(|known| known.holds(image) && spec.grid.stride.is_multiple_of(known.bank.spec().grid.stride))
    }

    /// What is known of `image`. A bank that turns out to be damaged is left alone from then on.
    pub(super) fn of_image(&mut self, spec: &BankSpec, image: &ImageEntry) -> KnownCells {
        let count = spec.grid.len(image.height, image.width);
        let zeros = |space: &SpaceSpec| vec![0.0; count * space.width as usize];
        let vectors = spec.spaces.iter().map(zeros).collect();
        let mut cells = KnownCells { has: vec![false; count], vectors, pixels: None };
        self.0.retain(|known| {
            if !known.holds(image) || cells.has.iter().all(|has| *has) {
                return true;
            }
            let read = known.read(spec, image, &mut cells);
            if let Err(error) = &read {
                log::warn!("embedded again: {error:#}");
            }
            read.is_ok()
        });
        cells
    }
}

impl KnownBank {
    /// Whether the bank holds the very image, and could read it.
    fn holds(&self, image: &ImageEntry) -> bool {
        let Some(place) = self.bank.place_of_committed(image.index as usize) else { return false };
        self.bank.images()[place] == *image && self.bank.skipped_at(place).is_none()
    }

    /// Reads the patches that it has and that are not known yet.
    fn read(&self, spec: &BankSpec, image: &ImageEntry, cells: &mut KnownCells) -> anyhow::Result<()> {
        let rows = self.bank.rows_of_image(image.index as usize)?;
        let (theirs, cols) = (self.bank.spec().grid, spec.grid.shape(image.height, image.width).1);
        let their_cols = theirs.shape(image.height, image.width).1;
        // Of each of our patches the row in the bank.
        let row = |cell: usize| {
            let (y, x) = spec.grid.corner(cell, cols);
            let is_there = y % theirs.stride == 0 && x % theirs.stride == 0;
            is_there.then(|| {
                rows.start + (y / theirs.stride) as usize * their_cols + (x / theirs.stride) as usize
            })
        };
        let wanted: Vec<(usize, usize)> = (0..cells.has.len())
            .filter(|cell| !cells.has[*cell])
            .filter_map(|cell| Some((cell, row(cell)?)))
            .collect();
        let mut has: Vec<bool> = vec![true; wanted.len()];
        for (space, vectors) in spec.spaces.iter().zip(&mut cells.vectors) {
            let (stored, width) = (self.bank.space(&space.name)?, space.width as usize);
            stored.check(rows.clone())?;
            for ((cell, row), has) in wanted.iter().zip(&mut has) {
                let piece = stored.pieces(*row..*row + 1).next();
                let Some(piece) = piece.filter(|piece| !piece.inv_norms[0].is_nan()) else {
                    *has = false;
                    continue;
                };
                piece.values.read(0..width, &mut vectors[cell * width..(cell + 1) * width]);
            }
            stored.check_length()?;
        }
        wanted.iter().zip(has).for_each(|((cell, _), has)| cells.has[*cell] |= has);
        let place = self.bank.place_of_committed(image.index as usize);
        cells.pixels = cells.pixels.or(place.and_then(|place| self.hashes.get(place).copied().flatten()));
        Ok(())
    }
}
