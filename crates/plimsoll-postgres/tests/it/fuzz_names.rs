//! Names made at random of the bytes that an encoding lets in, whether they are characters or not.

use crate::fuzz::Chance;

/// How a character of an encoding is written.
#[derive(Clone, Copy)]
enum Bytes {
    /// `chr` takes the code point.
    Utf8,
    /// `chr` takes the byte: the server lets in all but 0, those without a character as well.
    Single,
    /// So many bytes after one of a range, `convert_from` takes them: the server looks at the form alone.
    Multi(&'static [(u8, u8, usize)]),
}

const PAIR: (u8, u8, usize) = (0xa1, 0xfe, 1);

/// Every encoding that a database may have, and what its characters look like.
const ENCODINGS: [(&str, Bytes); 35] = [
    ("UTF8", Bytes::Utf8),
    ("SQL_ASCII", Bytes::Single),
    ("LATIN1", Bytes::Single),
    ("LATIN2", Bytes::Single),
    ("LATIN3", Bytes::Single),
    ("LATIN4", Bytes::Single),
    ("LATIN5", Bytes::Single),
    ("LATIN6", Bytes::Single),
    ("LATIN7", Bytes::Single),
    ("LATIN8", Bytes::Single),
    ("LATIN9", Bytes::Single),
    ("LATIN10", Bytes::Single),
    ("ISO_8859_5", Bytes::Single),
    ("ISO_8859_6", Bytes::Single),
    ("ISO_8859_7", Bytes::Single),
    ("ISO_8859_8", Bytes::Single),
    ("WIN1250", Bytes::Single),
    ("WIN1251", Bytes::Single),
    ("WIN1252", Bytes::Single),
    ("WIN1253", Bytes::Single),
    ("WIN1254", Bytes::Single),
    ("WIN1255", Bytes::Single),
    ("WIN1256", Bytes::Single),
    ("WIN1257", Bytes::Single),
    ("WIN1258", Bytes::Single),
    ("WIN866", Bytes::Single),
    ("WIN874", Bytes::Single),
    ("KOI8R", Bytes::Single),
    ("KOI8U", Bytes::Single),
    (
        "EUC_JP",
        Bytes::Multi(&[PAIR, (0x8e, 0x8e, 1), (0x8f, 0x8f, 2)]),
    ),
    (
        "EUC_JIS_2004",
        Bytes::Multi(&[PAIR, (0x8e, 0x8e, 1), (0x8f, 0x8f, 2)]),
    ),
    ("EUC_KR", Bytes::Multi(&[PAIR])),
    ("EUC_CN", Bytes::Multi(&[PAIR])),
    ("EUC_TW", Bytes::Multi(&[PAIR])),
    (
        "MULE_INTERNAL",
        Bytes::Multi(&[(0x81, 0x8d, 1), (0x90, 0x99, 2)]),
    ),
];

/// An encoding, and how names of it are made.
#[derive(Clone, Copy)]
pub(crate) struct Encoding {
    pub(crate) name: &'static str,
    bytes: Bytes,
}

impl Encoding {
    pub(crate) fn any(chance: &mut Chance) -> Self {
        // Those that people have are half of all.
        let among = if chance.below(2) == 0 {
            5
        } else {
            ENCODINGS.len() as u64
        };
        let (name, bytes) = ENCODINGS[usize::try_from(chance.below(among)).unwrap()];
        Self { name, bytes }
    }

    /// SQL for a name that begins with `begin`, which keeps it apart from others, and goes on with bytes, quotes,
    /// dots and spaces among them.
    pub(crate) fn name(self, chance: &mut Chance, begin: &str) -> String {
        let mut parts = vec![format!("'{begin}'")];
        for _ in 0..chance.below(5) {
            if chance.below(4) == 0 {
                let codes = ["34", "39", "46", "32", "10", "92", "1", "127"];
                parts.push(format!("chr({})", chance.one_of(&codes)));
                continue;
            }
            parts.push(match self.bytes {
                Bytes::Utf8 => format!("chr({})", code_point(chance)),
                Bytes::Single => format!("chr({})", chance.below(255) + 1),
                Bytes::Multi(forms) => {
                    let at = chance.below(forms.len() as u64);
                    let (low, high, more) = forms[usize::try_from(at).unwrap()];
                    let within = |chance: &mut Chance, low: u8, high: u8| {
                        u64::from(low) + chance.below(u64::from(high - low) + 1)
                    };
                    let mut hex = format!("{:02x}", within(chance, low, high));
                    for _ in 0..more {
                        hex.push_str(&format!(
                            "{:02x}",
                            within(chance, 0xa1, if low == 0x8e { 0xdf } else { 0xfe })
                        ));
                    }
                    format!("convert_from('\\x{hex}'::bytea, '{}')", self.name)
                }
            });
        }
        parts.join(" || ")
    }
}

/// Any but a surrogate: those that are no characters (U+FFFF), that turn the line around, and that no font has.
fn code_point(chance: &mut Chance) -> u64 {
    match chance.below(4) {
        0 => chance.below(0x7f) + 1,
        1 => chance.below(0xd7ff) + 1,
        2 => 0xe000 + chance.below(0x2000),
        _ => 0x1_0000 + chance.below(0x10_0000),
    }
}
