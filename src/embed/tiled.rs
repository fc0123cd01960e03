//! The feature maps of an image that is too large for one pass: tile by tile.

use std::sync::{Arc, PoisonError};

use super::kept_maps::{BegunMaps, LayerMap, MapsOfImage};
use super::{Embedder, GPU_BATCH, MOST_RESOLUTION};
use crate::augment::CropBox;
use crate::bank::ImageEntry;
use crate::image::Image;
use crate::kernel;
use crate::memory;
use crate::model::footprint::Footprint;
use crate::model::{MapLayer, Space};
use crate::tiles::{ImageTiles, TileChoice, TileGrid, TileRow, TilesOfImage};
use crate::words::thousands;

impl Embedder {
    /// The tiles in which whole images go through that are larger than one: those that were told, else the largest that
    /// memory has room for.
    pub fn tiles(&self) -> TileChoice {
        let fitting = || self.fitting_tiles();
        TileChoice { tiles: self.tiles.unwrap_or_else(fitting), is_told: self.tiles.is_some() }
    }

    /// The tiles of an image, where it is larger than one.
    pub fn tiles_of(&self, image: &Image) -> Option<TilesOfImage> {
        let (height, width) = self.whole_input(image);
        let choice = self.cut(height, width)?;
        let count = choice.tiles.grid(height, width, self.info.map_step()).count();
        Some(TilesOfImage { count, choice })
    }

    /// The tiles in which some of `images` go through; none where each goes through at once.
    pub fn tiles_among(&self, images: &[ImageEntry]) -> Option<ImageTiles> {
        let tiles = self.tiles().tiles;
        let is_cut = |image: &ImageEntry| {
            let (height, width) = self.whole_input_of(image.height, image.width);
            tiles.cut(height, width)
        };
        images.iter().any(is_cut).then_some(tiles)
    }

    /// How an input of that size is cut; none where it goes through at once.
    pub(super) fn cut(&self, height: u32, width: u32) -> Option<TileChoice> {
        Some(self.tiles()).filter(|choice| choice.tiles.cut(height, width))
    }

    /// The largest tiles that memory has room for, of as many halves of the usual input as fit: so that they are the same
    /// from day to day, though free memory is not.
    pub fn fitting_tiles(&self) -> ImageTiles {
        let (budget, footprint) = (memory::budget(), Footprint::of(&self.info));
        let room = match kernel::runs_on(&self.device) {
            true => budget.network().saturating_sub(budget.with_weights(0, footprint.weights)),
            false => GPU_BATCH,
        };
        fitting_tiles(room, footprint.embedding, self.info.input, self.info.map_step())
    }

    /// The maps of `layers` of an image, of its tiles; they are kept. What was begun before and left is gone on with.
    ///
    /// # Errors
    /// As [`Embedder::patches`]; no memory for a tile, or for the maps.
    pub(super) fn tiled_maps(
        &self,
        image: &Arc<Image>,
        tiles: ImageTiles,
        layers: &[MapLayer],
    ) -> anyhow::Result<Arc<MapsOfImage>> {
        let input = self.whole_input(image);
        let grid = tiles.grid(input.0, input.1, self.info.map_step());
        self.fits_at_once(grid.down.side, grid.across.side)?;
        self.ensure_maps_fit(input, layers)?;
        let mut values = vec![0.0; 3 * input.0 as usize * input.1 as usize];
        self.times.cutting.of(|| self.fill_whole(image, input, &mut values));
        let mut begun =
            self.take_begun(image, layers).unwrap_or_else(|| self.nothing_yet(image, input, layers));
        while begun.done < grid.count() {
            if let Err(error) = self.next_tile(&mut begun, &grid, &values) {
                *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
                return Err(error);
            }
        }
        let found = Arc::new(begun.of);
        self.kept.keep(found.clone());
        Ok(found)
    }

