//! The module tree of a crate: its files, what each defines, and what each brings into scope.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use syn::{Attribute, File, Item, UseTree};

/// A module's path from the crate's root, such as `["checkpoint", "links"]`.
pub(super) type ModulePath = Vec<String>;

/// One module's file.
pub(super) struct Module {
    pub(super) syntax: File,
    /// Names of items that are defined here, modules excepted.
    pub(super) items: BTreeSet<String>,
    /// The path of each name in scope through a `use`, private ones included: children see those too.
    pub(super) imports: BTreeMap<String, Vec<String>>,
    /// Paths of `use path::*`.
    pub(super) globs: Vec<Vec<String>>,
}

/// Every module of a crate that is a file of its own.
pub(super) struct Sources(BTreeMap<ModulePath, Module>);

impl Sources {
    /// Reads a crate's root file and every file that it declares, `#[cfg(test)]` ones excepted.
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut sources = Self(BTreeMap::new());
        let folder = root.parent().unwrap_or(Path::new("")).to_owned();
        sources.add(Vec::new(), root, &folder)?;
        Ok(sources)
    }

    fn add(&mut self, path: ModulePath, file: &Path, folder: &Path) -> anyhow::Result<()> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("cannot read `{}`", file.display()))?;
        let syntax =
            syn::parse_file(&text).with_context(|| format!("cannot parse `{}`", file.display()))?;
        for item in &syntax.items {
            if let Item::Mod(module) = item
                && module.content.is_none()
                && !is_test(&module.attrs)
            {
                let name = module.ident.to_string();
                let (file, folder) = file_of(folder, &name);
                self.add([path.clone(), vec![name]].concat(), &file, &folder)?;
            }
        }
        self.0.insert(path, Module::new(syntax));
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&ModulePath, &Module)> {
        self.0.iter()
    }

    /// Returns the module that defines what `path` names, seen from the module `from`, or the module itself
    /// where `path` names one; `None` where that is outside the crate.
    pub(super) fn definition(&self, from: &[String], path: &[String]) -> Option<ModulePath> {
        self.resolve(from, path, 0)
    }

    /// Whether `path` names a module, seen from the module `from`.
    pub(super) fn is_module(&self, from: &[String], path: &[String]) -> bool {
        let last = path.last();
        self.definition(from, path).is_some_and(|found| {
            let module = &self.0[&found];
            last.is_some_and(|last| {
                ["crate", "self", "super"].contains(&last.as_str())
                    || found.last() == Some(last)
                        && !module.items.contains(last)
                        && !module.imports.contains_key(last)
            })
        })
    }

    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<ModulePath> {
        /// Re-exports of re-exports; a chain that is longer is a cycle of `use`s.
        const DEEPEST: usize = 16;
        let (first, rest) = path.split_first()?;
        if depth > DEEPEST {
            return None;
        }
        match first.as_str() {
            "crate" => self.descend(Vec::new(), rest, depth),
            "self" => self.descend(from.to_vec(), rest, depth),
            "super" => self.descend_from_parent(from, rest, depth),
            _ if self.knows(from, first) => self.descend(from.to_vec(), path, depth),
            _ => None,
        }
    }

    fn descend_from_parent(
        &self,
        from: &[String],
        rest: &[String],
        depth: usize,
    ) -> Option<ModulePath> {
        let (_, parent) = from.split_last()?;
        match rest.first().map(String::as_str) {
            Some("super") => self.descend_from_parent(parent, &rest[1..], depth),
            _ => self.descend(parent.to_vec(), rest, depth),
        }
    }

    fn knows(&self, module: &[String], name: &String) -> bool {
        let child = [module, std::slice::from_ref(name)].concat();
        self.0.contains_key(&child)
            || self.0.get(module).is_some_and(|module| {
                module.items.contains(name) || module.imports.contains_key(name)
            })
    }

    fn descend(&self, at: ModulePath, path: &[String], depth: usize) -> Option<ModulePath> {
        let Some((name, rest)) = path.split_first() else { return Some(at) };
        let child = [&at[..], std::slice::from_ref(name)].concat();
        if self.0.contains_key(&child) {
            return self.descend(child, rest, depth);
        }
        let module = self.0.get(&at)?;
        if module.items.contains(name) {
            return Some(at);
        }
        if let Some(import) = module.imports.get(name) {
            let whole = [&import[..], rest].concat();
            return self.resolve(&at, &whole, depth + 1);
        }
        let through_glob = module.globs.iter().find_map(|glob| {
            let whole = [&glob[..], path].concat();
            self.resolve(&at, &whole, depth + 1).filter(|found| *found != at)
        });
        through_glob.or(Some(at))
    }
}

impl Module {
    fn new(syntax: File) -> Self {
        let (mut items, mut imports, mut globs) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        for item in &syntax.items {
            if let Item::Use(item) = item {
                if is_test(&item.attrs) {
                    continue;
                }
                flatten(&item.tree, &mut Vec::new(), &mut |name, path| match name {
                    Some(name) => {
                        imports.insert(name, path);
                    }
                    None => globs.push(path),
                });
            } else {
                items.extend(name_of(item));
            }
        }
        Self { syntax, items, imports, globs }
    }
}

/// The file of a child module, and the folder of that one's own children.
fn file_of(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let own = folder.join(name);
    let in_folder = own.join("mod.rs");
    let file = if in_folder.is_file() { in_folder } else { folder.join(format!("{name}.rs")) };
    (file, own)
}

/// Whether an item is there for tests only.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg = attribute.path().is_ident("cfg");
        attribute.path().is_ident("test")
            || is_cfg && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

/// Calls `found` for each name of a `use`, with its path, or with no name for a glob.
pub(super) fn flatten(
    tree: &UseTree,
    prefix: &mut Vec<String>,
    found: &mut impl FnMut(Option<String>, Vec<String>),
) {
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            flatten(&path.tree, prefix, found);
            prefix.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, prefix, found);
            }
        }
        UseTree::Glob(_) => found(None, prefix.clone()),
        UseTree::Name(name) if name.ident == "self" => {
            found(prefix.last().cloned(), prefix.clone());
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            found(Some(name.clone()), [&prefix[..], &[name]].concat());
        }
        UseTree::Rename(rename) => {
            let mut path = prefix.clone();
            if rename.ident != "self" {
                path.push(rename.ident.to_string());
            }
            found(Some(rename.rename.to_string()), path);
        }
    }
}

fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Mod(item) => item.content.as_ref().map(|_| &item.ident)?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
