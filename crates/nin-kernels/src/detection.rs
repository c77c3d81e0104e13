//! Which instruction sets this CPU has, and which one this process uses.

use std::str::FromStr;
use std::sync::RwLock;

use crate::arch::Arch;
use crate::error::Error;
use crate::isa::Isa;

/// What [`Isa::select`] was given.
static SELECTED: RwLock<Option<Isa>> = RwLock::new(None);

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
        let fastest_first = [Self::Amx, Self::Avx512, Self::Avx2];
        fastest_first.into_iter().find(|isa| isa.is_available()).unwrap_or(Self::Portable)
    }

    /// Makes this the instruction set of the whole process: of [`Context::shared`](crate::Context::shared), and of
    /// [`vectorized`](crate::vectorized). Call it before either: contexts that exist keep theirs.
    ///
    /// # Errors
    /// [`Error::IsaMissing`] where the CPU lacks it.
    pub fn select(self) -> Result<(), Error> {
        Arch::new(self)?;
        if let Ok(mut selected) = SELECTED.write() {
            *selected = Some(self);
        }
        Ok(())
    }

    /// Returns the instruction set of the process: the one given to [`select`](Self::select), otherwise the one that
    /// [`detect`](Self::detect) finds.
    pub fn selected() -> Self {
        SELECTED.read().ok().and_then(|selected| *selected).unwrap_or_else(Self::detect)
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
