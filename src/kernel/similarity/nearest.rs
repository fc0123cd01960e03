//! The rows on a GPU that can be among the nearest of queries, of many at a time.
//!
//! Block after block of rows is multiplied with all queries. What is found in a block raises each query's bound, the
//! part of [-1, 1] in which the last of its nearest lies so far; rows of the block that are not below are kept, and at
//! the end those of them that are not below the bound of all rows. So each row is read once, and what is held is a
//! block's cosines and what was found.

use anyhow::{Context, Result, ensure};

use super::program::{AskedQuery, BlockUniform, SearchBuffers, Similarity};
use super::resident::{Resident, ResidentPiece, row_groups};

/// Equal parts of [-1, 1] that cosines are counted in.
const BINS: usize = 4096;
/// Rows and queries of a workgroup that multiplies many.
const TILE_ROWS: usize = 64;
const TILE_QUERIES: usize = 32;
/// Workgroups that walk over the rows to count and collect, for each query.
const WALKERS: u32 = 64;

/// A query whose nearest rows are wanted.
#[derive(Clone, Copy)]
pub struct NearestQuery<'a> {
    /// `[width]`, at unit length.
    pub query: &'a [f32],
    /// How many of them.
    pub wanted: usize,
}

impl Similarity {
    /// How many queries that want so many rows are asked together: there is room for a few times as many rows, since
    /// some are found that others then turn out to be nearer than.
    pub fn together(&self, wanted: usize) -> usize {
        self.room.found / wanted.saturating_mul(8).max(1)
    }

