//! The only unsafe module: loads a model's shared library and touches its memory.
//!
//! Everything above is safe because of three rules kept here: a [`Shim`] keeps its library mapped as long as any
//! function pointer lives, an [`Instance`] owns its C++ object and cannot leave its thread, and a port's size is
//! checked against its width before any pointer to it is used.
#![allow(unsafe_code, reason = "calls into a compiled model")]

use std::{
    ffi::{CStr, c_char, c_void},
    path::Path,
    ptr::NonNull,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::port::{Direction, Port, storage_bytes};

/// Bumped together with `shim_abi` in `shim.cpp`.
const ABI: u32 = 1;

/// How a simulation stands; mirrors `State` in `shim.cpp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Running,
    Finished,
    Stopped,
    /// The model's state is no longer defined: it must not be evaluated again.
    Fatal,
}

impl State {
    fn from_raw(raw: i32) -> Self {
        match raw {
            0 => Self::Running,
            1 => Self::Finished,
            2 => Self::Stopped,
            _ => Self::Fatal,
        }
    }
}

/// Mirrors `ShimPort` in `shim.cpp`.
#[repr(C)]
struct RawPort {
    name: *const c_char,
    width: u32,
    direction: u32,
    bytes: u32,
}

type Raw = *mut c_void;

/// The C functions of one loaded library.
pub(crate) struct Shim {
    new: unsafe extern "C" fn() -> Raw,
    delete: unsafe extern "C" fn(Raw),
    eval: unsafe extern "C" fn(Raw) -> i32,
    run_final: unsafe extern "C" fn(Raw) -> i32,
    port_ptr: unsafe extern "C" fn(Raw, u32) -> *mut c_void,
    set_time: unsafe extern "C" fn(Raw, u64),
    trace_open: unsafe extern "C" fn(Raw, *const c_char) -> i32,
    trace_dump: unsafe extern "C" fn(Raw, u64) -> i32,
    trace_close: unsafe extern "C" fn(Raw),
    coverage_write: unsafe extern "C" fn(Raw, *const c_char) -> i32,
    message: unsafe extern "C" fn(Raw, *mut u64) -> *const c_char,
    output: unsafe extern "C" fn(Raw, *mut u64) -> *const c_char,
    output_clear: unsafe extern "C" fn(Raw),
    ports: Vec<Port>,
    /// Verilator's runtime notes the last context in a plain static, so objects come and go one at a time.
    lifetimes: Mutex<()>,
    /// Last, so that it is dropped after everything that came from it.
    _library: libloading::Library,
}

impl Shim {
    /// Maps the library at `path` and checks its interface version and the size of every port.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        // SAFETY: the file was compiled by this crate from `shim.cpp` (the cache checked its digest); its static
        // constructors are those of Verilator's runtime, which may run on any thread.
        let library = unsafe { libloading::Library::new(path) }.map_err(|e| e.to_string())?;

        // SAFETY (all the lookups below): each type is the one `shim.cpp` declares for that name.
        macro_rules! symbol {
            ($name:literal) => {
                *unsafe { library.get($name) }.map_err(|e| e.to_string())?
            };
        }
        let abi: unsafe extern "C" fn() -> u32 = symbol!(b"shim_abi\0");
        let port_count: unsafe extern "C" fn() -> u32 = symbol!(b"shim_port_count\0");
        let port: unsafe extern "C" fn(u32, *mut RawPort) -> i32 = symbol!(b"shim_port\0");

        // SAFETY: takes nothing, returns a constant.
        let found = unsafe { abi() };
        if found != ABI {
            return Err(format!("interface version is {found}, expected {ABI}"));
        }
        // SAFETY: takes nothing, returns a constant.
        let count = unsafe { port_count() };
        let ports = (0..count).map(|i| describe(port, i)).collect::<Result<_, _>>()?;

