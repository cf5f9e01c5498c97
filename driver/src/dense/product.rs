//! One product: its checks, its commands.

use super::combine::Combine;
use super::epilogue::{Along, Epilogue, Needs, Own};
use super::many::{Batch, FetchMany, Placed};
use super::stage::{self, Fetch, Image};
use super::{Event, GemmOptions, GemmStats, arg};
use crate::Error;
use crate::buffer::CardMemory;
use crate::card::{Job, JobId, Step};
use crate::device::{Context, Inner};
use crate::element::Scalar;
use crate::plan::{Memory, Plan, Problem};
use crate::view::{DynView, DynViewMut, Layout, Order, PlaceMut};
use mattock_spec::Format;
use mattock_spec::command::{Command, GemmCommand};
use mattock_spec::regs::{Capabilities, GemmCaps};
use std::borrow::Cow;
use std::sync::Arc;

/// A product as it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Product<'a> {
    pub(super) alpha: Scalar,
    pub(super) a: DynView<'a>,
    pub(super) b: DynView<'a>,
    pub(super) beta: Scalar,
    pub(super) c: Layout,
    /// Where C is when it is in card memory.
    pub(super) c_on_card: Option<&'a CardMemory>,
    /// Which of the call's places C is in.
    pub(super) target: usize,
    /// What happens to sums, alpha being 1 and beta 0 then.
    pub(super) epilogue: Own<'a>,
}

/// A product the card can do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) m: u32,
    pub(super) n: u32,
    pub(super) k: u32,
    pub(super) tuple: u8,
}

/// A product in the queue.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: JobId,
    /// Copies of operands, held until the card has read them.
    pub(super) operands: Vec<CardMemory>,
    pub(super) fetch: Option<Fetched>,
    /// Where the matrices of a batch lie, to tell which product a fault is of.
    pub(super) batch: Option<Placed>,
}

/// Results to be brought to host memory, or combined there.
#[derive(Debug)]
pub(super) enum Fetched {
    /// Of a product.
    One(Fetch),
    /// Of a batch.
    Many(FetchMany),
}

impl Context {
    /// How a product would run on this card, with `memory` behind it: what [`gemm`](Self::gemm) does with the same call.
    ///
    /// # Errors
    /// As [`gemm`](Self::gemm), before anything is sent.
    pub fn plan_gemm<'a>(
        &self,
        options: &GemmOptions,
        a: impl Into<DynView<'a>>,
        b: impl Into<DynView<'a>>,
        c: impl Into<DynViewMut<'a>>,
        memory: &Memory,
    ) -> Result<Plan, Error> {
        let DynViewMut { layout, place } = c.into();
        let (one, zero) = Scalar::one_and_zero(layout.format);
        let product = Product {
            alpha: one,
            a: a.into(),
            b: b.into(),
            beta: zero,
            c: layout,
            c_on_card: place.on_card(),
            target: 0,
            epilogue: None,
        };
        let caps = self.gemm_caps()?;
        let shape = product.check(&self.inner, &caps)?;
        Call { inner: &self.inner, caps: &caps, options }.plan(&product, &shape, memory)
    }

    /// [`plan_gemm`](Self::plan_gemm) for a product with an epilogue.
    ///
    /// # Errors
    /// As [`gemm_epilogue`](Self::gemm_epilogue), before anything is sent.
    pub fn plan_gemm_epilogue<'a>(
        &self,
        options: &GemmOptions,
        epilogue: &'a Epilogue,
        a: impl Into<DynView<'a>>,
        b: impl Into<DynView<'a>>,
        d: impl Into<DynViewMut<'a>>,
        memory: &Memory,
    ) -> Result<Plan, Error> {
        let DynViewMut { layout, place } = d.into();
        let product = Product::with_epilogue(epilogue, a.into(), b.into(), layout, place.on_card());
        let caps = self.gemm_caps()?;
        let shape = product.check(&self.inner, &caps)?;
        Call { inner: &self.inner, caps: &caps, options }.plan(&product, &shape, memory)
    }

    pub(crate) fn gemm_caps(&self) -> Result<GemmCaps, Error> {
        self.inner.shared.caps.gemm.ok_or_else(|| {
            let (asked, have) = ("gemm".into(), "no GEMM engine".into());
            Error::Unsupported { asked, have }
        })
    }

    /// Checks all products, then starts them.
    pub(super) fn products<'a>(
        &self,
        options: &GemmOptions,
        products: Vec<Product<'a>>,
        mut targets: Vec<PlaceMut<'a>>,
    ) -> Result<Event<'a>, Error> {
        let inner = &self.inner;
        let caps = self.gemm_caps()?;
        if let Some(batch) = Batch::of(inner, &caps, options, &products)? {
            return Call { inner, caps: &caps, options }.start_batch(&batch, &products, targets);
        }
        let checked = products.into_iter().map(|p| {
            let shape = p.check(inner, &caps)?;
            Ok((p, shape))
        });
        let products = checked.collect::<Result<Vec<_>, Error>>()?;
        let call = Call { inner, caps: &caps, options };
        if options.chunked {
            let mut stats = GemmStats::default();
            for (product, shape) in products {
                let target = &mut targets[product.target];
                call.in_parts(product, shape, target, &mut stats)?;
            }
            return Ok(Event::new(inner, vec![], vec![], stats));
        }
        call.start(products, targets)
    }
}

