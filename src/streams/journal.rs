//! The lines of one preview on disk, written before anybody sees them.
//!
//! A journal is a folder of files of JSON lines, each named by the number of its first line. A
//! write to the kernel's cache outlives a kill of the process, and that is what it is for: after
//! one, lines that were shown have the numbers they were shown with. A batch read from a
//! container begins with a header that says how many lines belong to it and how far the container
//! was read, so that half a batch is known to be one: it was never shown, and is read again.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::StreamLine;
use super::place::Mark;
use crate::domain::LogLine;

#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    /// The file that is written to, once there is one.
    current: Option<Segment>,
    /// Files that are full, oldest first.
    sealed: VecDeque<Sealed>,
    mark: Option<Mark>,
    /// For one write at a time.
    buffer: Vec<u8>,
    /// The last write did not succeed, and that was said.
    is_broken: bool,
}

#[derive(Debug)]
struct Segment {
    file: File,
    path: PathBuf,
    bytes: usize,
    last: u64,
}

#[derive(Debug)]
struct Sealed {
    path: PathBuf,
    /// Number of its last line.
    last: u64,
}

/// What an earlier run of the daemon left.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    pub lines: Vec<LogLine>,
    pub mark: Option<Mark>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    mark: Mark,
    /// Lines that follow and belong to it.
    lines: usize,
}

impl Journal {
    /// A file that is longer is followed by another.
    const SEGMENT: usize = 1 << 20;

    /// One in a folder that need not exist before the first line.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            current: None,
            sealed: VecDeque::new(),
            mark: None,
            buffer: Vec::new(),
            is_broken: false,
        }
    }

    /// The journal of a preview of an earlier run, with what is in it. Takes a while: not for an
    /// async worker.
    pub(super) fn recover(folder: PathBuf) -> io::Result<(Self, Recovered)> {
        let mut journal = Self::new(folder);
        let mut recovered = Recovered::default();
        for path in segments(&journal.folder)? {
            let text = fs::read(&path)?;
            let whole = recovered.take(&text);
            if whole < text.len() {
                OpenOptions::new().write(true).open(&path)?.set_len(whole as u64)?;
            }
            let last = recovered.lines.last().map_or(0, |line| line.seq);
            journal.sealed.push_back(Sealed { path, last });
        }
        journal.mark.clone_from(&recovered.mark);
        Ok((journal, recovered))
    }

    /// Writes lines, and how far their container was read with them. What cannot be written is
    /// said once: the lines are shown all the same.
    pub(super) fn append(&mut self, lines: &[Arc<StreamLine>], mark: Option<&Mark>) {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return };
        self.buffer.clear();
        if let Some(mark) = mark {
            self.mark = Some(mark.clone());
            header(&mut self.buffer, mark, lines.len());
        }
        for line in lines {
            self.buffer.extend_from_slice(line.json().as_bytes());
            self.buffer.push(b'\n');
        }
        match self.write(first.seq, last.seq) {
            Ok(()) => self.is_broken = false,
            Err(error) => self.broke(&error),
        }
    }

    fn write(&mut self, first: u64, last: u64) -> io::Result<()> {
        let segment = match &mut self.current {
            Some(segment) => segment,
            none => none.insert(Segment::create(&self.folder, first, self.mark.as_ref())?),
        };
        segment.last = last;
        segment.bytes += self.buffer.len();
        segment.file.write_all(&self.buffer)?;
        if segment.bytes >= Self::SEGMENT {
            self.seal();
        }
        Ok(())
    }

    fn seal(&mut self) {
        if let Some(Segment { path, last, .. }) = self.current.take() {
            self.sealed.push_back(Sealed { path, last });
        }
    }

    fn broke(&mut self, error: &io::Error) {
        // What was written of it is cut off when it is read; what comes begins a file of its own.
        self.seal();
        if !std::mem::replace(&mut self.is_broken, true) {
            tracing::error!(%error, folder = %self.folder.display(), "log lines are not written to disk");
        }
    }

    /// Removes the files of which no line after `seq` is.
    pub(super) fn release(&mut self, seq: u64) {
        while let Some(oldest) = self.sealed.front()
            && oldest.last <= seq
            // The last file says how far the container was read.
            && (self.sealed.len() > 1 || self.current.is_some())
        {
            let _ = fs::remove_file(&oldest.path);
            self.sealed.pop_front();
        }
    }

    /// Removes all of it.
    pub(super) fn remove(self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Segment {
    /// A new file, for its owner alone, that begins with how far the container was read before.
    fn create(folder: &Path, first: u64, mark: Option<&Mark>) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let path = folder.join(format!("{first:020}.ndjson"));
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        if let Some(mark) = mark {
            let mut text = Vec::new();
            header(&mut text, mark, 0);
            file.write_all(&text)?;
        }
        Ok(Self { file, path, bytes: 0, last: first.saturating_sub(1) })
    }
}

