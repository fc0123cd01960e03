//! Python's pickles as plain data: lists, numbers, texts and NumPy arrays of bytes.
//!
//! A pickle is a program that makes objects; here nothing of it is run. Instructions that only put data together are
//! followed, two callables of NumPy are written down as what they are, and all else is refused with its place. What is
//! made are indices and ranges of the file, at most one for each instruction, and the instructions are counted: neither
//! nested nor repeated references can grow it. (Crates for pickles copy what is referred to twice, or leave arrays out.)

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};

/// Most instructions that are followed; the largest CIFAR file has about 300,000.
const MAX_INSTRUCTIONS: usize = 2_000_000;
/// What arrays are made by.
const CALLABLES: [(&str, &str); 3] = [
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "dtype"),
];

/// Names an object of a pickle.
pub(super) type Id = usize;

/// An object, and by their ids what it holds.
#[derive(Clone, Debug)]
enum Node {
    Nothing,
    Int(i64),
    /// Bytes of the file: a text or a string of bytes.
    Text(Range<usize>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A class or function, by its name.
    Named(String),
    /// What the function would have made of its arguments, and the state that it is then given.
    Made {
        by: Id,
        of: Id,
        state: Option<Id>,
    },
}

/// A pickle that was read.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node>,
    root: Id,
}

/// A two-dimensional array of bytes.
pub(super) struct ByteArray {
    pub rows: usize,
    pub columns: usize,
    /// Column by column, as Fortran keeps it.
    pub by_columns: bool,
    /// Where in the file its values are.
    pub place: Range<usize>,
}

impl<'a> Pickle<'a> {
    /// Reads a pickle of protocol 2 to 4.
    ///
    /// # Errors
    /// It ends early, has an instruction that plain data do not need, or too many. Says where.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader { bytes, ..Reader::default() };
        let root = reader.run().with_context(|| format!("the pickle at byte {}", reader.at))?;
        Ok(Self { bytes, nodes: reader.nodes, root })
    }

    /// What the dictionary at the root has under `key`.
    pub fn get(&self, key: &str) -> Result<Id> {
        let Node::Dict(pairs) = &self.nodes[self.root] else { bail!("the pickle is no dictionary") };
        let found =
            pairs.iter().rev().find(|(name, _)| self.text(*name).is_ok_and(|name| name == key.as_bytes()));
        found.map(|(_, value)| *value).with_context(|| format!("the pickle has no key {key:?}"))
    }

    /// The bytes of a text.
    pub fn text(&self, id: Id) -> Result<&'a [u8]> {
        match &self.nodes[id] {
            Node::Text(place) => Ok(&self.bytes[place.clone()]),
            _ => bail!("expected a text in the pickle"),
        }
    }

    pub fn int(&self, id: Id) -> Result<i64> {
        match &self.nodes[id] {
            Node::Int(value) => Ok(*value),
            _ => bail!("expected a whole number in the pickle"),
        }
    }

    /// What a list or tuple holds.
    pub fn items(&self, id: Id) -> Result<&[Id]> {
        match &self.nodes[id] {
            Node::List(items) | Node::Tuple(items) => Ok(items),
            _ => bail!("expected a list in the pickle"),
        }
    }

    /// An array of unsigned bytes with two dimensions, as NumPy pickles it.
    pub fn byte_array(&self, id: Id) -> Result<ByteArray> {
        const EXPECTED: &str = "expected a NumPy array of unsigned bytes with two dimensions";
        let (by, _, state) = self.made(id).context(EXPECTED)?;
        ensure!(by.ends_with("_reconstruct"), EXPECTED);
        let state = self.items(state.context(EXPECTED)?)?;
        let &[_, shape, dtype, by_columns, values] = state else { bail!(EXPECTED) };
        let (by, of, _) = self.made(dtype).context(EXPECTED)?;
        let code = self.items(of)?.first().context(EXPECTED)?;
        ensure!(by.ends_with("dtype") && self.text(*code)? == b"u1", EXPECTED);
        let &[rows, columns] = self.items(shape)? else { bail!(EXPECTED) };
        let (rows, columns) = (usize::try_from(self.int(rows)?)?, usize::try_from(self.int(columns)?)?);
        let Node::Text(place) = &self.nodes[values] else { bail!(EXPECTED) };
        ensure!(
            rows.checked_mul(columns) == Some(place.len()),
            "an array of {rows} x {columns} bytes has {} in the pickle",
            place.len()
        );
        Ok(ByteArray { rows, columns, by_columns: self.int(by_columns)? != 0, place: place.clone() })
    }

    /// By what an object would be made, of what, and its state.
    fn made(&self, id: Id) -> Option<(&str, Id, Option<Id>)> {
        match &self.nodes[id] {
            Node::Made { by, of, state } => match &self.nodes[*by] {
                Node::Named(name) => Some((name, *of, *state)),
                _ => None,
            },
            _ => None,
        }
    }
}