    /// Puts the next tile through the network and takes its places.
    fn next_tile(&self, begun: &mut BegunMaps, grid: &TileGrid, values: &[f32]) -> anyhow::Result<()> {
        let across = grid.across.starts.len();
        let place = [begun.done / across, begun.done % across];
        let tile = cut_out(values, grid, place);
        let layers = &begun.of.layers;
        let maps = self.maps_of_inputs(tile, (grid.down.side, grid.across.side), layers)?;
        for (map, (layer, to)) in maps.iter().flatten().zip(layers.iter().zip(&mut begun.of.maps)) {
            take_places(map, to, grid, place, self.info.cell(*layer));
        }
        begun.done += 1;
        Ok(())
    }

    /// What there is of these maps of the image; of others nothing is kept.
    fn take_begun(&self, image: &Arc<Image>, layers: &[MapLayer]) -> Option<BegunMaps> {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).take();
        begun.filter(|begun| Arc::ptr_eq(&begun.of.image, image) && begun.of.layers == layers)
    }

    fn nothing_yet(&self, image: &Arc<Image>, (height, width): (u32, u32), layers: &[MapLayer]) -> BegunMaps {
        let map = |layer: &MapLayer| {
            let cell = self.info.cell(*layer);
            let (rows, cols) = ((height / cell) as usize, (width / cell) as usize);
            let channels = self.info.width(Space::Token(*layer)).unwrap_or(0);
            LayerMap { rows, cols, channels, values: vec![0.0; rows * cols * channels] }
        };
        let of = MapsOfImage {
            image: image.clone(),
            layers: layers.to_vec(),
            maps: layers.iter().map(map).collect(),
        };
        BegunMaps { of, done: 0 }
    }

    /// The pixels of the whole image and its maps are there beside a tile.
    fn ensure_maps_fit(&self, (height, width): (u32, u32), layers: &[MapLayer]) -> anyhow::Result<()> {
        let pixels = u64::from(height) * u64::from(width);
        let of_layer = |layer: &MapLayer| {
            let channels = self.info.width(Space::Token(*layer)).unwrap_or(0) as u64;
            channels.saturating_mul(pixels) / u64::from(self.info.cell(*layer)).pow(2)
        };
        let values = 3 * pixels + layers.iter().map(of_layer).sum::<u64>();
        let what = || {
            format!(
                "the pixels and feature maps of one image of {} x {} pixels, {} layers",
                thousands(width),
                thousands(height),
                layers.len()
            )
        };
        let budget = memory::budget();
        let bytes = values.saturating_mul(size_of::<f32>() as u64);
        Ok(budget.ensure(budget.maps(), bytes, what, "a smaller --resolution")?)
    }
}

/// The largest tiles that `room` bytes have room for, where an input of `input` pixels a side takes `each`.
fn fitting_tiles(room: u64, each: u64, input: u32, step: u32) -> ImageTiles {
    let pixels = u128::from(room) * u128::from(input).pow(2) / u128::from(each.max(1));
    let sides = (2..).map(|halves: u32| halves * input / 2 / step * step);
    let fitting = sides.take_while(|side| *side <= MOST_RESOLUTION && u128::from(*side).pow(2) <= pixels);
    ImageTiles::of_side(fitting.last().unwrap_or(input)).on_steps(step)
}

/// The pixels of a tile of a whole input `[3, height, width]`.
fn cut_out(values: &[f32], TileGrid { down, across }: &TileGrid, [row, col]: [usize; 2]) -> Vec<f32> {
    let (height, width) = (down.length as usize, across.length as usize);
    let (y, x, side) = (down.starts[row] as usize, across.starts[col] as usize, across.side as usize);
    let mut tile = Vec::with_capacity(3 * down.side as usize * side);
    for channel in values.chunks_exact(height * width) {
        let rows = channel.chunks_exact(width).skip(y).take(down.side as usize);
        rows.for_each(|row| tile.extend_from_slice(&row[x..x + side]));
    }
    tile
}

