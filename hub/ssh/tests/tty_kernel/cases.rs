//! What a Linux terminal does with input, case by case.

/// Opcodes and their arguments (RFC 4254 section 8).
pub(super) type Modes = [(u8, u32)];

pub(super) const VINTR: u8 = 1;
pub(super) const VERASE: u8 = 3;
pub(super) const VKILL: u8 = 4;
pub(super) const VEOF: u8 = 5;
pub(super) const VEOL: u8 = 6;
pub(super) const VEOL2: u8 = 7;
pub(super) const VSTART: u8 = 8;
pub(super) const VSTOP: u8 = 9;
pub(super) const VREPRINT: u8 = 12;
pub(super) const VWERASE: u8 = 13;
pub(super) const PARMRK: u8 = 31;
pub(super) const ISTRIP: u8 = 33;
pub(super) const INLCR: u8 = 34;
pub(super) const IGNCR: u8 = 35;
pub(super) const ICRNL: u8 = 36;
pub(super) const IUCLC: u8 = 37;
pub(super) const IXON: u8 = 38;
pub(super) const IXANY: u8 = 39;
pub(super) const IMAXBEL: u8 = 41;
pub(super) const IUTF8: u8 = 42;
pub(super) const ISIG: u8 = 50;
pub(super) const ICANON: u8 = 51;
pub(super) const ECHO: u8 = 53;
pub(super) const ECHOE: u8 = 54;
pub(super) const ECHOK: u8 = 55;
pub(super) const ECHONL: u8 = 56;
pub(super) const NOFLSH: u8 = 57;
pub(super) const IEXTEN: u8 = 59;
pub(super) const ECHOCTL: u8 = 60;
pub(super) const ECHOKE: u8 = 61;
pub(super) const OPOST: u8 = 70;
pub(super) const OLCUC: u8 = 71;
pub(super) const ONLCR: u8 = 72;
pub(super) const OCRNL: u8 = 73;
pub(super) const ONOCR: u8 = 74;
pub(super) const ONLRET: u8 = 75;

/// One thing to know about a terminal.
pub(super) struct Case {
    pub(super) what: &'static str,
    /// On top of the default modes.
    pub(super) modes: &'static Modes,
    pub(super) input: &'static [u8],
    /// What the client gets.
    pub(super) echo: &'static [u8],
    /// What the program reads: one entry for each read(2), in non-canonical mode a single one.
    pub(super) reads: &'static [&'static [u8]],
}

