//! Python's pickles as plain data: lists, numbers, texts, and of objects what they would be made of.
//!
//! A pickle is a program that makes objects; here nothing of it is run. Instructions that put data together are
//! followed; a call is written down by the name of what would be called and its arguments, where [`Rules`] let it
//! stand, and all else is refused with its place. What is made are indices and ranges of the file, at most one for
//! each instruction, and the instructions are counted: neither nested nor repeated references can grow it. (Crates for
//! pickles copy what is referred to twice, or leave objects out.)

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};

/// What a reader of pickles expects.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Most instructions that are followed.
    pub most_instructions: usize,
    /// Whether a call of this name, as `module.name`, may stand. The error says why not.
    pub calls: fn(&str) -> Result<()>,
    /// Whether objects of any class, and what lies outside of the pickle, may stand.
    pub objects: bool,
}

/// Plain data and NumPy's arrays.
pub const PLAIN: Rules = Rules {
    // The largest CIFAR file has about 300,000.
    most_instructions: 2_000_000,
    calls: |name| {
        const ARRAYS: [&str; 3] =
            ["numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct", "numpy.dtype"];
        ensure!(
            ARRAYS.contains(&name),
            "it calls {name}; a pickle is read, never run, and only NumPy's arrays are expected"
        );
        Ok(())
    },
    objects: false,
};

/// Names an object of a pickle.
pub type Id = usize;

/// An object, and by their ids what it holds.
#[derive(Clone, Debug)]
pub enum Node {
    /// `None`, and what has no data that could be wanted: a number that is not whole, a set.
    Nothing,
    /// A whole number, or a truth value as 0 or 1.
    Int(i64),
    /// Bytes of the file: a text or a string of bytes; also a number of more than 64 bits.
    Text(Range<usize>),
    /// A list.
    List(Vec<Id>),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A dictionary; of a key that stands twice the last one counts.
    Dict(Vec<(Id, Id)>),
    /// A class or function, as `module.name`.
    Named(String),
    /// What a function or class would have made of its arguments; apart, since most nodes are none and there may be millions.
    MadeObject(Box<MadeObject>),
    /// What lies outside of the pickle, by what names it.
    Outside(Id),
}

/// What a function or class would have made of its arguments.
#[derive(Clone, Debug)]
pub struct MadeObject {
    /// The function or class.
    pub by: Id,
    /// Its arguments.
    pub of: Id,
    /// The state that it is then given.
    pub state: Option<Id>,
    /// What it is then given under keys.
    pub pairs: Vec<(Id, Id)>,
}

/// A pickle that was read.
#[derive(Debug)]
pub struct Pickle<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node>,
    root: Id,
    length: usize,
}

/// A two-dimensional array of bytes.
pub struct ByteArray {
    /// Its rows.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
    /// Column by column, as Fortran keeps it.
    pub by_columns: bool,
    /// Where in the file its values are.
    pub place: Range<usize>,
}

impl<'a> Pickle<'a> {
    /// Reads a pickle of protocol 2 to 4 at the beginning of `bytes`.
    ///
    /// # Errors
    /// It ends early, has an instruction that the rules do not let stand, or too many. Says where.
    pub fn read(bytes: &'a [u8], rules: Rules) -> Result<Self> {
        let mut reader =
            Reader { bytes, rules, at: 0, nodes: vec![], stack: vec![], marks: vec![], memo: HashMap::new() };
        let root = reader.run().with_context(|| format!("the pickle at byte {}", reader.at))?;
        Ok(Self { bytes, root, length: reader.at, nodes: reader.nodes })
    }

    /// What the whole pickle is.
    pub fn root(&self) -> Id {
        self.root
    }

