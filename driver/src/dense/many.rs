//! Many products as one command, on cards that take batches.

use super::product::{Call, Fetched, Pending, Product, Shape};
use super::stage::PIECE;
use super::{Event, GemmOptions, GemmStats};
use crate::Error;
use crate::buffer::CardMemory;
use crate::card::{Job, Step};
use crate::device::{Context, Inner};
use crate::plan::{BatchPlan, Memory, Plan, Problem, Spacing, cost};
use crate::view::{Layout, Order, Place, PlaceMut, bytes};
use mattock_spec::ErrorCode;
use mattock_spec::command::{BatchEntry, BatchPlace, Command, GemmBatch, GemmCommand};
use mattock_spec::regs::GemmCaps;
use std::ops::Range;

use super::combine::Combine;

/// Products that are one command: of one shape, in one layout each of A, B and C, all of them to be computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    shape: Shape,
    /// Layouts of A, B and C in card memory: rows, columns and order are those of all products.
    layouts: [Layout; 3],
    /// One of the products alone.
    plan: Plan,
}

/// Where the matrices of a batch lie: addresses of A, B and D of each product, and the bytes of each.
#[derive(Debug)]
pub(super) struct Placed {
    at: [Addresses; 3],
    bytes: [u64; 3],
    products: u64,
}

/// Addresses of the same matrix of product after product.
#[derive(Clone, Debug)]
enum Addresses {
    Strided(u64, u32),
    Each(Vec<u64>),
}

impl Addresses {
    /// At equal distances if they are.
    fn of(each: Vec<u64>) -> Addresses {
        let (first, second) = (each.first().copied().unwrap_or(0), each.get(1).copied());
        let distance = second.and_then(|second| second.checked_sub(first)).unwrap_or(0);
        let even = each.windows(2).all(|pair| pair[1].checked_sub(pair[0]) == Some(distance));
        match u32::try_from(distance) {
            Ok(distance) if even => Addresses::Strided(first, distance),
            _ => Addresses::Each(each),
        }
    }

    fn get(&self, i: u64) -> u64 {
        match self {
            Addresses::Strided(first, distance) => first + i * u64::from(*distance),
            Addresses::Each(each) => each.get(i as usize).copied().unwrap_or(0),
        }
    }
}

impl Placed {
    /// Names the product that a bus error is of, by the low half of the address.
    pub(super) fn refine(&self, error: Error) -> Error {
        let Error::DeviceFault { code, info } = error else { return error };
        let product = match code {
            ErrorCode::BadEntry => Some(info.into()),
            ErrorCode::ReadSlaveError | ErrorCode::ReadDecodeError => self.at_fault(0..2, info),
            ErrorCode::WriteSlaveError | ErrorCode::WriteDecodeError => self.at_fault(2..3, info),
            _ => None,
        };
        match product {
            Some(product) => Error::BatchFault { product, code, info },
            None => Error::DeviceFault { code, info },
        }
    }

    /// The first product one of whose matrices has bytes in the beat at this address: the longest beat is 64 bytes.
    fn at_fault(&self, matrices: Range<usize>, low: u32) -> Option<u64> {
        (0..self.products).find(|&i| {
            matrices.clone().any(|x| {
                let begin = self.at[x].get(i) & !63;
                let offset = u64::from(low.wrapping_sub(begin as u32));
                offset < self.at[x].get(i) - begin + self.bytes[x]
            })
        })
    }
}

