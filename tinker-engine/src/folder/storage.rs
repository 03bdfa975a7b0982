//! Number formats of model files.

use half::{bf16, f16};
use safetensors::Dtype;

use crate::kernels::Kind;

/// Number format of a model's files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// 32 bits.
    F32,
    /// 16 bits with 11 bits of precision (IEEE half).
    F16,
    /// 16 bits with the range of f32 (bfloat16), the format of most published models.
    #[default]
    Bf16,
}

impl Storage {
    pub(crate) fn of(kind: Kind) -> Self {
        match kind {
            Kind::F32 => Self::F32,
            Kind::F16 => Self::F16,
            Kind::Bf16 => Self::Bf16,
        }
    }

    /// Bytes of a number.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The name in `config.json`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }

    pub(crate) fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
        }
    }

    /// Appends numbers in this format, little-endian.
    pub(crate) fn encode(self, numbers: &[f32], into: &mut Vec<u8>) {
        match self {
            Self::F32 => numbers.iter().for_each(|x| into.extend(x.to_le_bytes())),
            Self::F16 => numbers
                .iter()
                .for_each(|x| into.extend(f16::from_f32(*x).to_le_bytes())),
            Self::Bf16 => numbers
                .iter()
                .for_each(|x| into.extend(bf16::from_f32(*x).to_le_bytes())),
        }
    }
}
