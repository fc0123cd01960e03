//! Rows that lie on a GPU, and their cosines with one query.

use anyhow::{Context, Result, ensure};

use super::program::{BlockUniform, SearchBuffers, Similarity};

/// How far a cosine of one query may be from the CPU's.
pub const BOUND: f32 = 2e-6;

/// Workgroups along one axis, at most: what every device can do.
const MOST_GROUPS: u32 = 65_535;

/// How values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// In half precision, two to a word.
    F16,
    /// In single precision.
    F32,
}

/// Rows on the device.
pub struct Resident {
    pub(super) width: usize,
    stored: Stored,
    /// Rows that a piece has room for.
    pub(super) piece_rows: usize,
    pub(super) pieces: Vec<ResidentPiece>,
    rows: usize,
}

/// As many as one binding holds.
pub(super) struct ResidentPiece {
    pub rows: usize,
    vectors: wgpu::Buffer,
    inv_norms: wgpu::Buffer,
}

impl ResidentPiece {
    /// Of which the shader reads.
    pub fn buffers(&self) -> [&wgpu::Buffer; 2] {
        [&self.vectors, &self.inv_norms]
    }
}

impl Resident {
    /// None yet of `most_rows` rows of `width` values.
    pub fn new(similarity: &Similarity, width: usize, stored: Stored, most_rows: usize) -> Self {
        let mut resident = Self { width, stored, piece_rows: 0, pieces: vec![], rows: 0 };
        let fit = similarity.room.piece_bytes / 4 / resident.words().max(1) as u64;
        let most_rows = most_rows.min(MOST_GROUPS as usize * 256);
        resident.piece_rows = (fit as usize).min(most_rows).max(1);
        resident
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that the pieces of so many rows take.
    pub fn bytes_for(&self, rows: usize) -> u64 {
        let piece = self.piece_rows as u64 * (4 * self.words() as u64 + 4);
        rows.div_ceil(self.piece_rows) as u64 * piece
    }

    /// Values of a row as they lie there, with padding.
    pub(super) fn depth(&self) -> usize {
        match self.stored {
            Stored::F16 => 2 * self.words(),
            Stored::F32 => self.words(),
        }
    }

    /// What the shader is told of all blocks of these rows.
    pub(super) fn uniform(&self) -> BlockUniform {
        let half = u32::from(self.stored == Stored::F16);
        BlockUniform { words: self.words() as u32, half, ..BlockUniform::default() }
    }

    /// 32-bit words of a row.
    fn words(&self) -> usize {
        match self.stored {
            Stored::F16 => self.width.div_ceil(2),
            Stored::F32 => self.width,
        }
    }
}

impl Similarity {
    /// Adds rows: `values`, their bytes as they are stored, `[inv_norms.len(), width]`.
    ///
    /// # Errors
    /// No memory on the device; what was there before stays of use.
    pub fn append(&self, to: &mut Resident, values: &[u8], inv_norms: &[f32]) -> Result<()> {
        let row_bytes = values.len() / inv_norms.len().max(1);
        let mut next = 0;
        while next < inv_norms.len() {
            if to.rows == to.pieces.len() * to.piece_rows {
                let piece = self.new_piece(to)?;
                to.pieces.push(piece);
            }
            let words = to.words();
            let piece = to.pieces.last_mut().context("a piece was just made")?;
            let count = (to.piece_rows - piece.rows).min(inv_norms.len() - next);
            let bytes = &values[next * row_bytes..(next + count) * row_bytes];
            let padded = padded(bytes, row_bytes, 4 * words);
            self.queue.write_buffer(&piece.vectors, (4 * words * piece.rows) as u64, &padded);
            let norms = bytemuck::cast_slice(&inv_norms[next..next + count]);
            self.queue.write_buffer(&piece.inv_norms, 4 * piece.rows as u64, norms);
            piece.rows += count;
            to.rows += count;
            next += count;
        }
        Ok(())
    }

    fn new_piece(&self, of: &Resident) -> Result<ResidentPiece> {
        use wgpu::BufferUsages as Usage;
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = |size, usage| self.buffer(size, usage | Usage::STORAGE);
        let rows = of.piece_rows as u64;
        let piece = ResidentPiece {
            rows: 0,
            vectors: buffer(4 * of.words() as u64 * rows, Usage::COPY_DST),
            inv_norms: buffer(4 * rows, Usage::COPY_DST),
        };
        let error = pollster::block_on(scope.pop());
        ensure!(error.is_none(), "the GPU has no memory for {} more rows", of.piece_rows);
        Ok(piece)
    }

    /// The cosine of every row with `query`, `[width]` and at unit length; -2 for a row that takes no part.
    ///
    /// # Errors
    /// A lost device.
    pub fn cosines(&self, rows: &Resident, query: &[f32]) -> Result<Vec<f32>> {
        use wgpu::BufferUsages as Usage;
        let mut padded = query.to_vec();
        padded.resize(rows.depth(), 0.0);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut found = vec![];
        for piece in &rows.pieces {
            let nothing = || self.buffer(0, Usage::STORAGE);
            let shared = SearchBuffers {
                queries: self.filled(&padded, Usage::STORAGE),
                cosines: self.buffer(4 * piece.rows as u64, Usage::STORAGE | Usage::COPY_SRC),
                bins: nothing(),
                asked: nothing(),
                found: nothing(),
            };
            let block = BlockUniform { rows: piece.rows as u32, queries: 1, ..rows.uniform() };
            let group = self.bind(&block, piece.buffers(), &shared);
            self.pass(&mut encoder, &self.passes.similar, &group, row_groups(piece.rows));
            found.push((shared.cosines, piece.rows));
        }
        self.queue.submit([encoder.finish()]);
        let mut all = Vec::with_capacity(rows.rows);
        for (cosines, count) in found {
            let bytes = self.read(&cosines, std::slice::from_ref(&(0..4 * count as u64)))?;
            all.extend_from_slice(&bytemuck::pod_collect_to_vec::<u8, f32>(&bytes));
        }
        Ok(all)
    }
}

/// One workgroup for each of `rows`, as a rectangle.
pub(super) fn row_groups(rows: usize) -> (u32, u32) {
    let rows = rows as u32;
    (rows.clamp(1, MOST_GROUPS), rows.div_ceil(MOST_GROUPS).max(1))
}

/// Rows of `from` bytes as rows of `to` bytes, zeros behind each.
fn padded(bytes: &[u8], from: usize, to: usize) -> std::borrow::Cow<'_, [u8]> {
    if from == to {
        return bytes.into();
    }
    let mut out = vec![0; bytes.len() / from * to];
    for (row, out) in bytes.chunks_exact(from).zip(out.chunks_exact_mut(to)) {
        out[..from].copy_from_slice(row);
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_odd_width_are_padded() {
        assert_eq!(*padded(&[1, 2, 3, 4], 2, 4), [1, 2, 0, 0, 3, 4, 0, 0]);
        assert_eq!(row_groups(1), (1, 1));
        assert_eq!(row_groups(70_000), (65_535, 2));
    }
}