impl Batch {
    /// The products as one command; `None` when this card or these products do not allow it.
    ///
    /// # Errors
    /// As the calls, when products that would be one command are wrong.
    pub(super) fn of(
        inner: &Inner,
        caps: &GemmCaps,
        options: &GemmOptions,
        products: &[Product<'_>],
    ) -> Result<Option<Batch>, Error> {
        let several = products.len() > 1 && u32::try_from(products.len()).is_ok();
        if !inner.shared.caps.batch || !several || options.resident || options.chunked {
            return Ok(None);
        }
        let first = &products[0];
        let form = |layout: &Layout| {
            let layout = layout.in_fewest_lines();
            Layout { offset: 0, ..layout }
        };
        let forms = |p: &Product<'_>| [form(&p.a.layout), form(&p.b.layout), form(&p.c)];
        let on_card = |p: &Product<'_>| {
            [p.a.place.on_card(), p.b.place.on_card(), p.c_on_card].map(|place| place.is_some())
        };
        let alike = |p: &Product<'_>| {
            forms(p) == forms(first)
                && on_card(p) == on_card(first)
                && (p.alpha, p.beta) == (first.alpha, first.beta)
                && p.effective_epilogue().is_none()
        };
        if !products.iter().all(alike) {
            return Ok(None);
        }
        let layouts = forms(first);
        // Matrices of a batch may begin at any element.
        let align = layouts.map(|layout| (layout.format.storage_bits() / 8).max(1));
        let mut shape = None;
        for product in products {
            shape = Some(product.check_aligned(inner, caps, align)?);
        }
        let Some(shape) = shape.filter(|shape| !first.has_no_product(shape)) else {
            return Ok(None);
        };
        // Products overlap in time: what one reads must not be what another writes.
        if reads_results(products) {
            return Ok(None);
        }
        let memory = Memory::new(inner.shared.caps.bus_bytes);
        let plan = Plan::of(&problem(&shape, &layouts), caps, &memory);
        let dense = Spacing { line: 1, matrix: 1 };
        let fits =
            BatchPlan::of(&plan.problem, products.len() as u64, [dense; 3], false, caps, &memory);
        let spaced = layouts.iter().all(|layout| u32::try_from(layout.ld_bytes()).is_ok());
        Ok(fits.filter(|_| spaced).map(|_| Batch { shape, layouts, plan }))
    }
}