        Ok(Self {
            new: symbol!(b"shim_new\0"),
            delete: symbol!(b"shim_delete\0"),
            eval: symbol!(b"shim_eval\0"),
            run_final: symbol!(b"shim_final\0"),
            port_ptr: symbol!(b"shim_port_ptr\0"),
            set_time: symbol!(b"shim_set_time\0"),
            trace_open: symbol!(b"shim_trace_open\0"),
            trace_dump: symbol!(b"shim_trace_dump\0"),
            trace_close: symbol!(b"shim_trace_close\0"),
            coverage_write: symbol!(b"shim_coverage_write\0"),
            message: symbol!(b"shim_message\0"),
            output: symbol!(b"shim_output\0"),
            output_clear: symbol!(b"shim_output_clear\0"),
            ports,
            lifetimes: Mutex::new(()),
            _library: library,
        })
    }

    pub(crate) fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn lifetime(&self) -> MutexGuard<'_, ()> {
        self.lifetimes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one row of the port table and checks the size contract.
fn describe(
    port: unsafe extern "C" fn(u32, *mut RawPort) -> i32,
    index: u32,
) -> Result<Port, String> {
    let mut raw = RawPort { name: std::ptr::null(), width: 0, direction: 0, bytes: 0 };
    // SAFETY: `raw` is writable and has the layout the shim expects.
    if unsafe { port(index, &mut raw) } == 0 || raw.name.is_null() {
        return Err(format!("port {index} is not described"));
    }
    // SAFETY: not null, and the shim gives a string literal that lives as long as the library.
    let name = unsafe { CStr::from_ptr(raw.name) }.to_string_lossy().into_owned();
    let direction = match raw.direction {
        0 => Direction::Input,
        1 => Direction::Output,
        _ => Direction::Inout,
    };
    let expected = storage_bytes(raw.width);
    if raw.bytes != expected || raw.width == 0 {
        return Err(format!(
            "port `{name}` of {} bits is stored in {} bytes, expected {expected}",
            raw.width, raw.bytes
        ));
    }
    Ok(Port { name, direction, width: raw.width })
}

/// Where a port lives and in how many bytes.
#[derive(Clone, Copy)]
struct Slot {
    at: NonNull<u8>,
    bytes: u32,
}

/// One C++ model object. The raw pointers make it neither `Send` nor `Sync`.
pub(crate) struct Instance {
    shim: Arc<Shim>,
    raw: NonNull<c_void>,
    slots: Box<[Slot]>,
}

impl Instance {
    /// Constructs the C++ object; `None` when C++ could not.
    pub(crate) fn new(shim: Arc<Shim>) -> Option<Self> {
        let raw = {
            let _one = shim.lifetime();
            // SAFETY: returns an object this struct owns from here on, or null.
            NonNull::new(unsafe { (shim.new)() })?
        };
        let mut instance = Self { shim, raw, slots: Box::default() };
        let slot = |(index, port): (u32, &Port)| {
            // SAFETY: `raw` is alive; an index past the end gives null.
            let at = unsafe { (instance.shim.port_ptr)(raw.as_ptr(), index) };
            Some(Slot { at: NonNull::new(at.cast())?, bytes: storage_bytes(port.width) })
        };
        let slots = (0..).zip(instance.shim.ports()).map(slot).collect::<Option<_>>()?;
        instance.slots = slots;
        Some(instance)
    }

    /// Evaluates the model.
    #[inline]
    pub(crate) fn eval(&mut self) -> State {
        // SAFETY: `raw` is alive, and `&mut self` excludes any other access to it.
        State::from_raw(unsafe { (self.shim.eval)(self.raw.as_ptr()) })
    }

    /// Runs the `final` blocks.
    pub(crate) fn run_final(&mut self) -> State {
        // SAFETY: as for `eval`.
        State::from_raw(unsafe { (self.shim.run_final)(self.raw.as_ptr()) })
    }

    /// Value of a port of at most 64 bits. Panics past the last port.
    #[inline]
    pub(crate) fn read(&self, index: usize) -> u64 {
        let Slot { at, bytes } = self.slots[index];
        // SAFETY: `at` points to `bytes` bytes inside the live object, aligned as that C++ integer (`sizeof` was
        // checked at load); nothing writes them while `&self` is held.
        unsafe {
            match bytes {
                1 => u64::from(at.read()),
                2 => u64::from(at.cast::<u16>().read()),
                4 => u64::from(at.cast::<u32>().read()),
                _ => {
                    debug_assert_eq!(bytes, 8);
                    at.cast::<u64>().read()
                }
            }
        }
    }