/// Takes those cells from the map of a tile that lie deepest in it.
fn take_places(from: &LayerMap, to: &mut LayerMap, grid: &TileGrid, [row, col]: [usize; 2], cell: u32) {
    let TileGrid { down, across } = grid;
    let size = (down.side, across.side);
    // A stem with more padding gives more places than cells: a cell has their mean by area.
    let is_cell = (from.rows, from.cols) == ((size.0 / cell) as usize, (size.1 / cell) as usize);
    let within = |tiles: &TileRow, index: usize, at: usize| at as u32 - tiles.starts[index] / cell;
    for y in down.cells_of(row, cell) {
        for x in across.cells_of(col, cell) {
            let (tile_y, tile_x) = (within(down, row, y), within(across, col, x));
            let at = (y * to.cols + x) * to.channels;
            let out = &mut to.values[at..at + from.channels];
            if is_cell {
                let at = (tile_y as usize * from.cols + tile_x as usize) * from.channels;
                out.copy_from_slice(&from.values[at..at + from.channels]);
            } else {
                let crop = CropBox { y: tile_y * cell, x: tile_x * cell, height: cell, width: cell };
                from.mean_over(crop, size, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};

    use super::*;
    use crate::embed::CropSource;
    use crate::model::{Overrides, store};
    use crate::progress::CancelToken;

    const LAYERS: [MapLayer; 2] = [MapLayer::Last, MapLayer::Stage(2)];

    fn embedder(resolution: u32, tiles: Option<&str>) -> Embedder {
        let device = Device::flex();
        let tiles = tiles.map(|tiles| tiles.parse().unwrap());
        let said = Overrides { resolution: Some(resolution), tiles, ..Overrides::default() };
        Embedder::new(store::open(&"demo".into(), &device).unwrap(), &device).told(&said).unwrap()
    }

    fn picture(height: u32, width: u32) -> Arc<Image> {
        let value = |at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8;
        Arc::new(Image::new(width, height, (0..3 * height * width).map(value).collect()))
    }

    fn maps(embedder: &Embedder, image: &Arc<Image>) -> Arc<MapsOfImage> {
        let crop = CropBox { y: 0, x: 0, height: 8, width: 8 };
        embedder.places(&[CropSource { image: image.clone(), crop }], &LAYERS).unwrap();
        embedder.kept.find(image, &LAYERS).unwrap()
    }

    /// A pass over that part of the image as the network sees it, and nothing around it.
    fn plain(embedder: &Embedder, image: &Image, y: usize, x: usize, side: usize) -> Vec<Vec<f32>> {
        let (height, width) = embedder.whole_input(image);
        let mut values = vec![0.0; 3 * (height * width) as usize];
        embedder.fill_whole(image, (height, width), &mut values);
        let at = |index: usize| {
            let (channel, row, col) = (index / (side * side), index / side % side, index % side);
            values[(channel * height as usize + y + row) * width as usize + x + col]
        };
        let part: Vec<f32> = (0..3 * side * side).map(at).collect();
        let inputs = Tensor::from_data(TensorData::new(part, [1, 3, side, side]), &Device::flex());
        let maps = embedder.encoder.maps(inputs, &LAYERS);
        maps.into_iter().map(|map| map.permute([0, 2, 3, 1]).into_data().try_to_vec().unwrap()).collect()
    }

    #[test]
    fn an_image_no_larger_than_a_tile_goes_through_as_it_always_did() {
        let image = picture(32, 48);
        let of = |tiles| maps(&embedder(32, tiles), &image);
        let usual = of(None);
        // 32 x 48 pixels are fewer than 40 x 40.
        for tiles in ["64:16", "40:8"] {
            assert!(embedder(32, Some(tiles)).tiles_of(&image).is_none(), "{tiles}");
            let found = of(Some(tiles));
            assert!(found.maps.iter().zip(&usual.maps).all(|(a, b)| a.values == b.values), "{tiles}");
        }
        assert!(embedder(32, Some("32:8")).tiles_of(&image).is_some());
    }

    /// 48 x 64 pixels in tiles of 32 that share 16 or more: they begin at 0 and 16, and at 0, 16 and 32.
    #[test]
    fn each_place_is_that_of_a_plain_pass_over_its_tile_alone() {
        let (embedder, image) = (embedder(48, Some("32:16")), picture(24, 32));
        let words = embedder.tiles_of(&image).unwrap().to_string();
        assert_eq!(words, "6 tiles of 32 px, overlap 16 px: as told");
        let found = maps(&embedder, &image);
        for (layer, cell) in [(0, 8), (1, 2)] {
            let map = &found.maps[layer];
            assert_eq!((map.rows, map.cols), (48 / cell, 64 / cell));
            for (y, x) in (0..map.rows).flat_map(|y| (0..map.cols).map(move |x| (y, x))) {
                // The seams are in the middle of what is shared, at 24 and at 24 and 40.
                let tile = |at: usize, most: usize| {
                    let middle = at * cell + cell / 2;
                    [24, 40].iter().filter(|seam| middle > **seam).count().min(most) * 16
                };
                let (top, left) = (tile(y, 1), tile(x, 2));
                let right = &plain(&embedder, &image, top, left, 32)[layer];
                let at = ((y - top / cell) * 32 / cell + x - left / cell) * map.channels;
                let value = &map.values[(y * map.cols + x) * map.channels..][..map.channels];
                assert_eq!(value, &right[at..at + map.channels], "layer {layer}, place {y} {x}");
            }
        }
    }

    #[test]
    fn what_was_left_in_its_midst_is_gone_on_with() {
        let (embedder, image) = (embedder(48, Some("16:0")), picture(24, 32));
        let right = maps(&self::embedder(48, Some("16:0")), &image);
        let tiles = embedder.tiles().tiles;
        let counting = CancelToken::at_question(u64::MAX);
        counting
            .leavable(|| self::embedder(48, Some("16:0")).tiled_maps(&image, tiles, &LAYERS))
            .unwrap()
            .unwrap();
        let token = CancelToken::at_question(counting.questions() / 2);
        assert!(token.leavable(|| embedder.tiled_maps(&image, tiles, &LAYERS)).is_err());
        let done = embedder.begun.lock().unwrap().as_ref().map_or(0, |begun| begun.done);
        assert!((1..12).contains(&done), "{done} of 12 tiles");
        let found = maps(&embedder, &image);
        assert!(found.maps.iter().zip(&right.maps).all(|(a, b)| a.values == b.values));
        assert!(embedder.begun.lock().unwrap().is_none());
    }

    #[test]
    fn tiles_are_as_large_as_there_is_room_for_in_halves_of_the_input() {
        // An input of 224 x 224 takes a MiB.
        let side = |mib: u64| fitting_tiles(mib << 20, 1 << 20, 224, 14).side;
        assert_eq!([0, 1, 2, 3, 4, 9, 1 << 30].map(side), [224, 224, 224, 336, 448, 672, 4032]);
        // What is not a multiple of the patch is made one.
        assert_eq!(fitting_tiles(9 << 19, 2 << 20, 518, 14), ImageTiles { side: 770, overlap: 182 });
    }

    /// With more padding a tile of 32 pixels has 5 x 5 places where 4 x 4 cells are.
    #[test]
    fn a_place_that_is_no_cell_counts_by_its_area() {
        let row = |starts: &[u32]| TileRow { starts: starts.to_vec(), side: 32, length: 64 };
        let grid = TileGrid { down: row(&[0, 32]), across: row(&[0, 32]) };
        let from =
            LayerMap { rows: 5, cols: 5, channels: 1, values: (0..25).map(|at| (at % 5) as f32).collect() };
        let mut to = LayerMap { rows: 8, cols: 8, channels: 1, values: vec![0.0; 64] };
        take_places(&from, &mut to, &grid, [1, 0], 8);
        // Of 8 pixels in places of 6.4: 0.8 of the first and 0.2 of the next.
        let found: Vec<f32> = to.values[4 * 8..4 * 8 + 4].to_vec();
        let expected = [0.2, 1.4, 2.6, 3.8];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}");
        assert!(to.values[..4 * 8].iter().all(|value| *value == 0.0), "the rest is of other tiles");
    }
}
