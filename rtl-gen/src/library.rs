//! Modules, instances, black boxes and elaboration of the tree.

use crate::builder::{Builder, Domain};
use crate::error::{BuildError, BuildErrors, ErrorKind};
use crate::ir::{Direction, DomainDef, InstDef, ModuleDef, Op, Port, Target};
use crate::{Sig, Type, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::Location;
use std::rc::Rc;

/// A hardware module with its parameters. The `Debug` text of the struct is its identity: two
/// instances with equal parameters share one definition.
pub trait Module: Debug {
    /// Verilog name; must differ wherever the parameters differ.
    fn name(&self) -> String;

    /// Refuses parameters that make no hardware; the text names the parameter, the value and what is allowed.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Draws the inside.
    fn build(&self, m: &Builder);
}

/// A module whose Verilog text comes from elsewhere: a vendor cell or third-party core.
pub struct BlackBox {
    /// Verilog module name.
    pub name: String,
    /// Verilog parameters, printed as given (`"\"CLK0\""` for a string).
    pub parameters: Vec<(String, String)>,
    /// Ports: name, direction, type. A `Clock` typed port is driven by the domain of the instance.
    pub ports: Vec<(String, Direction, Type)>,
    /// Outputs that come straight from registers, so that no path from inputs to them exists.
    pub registered_outputs: bool,
    /// Makes the behaviour for the interpreter; without it a design with this box only simulates in Verilog.
    pub model: Option<fn() -> Box<dyn BlackBoxModel>>,
    /// Verilog text to simulate with, printed beside the design; the real cell takes its place in synthesis.
    pub simulation_text: Option<String>,
}

/// Behaviour of a [`BlackBox`] for the interpreter; port lists exclude clocks and are in port order.
pub trait BlackBoxModel {
    /// Outputs now. `inputs` are undefined for boxes with registered outputs.
    fn outputs(&mut self, inputs: &[Value], outputs: &mut [Value]);
    /// A rising clock edge with these inputs.
    fn clock(&mut self, inputs: &[Value]);
}

impl Debug for BlackBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlackBox({})", self.name)
    }
}

#[derive(Default)]
pub(crate) struct Library {
    modules: Vec<ModuleDef>,
    index: BTreeMap<String, (usize, String)>,
    errors: Vec<BuildError>,
}

/// An instance under construction; connect every input, read the outputs you need.
#[derive(Clone, Copy)]
pub struct Instance<'m> {
    m: &'m Builder,
    index: u32,
}

/// A checked design: modules, each before those that use it.
#[derive(Clone, Debug)]
pub struct Design {
    /// All distinct modules; children come before parents, the top is last.
    pub modules: Vec<ModuleDef>,
}

impl Design {
    /// Builds and checks `top` with everything below it.
    ///
    /// # Errors
    /// All mistakes found, each with module path, signal, types and source line.
    #[track_caller]
    pub fn elaborate(top: &dyn Module) -> Result<Design, BuildErrors> {
        let library = Rc::new(RefCell::new(Library::default()));
        elaborate(top, top.name(), &library, Location::caller());
        let library = std::mem::take(&mut *library.borrow_mut());
        if library.errors.is_empty() {
            Ok(Design { modules: library.modules })
        } else {
            Err(BuildErrors(library.errors))
        }
    }

    /// The top module.
    pub fn top(&self) -> &ModuleDef {
        self.modules.last().expect("a design has a top")
    }

    /// The module of that name.
    pub fn module(&self, name: &str) -> Option<&ModuleDef> {
        self.modules.iter().find(|m| m.name == name)
    }
}

