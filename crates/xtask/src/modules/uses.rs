//! Which modules a module's code depends on.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use super::source::{Module, ModulePath, Sources, flatten, is_test};

/// Of each module, the modules that it depends on, with the names that it takes from them.
pub(super) type Dependencies = BTreeMap<ModulePath, BTreeMap<ModulePath, BTreeSet<String>>>;

/// Resolves every path of every module.
pub(super) fn dependencies(sources: &Sources) -> Dependencies {
    let of = |(path, module): (&ModulePath, &Module)| {
        let mut paths = Paths { module, found: BTreeSet::new(), globs: BTreeSet::new() };
        paths.visit_file(&module.syntax);
        // A module that a `use` names counts where its items are used.
        paths.found.retain(|used| !sources.is_module(path, used));
        let mut taken: BTreeMap<ModulePath, BTreeSet<String>> = BTreeMap::new();
        for used in paths.found.into_iter().chain(paths.globs) {
            if let Some(definition) = sources.definition(path, &used)
                && definition != *path
            {
                taken.entry(definition).or_default().extend(used.last().cloned());
            }
        }
        (path.clone(), taken)
    };
    sources.iter().map(of).collect()
}

/// Collects the paths that a file's code names.
struct Paths<'a> {
    module: &'a Module,
    found: BTreeSet<Vec<String>>,
    /// Modules of which it takes everything.
    globs: BTreeSet<Vec<String>>,
}

impl Paths<'_> {
    /// A path that begins with a keyword or with a name in scope; others are the prelude's, a crate's or local.
    fn add(&mut self, path: Vec<String>) {
        let Some(first) = path.first() else { return };
        let begins_here = ["crate", "self", "super"].contains(&first.as_str());
        if begins_here || self.module.imports.contains_key(first) || path.len() > 1 {
            self.found.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    /// What a private `use` brings in counts by itself: an unused one would not compile without a warning.
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if is_test(&item.attrs) || !matches!(item.vis, syn::Visibility::Inherited) {
            return;
        }
        flatten(&item.tree, &mut Vec::new(), &mut |name, path| {
            let paths = if name.is_some() { &mut self.found } else { &mut self.globs };
            paths.insert(path);
        });
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.visit_tokens(call.tokens.clone());
    }
}

impl Paths<'_> {
    /// Finds `a::b::c` in a macro's arguments, which have no syntax of their own yet.
    fn visit_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.add(std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.add(std::mem::take(&mut path));
                    self.visit_tokens(group.stream());
                }
                _ => {
                    self.add(std::mem::take(&mut path));
                    colons = 0;
                }
            }
        }
        self.add(path);
    }
}
