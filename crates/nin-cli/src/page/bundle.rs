//! Joins the modules of the page's script into one, because a browser loads no module from a file on disk.
//!
//! Each module becomes a function that is called once and returns what the module exports. This takes the two forms that
//! the modules use: `import { a, b } from "/module.js";` and `export` before `function`, `async function`, `class` or `const`.

use super::files::Module;

/// Returns one script of modules. Each module only imports earlier ones.
pub(super) fn bundle(modules: &[Module]) -> String {
    modules.iter().map(joined).collect()
}

fn joined(module: &Module) -> String {
    let mut exported = Vec::new();
    let lines: String = module
        .source
        .lines()
        .map(|line| match import(line).or_else(|| export(line, &mut exported)) {
            Some(line) => line + "\n",
            None => format!("{line}\n"),
        })
        .collect();
    let (name, exported) = (name(module.path), exported.join(", "));
    format!("const {name} = (() => {{\n{lines}return {{ {exported} }};\n}})();\n")
}

/// Returns the name of a module's constant.
fn name(path: &str) -> String {
    format!("{}_module", path.trim_start_matches('/').trim_end_matches(".js"))
}

fn import(line: &str) -> Option<String> {
    let (names, path) = line.strip_prefix("import ")?.split_once(" from \"")?;
    let path = path.strip_suffix("\";")?;
    Some(format!("const {names} = {};", name(path)))
}

fn export(line: &str, exported: &mut Vec<String>) -> Option<String> {
    let declared = line.strip_prefix("export ")?;
    let named = ["async function ", "function ", "class ", "const "]
        .into_iter()
        .find_map(|keyword| declared.strip_prefix(keyword))?;
    let end = named.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
    exported.push(named[..end].to_owned());
    Some(declared.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::lesson;
    use super::super::single::MODULES;
    use super::*;

    #[test]
    fn imports_and_exports_become_constants() {
        let modules = [
            Module {
                path: "/a.js",
                source: "export const ONE = 1;\nexport async function two(x) {}",
            },
            Module { path: "/b.js", source: "import { ONE, two } from \"/a.js\";\ntwo(ONE);" },
        ];
        assert_eq!(
            bundle(&modules),
            "const a_module = (() => {\nconst ONE = 1;\nasync function two(x) {}\n\
             return { ONE, two };\n})();\n\
             const b_module = (() => {\nconst { ONE, two } = a_module;\ntwo(ONE);\n\
             return {  };\n})();\n"
        );
    }

    #[test]
    fn every_import_is_of_an_earlier_module() {
        for modules in [&MODULES[..], &lesson::MODULES, &lesson::WORKER_MODULES] {
            for (at, module) in modules.iter().enumerate() {
                for line in module.source.lines().filter(|line| line.starts_with("import ")) {
                    let is_earlier =
                        |earlier: &Module| line.ends_with(&format!(" from \"{}\";", earlier.path));
                    assert!(modules[..at].iter().any(is_earlier), "{}: {line}", module.path);
                }
            }
            let script = bundle(modules);
            let is_left = |line: &str| line.starts_with("import ") || line.starts_with("export ");
            assert!(!script.lines().any(is_left));
            assert!(!script.to_lowercase().contains("</script"));
        }
    }
}
