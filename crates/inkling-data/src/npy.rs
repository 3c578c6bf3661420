//! Arrays in NumPy's `.npy` format (versions 1 to 3), as they stand in a `.npz` archive: shape and
//! element type from the header, then whole numbers and text. Objects, which NumPy stores as
//! pickles, are refused.

use std::io::{ErrorKind, Read};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Headers are a line of text; NumPy itself refuses to parse more than 10,000 characters.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    /// Whole numbers of 1, 2, 4 or 8 bytes.
    Integer { bytes: usize, signed: bool, big_endian: bool },
    /// Text of a fixed number of UTF-32 characters.
    Text { characters: usize, big_endian: bool },
    /// Text of a fixed number of bytes.
    Bytes { length: usize },
}

impl Element {
    /// Bytes of one element.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Element::Integer { bytes, .. } => bytes,
            Element::Text { characters, .. } => 4 * characters,
            Element::Bytes { length } => length,
        }
    }
}

/// What stands before the elements, which follow in row-major order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) element: Element,
    pub(crate) shape: Vec<u64>,
    /// Bytes from the beginning of the file to the first element.
    pub(crate) data_offset: u64,
}

impl Header {
    /// Bytes of all elements, unless they are more than can be counted.
    pub(crate) fn data_bytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.element.bytes() as u64, |bytes, &extent| bytes.checked_mul(extent))
    }
}

/// Reads the header; the reader then stands at the first element.
///
/// # Errors
/// What is wrong, and what to do.
pub(crate) fn read_header(reader: &mut impl Read) -> Result<Header, String> {
    let mut take = |bytes: usize| {
        let mut buffer = vec![0; bytes];
        reader.read_exact(&mut buffer).map(|()| buffer).map_err(|error| truncated(&error))
    };
    let start = take(8)?;
    if !start.starts_with(MAGIC) {
        return Err("it is no array in NumPy's format".to_owned());
    }
    let (length, prefix) = match start[6] {
        1 => (u16::from_le_bytes(array(&take(2)?)) as usize, 10),
        2 | 3 => (u32::from_le_bytes(array(&take(4)?)) as usize, 12),
        version => {
            return Err(format!("version {version} of NumPy's format is unknown; save it again with numpy.savez"));
        }
    };
    if length > MAX_HEADER_BYTES {
        return Err(format!("its header claims {length} bytes; the file is damaged, save it again"));
    }
    let text = take(length)?;
    let text = std::str::from_utf8(&text).map_err(|_| damaged("it is no text"))?;
    let dictionary = Parser { rest: text }.dictionary().map_err(|reason| damaged(&reason))?;
    let value = |key: &str| {
        let found = dictionary.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value).ok_or_else(|| damaged(&format!("no {key}")))
    };
    let element = match value("descr")? {
        Value::Text(text) => element(text)?,
        _ => return Err("its elements are records; save the images and labels as plain arrays".to_owned()),
    };
    let Value::Flag(fortran_order) = value("fortran_order")? else { return Err(damaged("fortran_order")) };
    let Value::Shape(shape) = value("shape")? else { return Err(damaged("shape")) };
    if *fortran_order && shape.len() > 1 {
        return Err("it is stored column by column; save numpy.ascontiguousarray of it".to_owned());
    }
    Ok(Header { element, shape: shape.clone(), data_offset: (prefix + length) as u64 })
}

/// The elements of an array of whole numbers; unsigned ones over the range of `i64` are refused.
///
/// # Errors
/// What is wrong, and what to do.
pub(crate) fn integers(element: Element, data: &[u8]) -> Result<Vec<i64>, String> {
    let Element::Integer { bytes, signed, big_endian } = element else {
        return Err("it holds text where whole numbers belong".to_owned());
    };
    let number = |raw: &[u8]| {
        let mut wide = [0; 8];
        // Least significant byte first.
        for (to, at) in wide.iter_mut().zip(0..bytes) {
            *to = raw.get(if big_endian { bytes - 1 - at } else { at }).copied().unwrap_or(0);
        }
        let shift = 64 - 8 * bytes as u32;
        let value = u64::from_le_bytes(wide) << shift;
        if signed { Ok((value as i64) >> shift) } else { i64::try_from(value >> shift) }
    };
    data.chunks_exact(bytes)
        .map(|raw| number(raw).map_err(|_| "it holds a number beyond 2^63; labels count from 0".to_owned()))
        .collect()
}

