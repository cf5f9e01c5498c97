//! Valid/ready streams.

use crate::builder::Forward;
use crate::{Builder, Instance, Sig, Type, all, bit};

/// A valid/ready channel: a word passes at a clock edge where both are 1. The sender holds `valid` and
/// the fields until then, and `valid` never waits for `ready`.
#[derive(Clone, Copy, Debug)]
pub struct Stream;

impl Stream {
    /// The receiving end: ports `<name>_valid`, `<name>_<field>` in, `<name>_ready` out.
    #[track_caller]
    pub fn input<'m>(m: &'m Builder, name: &str, fields: &[(&str, Type)]) -> StreamIn<'m> {
        Self::input_with_prefix(m, &format!("{name}_"), fields)
    }

    /// The sending end: ports `<name>_valid`, `<name>_<field>` out, `<name>_ready` in.
    #[track_caller]
    pub fn output<'m>(m: &'m Builder, name: &str, fields: &[(&str, Type)]) -> StreamOut<'m> {
        Self::output_with_prefix(m, &format!("{name}_"), fields)
    }

    /// As [`Stream::input`], the prefix taken as it is (AXI writes `awvalid`).
    #[track_caller]
    pub fn input_with_prefix<'m>(
        m: &'m Builder,
        prefix: &str,
        fields: &[(&str, Type)],
    ) -> StreamIn<'m> {
        let valid = m.input(&format!("{prefix}valid"), bit());
        let fields = (fields.iter())
            .map(|(name, ty)| (name.to_string(), m.input(&format!("{prefix}{name}"), *ty)))
            .collect();
        let ready = m.output_decl(&format!("{prefix}ready"), bit());
        StreamIn { m, prefix: prefix.into(), valid, ready, fields }
    }

    /// As [`Stream::output`], the prefix taken as it is.
    #[track_caller]
    pub fn output_with_prefix<'m>(
        m: &'m Builder,
        prefix: &str,
        fields: &[(&str, Type)],
    ) -> StreamOut<'m> {
        let valid = m.output_decl(&format!("{prefix}valid"), bit());
        let fields = (fields.iter())
            .map(|(name, ty)| (name.to_string(), m.output_decl(&format!("{prefix}{name}"), *ty)))
            .collect();
        let ready = m.input(&format!("{prefix}ready"), bit());
        StreamOut { m, prefix: prefix.into(), valid, ready, fields }
    }
}

/// The receiving end of a stream; assign `ready` exactly once.
#[derive(Clone)]
pub struct StreamIn<'m> {
    m: &'m Builder,
    prefix: String,
    /// The sender offers a word.
    pub valid: Sig<'m>,
    /// This side takes it.
    pub ready: Forward<'m>,
    fields: Vec<(String, Sig<'m>)>,
}

/// The sending end of a stream; assign `valid` and every field exactly once.
#[derive(Clone)]
pub struct StreamOut<'m> {
    m: &'m Builder,
    prefix: String,
    /// This side offers a word.
    pub valid: Forward<'m>,
    /// The receiver takes it.
    pub ready: Sig<'m>,
    fields: Vec<(String, Forward<'m>)>,
}

impl<'m> StreamIn<'m> {
    /// A field of the word.
    ///
    /// # Panics
    /// When the stream has no such field.
    #[track_caller]
    pub fn field(&self, name: &str) -> Sig<'m> {
        find(&self.fields, name, &self.prefix)
    }

    /// One bit: a word passes at this clock edge.
    #[track_caller]
    pub fn fire(&self) -> Sig<'m> {
        self.valid & self.ready.sig()
    }

    /// Allows the field to stay unread.
    pub fn unused(&self, field: &str) {
        self.m.unused(&format!("{}{field}", self.prefix));
    }

    /// Hands the stream on to ports `<prefix>valid`, `<prefix>ready`, ... of an instance.
    #[track_caller]
    pub fn feed(self, inst: Instance<'m>, prefix: &str) {
        inst.set(&format!("{prefix}valid"), self.valid);
        for (name, value) in &self.fields {
            inst.set(&format!("{prefix}{name}"), *value);
        }
        self.ready.assign(inst.get(&format!("{prefix}ready")));
    }

    /// Assumes that the sender keeps to the protocol; simulators report it when it does not.
    #[track_caller]
    pub fn assume_protocol(&self) {
        let fields: Vec<_> = self.fields.iter().map(|f| f.1).collect();
        let kept = kept(self.m, &self.prefix, self.valid, self.ready.sig(), &fields);
        self.m.assume(&format!("{}kept", self.prefix), kept);
    }
}

impl<'m> StreamOut<'m> {
    /// A field of the word, to be assigned.
    ///
    /// # Panics
    /// When the stream has no such field.
    #[track_caller]
    pub fn field(&self, name: &str) -> Forward<'m> {
        find(&self.fields, name, &self.prefix)
    }

    /// Assigns `valid` and the fields named.
    #[track_caller]
    pub fn drive(&self, valid: Sig<'m>, fields: &[(&str, Sig<'m>)]) {
        self.valid.assign(valid);
        for (name, value) in fields {
            self.field(name).assign(*value);
        }
    }

    /// One bit: a word passes at this clock edge.
    #[track_caller]
    pub fn fire(&self) -> Sig<'m> {
        self.valid.sig() & self.ready
    }

    /// Takes the stream from ports `<prefix>valid`, `<prefix>ready`, ... of an instance.
    #[track_caller]
    pub fn take(self, inst: Instance<'m>, prefix: &str) {
        self.valid.assign(inst.get(&format!("{prefix}valid")));
        for (name, field) in &self.fields {
            field.assign(inst.get(&format!("{prefix}{name}")));
        }
        inst.set(&format!("{prefix}ready"), self.ready);
    }

    /// Asserts that this side keeps to the protocol.
    #[track_caller]
    pub fn assert_protocol(&self) {
        let fields: Vec<_> = self.fields.iter().map(|f| f.1.sig()).collect();
        let kept = kept(self.m, &self.prefix, self.valid.sig(), self.ready, &fields);
        self.m.assert(&format!("{}kept", self.prefix), kept);
    }
}

#[track_caller]
fn find<T: Copy>(fields: &[(String, T)], name: &str, prefix: &str) -> T {
    match fields.iter().find(|f| f.0 == name) {
        Some(field) => field.1,
        None => {
            let have: Vec<&str> = fields.iter().map(|f| f.0.as_str()).collect();
            panic!("stream `{prefix}` has no field `{name}`; it has {}", have.join(", "))
        }
    }
}

/// One bit: a word that was offered and not taken is still there.
#[track_caller]
fn kept<'m>(
    m: &'m Builder,
    prefix: &str,
    valid: Sig<'m>,
    ready: Sig<'m>,
    fields: &[Sig<'m>],
) -> Sig<'m> {
    let waiting = m.reg_reset(&format!("{prefix}waiting"), valid & !ready, 0);
    let mut same = vec![valid];
    for (i, field) in fields.iter().enumerate() {
        let before = m.reg(&format!("{prefix}before_{i}"), *field);
        same.push(before.eq(*field));
    }
    !waiting | all(&same)
}
