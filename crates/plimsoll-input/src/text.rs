//! Bytes to UTF-8 text, in whichever encoding a program saved it.

use std::io::{self, BufReader, Chain, Cursor, Read};

/// How the bytes are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// UTF-8, or a superset of ASCII that spoils its own cells only.
    Plain,
    Utf16 {
        is_big_endian: bool,
    },
}

impl Encoding {
    const LITTLE: Self = Self::Utf16 {
        is_big_endian: false,
    };
    const BIG: Self = Self::Utf16 {
        is_big_endian: true,
    };
}

/// An input as UTF-8 without a byte order mark.
pub(crate) struct Utf8<R> {
    input: BufReader<Chain<Cursor<Vec<u8>>, R>>,
    encoding: Encoding,
    /// The first half of a character of which the second has not come yet.
    half: Option<u16>,
    /// Decoded, and not yet taken.
    ready: Vec<u8>,
    taken: usize,
}

impl<R: Read> Utf8<R> {
    pub(crate) fn new(mut input: R) -> io::Result<Self> {
        let mut start = Vec::new();
        (&mut input).take(4).read_to_end(&mut start)?;
        let (encoding, mark) = match &*start {
            [0xef, 0xbb, 0xbf, ..] => (Encoding::Plain, 3),
            [0xff, 0xfe, ..] => (Encoding::LITTLE, 2),
            [0xfe, 0xff, ..] => (Encoding::BIG, 2),
            // without a mark: no text has a NUL in every other byte
            [a, 0, b, 0] if *a != 0 && *b != 0 => (Encoding::LITTLE, 0),
            [0, a, 0, b] if *a != 0 && *b != 0 => (Encoding::BIG, 0),
            _ => (Encoding::Plain, 0),
        };
        start.drain(..mark);
        let input = BufReader::with_capacity(1 << 16, Cursor::new(start).chain(input));
        Ok(Self {
            input,
            encoding,
            half: None,
            ready: Vec::new(),
            taken: 0,
        })
    }

    /// Decodes what is at hand. Returns whether there was anything.
    fn decode(&mut self, is_big_endian: bool) -> io::Result<bool> {
        self.ready.clear();
        self.taken = 0;
        let mut pairs = vec![0; 1 << 14];
        let mut filled = 0;
        while filled < pairs.len() {
            match self.input.read(&mut pairs[filled..])? {
                0 => break,
                read => filled += read,
            }
            if filled % 2 == 0 {
                break;
            }
        }
        if filled == 0 && self.half.is_none() {
            return Ok(false);
        }
        let units = pairs[..filled].chunks_exact(2).map(|pair| {
            if is_big_endian {
                u16::from_be_bytes([pair[0], pair[1]])
            } else {
                u16::from_le_bytes([pair[0], pair[1]])
            }
        });
        let mut units: Vec<u16> = self.half.take().into_iter().chain(units).collect();
        if filled > 0
            && units
                .last()
                .is_some_and(|unit| (0xd800..0xdc00).contains(unit))
        {
            self.half = units.pop();
        }
        for decoded in char::decode_utf16(units) {
            let c = decoded.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.ready
                .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(true)
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Encoding::Utf16 { is_big_endian } = self.encoding else {
            return self.input.read(buffer);
        };
        while self.taken == self.ready.len() {
            if !self.decode(is_big_endian)? {
                return Ok(0);
            }
        }
        let ready = &self.ready[self.taken..];
        let count = ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ready[..count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_gives_the_same_text() {
        let text = "date,bytes\r\n2026-01-31,10 \u{1f980}é\n".repeat(5000);
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [b"\xff\xfe", &*little].concat(),
            [b"\xfe\xff", &*big].concat(),
            little,
            big,
        ] {
            // a pipe gives as much as it has
            for at_once in [1, 7, 4096] {
                let piped = Slow {
                    bytes: &bytes,
                    at_once,
                };
                let mut read = String::new();
                Utf8::new(piped).unwrap().read_to_string(&mut read).unwrap();
                assert_eq!(read.len(), text.len());
                assert!(read == text);
            }
        }
    }

    struct Slow<'a> {
        bytes: &'a [u8],
        at_once: usize,
    }

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.at_once.min(buffer.len()).min(self.bytes.len());
            buffer[..count].copy_from_slice(&self.bytes[..count]);
            self.bytes = &self.bytes[count..];
            Ok(count)
        }
    }
}