/// The elements of an array of text, without the padding that NumPy puts behind them.
///
/// # Errors
/// What is wrong, and what to do.
pub(crate) fn texts(element: Element, data: &[u8]) -> Result<Vec<String>, String> {
    let no_text = || "it holds no valid text; save the names as an array of str".to_owned();
    let text = |raw: &[u8]| match element {
        Element::Text { big_endian, .. } => raw
            .chunks_exact(4)
            .map(|four| if big_endian { u32::from_be_bytes(array(four)) } else { u32::from_le_bytes(array(four)) })
            .map(|code| char::from_u32(code).ok_or_else(no_text))
            .collect(),
        Element::Bytes { .. } => String::from_utf8(raw.to_vec()).map_err(|_| no_text()),
        Element::Integer { .. } => Err(no_text()),
    };
    // Elements of no width are empty text, and not to be counted by their bytes.
    let width = element.bytes().max(1);
    data.chunks_exact(width).map(|raw| text(raw).map(|text| text.trim_end_matches('\0').to_owned())).collect()
}

/// The first `N` bytes; zeros where there are fewer, which no caller hands over.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    out
}

fn truncated(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "it is truncated; copy or save it again".to_owned(),
        _ => format!("it cannot be read ({error}); copy or save it again"),
    }
}

fn damaged(what: &str) -> String {
    format!("its header is damaged ({what}); copy or save it again")
}

/// The element type that a `descr` such as `<i8` or `|u1` names.
fn element(descr: &str) -> Result<Element, String> {
    let unknown = || format!("its elements are of the type {descr:?}; images must be uint8 and labels whole numbers");
    let mut characters = descr.chars();
    let big_endian = match characters.next() {
        Some('<' | '|') => false,
        Some('>') => true,
        // NumPy writes the byte order out; "=" would mean that of an unknown machine.
        _ => return Err(unknown()),
    };
    let kind = characters.next();
    if kind == Some('O') {
        return Err(
            "it holds Python objects, which are pickles that can run code, and is not read; save plain arrays \
                    of numbers (numpy.savez refuses the others with allow_pickle=False)"
                .to_owned(),
        );
    }
    let size: usize = characters.as_str().parse().map_err(|_| unknown())?;
    match (kind, size) {
        (Some('u' | 'i'), 1 | 2 | 4 | 8) => Ok(Element::Integer { bytes: size, signed: kind == Some('i'), big_endian }),
        (Some('U'), 0..=4096) => Ok(Element::Text { characters: size, big_endian }),
        (Some('S'), 0..=16384) => Ok(Element::Bytes { length: size }),
        _ => Err(unknown()),
    }
}

/// The values of a header's dictionary, as far as they occur.
#[derive(Debug, PartialEq)]
enum Value {
    Text(String),
    Flag(bool),
    Shape(Vec<u64>),
    /// A list, as structured arrays have for their type: not looked into.
    Other,
}

