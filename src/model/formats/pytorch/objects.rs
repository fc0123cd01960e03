//! From the objects of a checkpoint to its arrays by their names. What is no array is skipped, never made.

use std::collections::HashSet;

use anyhow::{Context, Result, bail, ensure};

use crate::files::pickle::{Id, MadeObject, Node, Pickle, Rules};
use crate::model::foreign::Hints;
use crate::model::formats::foreign_file::FileContent;
use crate::model::loose::{Loose, LooseArrays, NumberKind};

/// What a checkpoint may hold: any objects, since none is made.
pub(super) const RULES: Rules = Rules { most_instructions: 5_000_000, calls: refuse_programs, objects: true };

/// Modules and functions that no checkpoint needs; one that names them would run a program when PyTorch opens it.
const PROGRAMS: [&str; 24] = [
    "os.",
    "posix.",
    "nt.",
    "subprocess.",
    "sys.",
    "shutil.",
    "socket.",
    "pty.",
    "runpy.",
    "importlib.",
    "webbrowser.",
    "ctypes.",
    "code.",
    "pickle.",
    "marshal.",
    "commands.",
    "builtins.eval",
    "builtins.exec",
    "builtins.compile",
    "builtins.open",
    "builtins.__import__",
    "__builtin__.eval",
    "__builtin__.exec",
    "__builtin__.__import__",
];
/// Objects within objects that are looked into.
const MOST_DEPTH: usize = 32;
/// What names of all arrays take at most, bytes: those of the largest networks take a few MB.
const MOST_NAMES: usize = 64 << 20;

fn refuse_programs(name: &str) -> Result<()> {
    ensure!(
        !PROGRAMS.iter().any(|program| name.starts_with(program)),
        "it calls {name}: PyTorch would run a program when it opens this file; here nothing of it was run"
    );
    Ok(())
}

/// Where the numbers of an array lie.
pub(super) struct Storage<'a> {
    pub kind: NumberKind,
    pub key: &'a [u8],
}

/// All storages that a checkpoint names.
pub(super) fn storages<'a>(pickle: &'a Pickle<'_>) -> Vec<Storage<'a>> {
    let outside = pickle.nodes().filter_map(|node| match node {
        Node::Outside(named_by) => storage(pickle, *named_by),
        _ => None,
    });
    outside.collect()
}

/// `("storage", torch.FloatStorage, key, device, length)`.
fn storage<'a>(pickle: &'a Pickle<'_>, named_by: Id) -> Option<Storage<'a>> {
    let items = pickle.items(named_by).ok()?;
    let kind = kind(pickle.name(*items.get(1)?)?)?;
    Some(Storage { kind, key: pickle.text(*items.get(2)?).ok()? })
}

fn kind(name: &str) -> Option<NumberKind> {
    let (_, last) = name.rsplit_once('.').unwrap_or(("", name));
    Some(match last {
        "DoubleStorage" | "float64" => NumberKind::F64,
        "FloatStorage" | "float32" => NumberKind::F32,
        "HalfStorage" | "float16" => NumberKind::F16,
        "BFloat16Storage" | "bfloat16" => NumberKind::Bf16,
        "LongStorage" | "int64" => NumberKind::Whole(8),
        "IntStorage" | "int32" | "QInt32Storage" => NumberKind::Whole(4),
        "ShortStorage" | "int16" => NumberKind::Whole(2),
        "CharStorage" | "int8" | "ByteStorage" | "uint8" | "BoolStorage" | "bool" | "UntypedStorage"
        | "QInt8Storage" | "QUInt8Storage" => NumberKind::Whole(1),
        "ComplexFloatStorage" | "complex64" => NumberKind::Whole(8),
        "ComplexDoubleStorage" | "complex128" => NumberKind::Whole(16),
        _ => return None,
    })
}

/// The arrays of a checkpoint, named by the keys on the way to them, and what tells who wrote it.
pub(super) fn content<'a>(
    pickle: &Pickle<'_>,
    bytes_of: impl Fn(&str) -> Result<&'a [u8]>,
) -> Result<FileContent<'a>> {
    let mut walk =
        ObjectWalk { pickle, bytes_of, seen: HashSet::new(), arrays: LooseArrays::new(), named: 0 };
    walk.visit(pickle.root(), String::new(), 0)?;
    let hints = Hints { is_solo_learn: is_solo_learn(pickle), ..Hints::default() };
    Ok(FileContent { format: "PyTorch", arrays: walk.arrays, hints })
}

/// Lightning's files name their version; solo-learn's settings have a backbone and a method.
fn is_solo_learn(pickle: &Pickle<'_>) -> bool {
    let settings = pickle.get("pytorch-lightning_version").and_then(|_| pickle.get("hyper_parameters"));
    let is_named = |word: &[u8]| {
        pickle.nodes().any(|node| matches!(node, Node::Text(place) if pickle.bytes_at(place) == word))
    };
    settings.is_ok() && is_named(b"backbone") && is_named(b"method")
}

struct ObjectWalk<'p, 'b, 'a, F> {
    pickle: &'p Pickle<'b>,
    bytes_of: F,
    /// What was looked into: what is reached on two ways, or holds itself.
    seen: HashSet<Id>,
    arrays: LooseArrays<'a>,
    /// Bytes of their names.
    named: usize,
}

