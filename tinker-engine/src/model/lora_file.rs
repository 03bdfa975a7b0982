//! Packed adapters as bytes, for weights that are moved out of memory for a while. Only the forward pass's matrices are
//! written: a pass that trains needs none of these.

use std::io::{self, Read, Write};

use super::lora::{Lora, LoraBlock, LoraPart, LoraSite};
use crate::backend::Snapshot;
use crate::kernels::Packed;

/// Numbers converted at once.
const CHUNK: usize = 1 << 14;

impl Snapshot for Lora {
    fn bytes(&self) -> usize {
        let sites = self.sites().flatten();
        let matrices = sites.flat_map(|site| {
            let parts = &site.parts;
            let parts = parts
                .iter()
                .flat_map(|part| [&part.b_forward, &part.b_backward]);
            parts.chain([&site.a_forward, &site.a_backward])
        });
        matrices.map(|matrix| size_of_val(matrix.floats())).sum()
    }

    fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        write_numbers(to, &[self.blocks.len()])?;
        for site in self.sites() {
            match site {
                Some(site) => write_site(site, to)?,
                None => write_numbers(to, &[0])?,
            }
        }
        Ok(())
    }
}

impl Lora {
    /// Reads what [`Snapshot::write`] has written.
    pub(crate) fn read(from: &mut dyn Read) -> io::Result<Self> {
        let [blocks] = read_numbers(from)?;
        let mut lora = Self::default();
        for _ in 0..blocks {
            lora.blocks.push(LoraBlock {
                qkv: read_site(from)?,
                o: read_site(from)?,
                gate_up: read_site(from)?,
                down: read_site(from)?,
            });
        }
        lora.head = read_site(from)?;
        Ok(lora)
    }

    fn sites(&self) -> impl Iterator<Item = Option<&LoraSite>> {
        let blocks = self.blocks.iter().flat_map(|block| {
            let LoraBlock {
                qkv,
                o,
                gate_up,
                down,
            } = block;
            [qkv, o, gate_up, down].map(Option::as_ref)
        });
        blocks.chain([self.head.as_ref()])
    }
}

/// Writes the number of parts, then the site.
fn write_site(site: &LoraSite, to: &mut dyn Write) -> io::Result<()> {
    let scale = site.scale.to_bits() as usize;
    write_numbers(to, &[site.parts.len(), site.rank, scale])?;
    write_numbers(to, &[site.a.start, site.a.end])?;
    write_matrix(&site.a_forward, to)?;
    for part in &site.parts {
        write_numbers(to, &[part.output, part.b.start, part.b.end])?;
        write_matrix(&part.b_forward, to)?;
    }
    Ok(())
}

fn read_site(from: &mut dyn Read) -> io::Result<Option<LoraSite>> {
    let [count] = read_numbers(from)?;
    if count == 0 {
        return Ok(None);
    }
    let [rank, scale] = read_numbers(from)?;
    let scale = u32::try_from(scale).map(f32::from_bits).map_err(damaged)?;
    let [start, end] = read_numbers(from)?;
    let a_forward = read_matrix(from)?;
    let mut parts = Vec::new();
    for _ in 0..count {
        let [output, start, end] = read_numbers(from)?;
        parts.push(LoraPart {
            output,
            b: start..end,
            b_forward: read_matrix(from)?,
            b_backward: Packed::default(),
        });
    }
    Ok(Some(LoraSite {
        rank,
        scale,
        a: start..end,
        a_forward,
        a_backward: Packed::default(),
        parts,
    }))
}

fn write_matrix(matrix: &Packed, to: &mut dyn Write) -> io::Result<()> {
    let numbers = matrix.floats();
    write_numbers(to, &[matrix.depth(), matrix.columns(), numbers.len()])?;
    let mut bytes = Vec::with_capacity(CHUNK * size_of::<f32>());
    for chunk in numbers.chunks(CHUNK) {
        bytes.clear();
        bytes.extend(chunk.iter().flat_map(|number| number.to_le_bytes()));
        to.write_all(&bytes)?;
    }
    Ok(())
}

fn read_matrix(from: &mut dyn Read) -> io::Result<Packed> {
    let [k, n, length] = read_numbers(from)?;
    let mut numbers = Vec::new();
    let mut bytes = vec![0; CHUNK * size_of::<f32>()];
    while numbers.len() < length {
        let count = CHUNK.min(length - numbers.len());
        let bytes = &mut bytes[..count * size_of::<f32>()];
        from.read_exact(bytes)?;
        let (parts, _) = bytes.as_chunks();
        if numbers.is_empty() {
            // Only now: a length is believed as far as there are bytes for it.
            numbers.reserve_exact(length);
        }
        numbers.extend(parts.iter().map(|part| f32::from_le_bytes(*part)));
    }
    Packed::from_floats(numbers, k, n).ok_or_else(|| damaged("a matrix has the wrong length"))
}

fn write_numbers(to: &mut dyn Write, numbers: &[usize]) -> io::Result<()> {
    numbers
        .iter()
        .try_for_each(|number| to.write_all(&(*number as u64).to_le_bytes()))
}

fn read_numbers<const N: usize>(from: &mut dyn Read) -> io::Result<[usize; N]> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        let mut bytes = [0; 8];
        from.read_exact(&mut bytes)?;
        *number = usize::try_from(u64::from_le_bytes(bytes)).map_err(damaged)?;
    }
    Ok(numbers)
}

fn damaged(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