    /// Sets a port of at most 64 bits; `value` must fit its width. Panics past the last port.
    #[inline]
    pub(crate) fn write(&mut self, index: usize, value: u64) {
        let Slot { at, bytes } = self.slots[index];
        // SAFETY: as for `read`, with `&mut self` excluding readers. The casts keep all bits of a fitting value.
        unsafe {
            match bytes {
                1 => at.write(value as u8),
                2 => at.cast::<u16>().write(value as u16),
                4 => at.cast::<u32>().write(value as u32),
                _ => {
                    debug_assert_eq!(bytes, 8);
                    at.cast::<u64>().write(value);
                }
            }
        }
    }

    /// Words of a port above 64 bits, lowest first; a narrower port reads as no words. Panics past the last port.
    #[inline]
    pub(crate) fn words(&self, index: usize) -> &[u32] {
        let Slot { at, bytes } = self.slots[index];
        let count = if bytes > 8 { bytes as usize / 4 } else { 0 };
        // SAFETY: a `VlWide` is an array of `count` aligned 32-bit words inside the live object (`sizeof` was
        // checked at load); the borrow of `self` keeps `eval` and writers away.
        unsafe { std::slice::from_raw_parts(at.cast::<u32>().as_ptr(), count) }
    }

    /// As [`words`](Self::words), to write.
    #[inline]
    pub(crate) fn words_mut(&mut self, index: usize) -> &mut [u32] {
        let Slot { at, bytes } = self.slots[index];
        let count = if bytes > 8 { bytes as usize / 4 } else { 0 };
        // SAFETY: as for `words`, with a unique borrow.
        unsafe { std::slice::from_raw_parts_mut(at.cast::<u32>().as_ptr(), count) }
    }

    /// Sets what `$time` reads.
    pub(crate) fn set_time(&mut self, time: u64) {
        // SAFETY: `raw` is alive.
        unsafe { (self.shim.set_time)(self.raw.as_ptr(), time) }
    }

    /// Opens a trace; false when the file could not be opened.
    pub(crate) fn trace_open(&mut self, path: &CStr) -> bool {
        // SAFETY: `raw` is alive; the path is copied before the call returns.
        unsafe { (self.shim.trace_open)(self.raw.as_ptr(), path.as_ptr()) != 0 }
    }

    /// Records every signal at `time`.
    pub(crate) fn trace_dump(&mut self, time: u64) -> State {
        // SAFETY: `raw` is alive; without an open trace the call does nothing.
        State::from_raw(unsafe { (self.shim.trace_dump)(self.raw.as_ptr(), time) })
    }

    /// Closes the trace, if one is open.
    pub(crate) fn trace_close(&mut self) {
        // SAFETY: `raw` is alive.
        unsafe { (self.shim.trace_close)(self.raw.as_ptr()) }
    }

    /// Writes the coverage counters.
    pub(crate) fn coverage_write(&mut self, path: &CStr) -> State {
        // SAFETY: `raw` is alive; the path is copied before the call returns.
        State::from_raw(unsafe { (self.shim.coverage_write)(self.raw.as_ptr(), path.as_ptr()) })
    }

    /// Why the simulation ended; empty while it runs.
    pub(crate) fn message(&self) -> String {
        self.text(self.shim.message)
    }

    /// Everything the model printed since the last call.
    pub(crate) fn take_output(&mut self) -> String {
        let text = self.text(self.shim.output);
        // SAFETY: `raw` is alive and `text` is a copy.
        unsafe { (self.shim.output_clear)(self.raw.as_ptr()) }
        text
    }

    fn text(&self, get: unsafe extern "C" fn(Raw, *mut u64) -> *const c_char) -> String {
        let mut length = 0;
        // SAFETY: `raw` is alive; the shim returns `length` bytes that stay until the next call on this object.
        let bytes = unsafe {
            let data = get(self.raw.as_ptr(), &mut length);
            std::slice::from_raw_parts(data.cast::<u8>(), length as usize)
        };
        String::from_utf8_lossy(bytes).into_owned()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _one = self.shim.lifetime();
        // SAFETY: the object is owned, alive, and never used after this.
        unsafe { (self.shim.delete)(self.raw.as_ptr()) }
    }
}