#[derive(Default)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

impl Reader<'_> {
    fn run(&mut self) -> Result<Id> {
        for _ in 0..MAX_INSTRUCTIONS {
            let code = self.take(1)?;
            match self.bytes[code.start] {
                b'.' => return self.pop(),
                code => self.follow(code)?,
            }
        }
        bail!("more than {MAX_INSTRUCTIONS} instructions; CIFAR's pickles have far fewer")
    }

    fn follow(&mut self, code: u8) -> Result<()> {
        match code {
            // PROTO and FRAME say nothing that is needed.
            0x80 => _ = self.take(1)?,
            0x95 => _ = self.take(8)?,
            b'(' => self.marks.push(self.stack.len()),
            b'0' => _ = self.pop()?,
            b'N' => self.push(Node::Nothing),
            0x88 => self.push(Node::Int(1)),
            0x89 => self.push(Node::Int(0)),
            b'K' => self.push_int(1, false)?,
            b'M' => self.push_int(2, false)?,
            b'J' => self.push_int(4, true)?,
            0x8a => {
                let width = self.number(1)?;
                self.push_int(width, true)?;
            }
            // BINSTRING, BINBYTES and BINUNICODE with a length of 1, 4 or 8 bytes.
            b'U' | b'C' | 0x8c => self.push_text(1)?,
            b'T' | b'B' | b'X' => self.push_text(4)?,
            0x8d | 0x8e => self.push_text(8)?,
            b']' => self.push(Node::List(vec![])),
            b'}' => self.push(Node::Dict(vec![])),
            b')' => self.push(Node::Tuple(vec![])),
            0x85..=0x87 => self.tuple(usize::from(code - 0x84))?,
            b't' => {
                let items = self.since_mark()?;
                self.push(Node::Tuple(items));
            }
            b'a' | b'e' | b's' | b'u' => self.fill(code)?,
            b'q' | b'r' | 0x94 => self.remember(code)?,
            b'h' | b'j' => self.recall(code)?,
            b'c' | 0x93 => self.name(code)?,
            b'R' | b'b' => self.make(code)?,
            other => bail!(
                "instruction 0x{other:02x} makes more than plain data; a pickle is read, never run: expected lists, \
                 numbers, texts and NumPy arrays"
            ),
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<Range<usize>> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.context("it ends early")?;
        Ok(std::mem::replace(&mut self.at, end)..end)
    }

    /// An unsigned number of so many bytes, lowest first.
    fn number(&mut self, width: usize) -> Result<usize> {
        let place = self.take(width)?;
        let value = self.bytes[place].iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        usize::try_from(value).context("a length beyond this machine")
    }

    fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    fn push_int(&mut self, width: usize, is_signed: bool) -> Result<()> {
        ensure!(width <= 8, "a number of {width} bytes; expected at most 8");
        let place = self.take(width)?;
        let bytes = &self.bytes[place];
        let is_negative = is_signed && bytes.last().is_some_and(|top| *top >= 0x80);
        let mut all = [if is_negative { 0xff } else { 0 }; 8];
        all[..width].copy_from_slice(bytes);
        self.push(Node::Int(i64::from_le_bytes(all)));
        Ok(())
    }

    fn push_text(&mut self, width: usize) -> Result<()> {
        let length = self.number(width)?;
        let place = self.take(length)?;
        self.push(Node::Text(place));
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        ensure!(self.stack.len() > bottom, "it takes what is not there");
        self.stack.pop().context("it takes what is not there")
    }

    fn since_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().context("it takes what is not there")?;
        Ok(self.stack.split_off(mark))
    }

    fn tuple(&mut self, length: usize) -> Result<()> {
        let mut items = (0..length).map(|_| self.pop()).collect::<Result<Vec<Id>>>()?;
        items.reverse();
        self.push(Node::Tuple(items));
        Ok(())
    }

    /// APPEND, APPENDS, SETITEM and SETITEMS.
    fn fill(&mut self, code: u8) -> Result<()> {
        let items = match code {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.since_mark()?,
        };
        let place = *self.stack.last().context("it fills what is not there")?;
        match (&mut self.nodes[place], code) {
            (Node::List(list), b'a' | b'e') => list.extend(items),
            (Node::Dict(pairs), b's' | b'u') if items.len().is_multiple_of(2) => {
                pairs.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
            }
            _ => bail!("it fills what is neither a list nor a dictionary"),
        }
        Ok(())
    }

    /// BINPUT, LONG_BINPUT and MEMOIZE.
    fn remember(&mut self, code: u8) -> Result<()> {
        let key = match code {
            b'q' => self.number(1)?,
            b'r' => self.number(4)?,
            _ => self.memo.len(),
        };
        let top = *self.stack.last().context("it remembers what is not there")?;
        self.memo.insert(key, top);
        Ok(())
    }

    /// BINGET and LONG_BINGET.
    fn recall(&mut self, code: u8) -> Result<()> {
        let key = self.number(if code == b'h' { 1 } else { 4 })?;
        let known = self.memo.get(&key).with_context(|| format!("it recalls {key}, which it never kept"))?;
        self.stack.push(*known);
        Ok(())
    }

    /// GLOBAL and STACK_GLOBAL.
    fn name(&mut self, code: u8) -> Result<()> {
        let name = if code == b'c' {
            [self.line()?, self.line()?]
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            [self.text_of(module)?, self.text_of(name)?]
        };
        self.push(Node::Named(name.join(".")));
        Ok(())
    }

    fn text_of(&self, id: Id) -> Result<String> {
        match &self.nodes[id] {
            Node::Text(place) if place.len() < 256 => {
                Ok(String::from_utf8_lossy(&self.bytes[place.clone()]).into_owned())
            }
            _ => bail!("a name that is no short text"),
        }
    }

    fn line(&mut self) -> Result<String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().take(256).position(|byte| *byte == b'\n').context("a name without end")?;
        let place = self.take(length + 1)?;
        Ok(String::from_utf8_lossy(&self.bytes[place.start..place.end - 1]).into_owned())
    }

    /// REDUCE, which would call, and BUILD, which would set a state.
    fn make(&mut self, code: u8) -> Result<()> {
        let given = self.pop()?;
        if code == b'R' {
            let by = self.pop()?;
            let Node::Named(name) = &self.nodes[by] else { bail!("it calls what has no name") };
            ensure!(
                CALLABLES.iter().any(|(module, function)| *name == format!("{module}.{function}")),
                "it calls {name}; a pickle is read, never run, and only NumPy's arrays are expected"
            );
            self.push(Node::Made { by, of: given, state: None });
            return Ok(());
        }
        let place = *self.stack.last().context("it builds what is not there")?;
        match &mut self.nodes[place] {
            Node::Made { state, .. } => *state = Some(given),
            _ => bail!("it builds what it has not made"),
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "pickle_tests.rs"]
mod tests;