impl<'a, F: Fn(&str) -> Result<&'a [u8]>> ObjectWalk<'_, '_, 'a, F> {
    fn visit(&mut self, id: Id, name: String, depth: usize) -> Result<()> {
        if depth > MOST_DEPTH {
            return Ok(());
        }
        let pickle = self.pickle;
        match pickle.node(id) {
            Node::Dict(pairs) => self.visit_pairs(id, pairs, &name, depth),
            Node::MadeObject(made) => {
                let by = pickle.name(made.by).unwrap_or_default();
                if by.contains("_rebuild_") {
                    if let Some(array) = self.rebuilt(by, made.of).with_context(|| name.clone())? {
                        self.named += name.len();
                        ensure!(
                            self.named <= MOST_NAMES,
                            "the names of its arrays take more than {MOST_NAMES} bytes"
                        );
                        self.arrays.insert(name, array);
                    }
                    return Ok(());
                }
                self.visit_pairs(id, &made.pairs, &name, depth)?;
                match made.state.map(|state| (state, pickle.node(state))) {
                    // A module of TorchScript has its arrays and parts among its fields.
                    Some((state, Node::Dict(pairs))) if by.starts_with("__torch__.") => {
                        self.visit_pairs(state, pairs, &name, depth)
                    }
                    _ => self.visit_module(made, &name, depth),
                }
            }
            // Several networks, or one and what else was saved; further in optimisers keep their state so.
            Node::List(items) | Node::Tuple(items) if depth == 0 => {
                items.iter().enumerate().try_for_each(|(at, item)| self.visit(*item, at.to_string(), 1))
            }
            _ => Ok(()),
        }
    }

    /// What stands under words; under numbers optimisers keep their state.
    fn visit_pairs(&mut self, id: Id, pairs: &[(Id, Id)], name: &str, depth: usize) -> Result<()> {
        if !self.seen.insert(id) {
            return Ok(());
        }
        for &(key, value) in pairs {
            if let Ok(key) = self.pickle.text(key)
                && key.len() <= 1024
            {
                let key = String::from_utf8_lossy(key);
                let name = if name.is_empty() { key.into_owned() } else { format!("{name}.{key}") };
                self.visit(value, name, depth + 1)?;
            }
        }
        Ok(())
    }

    /// A module that was saved as a whole: its arrays and its parts.
    fn visit_module(&mut self, made: &MadeObject, name: &str, depth: usize) -> Result<()> {
        let pickle = self.pickle;
        let Some(Node::Dict(pairs)) = made.state.map(|state| pickle.node(state)) else { return Ok(()) };
        for &(key, value) in pairs {
            let is_part = |key: &[u8]| [&b"_parameters"[..], b"_buffers", b"_modules"].contains(&key);
            if pickle.text(key).is_ok_and(is_part) {
                self.visit(value, name.into(), depth + 1)?;
            }
        }
        Ok(())
    }

    /// The array that one of PyTorch's functions would make; none for what is no plain array.
    fn rebuilt(&self, by: &str, of: Id) -> Result<Option<Loose<'a>>> {
        let pickle = self.pickle;
        let arguments = pickle.items(of).context("an array without arguments")?;
        let (_, function) = by.rsplit_once('.').unwrap_or(("", by));
        match function {
            "_rebuild_parameter" | "_rebuild_parameter_with_state" => {
                match arguments.first().map(|data| pickle.node(*data)) {
                    Some(Node::MadeObject(made)) => {
                        let by = pickle.name(made.by).unwrap_or_default();
                        // A parameter of a parameter is made by nobody.
                        if by.contains("_rebuild_parameter") { Ok(None) } else { self.rebuilt(by, made.of) }
                    }
                    _ => Ok(None),
                }
            }
            "_rebuild_from_type_v2" => match arguments {
                &[function, _, of, ..] if pickle.name(function).is_some_and(|name| !name.ends_with(by)) => {
                    let by = pickle.name(function).unwrap_or_default();
                    if by.contains("_rebuild_from_type") { Ok(None) } else { self.rebuilt(by, of) }
                }
                _ => Ok(None),
            },
            "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3" => {
                self.tensor(arguments).map(Some)
            }
            "_rebuild_qtensor" => bail!("it is quantised; expected floating-point weights"),
            _ => Ok(None),
        }
    }

    /// Of storage, offset, size and strides; version 3 has the kind of its numbers as its seventh.
    fn tensor(&self, arguments: &[Id]) -> Result<Loose<'a>> {
        let pickle = self.pickle;
        let &[held, offset, shape, strides, ..] = arguments else {
            bail!("an array of {} arguments", arguments.len());
        };
        let Node::Outside(named_by) = pickle.node(held) else { bail!("an array without storage") };
        let Storage { kind: held, key } =
            storage(pickle, *named_by).context("an array of an unknown kind")?;
        let said = arguments.get(6).and_then(|id| kind(pickle.name(*id)?));
        let numbers = |id: Id| -> Result<Vec<usize>> {
            pickle.items(id)?.iter().map(|side| Ok(usize::try_from(pickle.int(*side)?)?)).collect()
        };
        let offset = usize::try_from(pickle.int(offset)?)?;
        let bytes = (self.bytes_of)(&String::from_utf8_lossy(key))?;
        Loose::strided(said.unwrap_or(held), numbers(shape)?, numbers(strides)?, offset, bytes)
    }
}
