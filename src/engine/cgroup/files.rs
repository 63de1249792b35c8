//! Files of the kernel that are opened once and read from their beginning each time, and the few
//! shapes their text has.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Longer than any file that is read here; what is beyond it is not looked at.
const LONGEST: usize = 8 * 1024;

/// An open file whose text changes with every read.
#[derive(Debug)]
pub(super) struct Kept(File);

/// Where one file's text lies while it is looked at; used again for the next.
pub(super) struct Buffer([u8; LONGEST]);

impl Buffer {
    pub(super) const fn new() -> Self {
        Self([0; LONGEST])
    }
}

impl Kept {
    /// `None` when it is not there or may not be read.
    pub(super) fn open(path: &Path) -> Option<Self> {
        File::open(path).ok().map(Self)
    }

    /// The text now; `None` once what it tells of is gone.
    pub(super) fn text<'b>(&self, buffer: &'b mut Buffer) -> Option<&'b str> {
        let mut length = 0;
        while length < LONGEST {
            match self.0.read_at(&mut buffer.0[length..], length as u64).ok()? {
                0 => break,
                more => length += more,
            }
        }
        std::str::from_utf8(&buffer.0[..length]).ok()
    }

    /// The one number the file holds; `None` for words such as `max`.
    pub(super) fn number(&self, buffer: &mut Buffer) -> Option<u64> {
        self.text(buffer)?.trim().parse().ok()
    }
}

/// The same of a file that is opened for this one look.
pub(super) fn number(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The value of one line of `name value` lines; 0 when there is no such line.
pub(super) fn field(text: &str, name: &str) -> u64 {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(value).unwrap_or(0)
}