fn elaborate(
    module: &dyn Module,
    path: String,
    library: &Rc<RefCell<Library>>,
    at: &'static Location<'static>,
) -> usize {
    let (name, key) = (module.name(), format!("{module:?}"));
    let known = library.borrow().index.get(&name).cloned();
    if let Some((index, first)) = known {
        if first != key {
            let kind = ErrorKind::ModuleName { name, first, second: key };
            library.borrow_mut().errors.push(BuildError { path, kind, at });
        }
        return index;
    }
    let builder = Builder::new(name.clone(), path.clone(), library.clone());
    if let Some(why) = crate::check::identifier_problem(&name) {
        builder.error(ErrorKind::Name { name: name.clone(), why }, at);
    }
    match module.check() {
        Ok(()) => module.build(&builder),
        Err(text) => builder.error(ErrorKind::Parameter(text), at),
    }
    let (mut def, mut errors) = builder.finish();
    // Checks walk the graph and would only echo what is wrong already.
    if errors.is_empty() {
        errors = crate::check::check(&mut def, &library.borrow().modules, &path);
    }
    if !errors.is_empty() {
        // What a wrong module passes through is unknown; parents are still checked for mistakes of their own.
        def.comb_inputs = vec![vec![]; def.ports.len()];
    }
    let mut library = library.borrow_mut();
    library.errors.extend(errors);
    library.modules.push(def);
    let index = library.modules.len() - 1;
    library.index.insert(name, (index, key));
    index
}

impl Builder {
    /// An instance of `module`. Its default clock is this module's current one; other domains are
    /// bound with [`Instance::clock`].
    #[track_caller]
    pub fn inst(&self, name: &str, module: &dyn Module) -> Instance<'_> {
        let at = Location::caller();
        let path = format!("{}/{name}", self.path);
        let index = elaborate(module, path, &self.library, at);
        let (ports, domains, module) = {
            let library = self.library.borrow();
            let module = &library.modules[index];
            (module.ports.clone(), module.domains.clone(), module.name.clone())
        };
        self.add_instance(name, (Target::Module(index), module), ports, &domains, at)
    }

    /// An instance of a black box, clocked by the current domain.
    #[track_caller]
    pub fn black_box(&self, name: &str, target: Rc<BlackBox>) -> Instance<'_> {
        let at = Location::caller();
        let timing = crate::ir::Timing::Domain(0);
        let ports: Vec<Port> = (target.ports.iter())
            .map(|(name, direction, ty)| Port {
                name: name.clone(),
                direction: *direction,
                ty: *ty,
                source: None,
                timing,
                may_be_unused: true,
                doc: String::new(),
                at,
            })
            .collect();
        let clock = ports.iter().position(|p| p.ty == Type::Clock).map(|i| i as u32);
        let reset = ports.iter().position(|p| p.ty == Type::Reset).map(|i| i as u32);
        let port = |i: Option<u32>| i.map_or(String::new(), |i| ports[i as usize].name.clone());
        let domains = [DomainDef {
            clock: port(clock),
            reset: port(reset),
            clock_port: clock,
            reset_port: reset,
        }];
        let module = target.name.clone();
        self.add_instance(name, (Target::BlackBox(target), module), ports, &domains, at)
    }

    #[track_caller]
    fn add_instance(
        &self,
        name: &str,
        (target, module): (Target, String),
        ports: Vec<Port>,
        domains: &[DomainDef],
        at: &'static Location<'static>,
    ) -> Instance<'_> {
        let current = self.current_domain();
        for domain in domains {
            if domain.clock_port.is_some() {
                self.clock_port(current);
            }
            if domain.reset_port.is_some() {
                self.reset_port(current);
            }
        }
        let name = self.claim_name(name, at);
        let connections = vec![None; ports.len()];
        let domains = vec![current; domains.len()];
        let index = self.with(|b| {
            b.def.insts.push(InstDef { name, target, module, ports, connections, domains, at });
            b.def.insts.len() as u32 - 1
        });
        Instance { m: self, index }
    }
}

