//! A loaded library: its ports, and the instances made from it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{
    error::{BuildError, PortError},
    ffi::{Instance, Shim},
    model::Model,
    port::{Port, check_declared},
};

/// A compiled model, mapped into the process. Cheap to clone; each [`Model`] keeps it mapped.
#[derive(Clone)]
pub struct Library {
    inner: Arc<Inner>,
}

struct Inner {
    /// Tells this library's port handles from those of others.
    id: u32,
    top: String,
    trace: bool,
    coverage: bool,
    from_cache: bool,
    shim: Arc<Shim>,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").field("top", &self.inner.top).finish_non_exhaustive()
    }
}

/// What the build knows about a library that the file itself does not say.
pub(crate) struct Built<'a> {
    pub(crate) top: &'a str,
    pub(crate) ports: &'a [Port],
    pub(crate) trace: bool,
    pub(crate) coverage: bool,
    pub(crate) from_cache: bool,
}

impl Library {
    /// Maps `path` and checks it against what was asked for.
    pub(crate) fn load(path: &Path, built: &Built<'_>) -> Result<Self, BuildError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let shim = Shim::load(path)
            .map_err(|problem| BuildError::Load { path: path.to_owned(), problem })?;
        check_declared(built.top, built.ports, shim.ports())?;
        let inner = Inner {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            top: built.top.to_owned(),
            trace: built.trace,
            coverage: built.coverage,
            from_cache: built.from_cache,
            shim: Arc::new(shim),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Name of the top module.
    pub fn top(&self) -> &str {
        &self.inner.top
    }

    /// Every port of the top module, declared or not.
    pub fn ports(&self) -> &[Port] {
        self.inner.shim.ports()
    }

    /// True when nothing had to be compiled.
    pub fn from_cache(&self) -> bool {
        self.inner.from_cache
    }

    /// Looks a port up once; the handle serves every instance of this library.
    ///
    /// # Errors
    /// [`PortError::Missing`] lists the ports there are.
    pub fn port(&self, name: &str) -> Result<PortId, PortError> {
        match self.ports().iter().position(|port| port.name == name) {
            Some(index) => Ok(PortId { library: self.inner.id, index }),
            None => Err(PortError::missing(self.top(), name, self.ports())),
        }
    }

    /// A new instance with its own state, time, trace and coverage.
    ///
    /// # Errors
    /// [`BuildError::Load`] when the C++ constructor failed.
    pub fn instance(&self) -> Result<Model, BuildError> {
        let instance = Instance::new(self.inner.shim.clone()).ok_or_else(|| BuildError::Load {
            path: self.top().into(),
            problem: "the model's constructor failed".to_owned(),
        })?;
        Ok(Model::new(instance, self.clone()))
    }

    /// Whether traces were built in.
    pub(crate) fn can_trace(&self) -> bool {
        self.inner.trace
    }

    /// Whether coverage counters were built in.
    pub(crate) fn can_cover(&self) -> bool {
        self.inner.coverage
    }

    /// The index and description behind a handle.
    #[inline]
    pub(crate) fn resolve(&self, id: PortId) -> Result<(usize, &Port), PortError> {
        if id.library != self.inner.id {
            return Err(PortError::Foreign { top: self.top().to_owned() });
        }
        Ok((id.index, &self.ports()[id.index]))
    }
}

/// Handle of a port, from [`Library::port`] or [`Model::port`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortId {
    library: u32,
    index: usize,
}
