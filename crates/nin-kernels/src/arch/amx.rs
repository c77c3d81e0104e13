//! AMX: eight tiles of sixteen rows of 64 bytes, and an instruction that multiplies two tiles of bf16.
//!
//! The intrinsics for tiles are not stable, so the instructions are written as assembly. The contents of tiles do not
//! outlive an assembly block. Their configuration does, from [`configure`](Tiles::configure) to
//! [`release`](Tiles::release): it is state of the thread that only this file touches, never the compiler.

use std::arch::asm;
use std::arch::x86_64::{
    __cpuid_count, __m512, __m512i, _mm512_permutex2var_epi16, _mm512_set_epi16,
    _mm512_shuffle_f32x4, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd,
    _mm512_unpacklo_ps,
};
use std::mem::transmute;
use std::sync::OnceLock;

use super::avx512::{Avx512, F32x16};
use super::avx512bf16::Avx512Bf16;
use super::{Operation, TILE_ROWS, TileBlock, Tiles, TilesOperation};

/// Proof that the CPU has AVX-512 F, BW and BF16 and AMX tiles of bf16, and that the system lets this process use them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amx {
    vectors: Avx512,
}

impl Amx {
    /// Returns the proof if the CPU has the features. Asks the system for permission to use tiles, once per process.
    pub(crate) fn new() -> Option<Self> {
        static ALLOWED: OnceLock<bool> = OnceLock::new();
        let vectors = Avx512Bf16::new().and_then(|_| Avx512::new())?;
        ALLOWED.get_or_init(|| has_tiles() && may_use_tiles()).then_some(Self { vectors })
    }

    /// Runs an fp32 operation on the vectors of AVX-512.
    pub(crate) fn run<O: Operation>(self, operation: O) -> O::Output {
        self.vectors.run(operation)
    }

    #[allow(clippy::unused_self, reason = "it is the proof")]
    pub(crate) fn run_tiles<O: TilesOperation>(self, operation: O) {
        // SAFETY: `self` proves the features.
        unsafe { enter(operation) }
    }
}

/// # Safety
/// The CPU has AVX-512 F, BW and BF16, AVX2, FMA and AMX-BF16.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16,avx2,fma")]
unsafe fn enter<O: TilesOperation>(operation: O) {
    // SAFETY: the caller's promise.
    unsafe { operation.run::<F32x16>() }
}

/// Returns whether CPUID reports AMX-TILE and AMX-BF16 (leaf 7, EDX bits 24 and 22).
fn has_tiles() -> bool {
    const BITS: u32 = 1 << 24 | 1 << 22;
    __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).edx & BITS == BITS
}

/// Asks the system to save the tiles of the threads of this process. Linux does so since 5.16.
#[cfg(target_os = "linux")]
fn may_use_tiles() -> bool {
    /// `ARCH_REQ_XCOMP_PERM`, and the index of the tile data among the components of a thread's state.
    const REQUEST: (libc::c_long, libc::c_long) = (0x1023, 18);
    // SAFETY: the call takes two numbers and touches no memory of this process.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST.0, REQUEST.1) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn may_use_tiles() -> bool {
    false
}

/// The operand of `ldtilecfg`. Palette 1 has eight tiles of sixteen rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Sums are in tiles 0 to 3, left operands in 4 and 5, right operands in 6 and 7. `left` is also scratch for addresses.
macro_rules! products {
    ($block:expr, [$($start:literal,)*], [$($step:literal,)*], [$($end:literal,)*]) => {
        asm!(
            $($start,)*
            "mov {line:e}, 64",
            "2:",
            "mov {left}, qword ptr [{offsets}]",
            "add {left}, {first}",
            $($step,)*
            "add {right_0}, 1024",
            "add {right_1}, 1024",
            "add {offsets}, 8",
            "dec {steps}",
            "jnz 2b",
            $($end,)*
            start = in(reg) $block.start.as_ptr(),
            sums = in(reg) $block.sums.as_ptr(),
            line = inout(reg) $block.start_row => _,
            sums_row = in(reg) $block.sums_row,
            first = in(reg) $block.left,
            left = out(reg) _,
            left_row = in(reg) $block.left_row,
            second = in(reg) $block.left_row * TILE_ROWS,
            offsets = inout(reg) $block.offsets => _,
            steps = inout(reg) $block.steps => _,
            right_0 = inout(reg) $block.right[0] => _,
            right_1 = inout(reg) $block.right[1] => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        )
    };
}

