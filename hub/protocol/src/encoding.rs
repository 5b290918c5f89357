//! Character encodings of old clients, converted at their edge.

use std::borrow::Cow;
use std::fmt;

/// The encoding that is set for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// ISO 8859-1.
    Latin1,
    /// Windows code page 1252.
    Cp1252,
    /// Quake's own 8-bit character set: 128 glyphs, and the same again in bronze.
    Quake,
}

/// Windows code page 1252 from 0x80 to 0x9f; the five unassigned bytes are the C1 controls of
/// the same number, as in the WHATWG Encoding Standard (index-windows-1252).
const CP1252_80_TO_9F: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The first 32 glyphs of Quake's character set, as the nearest character that is in
/// Latin-1 too: a dot at 0x05, 0x0e, 0x0f and 0x1c, a block at 0x0b, an arrow at 0x0d, brackets
/// and digits from 0x10, the ends and the middle of a bar from 0x1d. After the tables of mvdsv
/// and ezQuake (`readablechars`); what has no readable form is `_`, and never a control character.
const QUAKE_00_TO_1F: [char; 32] = [
    '_', '_', '_', '_', '_', '·', '_', '_', '_', '_', '_', '#', '_', '>', '·', '·', '[', ']', '0',
    '1', '2', '3', '4', '5', '6', '7', '8', '9', '·', '<', '=', '>',
];

impl Encoding {
    /// Every encoding.
    pub const ALL: [Self; 4] = [Self::Utf8, Self::Latin1, Self::Cp1252, Self::Quake];

