//! Who imports whom in `src`, file by file, as the compiler resolves it: `use` trees, `super::`, `self::`,
//! paths in code and in macros; a re-exported name leads to the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// One source file.
pub struct Source {
    /// Below `src`, with slashes: "engine/ask/query.rs".
    pub path: String,
    /// Its module path: `["engine", "ask", "query"]`.
    module: Vec<String>,
    /// Names of items that it defines (not those that it re-exports), inline modules included.
    defines: BTreeSet<String>,
    /// What its `use` declarations bring in.
    uses: Vec<Use>,
    /// Paths in code, macros included: two segments or more.
    paths: BTreeSet<Vec<String>>,
    /// Single names in code.
    idents: BTreeSet<String>,
}

#[derive(Clone)]
struct Use {
    path: Vec<String>,
    /// The name that it has here; `None` for a glob.
    name: Option<String>,
    is_public: bool,
}

/// All files of `src` and what they import.
pub struct Imports {
    pub files: Vec<Source>,
    modules: BTreeMap<Vec<String>, usize>,
}

/// What was asked on the way to a name.
type Seen = BTreeSet<(usize, Vec<String>)>;

/// An arrow: `from` takes `names` from `to`.
pub type Arrows = BTreeMap<usize, BTreeMap<usize, BTreeSet<String>>>;

impl Imports {
    /// Reads every `.rs` file below `src`; test modules are left out.
    pub fn read(src: &Path) -> Self {
        let mut found = vec![];
        sources(src, &mut found);
        found.sort();
        let files: Vec<Source> = found.iter().map(|path| Source::read(src, path)).collect();
        let modules = files.iter().enumerate().map(|(i, file)| (file.module.clone(), i)).collect();
        Self { files, modules }
    }

    /// Who takes what from whom. A re-export alone is no arrow: whoever takes the name from it gets one to the file that
    /// defines it, and one to each file on the way.
    pub fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (from, file) in self.files.iter().enumerate() {
            for path in file.taken() {
                let mut seen = BTreeSet::new();
                let Some(to) = self.resolve(from, &path, &mut seen) else { continue };
                let name = path.last().cloned().unwrap_or_default();
                let through = seen.iter().map(|(through, _)| *through);
                for to in through.chain([to]).filter(|to| *to != from) {
                    arrows.entry(from).or_default().entry(to).or_default().insert(name.clone());
                }
            }
        }
        arrows
    }

    /// The rooms that a file names itself, as `crate::room`.
    pub fn rooms_named(&self, file: usize) -> BTreeSet<String> {
        let source = &self.files[file];
        let paths = source.uses.iter().map(|u| &u.path).chain(&source.paths);
        paths.filter(|path| path[0] == "crate").filter_map(|path| path.get(1).cloned()).collect()
    }

    /// First segments of paths that lead out of the package.
    pub fn crates(&self, file: usize) -> BTreeSet<String> {
        let source = &self.files[file];
        let own = ["crate", "self", "super", "Self"];
        let used = source.uses.iter().map(|u| &u.path).chain(&source.paths).filter(|path| path.len() > 1);
        let local = |name: &String| {
            source.defines.contains(name)
                || self.modules.contains_key(&[&source.module[..], std::slice::from_ref(name)].concat())
        };
        used.map(|path| path[0].clone())
            .filter(|name| !own.contains(&name.as_str()) && !local(name))
            .collect()
    }

    /// The file that defines what `path` means in file `from`.
    fn resolve(&self, from: usize, path: &[String], seen: &mut Seen) -> Option<usize> {
        // A glob may lead back to where it came from.
        if path.is_empty() || !seen.insert((from, path.to_vec())) {
            return None;
        }
        let module = &self.files[from].module;
        match path[0].as_str() {
            "crate" => self.descend(vec![], &path[1..], seen),
            "self" => self.descend(module.clone(), &path[1..], seen),
            "super" => {
                let ups = path.iter().take_while(|segment| *segment == "super").count();
                let base = module[..module.len().checked_sub(ups)?].to_vec();
                self.descend(base, &path[ups..], seen)
            }
            _ => self.descend(module.clone(), path, seen),
        }
    }

    /// The file that defines `rest` as seen in `module`.
    fn descend(&self, module: Vec<String>, rest: &[String], seen: &mut Seen) -> Option<usize> {
        let here = if module.is_empty() { None } else { Some(*self.modules.get(&module)?) };
        let Some(first) = rest.first() else { return here };
        let child = [&module[..], std::slice::from_ref(first)].concat();
        if self.modules.contains_key(&child) {
            return self.descend(child, &rest[1..], seen);
        }
        let here = here?;
        let file = &self.files[here];
        if file.defines.contains(first) {
            return Some(here);
        }
        let named = |u: &&Use| u.name.as_deref() == Some(first.as_str());
        if let Some(used) = file.uses.iter().find(named) {
            let whole = [&used.path[..], &rest[1..]].concat();
            // `use x::x` of an outside crate asks for itself.
            return if used.path.first() == Some(first) { None } else { self.resolve(here, &whole, seen) };
        }
        file.uses.iter().filter(|u| u.name.is_none()).find_map(|glob| {
            let base = self.module_of(here, &glob.path)?;
            if seen.insert((here, [&base[..], &["*".into()], rest].concat())) {
                self.descend(base, rest, seen)
            } else {
                None
            }
        })
    }

    /// The module that `path` means in file `from`, told by its words alone.
    fn module_of(&self, from: usize, path: &[String]) -> Option<Vec<String>> {
        let module = &self.files[from].module;
        let ups = path.iter().take_while(|segment| *segment == "super").count();
        let base = match path.first()?.as_str() {
            "crate" => path[1..].to_vec(),
            "self" => [module, &path[1..]].concat(),
            _ => [&module[..module.len().checked_sub(ups)?], &path[ups..]].concat(),
        };
        self.modules.contains_key(&base).then_some(base)
    }

    /// Files that import each other in a loop, each group sorted; groups of one are left out.
    pub fn circles(&self, arrows: &Arrows) -> Vec<Vec<usize>> {
        let reach: Vec<BTreeSet<usize>> =
            (0..self.files.len()).map(|start| reachable(arrows, start)).collect();
        let mut circles = BTreeSet::new();
        for start in 0..self.files.len() {
            let circle: Vec<usize> =
                reach[start].iter().copied().filter(|other| reach[*other].contains(&start)).collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }
}