    /// For each of `queries`, of the first `count` rows some in rising order, among them every one whose cosine the CPU
    /// finds at least as large as the last of the `wanted` largest that it finds: the nearest, ties included, and few
    /// others. `None` for a query that has more than there is room for, and for all where it `is_left`.
    ///
    /// # Errors
    /// A lost device, or no memory on it.
    pub fn candidates(
        &self,
        rows: &Resident,
        queries: &[NearestQuery<'_>],
        count: usize,
        is_left: &dyn Fn() -> bool,
    ) -> Result<Vec<Option<Vec<usize>>>> {
        let room = (self.room.found / queries.len().max(1)).min(count).max(1);
        let shared = self.shared(rows, queries, room)?;
        let asked = BlockUniform {
            queries: queries.len() as u32,
            room: room as u32,
            margin: 2.0 * largest_error(rows.width),
            ..rows.uniform()
        };
        let block = self.block_rows(queries.len());
        let mut before = None;
        for (index, piece) in rows.pieces.iter().enumerate() {
            let first = index * rows.piece_rows;
            let end = piece.rows.min(count.saturating_sub(first));
            for start in (0..end).step_by(block) {
                if is_left() {
                    return Ok(vec![None; queries.len()]);
                }
                let part = BlockUniform {
                    rows: block.min(end - start) as u32,
                    start: start as u32,
                    first: (first + start) as u32,
                    ..asked
                };
                let submitted = self.search_block(&part, piece, &shared);
                // One is at work and one waits: what else the device is asked, such as a frame, has not long to wait.
                if let Some(before) = before.replace(submitted) {
                    let wait = wgpu::PollType::Wait { submission_index: Some(before), timeout: None };
                    self.device.poll(wait).context("the GPU does not answer")?;
                }
            }
        }
        self.found(&shared, queries.len(), room)
    }

    /// Rows of a block for so many queries.
    fn block_rows(&self, queries: usize) -> usize {
        (self.room.cosines / queries.max(1) / TILE_ROWS * TILE_ROWS).max(TILE_ROWS)
    }

    fn search_block(
        &self,
        block: &BlockUniform,
        piece: &ResidentPiece,
        shared: &SearchBuffers,
    ) -> wgpu::SubmissionIndex {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let group = self.bind(block, piece.buffers(), shared);
        if block.queries == 1 {
            self.pass(&mut encoder, &self.passes.similar, &group, row_groups(block.rows as usize));
        } else {
            let tiles = (block.rows.div_ceil(TILE_ROWS as u32), block.queries.div_ceil(TILE_QUERIES as u32));
            self.pass(&mut encoder, &self.passes.similar_many, &group, tiles);
        }
        self.pass(&mut encoder, &self.passes.count, &group, (WALKERS, block.queries));
        self.pass(&mut encoder, &self.passes.bound, &group, (block.queries, 1));
        self.pass(&mut encoder, &self.passes.collect, &group, (WALKERS, block.queries));
        self.queue.submit([encoder.finish()])
    }

    fn shared(&self, rows: &Resident, queries: &[NearestQuery<'_>], room: usize) -> Result<SearchBuffers> {
        use wgpu::BufferUsages as Usage;
        let mut padded = Vec::with_capacity(queries.len() * rows.depth());
        for query in queries {
            padded.extend_from_slice(query.query);
            padded.resize(padded.len() + rows.depth() - query.query.len(), 0.0);
        }
        // No cosine is below.
        let asked = |query: &NearestQuery<'_>| AskedQuery {
            wanted: query.wanted.min(u32::MAX as usize) as u32,
            lower: -1.0,
            ..AskedQuery::default()
        };
        let asked: Vec<AskedQuery> = queries.iter().map(asked).collect();
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        // New buffers are zero.
        let words = |count: usize, usage| self.buffer(4 * count as u64, Usage::STORAGE | usage);
        let shared = SearchBuffers {
            queries: self.filled(&padded, Usage::STORAGE),
            cosines: words(queries.len() * self.block_rows(queries.len()), Usage::empty()),
            bins: words(queries.len() * BINS, Usage::empty()),
            asked: self.filled(&asked, Usage::STORAGE | Usage::COPY_SRC),
            found: words(2 * queries.len() * room, Usage::COPY_SRC),
        };
        let error = pollster::block_on(scope.pop());
        ensure!(error.is_none(), "the GPU has no memory to search for {} queries at a time", queries.len());
        Ok(shared)
    }

    /// What was found for each of so many queries.
    fn found(&self, shared: &SearchBuffers, queries: usize, room: usize) -> Result<Vec<Option<Vec<usize>>>> {
        let bytes = 0..(queries * size_of::<AskedQuery>()) as u64;
        let asked = self.read(&shared.asked, std::slice::from_ref(&bytes))?;
        let asked: Vec<AskedQuery> = bytemuck::pod_collect_to_vec(&asked);
        let found_of = |asked: &AskedQuery| Some(asked.found as usize).filter(|found| *found <= room);
        let place = |(query, asked): (usize, &AskedQuery)| {
            let first = 8 * (query * room) as u64;
            first..first + 8 * found_of(asked).unwrap_or(0) as u64
        };
        let places: Vec<_> = asked.iter().enumerate().map(place).collect();
        let pairs: Vec<[u32; 2]> = bytemuck::pod_collect_to_vec(&self.read(&shared.found, &places)?);
        let mut rest = pairs.as_slice();
        let found = asked.iter().map(|asked| {
            let (own, later) = rest.split_at(found_of(asked)?);
            rest = later;
            let near = own.iter().filter(|[_, cosine]| f32::from_bits(*cosine) >= asked.lower);
            let mut rows: Vec<usize> = near.map(|[row, _]| *row as usize).collect();
            rows.sort_unstable();
            Some(rows)
        });
        Ok(found.collect())
    }
}

/// How far a cosine may be from the CPU's at most. A sum of n products, of vectors at unit length, is off by at
/// most n / 2^24, n the longest chain of additions: here, of many queries, 16 and then 1/16 of a row (of one 1/64 of it
/// and the workgroup's six), there at most 1/16 of it and the lanes' sixteen; the rest is for the norm, and for finding a bin.
fn largest_error(width: usize) -> f32 {
    (width as f32 / 16.0 + width as f32 / 16.0 + 64.0) / (1 << 24) as f32
}
