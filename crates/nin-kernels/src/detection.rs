//! Which instruction sets this CPU has.

use std::str::FromStr;

use crate::arch::Arch;
use crate::error::Error;
use crate::isa::Isa;

impl Isa {
    /// Returns whether this CPU has the instruction set and the system lets this process use it.
    ///
    /// For [`Isa::Amx`] this asks Linux for permission to use the tiles. The permission holds for the whole process
    /// until it ends, and adds 8 KiB to the saved state of each thread.
    pub fn is_available(self) -> bool {
        Arch::new(self).is_ok()
    }

    /// Returns the fastest instruction set of this CPU.
    pub fn detect() -> Self {
        let fastest_first = [Self::Amx, Self::Avx512, Self::Avx2, Self::Neon, Self::Simd128];
        fastest_first.into_iter().find(|isa| isa.is_available()).unwrap_or(Self::Portable)
    }
}

impl FromStr for Isa {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|isa| isa.name() == name);
        found.ok_or_else(|| Error::IsaUnknown { found: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        for isa in Isa::ALL {
            assert_eq!(isa.name().parse(), Ok(isa));
        }
        assert!(matches!("sse9".parse::<Isa>(), Err(Error::IsaUnknown { .. })));
    }

    #[test]
    fn detection_finds_an_available_set() {
        assert!(Isa::detect().is_available());
    }
}
