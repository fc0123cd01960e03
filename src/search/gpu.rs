//! Banks and maps that lie on a GPU, and what is found in them. `shaders/similarity.wgsl` does the work; it was
//! tried on software Vulkan only.

use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::{Result, anyhow};

use super::many::TOGETHER;
use super::map::{KnownRows, Mirror};
use super::topk::{Hit, TopKJob};
use crate::bank::{BankId, Piece, Values};
use crate::kernel::similarity::{NearestQuery, Resident, Similarity, Stored};

/// What all banks together may take of the GPU's memory, bytes. Larger ones are searched on the CPU.
const MOST_BYTES: u64 = 2 << 30;
/// Where more than one row in so many is to be looked at again, the CPU looks at all.
const FEW: usize = 4;
/// How many times more rows are looked at when too few of them may be shown.
const MORE: usize = 4;

type Compile = Box<dyn FnOnce() -> Result<Similarity> + Send>;

/// A GPU and what lies on it.
pub struct Gpu {
    /// Compiled when it is first asked for.
    similarity: LazyLock<Result<Similarity>, Compile>,
    /// The one used last comes last.
    held: Mutex<Vec<Held>>,
    most_bytes: u64,
}

/// One space of one bank.
struct Held {
    bank: BankId,
    space: String,
    /// Its first rows; `None` if it is for the CPU.
    rows: Option<Resident>,
    /// What they will take once all are there.
    bytes: u64,
}

impl Gpu {
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        let (device, queue) = (device.clone(), queue.clone());
        Self::with(move || Similarity::new(&device, &queue), MOST_BYTES)
    }

    /// With at most `most_bytes` of banks.
    pub(super) fn with(
        compile: impl FnOnce() -> Result<Similarity> + Send + 'static,
        most_bytes: u64,
    ) -> Self {
        Self { similarity: LazyLock::new(Box::new(compile)), held: Mutex::default(), most_bytes }
    }

    fn similarity(&self) -> Result<&Similarity> {
        self.similarity.as_ref().map_err(|error| anyhow!("{error:#}"))
    }

    /// The answers to `jobs`, all of one space of one bank; `None` where it is for the CPU, as all are once one is
    /// cancelled.
    ///
    /// # Errors
    /// A lost device, or one that cannot run the shader.
    pub fn top_k(&self, jobs: &[TopKJob<'_>]) -> Result<Vec<Option<Vec<Hit>>>> {
        let nothing = |job: &TopKJob<'_>| (job.keep == 0 || job.per_image == 0).then(Vec::new);
        let mut found: Vec<Option<Vec<Hit>>> = jobs.iter().map(nothing).collect();
        let Some(patches) = jobs.first().map(|job| job.bank.patches()) else { return Ok(found) };
        let similarity = self.similarity()?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let open = (0..jobs.len()).filter(|place| found[*place].is_none());
        let mut open: Vec<(usize, usize)> =
            open.map(|place| (place, jobs[place].keep.saturating_add(jobs[place].left_out()))).collect();
        loop {
            open.retain(|(_, wanted)| *wanted <= patches / FEW);
            if open.is_empty() {
                return Ok(found);
            }
            let Some(rows) = self.resident(similarity, &mut held, &jobs[0]) else { return Ok(found) };
            let asked: Vec<(&TopKJob<'_>, usize)> =
                open.iter().map(|(place, wanted)| (&jobs[*place], *wanted)).collect();
            let answers = answers(similarity, rows, &asked)?;
            if jobs[0].space.check_length().is_err() {
                return Ok(found);
            }
            let mut later = vec![];
            for ((place, wanted), answer) in open.into_iter().zip(answers) {
                match answer {
                    Answer::Found(hits) => found[place] = Some(hits),
                    Answer::TooFew => later.push((place, wanted.saturating_mul(MORE))),
                    Answer::TooMany => {}
                }
            }
            open = later;
        }
    }

    /// The rows of the job's bank, brought there as far as they were not; `None` if they are for the CPU.
    fn resident<'a>(
        &self,
        similarity: &Similarity,
        held: &'a mut Vec<Held>,
        job: &TopKJob<'_>,
    ) -> Option<&'a Resident> {
        held.retain(|held| held.bank.is_alive());
        let (id, space) = (job.bank.id(), job.space.name());
        match held.iter().position(|held| held.bank == id && held.space == space) {
            Some(place) => {
                let last = held.remove(place);
                held.push(last);
            }
            None => {
                let (rows, bytes) = self.room_for(similarity, held, job).unzip();
                held.push(Held { bank: id, space: space.into(), rows, bytes: bytes.unwrap_or(0) });
            }
        }
        let slot = &mut held.last_mut()?.rows;
        let present = slot.as_ref()?.rows();
        if present < job.bank.own_patches() {
            // What is wrong with rows is for the CPU to say.
            job.space.check(present..job.bank.own_patches()).ok()?;
            let mut pieces = job.space.pieces(present..job.bank.own_patches());
            let rows = slot.as_mut()?;
            if let Err(error) = pieces.try_for_each(|piece| append(similarity, rows, &piece)) {
                log::info!("space {space} is searched on the CPU: {error:#}");
                *slot = None;
            } else if job.space.check_length().is_err() {
                *slot = None;
            }
        }
        slot.as_ref()
    }

    /// Room for all that the job's bank will hold in its space; those that were not used for longest go.
    fn room_for(
        &self,
        similarity: &Similarity,
        held: &mut Vec<Held>,
        job: &TopKJob<'_>,
    ) -> Option<(Resident, u64)> {
        let stored = match job.space.pieces(0..job.bank.patches()).next()?.values {
            Values::F16(_) => Stored::F16,
            Values::F32(_) => Stored::F32,
        };
        let rows = Resident::new(similarity, job.space.width(), stored, job.bank.total_patches());
        let bytes = rows.bytes_for(job.bank.total_patches());
        if bytes > self.most_bytes {
            return None;
        }
        while held.iter().map(|held| held.bytes).sum::<u64>() + bytes > self.most_bytes {
            held.remove(0);
        }
        Some((rows, bytes))
    }

    /// Cosines of `query` with the known rows of a map, 0 elsewhere; `None` where it is for the CPU.
    ///
    /// # Errors
    /// As [`Gpu::top_k`].
    pub fn cosines(&self, mirror: &Mirror, query: &[f32], map: KnownRows<'_>) -> Result<Option<Vec<f32>>> {
        let width = query.len();
        let similarity = self.similarity()?;
        let Some(query) = unit(query) else { return Ok(None) };
        let mut mirror = mirror.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Resident::new(similarity, width, Stored::F32, map.norms.len());
        let rows = mirror.get_or_insert_with(new);
        let news = map.known.get(rows.rows()..).unwrap_or_default();
        let inv_norms: Vec<f32> = news.iter().map(|row| inverse(map.norms[*row])).collect();
        if !inv_norms.iter().all(|inv_norm| is_in_range(*inv_norm)) {
            return Ok(None);
        }
        let values = news.iter().flat_map(|row| &map.vectors[row * width..(row + 1) * width]);
        let values: Vec<f32> = values.copied().collect();
        if let Err(error) = similarity.append(rows, bytemuck::cast_slice(&values), &inv_norms) {
            log::info!("a map is computed on the CPU: {error:#}");
            *mirror = None;
            return Ok(None);
        }
        let mut cosines = vec![0.0; map.norms.len()];
        for (cosine, row) in similarity.cosines(rows, &query)?.into_iter().zip(map.known) {
            // A row that takes no part is below all cosines.
            cosines[*row] = if cosine < -1.0 { 0.0 } else { cosine };
        }
        Ok(Some(cosines))
    }
}

