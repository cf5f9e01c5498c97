//! A running instance: values in, evaluate, values out.

use std::{ffi::CString, fs::File, path::Path};

use crate::{
    error::{PortError, RecordError},
    ffi::{Instance, State},
    library::{Library, PortId},
    port::{Direction, Port},
};

/// How a simulation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Nothing has ended it.
    Ok,
    /// The model called `$finish`; it may still be evaluated.
    Finished {
        /// Source position.
        message: String,
    },
    /// `$stop`, `$fatal`, `$error`, a failed assertion, or an internal error such as a combinational loop that does
    /// not settle. The first error is kept. After an internal error `eval` does nothing.
    Stopped {
        /// The model's own text with its source position.
        message: String,
    },
}

/// A running instance. It stays on the thread that made it.
///
/// Values go in by `set_*`, take effect at the next [`eval`](Self::eval), and are read by `get_*`.
pub struct Model {
    instance: Instance,
    library: Library,
    state: State,
    last_dump: Option<u64>,
    tracing: bool,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("top", &self.library.top()).finish_non_exhaustive()
    }
}

impl Model {
    pub(crate) fn new(instance: Instance, library: Library) -> Self {
        Self { instance, library, state: State::Running, last_dump: None, tracing: false }
    }

    /// The library this is an instance of.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Looks a port up; do it once, not in the loop.
    ///
    /// # Errors
    /// [`PortError::Missing`] lists the ports there are.
    pub fn port(&self, name: &str) -> Result<PortId, PortError> {
        self.library.port(name)
    }

    /// Evaluates the model with the present inputs.
    #[inline]
    pub fn eval(&mut self) {
        if self.state != State::Fatal {
            self.state = self.instance.eval();
        }
    }

    /// Whether anything has ended the simulation, and what.
    pub fn status(&self) -> Status {
        match self.state {
            State::Running => Status::Ok,
            State::Finished => Status::Finished { message: self.instance.message() },
            State::Stopped | State::Fatal => Status::Stopped { message: self.instance.message() },
        }
    }

    /// True while [`status`](Self::status) is [`Status::Ok`]; costs one comparison.
    #[inline]
    pub fn is_ok(&self) -> bool {
        self.state == State::Running
    }

    /// Runs the `final` blocks of the model and says how it ended.
    pub fn finish(&mut self) -> Status {
        if self.state != State::Fatal {
            self.state = self.instance.run_final();
        }
        self.status()
    }

    /// What the model printed (`$display`, warnings) since the last call; at most the last MiB is kept.
    pub fn take_output(&mut self) -> String {
        self.instance.take_output()
    }

    /// Sets what `$time` reads, in units of the time precision.
    pub fn set_time(&mut self, time: u64) {
        self.instance.set_time(time);
    }

    /// Value of a port of at most 64 bits, zero-extended.
    ///
    /// # Errors
    /// [`PortError::TooWide`] above 64 bits, [`PortError::Foreign`].
    #[inline]
    pub fn get_u64(&self, id: PortId) -> Result<u64, PortError> {
        let (index, port) = self.library.resolve(id)?;
        if port.width > 64 {
            return Err(too_wide(port));
        }
        Ok(self.instance.read(index))
    }

    /// Value of a port of at most 64 bits, sign-extended from its width.
    ///
    /// # Errors
    /// As [`get_u64`](Self::get_u64).
    #[inline]
    pub fn get_i64(&self, id: PortId) -> Result<i64, PortError> {
        let value = self.get_u64(id)?;
        let spare = 64 - self.library.resolve(id)?.1.width;
        Ok((value << spare) as i64 >> spare)
    }

    /// Sets an input of at most 64 bits.
    ///
    /// # Errors
    /// [`PortError::Value`] when the value has bits above the width, [`PortError::NotAnInput`],
    /// [`PortError::TooWide`], [`PortError::Foreign`].
    #[inline]
    pub fn set_u64(&mut self, id: PortId, value: u64) -> Result<(), PortError> {
        let (index, port) = self.input(id)?;
        if port.width < 64 && value >> port.width != 0 {
            return Err(bad_value(port, format!("{value:#x}")));
        }
        if port.width > 64 {
            return Err(too_wide(port));
        }
        self.instance.write(index, value);
        Ok(())
    }

    /// Sets an input of at most 64 bits to a two's complement value.
    ///
    /// # Errors
    /// As [`set_u64`](Self::set_u64).
    #[inline]
    pub fn set_i64(&mut self, id: PortId, value: i64) -> Result<(), PortError> {
        let (index, port) = self.input(id)?;
        if port.width > 64 {
            return Err(too_wide(port));
        }
        let spare = 64 - port.width;
        if (value << spare) >> spare != value {
            return Err(bad_value(port, value.to_string()));
        }
        self.instance.write(index, (value as u64) << spare >> spare);
        Ok(())
    }

