//! Names that come from outside: bytes that are usually UTF-8 and always untrusted.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name from a process, a path or the kernel: any bytes, kept exactly; cheap to clone.
///
/// `Display` is lossy and **not** safe for a terminal; everything a person sees goes through
/// `render::sanitize`. Serialises as a string, or as `{"hex": "…"}` when it is not UTF-8, so that a
/// recording loses nothing.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(
    // One pointer wide, since every row has room for some and few rows have any.
    Arc<Box<[u8]>>,
);

impl Text {
    /// Returns the text made of these bytes.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(Arc::new(bytes.into()))
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the text with each invalid sequence replaced by U+FFFD.
    pub fn to_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Returns the text as a string; `None` when it is not UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Returns the bytes in lower-case hexadecimal when they are not UTF-8: what JSON output
    /// carries in a second field.
    pub fn hex_unless_utf8(&self) -> Option<String> {
        self.as_str().is_none().then(|| {
            use fmt::Write as _;
            self.0.iter().fold(String::new(), |mut hex, byte| {
                // Writing to a String cannot fail.
                let _infallible = write!(hex, "{byte:02x}");
                hex
            })
        })
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_lossy(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_lossy())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire<'a> {
    Text(Cow<'a, str>),
    Hex { hex: Cow<'a, str> },
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.as_str(), self.hex_unless_utf8()) {
            (Some(text), _) => Wire::Text(text.into()),
            (None, hex) => Wire::Hex { hex: hex.unwrap_or_default().into() },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Wire::deserialize(deserializer)? {
            Wire::Text(text) => Ok(Self::from(text.into_owned())),
            Wire::Hex { hex } => parse_hex(&hex)
                .map(Self::from)
                .ok_or_else(|| D::Error::custom("\"hex\" needs an even number of hex digits")),
        }
    }
}

fn parse_hex(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = hex
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_recording_loses_no_byte(bytes: Vec<u8>) {
            let text = Text::from(bytes);
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(serde_json::from_str::<Text>(&json).unwrap(), text);
        }
    }

    #[test]
    fn broken_hex_is_refused() {
        for json in [r#"{"hex":"0"}"#, r#"{"hex":"zz"}"#, "7"] {
            assert!(serde_json::from_str::<Text>(json).is_err(), "{json}");
        }
    }
}