/// A reader of the one Python literal that headers are: a flat dictionary.
struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn dictionary(mut self) -> Result<Vec<(String, Value)>, String> {
        self.expect('{')?;
        let mut entries = Vec::new();
        while !self.accept('}') {
            let key = self.text()?;
            self.expect(':')?;
            entries.push((key, self.value()?));
            if !self.accept(',') {
                self.expect('}')?;
                break;
            }
        }
        if self.rest.trim().is_empty() { Ok(entries) } else { Err("text behind the dictionary".to_owned()) }
    }

    fn value(&mut self) -> Result<Value, String> {
        self.rest = self.rest.trim_start();
        for (word, flag) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(Value::Flag(flag));
            }
        }
        if self.rest.starts_with('(') {
            return self.shape().map(Value::Shape);
        }
        if self.rest.starts_with('[') {
            // Types of records: nothing after them is of use.
            let end = self.rest.rfind(']').ok_or("no ]")?;
            self.rest = &self.rest[end + 1..];
            return Ok(Value::Other);
        }
        self.text().map(Value::Text)
    }

    /// A tuple of whole numbers: `()`, `(3,)`, `(2, 3)`.
    fn shape(&mut self) -> Result<Vec<u64>, String> {
        self.expect('(')?;
        let mut extents = Vec::new();
        while !self.accept(')') {
            let digits = self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = self.rest.split_at(digits);
            extents.push(number.parse().map_err(|_| format!("{number:?} in the shape"))?);
            self.rest = rest;
            if !self.accept(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(extents)
    }

    /// Text in single or double quotes, without escapes: keys and types need none.
    fn text(&mut self) -> Result<String, String> {
        self.rest = self.rest.trim_start();
        let quote = self.rest.chars().next().filter(|&c| c == '\'' || c == '"').ok_or("a quote is missing")?;
        let (text, rest) = self.rest[1..].split_once(quote).ok_or("a quote is missing")?;
        self.rest = rest;
        Ok(text.to_owned())
    }

    /// Steps over a character and the space around it.
    fn accept(&mut self, character: char) -> bool {
        match self.rest.trim_start().strip_prefix(character) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, character: char) -> Result<(), String> {
        if self.accept(character) { Ok(()) } else { Err(format!("{character:?} is missing")) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file of version 1 as NumPy writes it: padded to 64 bytes, ended by a line break.
    pub(crate) fn npy(descr: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
        let extents: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn header(text: &str) -> Result<Header, String> {
        let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
        read_header(&mut bytes.as_slice())
    }

    #[test]
    fn headers_are_read() {
        let bytes = npy("|u1", &[2, 84, 84, 3], &[]);
        let read = read_header(&mut bytes.as_slice()).unwrap();
        assert_eq!(read.element, Element::Integer { bytes: 1, signed: false, big_endian: false });
        assert_eq!((read.shape.as_slice(), read.data_offset), ([2, 84, 84, 3].as_slice(), 128));
        assert_eq!(read.data_bytes(), Some(2 * 84 * 84 * 3));
        let read = header("{\"shape\":(7,),'fortran_order' : True,'descr':\">i4\"}").unwrap();
        assert_eq!(read.element, Element::Integer { bytes: 4, signed: true, big_endian: true });
        assert_eq!(read.shape, [7]);
        assert!(header("{'descr': '<U9', 'fortran_order': False, 'shape': ()}").unwrap().shape.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let with = |descr: &str| format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}");
        let message = |text: &str| header(text).unwrap_err();
        assert!(message(&with("'|O'")).contains("pickles that can run code"));
        assert!(message(&with("'<f4'")).contains("images must be uint8"));
        assert!(message(&with("[('a', '<i4'), ('b', '<i4')]")).contains("records"));
        assert!(message("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }").contains("ascontiguousarray"));
        assert!(message("{'descr': '|u1', 'fortran_order': False}").contains("no shape"));
        assert!(message("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}").contains("damaged"));
        assert!(message("__import__('os')").contains("damaged"));
        assert!(read_header(&mut &b"PK\x03\x04 no array"[..]).unwrap_err().contains("no array"));
        assert!(read_header(&mut &npy("|u1", &[1], &[])[..40]).unwrap_err().contains("truncated"));
        let huge = header("{'descr': '<i8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}").unwrap();
        assert_eq!(huge.data_bytes(), None);
    }

    #[test]
    fn numbers_of_every_width_and_order() {
        let of = |descr: &str, data: &[u8]| integers(element(descr).unwrap(), data);
        assert_eq!(of("|u1", &[0, 200]).unwrap(), [0, 200]);
        assert_eq!(of("|i1", &[0, 200]).unwrap(), [0, -56]);
        assert_eq!(of("<u2", &[1, 2]).unwrap(), [0x201]);
        assert_eq!(of(">u2", &[1, 2]).unwrap(), [0x102]);
        assert_eq!(of("<i4", &(-7i32).to_le_bytes()).unwrap(), [-7]);
        assert_eq!(of(">i8", &(-7i64).to_be_bytes()).unwrap(), [-7]);
        assert!(of("<u8", &u64::MAX.to_le_bytes()).unwrap_err().contains("2^63"));
        assert!(of("|S1", b"x").is_err());
    }

    #[test]
    fn text_loses_its_padding() {
        let wide: Vec<u8> = ['ä', 'b', '\0', 'c', '\0', '\0'].iter().flat_map(|&c| (c as u32).to_le_bytes()).collect();
        assert_eq!(texts(element("<U3").unwrap(), &wide).unwrap(), ["äb", "c"]);
        assert_eq!(texts(element("|S3").unwrap(), b"ab\0abc").unwrap(), ["ab", "abc"]);
        assert!(texts(element("<U1").unwrap(), &[0, 0, 0, 255]).is_err());
        assert!(texts(element("|u1").unwrap(), b"a").is_err());
        assert!(texts(element("<U0").unwrap(), b"").unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(
            text in "[{}()\\[\\]',:\"a-zA-Z0-9|<> é]{0,60}", version in 0u8..5, claimed in any::<u16>(),
        ) {
            let mut bytes = b"\x93NUMPY".to_vec();
            bytes.extend([version, 0]);
            bytes.extend(claimed.to_le_bytes());
            bytes.extend(text.as_bytes());
            let _ = read_header(&mut bytes.as_slice());
            let _ = header(&text);
        }

        #[test]
        fn damaged_headers_do_not_panic(at in 0usize..128, byte in any::<u8>()) {
            let mut bytes = npy("<i8", &[3, 84], &[0; 24]);
            bytes[at] = byte;
            if let Ok(header) = read_header(&mut bytes.as_slice()) {
                let _ = (header.data_bytes(), integers(header.element, &[1; 24]), texts(header.element, &[1; 24]));
            }
        }
    }
}