/// What all products of a call share.
#[derive(Clone, Copy)]
pub(super) struct Call<'c> {
    pub(super) inner: &'c Arc<Inner>,
    pub(super) caps: &'c GemmCaps,
    pub(super) options: &'c GemmOptions,
}

impl Call<'_> {
    /// Copies what must be copied and puts the commands into the queue.
    pub(super) fn start<'a>(
        &self,
        products: Vec<(Product<'a>, Shape)>,
        mut targets: Vec<PlaceMut<'a>>,
    ) -> Result<Event<'a>, Error> {
        let Call { inner, caps, .. } = self;
        let need = products.iter().try_fold(0u64, |sum, (product, shape)| {
            Ok::<_, Error>(sum.saturating_add(product.staging_bytes(shape, caps.align)?))
        })?;
        // Everything is in place before the first command runs: what fails until then leaves every C untouched.
        let (scaled, products): (Vec<_>, Vec<_>) =
            products.into_iter().partition(|(product, shape)| product.has_no_product(shape));
        let ready = products.into_iter().map(|(product, shape)| self.stage(product, &shape));
        let ready = match ready.collect::<Result<Vec<_>, _>>() {
            // What was staged is free again: what the whole call needs against what it had.
            Err(Error::OutOfMemory { .. }) => {
                return Err(Error::OutOfMemory { need, have: inner.available() });
            }
            other => other?,
        };
        let mut stats = GemmStats::default();
        for (product, _) in scaled {
            let target = &mut targets[product.target];
            stats.host_elements += self.combine(&product).scale(&product.c, target)?;
        }
        let mut card = inner.shared.lock();
        let pending = ready.into_iter().map(|Ready { job, operands, fetch }| Pending {
            id: card.submit(job),
            operands,
            fetch: fetch.map(Fetched::One),
            batch: None,
        });
        let pending = pending.collect();
        drop(card);
        Ok(Event::new(inner, pending, targets, stats))
    }

    pub(super) fn combine(&self, product: &Product<'_>) -> Combine {
        Combine::new(product.alpha, product.beta, product.c.format, self.options)
    }

    fn stage(&self, product: Product<'_>, shape: &Shape) -> Result<Ready, Error> {
        let Call { inner, caps, options } = *self;
        let mut operands = vec![];
        // The result first: an operand that has been copied for nothing costs more.
        let plain = product.is_plain();
        let plan = self.plan(&product, shape, &Memory::new(inner.shared.caps.bus_bytes))?;
        let [order_a, order_b, order_d] = plan.problem.orders;
        let mut turned = None;
        let (d, image, memory) = match product.c_on_card {
            Some(memory) if plain => (stage::in_place(&product.c, memory), None, None),
            _ => {
                let mut image = Image::new(product.c, caps.align)?;
                if image.order() != order_d {
                    image = Image::new(stage::other_order(&product.c), caps.align)?;
                    turned = Some(product.c);
                }
                let memory = inner.memory(image.bytes.max(1))?;
                (image.at(&memory), Some(image), Some(memory))
            }
        };
        let epilogue = product.effective_epilogue();
        let lines = if d.column_major { shape.m } else { shape.n };
        let block = epilogue.map(|epilogue| epilogue.block(lines as usize));
        let (epilogue, epilogue_steps) = match &block {
            None => (0, 0),
            Some(block) => {
                let memory = inner.memory(block.bytes.len() as u64)?;
                memory.write(0, &block.bytes)?;
                let address = memory.address();
                operands.push(memory);
                (address, block.steps)
            }
        };
        let a = stage::operand(inner, &product.a, order_a, caps.align, &mut operands)?;
        let b = stage::operand(inner, &product.b, order_b, caps.align, &mut operands)?;
        let buffers = [product.a.place.on_card(), product.b.place.on_card(), product.c_on_card];
        let touches = buffers.into_iter().flatten().chain(&operands).chain(&memory);
        let touches = touches.map(CardMemory::range).collect();
        let command = GemmCommand {
            tuple: shape.tuple,
            rounding: options.rounding,
            saturate: options.saturate,
            a_col_major: a.column_major,
            b_col_major: b.column_major,
            d_col_major: d.column_major,
            m: shape.m,
            n: shape.n,
            k: shape.k,
            a: a.address,
            a_stride: a.stride,
            b: b.address,
            b_stride: b.stride,
            d: d.address,
            d_stride: d.stride,
            epilogue,
            epilogue_steps,
            ..GemmCommand::default()
        };
        let limit = shape.cycle_limit(caps, &inner.shared.caps);
        let limit = inner.shared.lock().limit(limit, inner.options.timeout);
        let steps = steps(command, options.resident);
        let steps = steps.map(|c| Step { command: Command::Gemm(c), limit }).collect();
        let fetch = image.zip(memory).map(|(image, memory)| Fetch {
            image,
            memory,
            combine: self.combine(&product),
            target: product.target,
            turned,
        });
        Ok(Ready { job: Job { op: "gemm", steps, touches }, operands, fetch })
    }
}

