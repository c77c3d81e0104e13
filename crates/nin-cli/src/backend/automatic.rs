//! What `--backend auto` computes on.

use nin_train::one_line;
use serde::{Deserialize, Serialize};

use super::adapters::{Adapter, AdapterKind};

/// Training rates, in images per second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Of the adapter.
    pub gpu: f64,
    /// Of the CPU.
    pub cpu: f64,
}

/// The choice, and why.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice<'a> {
    /// A GPU.
    Gpu {
        /// Its adapter.
        adapter: &'a Adapter,
        /// Why.
        reason: String,
    },
    /// The CPU.
    Cpu {
        /// Why.
        reason: String,
    },
}

/// Chooses a discrete GPU; else an integrated or virtual one, if it is faster than the CPU in a trial; else the CPU.
/// Never chooses an adapter that is software.
pub fn choose(
    adapters: &[Adapter],
    trial: impl FnOnce(&Adapter) -> anyhow::Result<Rates>,
) -> Choice<'_> {
    let Some(adapter) = Adapter::best(adapters).filter(|adapter| adapter.kind.is_hardware()) else {
        return Choice::Cpu { reason: "no hardware GPU adapter found".to_owned() };
    };
    if adapter.kind == AdapterKind::Discrete {
        return Choice::Gpu { adapter, reason: "hardware adapter found".to_owned() };
    }
    let name = &adapter.name;
    match trial(adapter) {
        Ok(Rates { gpu, cpu }) if gpu > cpu => {
            let reason = format!("{:.1} times as fast as the CPU in a trial", gpu / cpu);
            Choice::Gpu { adapter, reason }
        }
        Ok(Rates { gpu, cpu }) => {
            let reason = format!("{:.1} times as fast as {name} in a trial", cpu / gpu);
            Choice::Cpu { reason }
        }
        Err(error) => {
            Choice::Cpu { reason: format!("{name} failed a trial: {}", one_line(error.as_ref())) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::adapters::tests::adapter;
    use super::*;

    const SLOWER: Rates = Rates { gpu: 100.0, cpu: 250.0 };
    const FASTER: Rates = Rates { gpu: 250.0, cpu: 100.0 };

    /// Returns the index of the chosen adapter; `None` for the CPU.
    fn chosen(kinds: &[AdapterKind], trial: Option<Rates>) -> (Option<usize>, String) {
        let adapters: Vec<_> =
            kinds.iter().enumerate().map(|(at, kind)| adapter(at, "a GPU", *kind)).collect();
        let tried = |_: &Adapter| trial.ok_or_else(|| anyhow::anyhow!("the device failed"));
        match choose(&adapters, tried) {
            Choice::Gpu { adapter, reason } => (Some(adapter.index), reason),
            Choice::Cpu { reason } => (None, reason),
        }
    }

    #[test]
    fn a_discrete_gpu_needs_no_trial_wherever_it_is_in_the_list() {
        use AdapterKind::{Cpu, Discrete, Integrated};
        for (kinds, index) in
            [(&[Discrete][..], 0), (&[Integrated, Discrete], 1), (&[Cpu, Integrated, Discrete], 2)]
        {
            assert_eq!(chosen(kinds, None).0, Some(index), "{kinds:?}");
        }
    }

    #[test]
    fn an_integrated_or_virtual_gpu_has_to_be_faster_than_the_cpu() {
        for kind in [AdapterKind::Integrated, AdapterKind::Virtual] {
            let kinds = [AdapterKind::Cpu, kind];
            let (index, reason) = chosen(&kinds, Some(FASTER));
            assert_eq!(
                (index, reason.as_str()),
                (Some(1), "2.5 times as fast as the CPU in a trial")
            );
            let (index, reason) = chosen(&kinds, Some(SLOWER));
            assert_eq!((index, reason.as_str()), (None, "2.5 times as fast as a GPU in a trial"));
            let (index, reason) = chosen(&kinds, None);
            assert_eq!((index, reason.as_str()), (None, "a GPU failed a trial: the device failed"));
        }
    }

    #[test]
    fn software_and_unknown_adapters_are_never_chosen() {
        for kinds in [&[][..], &[AdapterKind::Cpu], &[AdapterKind::Other, AdapterKind::Cpu]] {
            assert_eq!(
                chosen(kinds, Some(FASTER)),
                (None, "no hardware GPU adapter found".to_owned())
            );
        }
    }
}