impl Recovered {
    /// Takes the whole batches of a file; where they end in it.
    fn take(&mut self, text: &[u8]) -> usize {
        let mut whole = 0;
        let mut rest = Rows { text, at: 0 };
        while let Some(row) = rest.next() {
            if !row.starts_with(b"{\"mark\"") {
                self.lines.extend(serde_json::from_slice::<LogLine>(row).ok());
                whole = rest.at;
                continue;
            }
            let Ok(Header { mark, lines }) = serde_json::from_slice(row) else { break };
            let batch: Vec<LogLine> =
                rest.by_ref().take(lines).filter_map(|row| serde_json::from_slice(row).ok()).collect();
            if batch.len() < lines {
                break;
            }
            self.lines.extend(batch);
            self.mark = Some(mark);
            whole = rest.at;
        }
        whole
    }
}

/// The rows of a file that end in a newline.
struct Rows<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Rows<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = &self.text[self.at..];
        let end = memchr::memchr(b'\n', rest)?;
        self.at += end + 1;
        Some(&rest[..end])
    }
}

fn header(buffer: &mut Vec<u8>, mark: &Mark, lines: usize) {
    let header = Header { mark: mark.clone(), lines };
    // Writing to memory, of a type that always has a form.
    let _ = serde_json::to_writer(&mut *buffer, &header);
    buffer.push(b'\n');
}

/// The files of a journal, oldest first; none when there is no such folder.
pub(super) fn segments(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "ndjson") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Number of the first line of a file, as its name has it.
pub(super) fn first_of(path: &Path) -> u64 {
    path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).unwrap_or(0)
}

/// The lines of a file, as far as they are whole.
pub(super) fn read(path: &Path) -> io::Result<Vec<LogLine>> {
    let mut found = Recovered::default();
    found.take(&fs::read(path)?);
    Ok(found.lines)
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::domain::{LogEntry, LogLevel, LogSource};

    fn lines(seqs: std::ops::RangeInclusive<u64>) -> Vec<Arc<StreamLine>> {
        let entry = |seq| LogEntry::new(Utc::now(), LogLevel::Info, LogSource::App, format!("line {seq}"));
        seqs.map(|seq| Arc::new(StreamLine::new(entry(seq).numbered(seq)))).collect()
    }

    fn mark(lines: u64) -> Mark {
        let mut mark = Mark { container: "c".into(), ..Mark::default() };
        mark.stdout.lines = lines;
        mark
    }

    fn recovered(folder: &Path) -> (Vec<u64>, Option<Mark>) {
        let (_, found) = Journal::recover(folder.to_owned()).expect("readable");
        (found.lines.iter().map(|line| line.seq).collect(), found.mark)
    }

    #[test]
    fn what_was_written_comes_back_and_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("one");
        assert_eq!(recovered(&folder), (vec![], None));
        let mut journal = Journal::new(folder.clone());
        journal.append(&lines(1..=1), None);
        journal.append(&lines(2..=4), Some(&mark(3)));
        drop(journal);
        let (mut journal, found) = Journal::recover(folder.clone()).expect("readable");
        assert_eq!((found.lines.len(), found.mark), (4, Some(mark(3))));
        journal.append(&lines(5..=5), None);
        assert_eq!(recovered(&folder), (vec![1, 2, 3, 4, 5], Some(mark(3))));
        journal.remove();
        assert!(!folder.exists());
    }

    #[test]
    fn a_file_cut_off_anywhere_gives_whole_batches_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::new(folder.path().to_owned());
        journal.append(&lines(1..=1), None);
        journal.append(&lines(2..=4), Some(&mark(3)));
        journal.append(&lines(5..=6), Some(&mark(5)));
        let path = segments(folder.path()).expect("a list").remove(0);
        let whole = fs::read(&path).expect("a file");
        for cut in (0..whole.len()).rev() {
            fs::write(&path, &whole[..cut]).expect("written");
            let (seqs, found) = recovered(folder.path());
            assert!([0, 1, 4].contains(&seqs.len()), "{cut}: {seqs:?}");
            assert_eq!(found, (seqs.len() == 4).then(|| mark(3)), "{cut}");
            let (again, _) = recovered(folder.path());
            assert_eq!(again, seqs, "the cut is clean");
        }
    }

    #[test]
    fn full_files_go_when_their_lines_are_elsewhere_and_the_place_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::new(folder.path().to_owned());
        let count = || segments(folder.path()).expect("a list").len();
        let mut next = 1;
        while count() < 4 {
            journal.append(&lines(next..=next + 499), Some(&mark(next)));
            next += 500;
        }
        journal.release(0);
        assert_eq!(count(), 4);
        journal.release(next);
        assert_eq!(count(), 1, "the file that is written to stays");
        let (seqs, found) = recovered(folder.path());
        assert_eq!((seqs.last(), found), (Some(&(next - 1)), Some(mark(next - 500))));
    }

    #[test]
    fn a_folder_that_cannot_be_written_loses_no_line_that_is_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let in_the_way = folder.path().join("file");
        fs::write(&in_the_way, "").expect("written");
        let mut journal = Journal::new(in_the_way);
        journal.append(&lines(1..=2), None);
        assert!(journal.is_broken);
    }
}