impl Call<'_> {
    /// How the product runs. Matrices that are copied may come in the order that costs least; those in buffers lie
    /// as they lie. Commands that load operands of their own must agree on the order of D: there the caller's
    /// orders are kept.
    pub(super) fn plan(
        &self,
        product: &Product<'_>,
        shape: &Shape,
        memory: &Memory,
    ) -> Result<Plan, Error> {
        let align = self.caps.align;
        let order = |layout: &Layout, on_card: bool| stage::order(layout, on_card, align);
        let a = order(&product.a.layout, product.a.place.on_card().is_some())?;
        let b = order(&product.b.layout, product.b.place.on_card().is_some())?;
        let mut d = order(&product.c, product.c_on_card.is_some())?;
        if let Some(order) = product.order_for_epilogue()?
            && order != d.0
        {
            if !d.1 {
                let asked = format!("such an epilogue with D in {:?} order in card memory", d.0);
                let have = format!("parameters for D in {order:?} order");
                return Err(Error::Unsupported { asked, have });
            }
            d.0 = order;
        }
        // Parameters lie as D does.
        let epilogue = product.effective_epilogue();
        d.1 &= !epilogue.as_ref().is_some_and(|epilogue| epilogue.by_column());
        let lines = if d.0 == Order::Row { shape.n } else { shape.m };
        if let Some(epilogue) = &epilogue {
            epilogue.fits(self.inner.shared.caps.epilogue.as_ref(), lines)?;
        }
        let problem = Problem {
            m: shape.m,
            n: shape.n,
            k: shape.k,
            bits: [product.a.format(), product.b.format(), product.c.format]
                .map(Format::storage_bits),
            parameters: epilogue.map_or(0, |epilogue| epilogue.block_bytes(lines as usize)),
            orders: [a.0, b.0, d.0],
        };
        let free = [a.1, b.1, d.1].map(|free| free && !self.options.resident);
        Ok(Plan::choose(&problem, free, self.caps, memory))
    }
}