    /// Copies a port of any width into `words`, lowest word first.
    ///
    /// # Errors
    /// [`PortError::Words`] unless `words` has `width` / 32 elements, rounded up; [`PortError::Foreign`].
    #[inline]
    pub fn get_words(&self, id: PortId, words: &mut [u32]) -> Result<(), PortError> {
        let (index, port) = self.library.resolve(id)?;
        if words.len() != port.words() {
            return Err(bad_words(port, words.len()));
        }
        if port.width > 64 {
            words.copy_from_slice(self.instance.words(index));
        } else {
            let value = self.instance.read(index);
            for (i, word) in words.iter_mut().enumerate() {
                *word = (value >> (32 * i)) as u32;
            }
        }
        Ok(())
    }

    /// Sets an input of any width from `words`, lowest word first.
    ///
    /// # Errors
    /// [`PortError::Words`] for a wrong length, [`PortError::Value`] when the last word has bits above the width,
    /// [`PortError::NotAnInput`], [`PortError::Foreign`].
    #[inline]
    pub fn set_words(&mut self, id: PortId, words: &[u32]) -> Result<(), PortError> {
        let (index, port) = self.input(id)?;
        if words.len() != port.words() {
            return Err(bad_words(port, words.len()));
        }
        let used = port.width % 32;
        let last = words.last().copied().unwrap_or(0);
        if used != 0 && last >> used != 0 {
            return Err(bad_value(port, format!("with highest word {last:#x}")));
        }
        if port.width > 64 {
            self.instance.words_mut(index).copy_from_slice(words);
        } else {
            let value = words.iter().rev().fold(0, |high, &word| high << 32 | u64::from(word));
            self.instance.write(index, value);
        }
        Ok(())
    }

    /// Starts an FST trace of every signal; an open trace is closed first.
    ///
    /// # Errors
    /// [`RecordError::NotBuilt`] unless built with `trace`, [`RecordError::Io`] when the file cannot be written.
    pub fn trace_open(&mut self, path: impl AsRef<Path>) -> Result<(), RecordError> {
        let path = path.as_ref();
        let file = self.record_to(path, self.library.can_trace(), "trace")?;
        self.trace_close();
        self.tracing = self.instance.trace_open(&file);
        if self.tracing { Ok(()) } else { Err(unwritten(path)) }
    }

    /// Records every signal at `time`, in units of the time precision; also what `$time` reads from now on.
    ///
    /// # Errors
    /// [`RecordError::NotOpen`]; [`RecordError::Time`] unless `time` is after that of the last dump.
    pub fn trace_dump(&mut self, time: u64) -> Result<(), RecordError> {
        if !self.tracing {
            return Err(RecordError::NotOpen);
        }
        if let Some(last) = self.last_dump.filter(|&last| time <= last) {
            return Err(RecordError::Time { time, last });
        }
        self.instance.set_time(time);
        self.state = self.instance.trace_dump(time);
        self.last_dump = Some(time);
        self.alive()
    }

    /// Completes the trace file. Dropping the model does it too.
    pub fn trace_close(&mut self) {
        self.instance.trace_close();
        self.tracing = false;
        self.last_dump = None;
    }

    /// Writes the coverage counters of this instance, in the format `verilator_coverage` reads.
    ///
    /// # Errors
    /// [`RecordError::NotBuilt`] unless built with `coverage`, [`RecordError::Io`] when the file cannot be written.
    pub fn coverage_write(&mut self, path: impl AsRef<Path>) -> Result<(), RecordError> {
        let path = path.as_ref();
        let file = self.record_to(path, self.library.can_cover(), "coverage")?;
        self.state = self.instance.coverage_write(&file);
        self.alive()
    }

    /// Common checks before a file is handed to C++, whose own failures say little.
    fn record_to(
        &self,
        path: &Path,
        built: bool,
        what: &'static str,
    ) -> Result<CString, RecordError> {
        if !built {
            return Err(RecordError::NotBuilt { top: self.library.top().to_owned(), what });
        }
        self.alive()?;
        let text = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| RecordError::Path(path.to_owned()))?;
        File::create(path).map_err(|source| RecordError::Io { path: path.to_owned(), source })?;
        Ok(text)
    }

    fn alive(&self) -> Result<(), RecordError> {
        match self.state {
            State::Fatal => Err(RecordError::Stopped { message: self.instance.message() }),
            _ => Ok(()),
        }
    }

    /// The index and description of a port that Rust may set.
    #[inline]
    fn input(&self, id: PortId) -> Result<(usize, &Port), PortError> {
        let (index, port) = self.library.resolve(id)?;
        if port.direction == Direction::Output {
            return Err(PortError::NotAnInput(port.clone()));
        }
        Ok((index, port))
    }
}

#[cold]
fn too_wide(port: &Port) -> PortError {
    PortError::TooWide(port.clone())
}

#[cold]
fn bad_value(port: &Port, value: String) -> PortError {
    PortError::Value { port: port.clone(), value }
}

#[cold]
fn bad_words(port: &Port, got: usize) -> PortError {
    PortError::Words { port: port.clone(), got }
}

#[cold]
fn unwritten(path: &Path) -> RecordError {
    let source = std::io::Error::other("Verilator could not open it");
    RecordError::Io { path: path.to_owned(), source }
}