/// Whether an operand in card memory lies where a result of another product goes.
fn reads_results(products: &[Product<'_>]) -> bool {
    let address = |layout: &Layout, memory: &CardMemory| memory.address() + layout.start() as u64;
    let results = products.iter().filter(|p| p.is_plain());
    let results = results.filter_map(|p| Some(address(&p.c, p.c_on_card?)));
    let mut results: Vec<u64> = results.collect();
    results.sort_unstable();
    let length = products.first().map_or(0, |p| p.c.span().len() as u64);
    let operands = products.iter().flat_map(|p| [&p.a, &p.b]);
    let mut on_card = operands.filter_map(|view| Some((view, view.place.on_card()?)));
    on_card.any(|(view, memory)| {
        let begin = address(&view.layout, memory);
        let end = begin + view.layout.span().len() as u64;
        let first = results.partition_point(|&at| at.saturating_add(length) <= begin);
        results.get(first).is_some_and(|&at| at < end)
    })
}

impl Context {
    /// The plan of products at equal distances, in elements, as one command.
    pub(super) fn plan_batch(
        &self,
        options: &GemmOptions,
        products: &[Product<'_>],
        strides: [usize; 3],
        memory: &Memory,
    ) -> Result<Option<BatchPlan>, Error> {
        let (inner, caps) = (&self.inner, self.gemm_caps()?);
        let Some(batch) = Batch::of(inner, &caps, options, products)? else { return Ok(None) };
        let call = Call { inner, caps: &caps, options };
        let first = &products[0];
        let on_card = [
            first.a.place.on_card().is_some(),
            first.b.place.on_card().is_some(),
            first.c_on_card.is_some() && first.is_plain(),
        ];
        let mut spacing = [Spacing { line: 0, matrix: 0 }; 3];
        for (i, to) in spacing.iter_mut().enumerate() {
            let layout = &batch.layouts[i];
            *to = match on_card[i] {
                true => Spacing {
                    line: layout.ld_bytes() as u64,
                    matrix: bytes(strides[i], layout.format) as u64,
                },
                false => call.spacing(i, &batch, layout)?,
            };
            if strides[i] == 0 {
                to.matrix = 0;
            }
        }
        let (problem, count) = (&batch.plan.problem, products.len() as u64);
        Ok(BatchPlan::of(problem, count, spacing, false, &caps, memory))
    }
}

fn problem(shape: &Shape, layouts: &[Layout; 3]) -> Problem {
    let Shape { m, n, k, .. } = *shape;
    let bits = layouts.map(|layout| layout.format.storage_bits());
    Problem { m, n, k, bits, parameters: 0, orders: layouts.map(|layout| layout.order) }
}

impl Call<'_> {
    /// Copies what must be copied and puts the one command into the queue.
    pub(super) fn start_batch<'a>(
        &self,
        batch: &Batch,
        products: &[Product<'a>],
        targets: Vec<PlaceMut<'a>>,
    ) -> Result<Event<'a>, Error> {
        let Call { inner, options, .. } = *self;
        let first = &products[0];
        let count = products.len() as u64;
        let mut held = vec![];
        let mut touches: Vec<Range<u64>> = vec![];
        let mut touch = |memory: &CardMemory| {
            if touches.last() != Some(&memory.range()) {
                touches.push(memory.range());
            }
        };

        // ---- D: where it lies, or a place of its own ----
        let [a_layout, b_layout, c_layout] = batch.layouts;
        let plain = first.is_plain();
        let in_place = |layouts: &mut dyn Iterator<Item = (&Layout, &CardMemory)>| {
            let at = |(layout, memory): (&Layout, &CardMemory)| {
                memory.address() + layout.in_fewest_lines().start() as u64
            };
            Addresses::of(layouts.map(at).collect())
        };
        let placed_d =
            products.iter().filter_map(|p| p.c_on_card.filter(|_| plain).map(|m| (&p.c, m)));
        let (d, d_line, mut fetch) = if first.c_on_card.is_some() && plain {
            placed_d.clone().for_each(|(_, memory)| touch(memory));
            (in_place(&mut placed_d.into_iter()), c_layout.ld_bytes() as u32, None)
        } else {
            let spacing = self.spacing(2, batch, &c_layout)?;
            let memory = inner.memory((spacing.matrix * count).max(1))?;
            touch(&memory);
            let at = Addresses::Strided(memory.address(), spacing.matrix as u32);
            let combine = self.combine(first);
            let results = products.iter().map(|p| (p.c.in_fewest_lines(), p.target)).collect();
            let fetch = FetchMany { memory, spacing, combine, results };
            (at, spacing.line as u32, Some(fetch))
        };

        // ---- A and B ----
        let mut operand = |i: usize, layout: &Layout| {
            let views = products.iter().map(|p| if i == 0 { &p.a } else { &p.b });
            let on_card = views.clone().filter_map(|v| v.place.on_card().map(|m| (&v.layout, m)));
            if on_card.clone().next().is_some() {
                on_card.clone().for_each(|(_, memory)| touch(memory));
                return Ok((in_place(&mut on_card.into_iter()), layout.ld_bytes() as u32));
            }
            let hosts = views.filter_map(|view| match view.place {
                Place::Host(host) => Some((view.layout.in_fewest_lines(), host)),
                Place::Card(_) => None,
            });
            let hosts: Vec<_> = hosts.collect();
            let same = |x: &(Layout, &[u8])| x.0 == hosts[0].0 && std::ptr::eq(x.1, hosts[0].1);
            let shared = hosts.iter().all(same);
            let spacing = self.spacing(i, batch, layout)?;
            let copies = if shared { &hosts[..1] } else { &hosts[..] };
            let memory = inner.memory((spacing.matrix * copies.len() as u64).max(1))?;
            send(copies, spacing, &memory)?;
            touch(&memory);
            let distance = if shared { 0 } else { spacing.matrix as u32 };
            let at = Addresses::Strided(memory.address(), distance);
            held.push(memory);
            Ok::<_, Error>((at, spacing.line as u32))
        };
        let (a, a_line) = operand(0, &a_layout)?;
        let (b, b_line) = operand(1, &b_layout)?;

        // ---- the command ----
        let bytes = [(a_layout, a_line), (b_layout, b_line), (c_layout, d_line)]
            .map(|(l, line)| (l.lines().0 as u64 - 1) * u64::from(line) + l.line_bytes() as u64);
        // Lines of one D between those of another are no distance that the card knows.
        let d = match d {
            Addresses::Strided(_, next) if u64::from(next) < bytes[2] => {
                Addresses::Each((0..count).map(|i| d.get(i)).collect())
            }
            apart => apart,
        };
        let placed = Placed { at: [a, b, d], bytes, products: count };
        let shape = &batch.shape;
        let mut product = GemmCommand {
            tuple: shape.tuple,
            rounding: options.rounding,
            saturate: options.saturate,
            a_col_major: a_layout.order == Order::Column,
            b_col_major: b_layout.order == Order::Column,
            d_col_major: c_layout.order == Order::Column,
            load_a: true,
            load_b: true,
            compute: true,
            store: true,
            m: shape.m,
            n: shape.n,
            k: shape.k,
            a_stride: a_line,
            b_stride: b_line,
            d_stride: d_line,
            ..GemmCommand::default()
        };
        let place = match &placed.at {
            [Addresses::Strided(a, x), Addresses::Strided(b, y), Addresses::Strided(d, z)] => {
                (product.a, product.b, product.d) = (*a, *b, *d);
                BatchPlace::Strided([*x, *y, *z])
            }
            at => {
                let entries = (0..count).flat_map(|i| {
                    let [a, b, d] = [0, 1, 2].map(|x| at[x].get(i));
                    BatchEntry { a, b, d }.encode()
                });
                let entries: Vec<u8> = entries.collect();
                let memory = inner.memory(entries.len() as u64)?;
                memory.write(0, &entries)?;
                touch(&memory);
                let list = memory.address();
                held.push(memory);
                BatchPlace::Listed(list)
            }
        };
        let command = GemmBatch { product, products: products.len() as u32, place };
        let limit = shape.cycle_limit(self.caps, &inner.shared.caps).saturating_mul(count);
        let limit = inner.shared.lock().limit(limit, inner.options.timeout);
        let steps = [Step { command: Command::Batch(command), limit }].into();
        let id = inner.shared.lock().submit(Job { op: "gemm", steps, touches });
        let pending = Pending {
            id,
            operands: held,
            fetch: fetch.take().map(Fetched::Many),
            batch: Some(placed),
        };
        Ok(Event::new(inner, vec![pending], targets, GemmStats::default()))
    }

    /// How copies of matrix `i` (A, B, D) lie: closest where that costs nothing, or in lines and matrices that lie in fewer beats.
    fn spacing(&self, i: usize, batch: &Batch, layout: &Layout) -> Result<Spacing, Error> {
        let (lines, line) = (layout.lines().0 as u64, layout.line_bytes() as u64);
        let bus = u64::from(self.inner.shared.caps.bus_bytes);
        let whole = |bytes: u64| match bytes < bus {
            true => bytes.next_power_of_two(),
            false => bytes.next_multiple_of(bus),
        };
        let options = [
            Spacing { line, matrix: lines * line },
            Spacing { line, matrix: whole(lines * line) },
            Spacing { line: whole(line), matrix: lines * whole(line) },
            Spacing { line: whole(line), matrix: whole(lines * whole(line)) },
        ];
        let memory = Memory::new(self.inner.shared.caps.bus_bytes);
        let tile = (batch.plan.tiles * batch.plan.tile_cycles) as f64;
        let price = |spacing: Spacing| {
            let cost = cost(i, &batch.plan, spacing, &memory);
            (cost.cycles.max(tile), cost.beats)
        };
        let mut best = options[0];
        for other in options {
            if price(other) < price(best) {
                best = other;
            }
        }
        match u32::try_from(best.matrix) {
            Ok(_) => Ok(best),
            Err(_) => Err(Error::OutOfMemory { need: best.matrix, have: u32::MAX.into() }),
        }
    }
}

