//! Bytes as the kernel's `lib/ctype.c` sees them: Latin-1, whatever the locale.

/// A set of byte values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ByteSet {
    low: u128,
    high: u128,
}

impl ByteSet {
    pub(super) fn contains(&self, byte: u8) -> bool {
        let half = if byte < 128 { self.low } else { self.high };
        half & bit(byte) != 0
    }

    pub(super) fn insert(&mut self, byte: u8) {
        *self.half_of(byte) |= bit(byte);
    }

    pub(super) fn remove(&mut self, byte: u8) {
        *self.half_of(byte) &= !bit(byte);
    }

    fn half_of(&mut self, byte: u8) -> &mut u128 {
        if byte < 128 {
            &mut self.low
        } else {
            &mut self.high
        }
    }
}

impl Extend<u8> for ByteSet {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        bytes.into_iter().for_each(|byte| self.insert(byte));
    }
}

impl FromIterator<u8> for ByteSet {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Self {
        let mut set = Self::default();
        set.extend(bytes);
        set
    }
}

const fn bit(byte: u8) -> u128 {
    1 << (byte & 127)
}

/// `iscntrl`: only ASCII; 0x80 to 0x9f are not control characters to the kernel.
pub(super) const fn is_control(byte: u8) -> bool {
    byte.is_ascii_control()
}

/// What makes up a word for word-erase: `isalnum`, Latin-1 letters included, and `_`.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || is_latin1_letter(byte)
}

/// The second and later bytes of a character in UTF-8.
pub(super) const fn is_utf8_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// `tolower`.
pub(super) const fn to_lower(byte: u8) -> u8 {
    if is_latin1_letter(byte) && byte < 0xdf {
        byte + 0x20
    } else {
        byte.to_ascii_lowercase()
    }
}

/// `toupper`; the kernel takes 0xdf and 0xff for the lower case of 0xbf and 0xdf.
pub(super) const fn to_upper(byte: u8) -> u8 {
    if is_latin1_letter(byte) && byte >= 0xdf {
        byte - 0x20
    } else {
        byte.to_ascii_uppercase()
    }
}

const fn is_latin1_letter(byte: u8) -> bool {
    byte >= 0xc0 && byte != 0xd7 && byte != 0xf7
}
