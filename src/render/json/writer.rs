//! JSON as serde_json writes it, byte for byte, in a third of the time: most of a row is its keys, and
//! keys that are names of fields need no look at each of their letters; a line's begin is one piece.
//!
//! The first level may be any, so that a part of a document can be written by itself.

use std::fmt;

use serde::Serialize;
use serde::ser::{self, Impossible, Serializer};
use serde_json::Error;

/// Appends JSON to bytes.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// Two spaces for each level of what is written; `None` for all in one line.
    indent: Option<usize>,
}

/// What opens a line, at whatever level there is.
const LINE: &[u8] = b",\n                                        ";

impl<'a> Writer<'a> {
    /// Writes all in one line.
    pub(super) const fn compact(out: &'a mut Vec<u8>) -> Self {
        Self { out, indent: None }
    }

    /// Writes a field a line, as what is at this level.
    pub(super) const fn indented(out: &'a mut Vec<u8>, level: usize) -> Self {
        Self { out, indent: Some(2 * level) }
    }

    /// Ends what was before, and begins the next line.
    fn line(&mut self, is_first: bool) {
        let skipped = usize::from(is_first);
        let Some(indent) = self.indent else {
            return self.out.extend(if is_first { None } else { Some(b',') });
        };
        if let Some(line) = LINE.get(skipped..2 + indent) {
            return self.out.extend_from_slice(line);
        }
        self.out.extend_from_slice(if is_first { b"\n" } else { b",\n" });
        self.out.resize(self.out.len() + indent, b' ');
    }

    fn begin(mut self, bracket: u8, closing: u8) -> Nested<'a> {
        self.out.push(bracket);
        self.indent = self.indent.map(|indent| indent + 2);
        Nested { writer: self, closing, is_empty: true }
    }

    /// Returns this for a value inside.
    const fn inner(&mut self) -> Writer<'_> {
        Writer { out: &mut *self.out, indent: self.indent }
    }

    fn number(self, number: impl itoa::Integer) {
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    fn word(self, word: &str) {
        self.out.extend_from_slice(word.as_bytes());
    }

    /// Writes the name of a field or of a variant.
    fn name(&mut self, name: &str) {
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'"');
    }

    fn colon(&mut self) {
        self.out.extend_from_slice(if self.indent.is_some() { b": " } else { b":" });
    }
}

/// An array or an object that is being written.
#[derive(Debug)]
pub(super) struct Nested<'a> {
    writer: Writer<'a>,
    closing: u8,
    is_empty: bool,
}

impl Nested<'_> {
    fn next(&mut self) {
        self.writer.line(self.is_empty);
        self.is_empty = false;
    }

    fn element(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.next();
        value.serialize(self.writer.inner())
    }

    fn close(mut self) {
        self.writer.indent = self.writer.indent.map(|indent| indent - 2);
        if !self.is_empty && self.writer.indent.is_some() {
            self.writer.line(true);
        }
        self.writer.out.push(self.closing);
    }
}

macro_rules! numbers {
    ($($method:ident($number:ty))+) => {$(
        fn $method(self, number: $number) -> Result<(), Error> {
            self.number(number);
            Ok(())
        }
    )+};
}

macro_rules! by_serde_json {
    ($($method:ident($value:ty))+) => {$(
        fn $method(self, value: $value) -> Result<(), Error> {
            serde_json::to_writer(self.out, &value)
        }
    )+};
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Nested<'a>;
    type SerializeTuple = Nested<'a>;
    type SerializeTupleStruct = Nested<'a>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Impossible<(), Error>;
    type SerializeStruct = Nested<'a>;
    type SerializeStructVariant = Impossible<(), Error>;

    numbers! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
    }

    by_serde_json! { serialize_f32(f32) serialize_f64(f64) serialize_char(char) }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.word(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_str(mut self, text: &str) -> Result<(), Error> {
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        if text.bytes().all(is_plain) {
            self.name(text);
            return Ok(());
        }
        serde_json::to_writer(self.out, text)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        bytes.serialize(self)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.word("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.name(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut object = self.serialize_struct(name, 1)?;
        ser::SerializeStruct::serialize_field(&mut object, variant, value)?;
        ser::SerializeStruct::end(object)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Nested<'a>, Error> {
        Ok(self.begin(b'[', b']'))
    }

    fn serialize_tuple(self, length: usize) -> Result<Nested<'a>, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Nested<'a>, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Nested<'a>, Error> {
        Ok(self.begin(b'{', b'}'))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        Err(never("map"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(never("tuple variant"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Err(never("struct variant"))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.serialize_str(&value.to_string())
    }
}

/// The listing's types have none of these.
fn never(what: &str) -> Error {
    ser::Error::custom(format!("a row has no {what}"))
}

macro_rules! sequences {
    ($($sequence:ident::$method:ident)+) => {$(
        impl ser::$sequence for Nested<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )+};
}

sequences! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
}

impl ser::SerializeStruct for Nested<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.next();
        self.writer.name(key);
        self.writer.colon();
        value.serialize(self.writer.inner())
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{to_string, to_string_pretty};

    use super::*;

    #[derive(Debug, Serialize)]
    struct Row<'a> {
        numbers: (u8, i64, f64),
        text: &'a str,
        letter: char,
        is_it: bool,
        nothing: Option<()>,
        none: [u8; 0],
        kind: Kind,
        kinds: Vec<Kind>,
        #[serde(skip_serializing_if = "Option::is_none")]
        inner: Option<Box<Row<'a>>>,
    }

    #[derive(Debug, Serialize)]
    enum Kind {
        Plain,
        Of(u16),
    }

    /// Rows in one another, this many.
    fn row(text: &str, depth: usize) -> Row<'_> {
        Row {
            numbers: (u8::MAX, i64::MIN, 0.5),
            text,
            letter: '"',
            is_it: true,
            nothing: None,
            none: [],
            kind: Kind::Plain,
            kinds: vec![Kind::Of(7), Kind::Plain],
            inner: depth.checked_sub(1).map(|depth| Box::new(row(text, depth))),
        }
    }

    proptest! {
        #[test]
        fn it_is_as_serde_json_writes(text: String, depth in 0_usize..30) {
            let row = row(&text, depth);
            let (mut line, mut indented) = (Vec::new(), Vec::new());
            row.serialize(Writer::compact(&mut line)).unwrap();
            row.serialize(Writer::indented(&mut indented, 0)).unwrap();
            prop_assert_eq!(String::from_utf8(line).unwrap(), to_string(&row).unwrap());
            let pretty = to_string_pretty(&row).unwrap();
            prop_assert_eq!(String::from_utf8(indented).unwrap(), pretty);
        }
    }
}
