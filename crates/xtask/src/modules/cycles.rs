//! Cycles in a graph of modules.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::source::ModulePath;
use super::uses::Dependencies;

/// Describes a shortest cycle through each module that lies on one; a module is described once.
pub(super) fn cycles(dependencies: &Dependencies) -> impl Iterator<Item = String> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for start in dependencies.keys() {
        if seen.contains(start) {
            continue;
        }
        if let Some(cycle) = shortest(dependencies, start) {
            seen.extend(cycle.iter().cloned());
            found.push(describe(dependencies, &cycle));
        }
    }
    found.into_iter()
}

/// The shortest way from a module back to itself.
fn shortest(dependencies: &Dependencies, start: &ModulePath) -> Option<Vec<ModulePath>> {
    let mut from: BTreeMap<&ModulePath, &ModulePath> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(module) = queue.pop_front() {
        for next in dependencies.get(module)?.keys() {
            if next == start {
                let mut cycle = vec![module.clone()];
                let mut at = module;
                while at != start {
                    at = from.get(at)?;
                    cycle.push(at.clone());
                }
                cycle.reverse();
                return Some(cycle);
            }
            if !from.contains_key(next) {
                from.insert(next, module);
                queue.push_back(next);
            }
        }
    }
    None
}

fn describe(dependencies: &Dependencies, cycle: &[ModulePath]) -> String {
    let name = |module: &ModulePath| match &module[..] {
        [] => "the crate's root".to_owned(),
        path => path.join("::"),
    };
    let links = cycle.iter().enumerate().map(|(at, module)| {
        let next = &cycle[(at + 1) % cycle.len()];
        let names = dependencies.get(module).and_then(|taken| taken.get(next));
        let names: Vec<_> = names.into_iter().flatten().map(String::as_str).collect();
        format!("{} -> {} ({})", name(module), name(next), names.join(", "))
    });
    links.collect::<Vec<_>>().join(", ")
}