const fn case(
    what: &'static str,
    modes: &'static Modes,
    input: &'static [u8],
    echo: &'static [u8],
    reads: &'static [&'static [u8]],
) -> Case {
    Case {
        what,
        modes,
        input,
        echo,
        reads,
    }
}

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("a line", &[], b"C hello\n", b"C hello\r\n", &[b"C hello\n"]),
    case("CR and LF each end a line", &[], b"PING\r\n", b"PING\r\n\r\n", &[b"PING\n", b"\n"]),
    case("erase, and EOF on an empty line", &[], b"PI\x7fING\n\x04", b"PI\x08 \x08ING\r\n", &[b"PING\n", b""]),
    case("nothing to erase", &[], b"\x7f\x15\x17a\x7f\x7f\x7fb\n", b"a\x08 \x08b\r\n", &[b"b\n"]),
    case("EOF in a line pushes it", &[], b"abc\x04\n\x04", b"abc\r\n", &[b"abc", b"\n", b""]),
    case("EOL and EOL2 end a line and are echoed", &[(VEOL, b'.' as u32), (VEOL2, b'!' as u32)], b"a.b!c\n", b"a.b!c\r\n", &[b"a.", b"b!", b"c\n"]),
    case("control characters show as ^X", &[], b"a\x01\x1b\0\n", b"a^A^[^@\r\n", &[b"a\x01\x1b\0\n"]),
    case("and are rubbed out whole", &[], b"a\x01\x7f\x7fb\n", b"a^A\x08 \x08\x08 \x08\x08 \x08b\r\n", &[b"b\n"]),
    case("without ECHOCTL they take up no column", &[(ECHOCTL, 0)], b"a\x01\x7f\x7fb\n", b"a\x01\x08 \x08b\r\n", &[b"b\n"]),
    case("NUL is data", &[], b"a\0b\n", b"a^@b\r\n", &[b"a\0b\n"]),
    case("0x80 and up are no control characters", &[], b"\x80\x9f\xa0\n", b"\x80\x9f\xa0\r\n", &[b"\x80\x9f\xa0\n"]),
    case("255 is data", &[], b"a\xff\x7fb\n", b"a\xff\x08 \x08b\r\n", &[b"ab\n"]),
    case("a tab is erased back to where it began", &[], b"ab\tc\x7f\x7f\x7fd\n", b"ab\tc\x08 \x08\x08\x08\x08\x08\x08\x08\x08 \x08d\r\n", &[b"ad\n"]),
    case("a tab after a tab", &[], b"\x01\xc3\t\t\x7f\x7f\x7f\n", b"^A\xc3\t\t\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08 \x08\r\n", &[b"\x01\n"]),
    case("a tab after an unseen control character", &[(ECHOCTL, 0)], b"a\x01b\t\x7f\n", b"a\x01b\t\x08\x08\x08\x08\x08\x08\r\n", &[b"a\x01b\n"]),
    case("a tab after UTF-8", &[(IUTF8, 1)], b"\xc3\xa4b\t\x7f\n", b"\xc3\xa4b\t\x08\x08\x08\x08\x08\x08\r\n", &[b"\xc3\xa4b\n"]),
    case("without OPOST only ^X moves the column", &[(OPOST, 0)], b"\x01ab\n\x01ab\t\x7f\n", b"^Aab\n^Aab\t\x08\x08\n", &[b"\x01ab\n", b"\x01ab\n"]),
    case("a tab on a line that does not begin in column 0", &[(ONLCR, 0)], b"ab\tc\x7f\ncd\t\x7f\n", b"ab\tc\x08 \x08\ncd\t\x08\x08\x08\x08\x08\x08\n", &[b"ab\t\n", b"cd\n"]),
    case("where a line begins after an erased tab", &[(ONLCR, 0)], b"a\t\x7f\n\t\x7f\n", b"a\t\x08\x08\x08\x08\x08\x08\x08\n\t\x08\x08\x08\x08\x08\x08\x08\n", &[b"a\n", b"\n"]),
    case("a tab on a reprinted line", &[(ONLCR, 0)], b"ab\tc\x12\x7f\x7f\n", b"ab\tc^R\nab\tc\x08 \x08\x08\x08\x08\n", &[b"ab\n"]),
    case("erase without ECHOE", &[(ECHOE, 0)], b"ab\x7fc\n", b"ab^?c\r\n", &[b"ac\n"]),
    case("erase is ^H", &[(VERASE, 8)], b"a\x08b\x7f\n", b"a\x08 \x08b^?\r\n", &[b"b\x7f\n"]),
    case("erase is disabled", &[(VERASE, 255)], b"a\x7fb\n", b"a^?b\r\n", &[b"a\x7fb\n"]),
    case("UTF-8 characters are erased whole", &[(IUTF8, 1)], b"a\xe2\x82\xac\x7fb\n", b"a\xe2\x82\xac\x08 \x08b\r\n", &[b"ab\n"]),
    case("but by the byte without IUTF8", &[], b"a\xe2\x82\xac\x7fb\n", b"a\xe2\x82\xac\x08 \x08b\r\n", &[b"a\xe2\x82b\n"]),
    case("half a UTF-8 character is not erased", &[(IUTF8, 1)], b"\x82\xac\x7fb\n", b"\x82\xacb\r\n", &[b"\x82\xacb\n"]),
    case("kill", &[], b"abc\x15d\n", b"abc\x08 \x08\x08 \x08\x08 \x08d\r\n", &[b"d\n"]),
    case("kill over tabs and control characters", &[], b"a\x01b\tc\x15d\n", b"a^Ab\tc\x08 \x08\x08\x08\x08\x08\x08 \x08\x08 \x08\x08 \x08\x08 \x08d\r\n", &[b"d\n"]),
    case("kill without ECHOKE", &[(ECHOKE, 0)], b"abc\x15d\n", b"abc^U\r\nd\r\n", &[b"d\n"]),
    case("kill without ECHOK", &[(ECHOK, 0)], b"abc\x15d\n", b"abc^Ud\r\n", &[b"d\n"]),
    case("kill without ECHOE", &[(ECHOE, 0)], b"abc\x15d\n", b"abc^U\r\nd\r\n", &[b"d\n"]),
    case("kill without ECHO", &[(ECHO, 0)], b"ab\x15c\n", b"", &[b"c\n"]),
    case("word erase, with what follows the word", &[], b"one two_3, \x17x\n", b"one two_3, \x08 \x08\x08 \x08\x08 \x08\x08 \x08\x08 \x08\x08 \x08\x08 \x08x\r\n", &[b"one x\n"]),
    case("word erase knows Latin-1", &[], b"one tw\xf6\x17x\n", b"one tw\xf6\x08 \x08\x08 \x08\x08 \x08x\r\n", &[b"one x\n"]),
    case("word erase in UTF-8", &[(IUTF8, 1)], b"one \xc3\xa4h\x17x\n", b"one \xc3\xa4h\x08 \x08\x08 \x08x\r\n", &[b"one x\n"]),
    case("word erase without IEXTEN", &[(IEXTEN, 0)], b"one\x17\n", b"one^W\r\n", &[b"one\x17\n"]),
    case("word erase without IEXTEN leaves EOF its key", &[(IEXTEN, 0), (VWERASE, 4)], b"ab\x04", b"ab", &[b"ab"]),
    case("kill that is word erase too", &[(VKILL, 0x17), (IEXTEN, 0)], b"one two\x17\n", b"one two\x08 \x08\x08 \x08\x08 \x08\r\n", &[b"one \n"]),
    case("literal next", &[], b"a\x16\x03\x16\x7f\x16\nb\n", b"a^\x08^C^\x08^?^\x08^Jb\r\n", &[b"a\x03\x7f\nb\n"]),
    case("literal next takes CR as it is", &[], b"a\x16\rb\n", b"a^\x08^Mb\r\n", &[b"a\rb\n"]),
    case("literal next without ECHOCTL", &[(ECHOCTL, 0)], b"a\x16\x03b\n", b"a\x03b\r\n", &[b"a\x03b\n"]),
    case("literal next without IEXTEN", &[(IEXTEN, 0)], b"a\x16b\n", b"a^Vb\r\n", &[b"a\x16b\n"]),
    case("reprint", &[], b"ab\x01\x12c\n", b"ab^A^R\r\nab^Ac\r\n", &[b"ab\x01c\n"]),
    case("reprint without ECHO is data", &[(ECHO, 0)], b"ab\x12c\n", b"", &[b"ab\x12c\n"]),
    case("reprint without IEXTEN leaves EOF its key", &[(IEXTEN, 0), (VREPRINT, 4)], b"ab\x04", b"ab", &[b"ab"]),
    case("no ECHO", &[(ECHO, 0)], b"ab\x7fc\n", b"", &[b"ac\n"]),
    case("ECHONL", &[(ECHO, 0), (ECHONL, 1)], b"abc\n", b"\r\n", &[b"abc\n"]),
    case("no ICRNL", &[(ICRNL, 0)], b"a\r\n", b"a^M\r\n", &[b"a\r\n"]),
    case("INLCR changes places with ICRNL", &[(INLCR, 1)], b"a\nb\r", b"a^Mb\r\n", &[b"a\rb\n"]),
    case("INLCR alone leaves no newline", &[(INLCR, 1), (ICRNL, 0)], b"a\nb\r\x04", b"a^Mb^M", &[b"a\rb\r"]),
    case("INLCR in non-canonical mode", &[(INLCR, 1), (ICRNL, 0), (ICANON, 0)], b"a\nb\r", b"a^Mb^M", &[b"a\rb\r"]),
    case("INLCR can make an EOL2", &[(INLCR, 1), (ICRNL, 0), (VEOL2, 13)], b"a\nb\x04", b"a^Mb", &[b"a\r", b"b"]),
    case("but not without IEXTEN", &[(INLCR, 1), (ICRNL, 0), (VEOL2, 13), (IEXTEN, 0)], b"a\nb\x04", b"a^Mb", &[b"a\rb"]),
    case("IGNCR", &[(IGNCR, 1)], b"a\r\n", b"a\r\n", &[b"a\n"]),
    case("ISTRIP", &[(ISTRIP, 1)], b"\xe1\xe2\x8a", b"ab\r\n", &[b"ab\n"]),
    case("IUCLC knows Latin-1", &[(IUCLC, 1)], b"AbC\xc4\n", b"abc\xe4\r\n", &[b"abc\xe4\n"]),
    case("IUCLC without IEXTEN", &[(IUCLC, 1), (IEXTEN, 0)], b"AbC\n", b"AbC\r\n", &[b"AbC\n"]),
    case("PARMRK doubles 255", &[(PARMRK, 1)], b"a\xffb\n", b"a\xffb\r\n", &[b"a\xff\xffb\n"]),
    case("IMAXBEL does nothing", &[(IMAXBEL, 1)], b"x\n", b"x\r\n", &[b"x\n"]),
    case("INTR flushes the line", &[], b"abc\x03d\n", b"abc^Cd\r\n", &[b"d\n"]),
    case("QUIT and SUSP too", &[], b"ab\x1ccd\x1ae\n", b"ab^\\cd^Ze\r\n", &[b"e\n"]),
    case("NOFLSH keeps the line", &[(NOFLSH, 1)], b"abc\x03d\n", b"abc^Cd\r\n", &[b"abcd\n"]),
    case("INTR without ECHO", &[(ECHO, 0), (NOFLSH, 1)], b"abc\x03d\n", b"", &[b"abcd\n"]),
    case("no ISIG", &[(ISIG, 0)], b"a\x03\n", b"a^C\r\n", &[b"a\x03\n"]),
    case("STOP holds the echo, but not the line", &[], b"a\x13b\x01\t\x7f\n", b"a", &[b"ab\x01\n"]),
    case("START lets it go", &[], b"a\x13b\x11c\n", b"abc\r\n", &[b"abc\n"]),
    case("IXANY: so does any other", &[(IXANY, 1)], b"a\x13bc\n", b"abc\r\n", &[b"abc\n"]),
    case("IXANY: a newline too", &[(IXANY, 1)], b"a\x13\n", b"a\r\n", &[b"a\n"]),
    case("INTR drops the held echo", &[], b"a\x13b\x03c\n", b"a^Cc\r\n", &[b"c\n"]),
    case("but not with NOFLSH", &[(NOFLSH, 1)], b"a\x13b\x03c\n", b"ab^Cc\r\n", &[b"abc\n"]),
    case("no IXON", &[(IXON, 0)], b"a\x13b\x11c\n", b"a^Sb^Qc\r\n", &[b"a\x13b\x11c\n"]),
    case("no IXON leaves erase and kill their keys", &[(IXON, 0), (VSTOP, 0x7f), (VSTART, 0x15)], b"ab\x15cd\x7f\n", b"ab\x08 \x08\x08 \x08cd\x08 \x08\r\n", &[b"c\n"]),
    case("STOP is another character", &[(VSTOP, b'a' as u32)], b"b\x13ac\x11\n", b"b^Sc\r\n", &[b"b\x13c\n"]),
    case("non-canonical", &[(ICANON, 0)], b"ab\x7f\x04\x15\r\n", b"ab^?^D^U\r\n^J", &[b"ab\x7f\x04\x15\n\n"]),
    case("non-canonical, no ICRNL", &[(ICANON, 0), (ICRNL, 0)], b"ab\r\n", b"ab^M^J", &[b"ab\r\n"]),
    case("raw", &[(ICANON, 0), (ECHO, 0), (ISIG, 0), (IXON, 0), (ICRNL, 0), (OPOST, 0)], b"ab\x03\x13\r\n\xff", b"", &[b"ab\x03\x13\r\n\xff"]),
    case("OLCUC knows Latin-1, but for the echo of 255", &[(OLCUC, 1)], b"aB\xe4\xff\n", b"AB\xc4\xff\r\n", &[b"aB\xe4\xff\n"]),
    case("OCRNL", &[(OCRNL, 1), (ECHOCTL, 0)], b"a\x16\rb\n", b"a\nb\r\n", &[b"a\rb\n"]),
    case("ONOCR", &[(ONOCR, 1), (ECHOCTL, 0)], b"\x16\rb\x16\r\n", b"b\r\r\n", &[b"\rb\r\n"]),
    case("ONLRET", &[(ONLRET, 1), (ONLCR, 0)], b"ab\n\t\x7f\n", b"ab\n\t\x08\x08\x08\x08\x08\x08\x08\x08\n", &[b"ab\n", b"\n"]),
    case("the interrupt key is a letter", &[(VINTR, b'a' as u32), (VWERASE, b'b' as u32), (VEOF, b'c' as u32)], b"xb\x03\nxay\nwc", b"x\x08 \x08^C\r\nxay\r\nw", &[b"\x03\n", b"y\n", b"w"]),
];