impl Tiles for F32x16 {
    #[inline(always)]
    unsafe fn configure() {
        // SAFETY: the caller's CPU has tiles; the configuration is one of palette 1.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly, preserves_flags));
        }
    }

    #[inline(always)]
    unsafe fn release() {
        // SAFETY: the caller's CPU has tiles.
        unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) }
    }

    #[inline(always)]
    unsafe fn products<const M: usize, const N: usize>(block: &TileBlock) {
        debug_assert!(block.steps > 0);
        // SAFETY: `configure` was called, the caller's pointers are valid for M x N tiles, and no other tile is touched.
        unsafe {
            match (M, N) {
                (1, 1) => products!(
                    block,
                    ["mov {left}, qword ptr [{start}]", "tileloadd tmm0, [{left} + {line}]",],
                    [
                        "tileloadd tmm4, [{left} + {left_row}]",
                        "tileloadd tmm6, [{right_0} + {line}]",
                        "tdpbf16ps tmm0, tmm4, tmm6",
                        "/* {second} */",
                    ],
                    ["mov {left}, qword ptr [{sums}]", "tilestored [{left} + {sums_row}], tmm0",]
                ),
                (1, _) => products!(
                    block,
                    [
                        "mov {left}, qword ptr [{start}]",
                        "tileloadd tmm0, [{left} + {line}]",
                        "mov {left}, qword ptr [{start} + 8]",
                        "tileloadd tmm1, [{left} + {line}]",
                    ],
                    [
                        "tileloadd tmm4, [{left} + {left_row}]",
                        "tileloadd tmm6, [{right_0} + {line}]",
                        "tdpbf16ps tmm0, tmm4, tmm6",
                        "tileloadd tmm7, [{right_1} + {line}]",
                        "tdpbf16ps tmm1, tmm4, tmm7",
                        "/* {second} */",
                    ],
                    [
                        "mov {left}, qword ptr [{sums}]",
                        "tilestored [{left} + {sums_row}], tmm0",
                        "mov {left}, qword ptr [{sums} + 8]",
                        "tilestored [{left} + {sums_row}], tmm1",
                    ]
                ),
                (_, 1) => products!(
                    block,
                    [
                        "mov {left}, qword ptr [{start}]",
                        "tileloadd tmm0, [{left} + {line}]",
                        "mov {left}, qword ptr [{start} + 16]",
                        "tileloadd tmm2, [{left} + {line}]",
                    ],
                    [
                        "tileloadd tmm4, [{left} + {left_row}]",
                        "tileloadd tmm6, [{right_0} + {line}]",
                        "tdpbf16ps tmm0, tmm4, tmm6",
                        "add {left}, {second}",
                        "tileloadd tmm5, [{left} + {left_row}]",
                        "tdpbf16ps tmm2, tmm5, tmm6",
                    ],
                    [
                        "mov {left}, qword ptr [{sums}]",
                        "tilestored [{left} + {sums_row}], tmm0",
                        "mov {left}, qword ptr [{sums} + 16]",
                        "tilestored [{left} + {sums_row}], tmm2",
                    ]
                ),
                _ => products!(
                    block,
                    [
                        "mov {left}, qword ptr [{start}]",
                        "tileloadd tmm0, [{left} + {line}]",
                        "mov {left}, qword ptr [{start} + 8]",
                        "tileloadd tmm1, [{left} + {line}]",
                        "mov {left}, qword ptr [{start} + 16]",
                        "tileloadd tmm2, [{left} + {line}]",
                        "mov {left}, qword ptr [{start} + 24]",
                        "tileloadd tmm3, [{left} + {line}]",
                    ],
                    [
                        "tileloadd tmm4, [{left} + {left_row}]",
                        "tileloadd tmm6, [{right_0} + {line}]",
                        "tdpbf16ps tmm0, tmm4, tmm6",
                        "tileloadd tmm7, [{right_1} + {line}]",
                        "tdpbf16ps tmm1, tmm4, tmm7",
                        "add {left}, {second}",
                        "tileloadd tmm5, [{left} + {left_row}]",
                        "tdpbf16ps tmm2, tmm5, tmm6",
                        "tdpbf16ps tmm3, tmm5, tmm7",
                    ],
                    [
                        "mov {left}, qword ptr [{sums}]",
                        "tilestored [{left} + {sums_row}], tmm0",
                        "mov {left}, qword ptr [{sums} + 8]",
                        "tilestored [{left} + {sums_row}], tmm1",
                        "mov {left}, qword ptr [{sums} + 16]",
                        "tilestored [{left} + {sums_row}], tmm2",
                        "mov {left}, qword ptr [{sums} + 24]",
                        "tilestored [{left} + {sums_row}], tmm3",
                    ]
                ),
            }
        }
    }

    #[inline(always)]
    unsafe fn zip_halves(low: Self, high: Self) -> [Self; 2] {
        // SAFETY: features, by the caller; registers of one size, and any bits are words.
        unsafe {
            let (low, high) =
                (transmute::<__m512, __m512i>(low.0), transmute::<__m512, __m512i>(high.0));
            // Index 32 + i selects half i of `high`.
            let lower = _mm512_set_epi16(
                47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5,
                36, 4, 35, 3, 34, 2, 33, 1, 32, 0,
            );
            let upper = _mm512_set_epi16(
                63, 31, 62, 30, 61, 29, 60, 28, 59, 27, 58, 26, 57, 25, 56, 24, 55, 23, 54, 22, 53,
                21, 52, 20, 51, 19, 50, 18, 49, 17, 48, 16,
            );
            [lower, upper].map(|order| {
                Self(transmute::<__m512i, __m512>(_mm512_permutex2var_epi16(low, order, high)))
            })
        }
    }

    #[inline(always)]
    unsafe fn transpose(words: &mut [Self; 16]) {
        // SAFETY: features, by the caller; registers of one size.
        unsafe {
            let mut rows = words.map(|row| row.0);
            // Words within lanes of four, of rows one apart, then two apart.
            for pair in 0..8 {
                let (even, odd) = (rows[2 * pair], rows[2 * pair + 1]);
                rows[2 * pair] = _mm512_unpacklo_ps(even, odd);
                rows[2 * pair + 1] = _mm512_unpackhi_ps(even, odd);
            }
            for four in 0..4 {
                let four = four * 4;
                let [a, b, c, d] = [0, 1, 2, 3]
                    .map(|row| transmute::<__m512, std::arch::x86_64::__m512d>(rows[four + row]));
                for (row, words) in [
                    _mm512_unpacklo_pd(a, c),
                    _mm512_unpackhi_pd(a, c),
                    _mm512_unpacklo_pd(b, d),
                    _mm512_unpackhi_pd(b, d),
                ]
                .into_iter()
                .enumerate()
                {
                    rows[four + row] = transmute::<std::arch::x86_64::__m512d, __m512>(words);
                }
            }
            // `rows[4 * four + column]` holds, in lane l, column 4 * l + column of rows 4 * four to 4 * four + 3: a
            // four by four matrix of lanes for each column.
            for column in 0..4 {
                let [a, b, c, d] = [0, 4, 8, 12].map(|four| rows[four + column]);
                let even_low = _mm512_shuffle_f32x4::<0x88>(a, b);
                let odd_low = _mm512_shuffle_f32x4::<0xDD>(a, b);
                let even_high = _mm512_shuffle_f32x4::<0x88>(c, d);
                let odd_high = _mm512_shuffle_f32x4::<0xDD>(c, d);
                words[column] = Self(_mm512_shuffle_f32x4::<0x88>(even_low, even_high));
                words[8 + column] = Self(_mm512_shuffle_f32x4::<0xDD>(even_low, even_high));
                words[4 + column] = Self(_mm512_shuffle_f32x4::<0x88>(odd_low, odd_high));
                words[12 + column] = Self(_mm512_shuffle_f32x4::<0xDD>(odd_low, odd_high));
            }
        }
    }
}