fn reachable(arrows: &Arrows, start: usize) -> BTreeSet<usize> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![start]);
    while let Some(file) = left.pop() {
        for to in arrows.get(&file).into_iter().flat_map(|to| to.keys()) {
            if seen.insert(*to) {
                left.push(*to);
            }
        }
    }
    seen
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

impl Source {
    fn read(src: &Path, file: &Path) -> Self {
        let relative = file.strip_prefix(src).unwrap();
        let path = relative.to_str().unwrap().replace('\\', "/");
        let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        let text = fs::read_to_string(file).unwrap();
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut reader = Reader::default();
        reader.visit_file(&syntax);
        let Reader { defines, uses, paths, idents } = reader;
        if path == "main.rs" {
            module = vec!["main".into()];
        }
        Self { path, module, defines, uses, paths, idents }
    }

    /// Every path that this file takes for itself.
    fn taken(&self) -> Vec<Vec<String>> {
        let mut taken = vec![];
        for used in &self.uses {
            match &used.name {
                Some(name) if !used.is_public || self.idents.contains(name) => taken.push(used.path.clone()),
                Some(_) => {}
                // What a glob brings in is what is named here.
                None => {
                    let named = self.idents.iter().filter(|ident| !self.defines.contains(*ident));
                    taken.extend(named.map(|ident| [&used.path[..], std::slice::from_ref(ident)].concat()));
                }
            }
        }
        taken.extend(self.paths.iter().cloned());
        taken
    }
}

#[derive(Default)]
struct Reader {
    defines: BTreeSet<String>,
    uses: Vec<Use>,
    paths: BTreeSet<Vec<String>>,
    idents: BTreeSet<String>,
}

impl Reader {
    fn tree(&mut self, tree: &syn::UseTree, path: &mut Vec<String>, is_public: bool) {
        match tree {
            syn::UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.tree(&part.tree, path, is_public);
                path.pop();
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.tree(item, path, is_public))
            }
            syn::UseTree::Glob(_) => self.uses.push(Use { path: path.clone(), name: None, is_public }),
            syn::UseTree::Name(name) => self.leaf(path, &name.ident, &name.ident, is_public),
            syn::UseTree::Rename(name) => self.leaf(path, &name.ident, &name.rename, is_public),
        }
    }

    fn leaf(&mut self, path: &[String], ident: &syn::Ident, name: &syn::Ident, is_public: bool) {
        // `use a::{self}` is `use a`.
        let own = if ident == "self" { vec![] } else { vec![ident.to_string()] };
        let name =
            if ident == "self" && name == "self" { path.last().cloned() } else { Some(name.to_string()) };
        self.uses.push(Use { path: [path, &own].concat(), name, is_public });
    }

    /// Paths in the tokens of a macro.
    fn tokens(&mut self, tokens: proc_macro2::TokenStream) {
        use proc_macro2::TokenTree;
        let (mut path, mut colons) = (vec![], 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.path(std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.tokens(group.stream());
                    self.path(std::mem::take(&mut path));
                    colons = 0;
                }
                _ => {
                    self.path(std::mem::take(&mut path));
                    colons = 0;
                }
            }
        }
        self.path(path);
    }

    fn path(&mut self, path: Vec<String>) {
        if let Some(first) = path.first() {
            self.idents.insert(first.clone());
        }
        if path.len() > 1 {
            self.paths.insert(path);
        }
    }

    fn define(&mut self, item: &syn::Item) {
        let ident = match item {
            syn::Item::Const(item) => &item.ident,
            syn::Item::Enum(item) => &item.ident,
            syn::Item::Fn(item) => &item.sig.ident,
            syn::Item::Static(item) => &item.ident,
            syn::Item::Struct(item) => &item.ident,
            syn::Item::Trait(item) => &item.ident,
            syn::Item::Type(item) => &item.ident,
            syn::Item::Mod(item) if item.content.is_some() => &item.ident,
            syn::Item::Macro(item) => match &item.ident {
                Some(ident) => ident,
                None => return,
            },
            _ => return,
        };
        self.defines.insert(ident.to_string());
    }
}

/// Whether an item is there for tests only.
pub fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs[..],
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Const(item) => &item.attrs,
            _ => &[],
        };
        if !is_test(attributes) {
            self.define(item);
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_public = !matches!(item.vis, syn::Visibility::Inherited);
        self.tree(&item.tree, &mut vec![], is_public);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.path(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }
}