impl<'m> Instance<'m> {
    /// Drives the instance's clock domain `name` (the name given to [`Builder::domain`] inside it) by `domain`.
    #[track_caller]
    pub fn clock(self, name: &str, domain: Domain) -> Self {
        let wanted = format!("{name}_clk");
        let found = self.m.with(|b| {
            let inst = &b.def.insts[self.index as usize];
            let Target::Module(module) = inst.target else { return None };
            let library = self.m.library.borrow();
            library.modules[module].domains.iter().position(|d| d.clock == wanted)
        });
        match found {
            Some(i) => {
                self.m.clock_port(domain.0);
                self.m.reset_port(domain.0);
                self.m.with(|b| b.def.insts[self.index as usize].domains[i] = domain.0);
            }
            None => self.no_port("clock", &wanted, Direction::Input, Location::caller()),
        }
        self
    }

    /// Name, direction and type of the ports, without clocks and resets.
    pub fn ports(self) -> Vec<(String, Direction, Type)> {
        self.m.with(|b| {
            let ports = b.def.insts[self.index as usize].ports.iter();
            let data = ports.filter(|p| !matches!(p.ty, Type::Clock | Type::Reset));
            data.map(|p| (p.name.clone(), p.direction, p.ty)).collect()
        })
    }

    /// Connects an input port.
    #[track_caller]
    pub fn set(self, port: &str, value: Sig<'m>) -> Self {
        let at = Location::caller();
        let Some(i) = self.find(port, Direction::Input) else {
            self.no_port("input", port, Direction::Input, at);
            return self;
        };
        let (inst, want) = self.m.with(|b| {
            let inst = &b.def.insts[self.index as usize];
            (inst.name.clone(), inst.ports[i].ty)
        });
        let name = format!("{inst}.{port}");
        if !std::ptr::eq(value.m, self.m) {
            self.m
                .error(ErrorKind::Foreign { op: "connection", name: value.m.label(value.id) }, at);
            return self;
        }
        if value.ty() != want {
            let (right, right_ty) = (self.m.label(value.id), value.ty());
            let kind = ErrorKind::Mismatch {
                op: "connection",
                left: name.clone(),
                left_ty: want,
                right,
                right_ty,
            };
            self.m.error(kind, at);
        }
        let before =
            self.m.with(|b| b.def.insts[self.index as usize].connections[i].replace(value.id));
        if before.is_some() {
            self.m.error(ErrorKind::DoublyDriven { what: "port", name }, at);
        }
        self
    }

    /// Reads an output port.
    #[track_caller]
    pub fn get(self, port: &str) -> Sig<'m> {
        let at = Location::caller();
        let Some(i) = self.find(port, Direction::Output) else {
            self.no_port("output", port, Direction::Output, at);
            return self.m.low();
        };
        let (known, ty) = self.m.with(|b| {
            let inst = &b.def.insts[self.index as usize];
            (inst.connections[i], inst.ports[i].ty)
        });
        if let Some(id) = known {
            return Sig { m: self.m, id };
        }
        let sig = self.m.add_node(Op::InstOut(self.index, i as u32), &[], ty, at);
        self.m.with(|b| b.def.insts[self.index as usize].connections[i] = Some(sig.id));
        sig
    }

    fn find(self, port: &str, direction: Direction) -> Option<usize> {
        self.m.with(|b| {
            let ports = &b.def.insts[self.index as usize].ports;
            ports.iter().position(|p| {
                p.name == port
                    && p.direction == direction
                    && !matches!(p.ty, Type::Clock | Type::Reset)
            })
        })
    }

    fn no_port(
        self,
        what: &'static str,
        name: &str,
        direction: Direction,
        at: &'static Location<'static>,
    ) {
        let kind = self.m.with(|b| {
            let inst = &b.def.insts[self.index as usize];
            let have: Vec<&str> = (inst.ports.iter())
                .filter(|p| match what {
                    "clock" => p.ty == Type::Clock,
                    _ => p.direction == direction && !matches!(p.ty, Type::Clock | Type::Reset),
                })
                .map(|p| p.name.as_str())
                .collect();
            let have = if have.is_empty() { "none".into() } else { have.join(", ") };
            let module = inst.module.clone();
            let (inst, name) = (inst.name.clone(), name.to_string());
            ErrorKind::NoPort { inst, module, what, name, have }
        });
        self.m.error(kind, at);
    }
}