/// What the rows on the GPU tell of a query.
enum Answer {
    Found(Vec<Hit>),
    /// More rows are to be looked at.
    TooFew,
    /// That is for the CPU.
    TooMany,
}

/// The answers to jobs, each with the number of rows that are to be looked at.
fn answers(similarity: &Similarity, rows: &Resident, asked: &[(&TopKJob<'_>, usize)]) -> Result<Vec<Answer>> {
    let most = asked.iter().map(|(_, wanted)| *wanted).max().unwrap_or(0);
    let mut answers = Vec::with_capacity(asked.len());
    for some in asked.chunks(similarity.together(most).clamp(1, TOGETHER)) {
        for ((job, wanted), near) in some.iter().zip(candidates(similarity, rows, some)?) {
            let near = match near {
                None if some.len() > 1 => candidates(similarity, rows, &[(job, *wanted)])?.pop().flatten(),
                near => near,
            };
            answers.push(near.map_or(Answer::TooMany, |near| answer(job, near, *wanted)));
        }
    }
    Ok(answers)
}

/// Rows that may be among those that are to be looked at; `None` where they are too many, or nobody wants them any more.
fn candidates(
    similarity: &Similarity,
    rows: &Resident,
    asked: &[(&TopKJob<'_>, usize)],
) -> Result<Vec<Option<Vec<usize>>>> {
    let queries = asked.iter().map(|(job, wanted)| NearestQuery { query: &job.query, wanted: *wanted });
    let queries: Vec<NearestQuery<'_>> = queries.collect();
    let is_left = || asked.iter().any(|(job, _)| job.options.cancel.is_cancelled());
    if is_left() {
        return Ok(vec![None; asked.len()]);
    }
    let own_patches = asked.first().map_or(0, |(job, _)| job.bank.own_patches());
    similarity.candidates(rows, &queries, own_patches, &is_left)
}

/// The nearest among rows of which as many are the nearest of all as are `wanted`.
fn answer(job: &TopKJob<'_>, mut near: Vec<usize>, wanted: usize) -> Answer {
    let is_all = near.len() < wanted;
    // Guests come and go; they are few.
    near.extend(job.bank.own_patches()..job.bank.patches());
    if near.len() > job.bank.patches() / FEW {
        return Answer::TooMany;
    }
    let hits = job.among(&near, wanted);
    if hits.len() == job.keep || is_all { Answer::Found(hits) } else { Answer::TooFew }
}

/// Adds the rows of `piece`.
fn append(similarity: &Similarity, rows: &mut Resident, piece: &Piece<'_>) -> Result<()> {
    anyhow::ensure!(
        piece.inv_norms.iter().all(|inv_norm| is_in_range(*inv_norm)),
        "a vector is so long or so short that the GPU may lose it"
    );
    let values: &[u8] = match piece.values {
        Values::F16(values) => bytemuck::cast_slice(values),
        Values::F32(values) => bytemuck::cast_slice(values),
    };
    similarity.append(rows, values, piece.inv_norms)
}

/// Whether products with a row of such a length stay among the numbers that every GPU knows: they may take
/// subnormal ones for zero.
fn is_in_range(inv_norm: f32) -> bool {
    inv_norm.is_nan() || inv_norm == 0.0 || (1e-37..=1e24).contains(&inv_norm)
}

fn inverse(norm: f32) -> f32 {
    if norm > 0.0 { 1.0 / norm } else { 0.0 }
}

/// At unit length; `None` if it has none.
fn unit(query: &[f32]) -> Option<Vec<f32>> {
    let norm = query.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
    let is_usable = norm.is_finite() && norm > 0.0;
    is_usable.then(|| query.iter().map(|v| (f64::from(*v) / norm) as f32).collect())
}
