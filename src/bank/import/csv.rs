//! CSV as RFC 4180 has it, a record at a time.

use crate::files;
use anyhow::{Result, bail, ensure};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// No record is longer, bytes.
const MOST_RECORD: usize = 1 << 20;

/// An open file.
pub struct CsvFile {
    input: BufReader<File>,
    line: Vec<u8>,
    /// Lines that were read.
    lines: usize,
}

impl CsvFile {
    pub fn open(path: &Path) -> Result<Self> {
        let input = BufReader::with_capacity(1 << 16, files::open(path, files::MOST_WEIGHTS)?);
        Ok(Self { input, line: vec![], lines: 0 })
    }

    /// The fields of the next record; none at the end. Empty lines are passed over.
    ///
    /// # Errors
    /// A quote that is not closed, a record that is too long, or text that is not UTF-8.
    pub fn next(&mut self) -> Result<Option<Vec<String>>> {
        self.line.clear();
        let first = self.lines + 1;
        loop {
            let room = MOST_RECORD + 1 - self.line.len();
            let read = (&mut self.input).take(room as u64).read_until(b'\n', &mut self.line)?;
            ensure!(self.line.len() <= MOST_RECORD, "line {first} is longer than {MOST_RECORD} bytes");
            self.lines += usize::from(read > 0);
            let is_open = self.line.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
            match (read, is_open) {
                (0, true) => bail!("line {first}: a quote is opened and not closed"),
                (0, false) if self.line.is_empty() => return Ok(None),
                // A field goes on behind the end of the line.
                (_, true) => continue,
                _ if self.line.iter().all(u8::is_ascii_whitespace) => self.line.clear(),
                _ => break,
            }
        }
        let Ok(text) = std::str::from_utf8(&self.line) else { bail!("line {first} is not UTF-8") };
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        // What some programs put before the first name.
        Ok(Some(fields(text.strip_prefix('\u{feff}').unwrap_or(text))))
    }
}

/// Fields between commas; quotes around one are taken off, doubled ones within it become one.
fn fields(text: &str) -> Vec<String> {
    let (mut fields, mut field, mut is_quoted) = (vec![], String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => field.extend(characters.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Result<Vec<Vec<String>>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, text).unwrap();
        let mut file = CsvFile::open(&path)?;
        std::iter::from_fn(|| file.next().transpose()).collect()
    }

    #[test]
    fn fields_are_those_of_rfc_4180() {
        let found = records("\u{feff}a,b\r\n\"x, \"\"y\"\"\n z\",\n\n,\"\"").unwrap();
        assert_eq!(found, [["a", "b"], ["x, \"y\"\n z", ""], ["", ""]]);
        assert!(records("a\n\"b").unwrap_err().to_string().contains("line 2"));
        assert!(records(&"a".repeat(MOST_RECORD + 2)).unwrap_err().to_string().contains("longer"));
    }
}
