//! JSON with two spaces a level, as serde_json's own; but a line's begin is one piece, not many, and the
//! first level may be any, so that a part of a document can be written by itself.

use std::io::{self, Write};

use serde_json::ser::Formatter;

/// Writes what is at this level.
#[derive(Debug)]
pub(super) struct Indented {
    level: usize,
    has_value: bool,
}

impl Indented {
    pub(super) const fn at(level: usize) -> Self {
        Self { level, has_value: false }
    }

    fn begin(&mut self, out: &mut (impl Write + ?Sized), bracket: &[u8]) -> io::Result<()> {
        self.level += 1;
        self.has_value = false;
        out.write_all(bracket)
    }

    fn end(&mut self, out: &mut (impl Write + ?Sized), bracket: &[u8]) -> io::Result<()> {
        self.level = self.level.saturating_sub(1);
        if self.has_value {
            self.line(out, true)?;
        }
        out.write_all(bracket)
    }

    fn line(&self, out: &mut (impl Write + ?Sized), first: bool) -> io::Result<()> {
        const LINE: &[u8] = b",\n                                        ";
        let length = 2 + 2 * self.level;
        if let Some(line) = LINE.get(usize::from(first)..length) {
            return out.write_all(line);
        }
        out.write_all(if first { b"\n" } else { b",\n" })?;
        (0..self.level).try_for_each(|_| out.write_all(b"  "))
    }
}

impl Formatter for Indented {
    fn begin_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.line(out, first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"}")
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.line(out, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize as _;
    use serde_json::{Serializer, Value, json, to_string_pretty};

    use super::*;

    #[test]
    fn it_is_as_serde_json_indents() {
        let deep = (0..30).fold(json!([1, {}]), |inner, _| json!({ "a": [inner, []], "b": null }));
        for value in [json!([]), json!({}), json!([[], {}, [{ "a": {} }]]), deep, Value::Null] {
            let mut out = Vec::new();
            value.serialize(&mut Serializer::with_formatter(&mut out, Indented::at(0))).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), to_string_pretty(&value).unwrap());
        }
    }
}