/// A job whose operands lie in card memory.
struct Ready {
    job: Job,
    operands: Vec<CardMemory>,
    fetch: Option<Fetch>,
}

impl Product<'_> {
    /// `D = epilogue(A * B)`.
    pub(super) fn with_epilogue<'a>(
        epilogue: &'a Epilogue,
        a: DynView<'a>,
        b: DynView<'a>,
        c: Layout,
        c_on_card: Option<&'a CardMemory>,
    ) -> Product<'a> {
        let (alpha, beta) = Scalar::one_and_zero(c.format);
        let epilogue = Some(Cow::Borrowed(epilogue));
        Product { alpha, a, b, beta, c, c_on_card, target: 0, epilogue }
    }

    /// Nothing is left to do on the card: of no products an epilogue still makes something.
    pub(super) fn has_no_product(&self, shape: &Shape) -> bool {
        let nothing = shape.k == 0 || self.alpha.is_zero();
        self.c.is_empty() || nothing && self.effective_epilogue().is_none()
    }

    /// What happens to sums: what was asked for, and a saturating cast to narrow integers.
    pub(super) fn effective_epilogue(&self) -> Option<Cow<'_, Epilogue>> {
        let narrowed = self.a.format().is_integer() && self.c.format != Format::I32;
        match &self.epilogue {
            None => narrowed.then(|| Cow::Owned(Epilogue::new())),
            Some(epilogue) => Some(Cow::Borrowed(epilogue)),
        }
    }

    /// The order in which D must be computed for its epilogue.
    fn order_for_epilogue(&self) -> Result<Option<Order>, Error> {
        let Some(epilogue) = &self.epilogue else { return Ok(None) };
        Ok(match epilogue.needs((self.c.rows, self.c.cols))? {
            Needs::Either => None,
            Needs::Only(Along::Columns) => Some(Order::Row),
            Needs::Only(Along::Rows) => Some(Order::Column),
        })
    }

    /// Position of the result among the arguments.
    pub(super) fn d_index(&self) -> usize {
        if self.epilogue.is_some() { arg::D } else { arg::C }
    }

    pub(super) fn is_plain(&self) -> bool {
        self.alpha.is_one() && self.beta.is_zero()
    }

    /// Bytes of card memory the call needs beside buffers.
    fn staging_bytes(&self, shape: &Shape, align: u32) -> Result<u64, Error> {
        if self.has_no_product(shape) {
            return Ok(0);
        }
        let mut sum = 0u64;
        for view in [&self.a, &self.b] {
            if view.place.on_card().is_none() {
                sum = sum.saturating_add(Image::new(view.layout, align)?.bytes);
            }
        }
        if self.c_on_card.is_none() || !self.is_plain() {
            sum = sum.saturating_add(Image::new(self.c, align)?.bytes);
        }
        Ok(sum)
    }
}

/// The whole product at once, or each part of it as a command.
fn steps(command: GemmCommand, resident: bool) -> impl Iterator<Item = GemmCommand> {
    let (load_a, load_b, compute, store) = (true, true, true, true);
    let all = GemmCommand { load_a, load_b, compute, store, ..command };
    let parts = [
        GemmCommand { load_a, load_b, ..command },
        GemmCommand { compute, ..command },
        GemmCommand { store, ..command },
    ];
    let chosen = if resident { parts.to_vec() } else { vec![all] };
    chosen.into_iter()
}

impl Shape {
    /// Cycles after which something must be wrong: many times what the worst memory would take.
    pub(super) fn cycle_limit(&self, caps: &GemmCaps, card: &Capabilities) -> u64 {
        let (m, n, k) = (u64::from(self.m), u64::from(self.n), u64::from(self.k));
        let (rows, cols) = (u64::from(caps.rows), u64::from(caps.cols));
        let tiles = m.div_ceil(rows).saturating_mul(n.div_ceil(cols));
        let beats = 1 + (rows + cols) / u64::from(card.bus_bytes);
        let tile = k.max(rows).saturating_mul(beats).saturating_add(4 * rows * cols + 1000);
        tiles.saturating_mul(tile).saturating_mul(16).saturating_add(1_000_000)
    }
}