/// Copies matrices of host memory to the card, one after the other.
fn send(copies: &[(Layout, &[u8])], spacing: Spacing, memory: &CardMemory) -> Result<(), Error> {
    let (line_bytes, matrix_bytes) = (spacing.line as usize, spacing.matrix as usize);
    let at_once = (PIECE / matrix_bytes).max(1);
    let mut image = vec![];
    for (part, matrices) in copies.chunks(at_once).enumerate() {
        image.clear();
        image.resize(matrices.len() * matrix_bytes, 0);
        for ((layout, host), to) in matrices.iter().zip(image.chunks_mut(matrix_bytes)) {
            for i in 0..layout.lines().0 {
                let from = &host[layout.line(i)];
                to[i * line_bytes..][..from.len()].copy_from_slice(from);
            }
        }
        memory.write((part * at_once * matrix_bytes) as u64, &image)?;
    }
    Ok(())
}

/// Results of a batch in card memory that are to become, or be combined with, matrices.
#[derive(Debug)]
pub(super) struct FetchMany {
    memory: CardMemory,
    spacing: Spacing,
    combine: Combine,
    /// Of each product: how C lies, in which of the event's places.
    results: Vec<(Layout, usize)>,
}

impl FetchMany {
    /// Brings the results to their places. Gives the number of elements the host computed.
    pub(super) fn run(&self, targets: &mut [PlaceMut<'_>]) -> Result<u64, Error> {
        let (line_bytes, matrix_bytes) = (self.spacing.line as usize, self.spacing.matrix as usize);
        let at_once = (PIECE / matrix_bytes).max(1);
        let mut image = vec![];
        let mut elements = 0;
        for (part, results) in self.results.chunks(at_once).enumerate() {
            image.resize(results.len() * matrix_bytes, 0);
            self.memory.read((part * at_once * matrix_bytes) as u64, &mut image)?;
            for ((layout, target), from) in results.iter().zip(image.chunks(matrix_bytes)) {
                for i in 0..layout.lines().0 {
                    let to = layout.line(i);
                    let product = &from[i * line_bytes..][..to.len()];
                    self.combine.put(&mut targets[*target], to, product)?;
                }
                elements += layout.rows as u64 * layout.cols as u64;
            }
        }
        Ok(if self.combine.is_plain() { 0 } else { elements })
    }
}