    /// Where it ends, bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// All objects, in the order in which they were made.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    /// Bytes of a [`Node::Text`].
    pub fn bytes_at(&self, place: &Range<usize>) -> &'a [u8] {
        &self.bytes[place.clone()]
    }

    /// An object.
    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
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

    /// A whole number.
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
            Node::MadeObject(made) => Some((self.name(made.by)?, made.of, made.state)),
            _ => None,
        }
    }

    /// The name of a class or function.
    pub fn name(&self, id: Id) -> Option<&str> {
        match &self.nodes[id] {
            Node::Named(name) => Some(name),
            _ => None,
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    rules: Rules,
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

impl Reader<'_> {
    fn run(&mut self) -> Result<Id> {
        for _ in 0..self.rules.most_instructions {
            let code = self.take(1)?;
            match self.bytes[code.start] {
                b'.' => return self.pop(),
                code => self.follow(code)?,
            }
        }
        bail!("more than {} instructions; what is expected here has far fewer", self.rules.most_instructions)
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
                self.push_long(width)?;
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
            b'c' | 0x93 => self.push_name(code)?,
            b'R' => self.call()?,
            b'b' => self.build()?,
            _ if self.rules.objects => self.follow_object(code)?,
            other => self.refuse(other)?,
        }
        Ok(())
    }

    /// The instructions that objects need.
    fn follow_object(&mut self, code: u8) -> Result<()> {
        match code {
            // BINFLOAT
            b'G' => {
                self.take(8)?;
                self.push(Node::Nothing);
            }
            0x8b => {
                let width = self.number(4)?;
                self.push_long(width)?;
            }
            // EMPTY_SET and FROZENSET; what a set holds is not wanted.
            0x8f => self.push(Node::Nothing),
            0x90 => _ = self.since_mark()?,
            0x91 => {
                self.since_mark()?;
                self.push(Node::Nothing);
            }
            // BYTEARRAY8
            0x96 => self.push_text(8)?,
            b'l' | b'd' => self.list_or_dict(code)?,
            // POP_MARK and DUP
            b'1' => _ = self.since_mark()?,
            b'2' => {
                let top = *self.stack.last().context("it copies what is not there")?;
                self.stack.push(top);
            }
            // BINPERSID
            b'Q' => {
                let named_by = self.pop()?;
                self.push(Node::Outside(named_by));
            }
            // NEWOBJ, and NEWOBJ_EX, which has arguments by name too.
            0x81 => self.call()?,
            0x92 => {
                self.pop()?;
                self.call()?;
            }
            other => self.refuse(other)?,
        }
        Ok(())
    }

    fn refuse(&self, code: u8) -> Result<()> {
        let (code, expected) = match self.rules.objects {
            true => (format!("instruction 0x{code:02x} is unknown"), "pickles of protocol 2 to 5 are read"),
            false => (
                format!("instruction 0x{code:02x} makes more than plain data; a pickle is read, never run"),
                "expected lists, numbers, texts and NumPy arrays",
            ),
        };
        bail!("{code}: {expected}")
    }

    /// LIST and DICT, of all since the mark.
    fn list_or_dict(&mut self, code: u8) -> Result<()> {
        let items = self.since_mark()?;
        self.push(match code {
            b'l' => Node::List(items),
            _ => Node::Dict(items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()),
        });
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

    /// A signed number of so many bytes; one of more than 64 bits stays as it is, where objects may stand.
    fn push_long(&mut self, width: usize) -> Result<()> {
        if width <= 8 || !self.rules.objects {
            return self.push_int(width, true);
        }
        let place = self.take(width)?;
        self.push(Node::Text(place));
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
            (Node::MadeObject(made), b's' | b'u') if items.len().is_multiple_of(2) => {
                made.pairs.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
            }
            // What an object that is like a list holds is not wanted.
            (Node::MadeObject(_), b'a' | b'e') => {}
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
    fn push_name(&mut self, code: u8) -> Result<()> {
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

    /// REDUCE and NEWOBJ, which would call.
    fn call(&mut self) -> Result<()> {
        let (of, by) = (self.pop()?, self.pop()?);
        match &self.nodes[by] {
            Node::Named(name) => (self.rules.calls)(name)?,
            _ => ensure!(self.rules.objects, "it calls what has no name"),
        }
        self.push(Node::MadeObject(Box::new(MadeObject { by, of, state: None, pairs: vec![] })));
        Ok(())
    }

    /// BUILD, which would set a state.
    fn build(&mut self) -> Result<()> {
        let given = self.pop()?;
        let place = *self.stack.last().context("it builds what is not there")?;
        match &mut self.nodes[place] {
            Node::MadeObject(made) => made.state = Some(given),
            _ => ensure!(self.rules.objects, "it builds what it has not made"),
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "pickle_tests.rs"]
mod tests;