    /// The encoding of this name, as written in configuration: `utf-8`, `latin1` (or
    /// `iso-8859-1`), `cp1252`, `quake`; case does not matter.
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "utf-8" => Some(Self::Utf8),
            "latin1" | "iso-8859-1" => Some(Self::Latin1),
            "cp1252" => Some(Self::Cp1252),
            "quake" => Some(Self::Quake),
            _ => None,
        }
    }

    /// The name, as [`Encoding::parse`] reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Latin1 => "latin1",
            Self::Cp1252 => "cp1252",
            Self::Quake => "quake",
        }
    }

    /// What `bytes` are taken for when nothing is set for their sender: UTF-8 if they are valid
    /// UTF-8, else CP1252.
    pub fn guess(bytes: &[u8]) -> Self {
        if std::str::from_utf8(bytes).is_ok() {
            Self::Utf8
        } else {
            Self::Cp1252
        }
    }

    /// `bytes` as text. Every byte gives a character, so nothing is left out; bytes that should
    /// be UTF-8 and are not are read as CP1252.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        let plain = |b: &u8| (b' '..0x7f).contains(b);
        if let (true, Ok(text)) = (
            self == Self::Utf8 || bytes.iter().all(plain),
            std::str::from_utf8(bytes),
        ) {
            return Cow::Borrowed(text);
        }
        Cow::Owned(bytes.iter().map(|byte| self.decode_byte(*byte)).collect())
    }

    fn decode_byte(self, byte: u8) -> char {
        let from = |table: &[char], base: u8| {
            let index = usize::from(byte.wrapping_sub(base));
            table.get(index).copied().unwrap_or(char::from(byte))
        };
        match self {
            Self::Latin1 => char::from(byte),
            Self::Utf8 | Self::Cp1252 => from(&CP1252_80_TO_9F, 0x80),
            Self::Quake => match byte {
                0x80 => '(',
                0x81 => '=',
                0x82 => ')',
                0x83..0xff => Self::Quake.decode_byte(byte & 0x7f),
                0x7f | 0xff => '<',
                _ => from(&QUAKE_00_TO_1F, 0),
            },
        }
    }

    /// Adds `text` to `out` in this encoding. A character that the encoding has not is written
    /// as its nearest ASCII form (`é` as `e`, `“` as `"`), else as `?`.
    pub fn encode(self, text: &str, out: &mut Vec<u8>) {
        if self == Self::Utf8 {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        for c in text.chars() {
            match self.encode_char(c) {
                Some(byte) => out.push(byte),
                None => out.extend_from_slice(nearest_ascii(c).as_bytes()),
            }
        }
    }

    fn encode_char(self, c: char) -> Option<u8> {
        let latin1 = u8::try_from(u32::from(c)).ok();
        match self {
            Self::Utf8 => latin1.filter(u8::is_ascii),
            Self::Latin1 => latin1,
            Self::Cp1252 => {
                let position = CP1252_80_TO_9F.iter().position(|known| *known == c);
                let high = position.and_then(|p| u8::try_from(0x80 + p).ok());
                high.or_else(|| latin1.filter(|b| !(0x80..0xa0).contains(b)))
            }
            // Below space and at 0x7f this set has glyphs where ASCII has controls.
            Self::Quake => latin1.filter(|b| (b' '..0x7f).contains(b)),
        }
    }

    /// `bytes` of a sender of the encoding `from` (none: [`Encoding::guess`]) in the encoding
    /// `to`. A conversion never brings in a CR, LF or NUL that was not in `bytes`.
    pub fn convert(bytes: &[u8], from: Option<Self>, to: Self) -> Cow<'_, [u8]> {
        let from = from.unwrap_or_else(|| Self::guess(bytes));
        if from == to && to != Self::Utf8 {
            return Cow::Borrowed(bytes);
        }
        match from.decode(bytes) {
            Cow::Borrowed(text) if to == Self::Utf8 => Cow::Borrowed(text.as_bytes()),
            text => {
                let mut out = Vec::with_capacity(text.len());
                to.encode(&text, &mut out);
                Cow::Owned(out)
            }
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// ASCII that reads like `c`: letters without their marks, plain quotes and dashes; else `?`.
fn nearest_ascii(c: char) -> &'static str {
    match c {
        'À'..='Å' | 'Ā' | 'Ă' | 'Ą' => "A",
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'Æ' => "AE",
        'æ' => "ae",
        'Ç' | 'Ć' | 'Ĉ' | 'Ċ' | 'Č' => "C",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'Ð' | 'Ď' | 'Đ' => "D",
        'ð' | 'ď' | 'đ' => "d",
        'È'..='Ë' | 'Ē' | 'Ė' | 'Ę' | 'Ě' => "E",
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'Ì'..='Ï' | 'Ī' | 'Į' | 'İ' => "I",
        'ì'..='ï' | 'ī' | 'į' | 'ı' => "i",
        'Ł' | 'Ĺ' | 'Ľ' | 'Ļ' => "L",
        'ł' | 'ĺ' | 'ľ' | 'ļ' => "l",
        'Ñ' | 'Ń' | 'Ň' | 'Ņ' => "N",
        'ñ' | 'ń' | 'ň' | 'ņ' => "n",
        'Ò'..='Ö' | 'Ø' | 'Ō' | 'Ő' => "O",
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => "o",
        'Œ' => "OE",
        'œ' => "oe",
        'Ř' | 'Ŕ' => "R",
        'ř' | 'ŕ' => "r",
        'Ś' | 'Š' | 'Ş' | 'Ș' => "S",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ß' => "ss",
        'Ť' | 'Ţ' | 'Ț' => "T",
        'ť' | 'ţ' | 'ț' => "t",
        'Ù'..='Ü' | 'Ū' | 'Ů' | 'Ű' | 'Ų' => "U",
        'ù'..='ü' | 'ū' | 'ů' | 'ű' | 'ų' => "u",
        'Ý' | 'Ÿ' => "Y",
        'ý' | 'ÿ' => "y",
        'Ź' | 'Ż' | 'Ž' => "Z",
        'ź' | 'ż' | 'ž' => "z",
        'Þ' => "Th",
        'þ' => "th",
        '‘' | '’' | '‚' | '‛' | '´' => "'",
        '“' | '”' | '„' | '«' | '»' => "\"",
        '‐'..='―' | '−' | '\u{ad}' => "-",
        '·' | '•' => ".",
        '…' => "...",
        '€' => "EUR",
        '\t' | '\u{a0}' => " ",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn convert(bytes: &[u8], from: Option<Encoding>, to: Encoding) -> Vec<u8> {
        Encoding::convert(bytes, from, to).into_owned()
    }

    #[test]
    fn names_are_read_in_any_case_and_written_as_read() {
        for encoding in Encoding::ALL {
            assert_eq!(Encoding::parse(encoding.name()), Some(encoding));
        }
        assert_eq!(Encoding::parse("ISO-8859-1"), Some(Encoding::Latin1));
        assert_eq!(Encoding::parse("koi8-r"), None);
    }

    #[test]
    fn each_encoding_reads_its_own_bytes() {
        assert_eq!(Encoding::Utf8.decode("naïve €".as_bytes()), "naïve €");
        assert_eq!(Encoding::Latin1.decode(b"na\xefve \x80"), "naïve \u{80}");
        assert_eq!(Encoding::Cp1252.decode(b"na\xefve \x80"), "naïve €");
        assert_eq!(Encoding::Utf8.decode(b"na\xefve \x80"), "naïve €");
        assert_eq!(
            Encoding::Quake.decode(b"\x10\xf0\xe1\xf5\xec\x11 \x13\x12 \x85 \xae"),
            "[paul] 10 · ."
        );
    }

    #[test]
    fn what_an_encoding_lacks_is_written_as_near_as_it_can_be() {
        let mut out = Vec::new();
        Encoding::Quake.encode("Señor “é” · … 你\t\x01", &mut out);
        assert_eq!(out, b"Senor \"e\" . ... ? ?");
        out.clear();
        Encoding::Latin1.encode("é … €", &mut out);
        assert_eq!(out, b"\xe9 ... EUR");
        out.clear();
        Encoding::Cp1252.encode("é … €\u{81}", &mut out);
        assert_eq!(out, b"\xe9 \x85 \x80\x81");
    }

    #[test]
    fn the_sender_without_an_encoding_is_guessed_line_by_line() {
        assert_eq!(convert("é".as_bytes(), None, Encoding::Latin1), b"\xe9");
        assert_eq!(convert(b"\xe9", None, Encoding::Utf8), "é".as_bytes());
        assert_eq!(convert(b"\x80", None, Encoding::Utf8), "€".as_bytes());
    }

    #[test]
    fn the_same_encoding_on_both_sides_changes_nothing() {
        let all: Vec<u8> = (0..=255).collect();
        for encoding in [Encoding::Latin1, Encoding::Cp1252, Encoding::Quake] {
            assert_eq!(convert(&all, Some(encoding), encoding), all);
        }
    }

    proptest! {
        #[test]
        fn a_conversion_brings_in_no_line_end_and_no_nul(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
            from in prop::option::of(prop::sample::select(&Encoding::ALL[..])),
            to in prop::sample::select(&Encoding::ALL[..]),
        ) {
            let out = convert(&bytes, from, to);
            for unwanted in [b'\r', b'\n', b'\0'] {
                prop_assert!(bytes.contains(&unwanted) || !out.contains(&unwanted));
            }
            prop_assert!(to != Encoding::Utf8 || std::str::from_utf8(&out).is_ok());
        }

        #[test]
        fn latin1_and_cp1252_come_back_from_utf8_as_they_were(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            for encoding in [Encoding::Latin1, Encoding::Cp1252] {
                let utf8 = convert(&bytes, Some(encoding), Encoding::Utf8);
                prop_assert_eq!(convert(&utf8, Some(Encoding::Utf8), encoding), &bytes[..]);
            }
        }
    }
}
