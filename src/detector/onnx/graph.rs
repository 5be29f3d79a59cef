//! An ONNX graph that is being written: constants, nodes, inputs and outputs.
//!
//! Field numbers are those of `onnx.proto` (onnx.ai, "Open Neural Network Exchange intermediate
//! representation specification").

use super::protobuf::Message;

/// The name of a tensor in the graph.
pub type Value = String;

/// Operators are those of this version: the first with layer normalisation, and with grid samples.
const OPERATORS_VERSION: i64 = 17;
/// Of the file's layout, that which came with the operators' version.
const FILE_VERSION: i64 = 8;

const FLOAT: i64 = 1;
const INTEGER_64: i64 = 7;

/// A side of a tensor.
#[derive(Debug, Clone, Copy)]
pub enum Side {
    Fixed(usize),
    /// Any number, the same wherever the name is.
    Named(&'static str),
}

/// An attribute of a node.
#[derive(Debug, Clone)]
pub enum Attribute {
    Integer(&'static str, i64),
    Integers(&'static str, Vec<i64>),
    Float(&'static str, f32),
    Text(&'static str, &'static str),
}

impl Attribute {
    fn message(&self) -> Message {
        let mut message = Message::default();
        let kind = match self {
            Attribute::Float(name, value) => {
                message.text(1, name);
                message.float(2, *value);
                1
            }
            Attribute::Integer(name, value) => {
                message.text(1, name);
                message.integer(3, *value);
                2
            }
            Attribute::Text(name, value) => {
                message.text(1, name);
                message.text(4, value);
                3
            }
            Attribute::Integers(name, values) => {
                message.text(1, name);
                values.iter().for_each(|value| message.integer(8, *value));
                7
            }
        };
        message.integer(20, kind);
        message
    }
}

/// Nodes in the order in which they run, constants, inputs and outputs.
#[derive(Debug, Default)]
pub struct Graph {
    fields: Message,
    names_count: usize,
}

impl Graph {
    fn name(&mut self, of: &str) -> Value {
        self.names_count += 1;
        format!("{of}_{}", self.names_count)
    }

    fn constant(&mut self, name: &str, shape: &[usize], kind: i64, bytes: &[u8]) -> Value {
        let mut tensor = Message::default();
        shape.iter().for_each(|side| tensor.integer(1, *side as i64));
        tensor.integer(2, kind);
        tensor.text(8, name);
        tensor.bytes(9, bytes);
        self.fields.message(5, &tensor);
        name.into()
    }

    /// A tensor of f32; `of` begins its name.
    pub fn floats(&mut self, of: &str, shape: &[usize], values: &[f32]) -> Value {
        debug_assert_eq!(values.len(), shape.iter().product::<usize>(), "{of}");
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let name = self.name(of);
        self.constant(&name, shape, FLOAT, &bytes)
    }

    /// One number.
    pub fn number(&mut self, value: f32) -> Value {
        self.floats("number", &[], &[value])
    }

    /// A list of integers: a shape, axes, lengths.
    pub fn integers(&mut self, values: &[i64]) -> Value {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let name = self.name("integers");
        self.constant(&name, &[values.len()], INTEGER_64, &bytes)
    }

    /// A node with `outputs_count` outputs.
    pub fn nodes(
        &mut self,
        operator: &str,
        inputs: &[&Value],
        attributes: &[Attribute],
        outputs_count: usize,
    ) -> Vec<Value> {
        let outputs: Vec<Value> = (0..outputs_count).map(|_| self.name(operator)).collect();
        let mut node = Message::default();
        inputs.iter().for_each(|input| node.text(1, input));
        outputs.iter().for_each(|output| node.text(2, output));
        node.text(4, operator);
        attributes.iter().for_each(|attribute| node.message(5, &attribute.message()));
        self.fields.message(1, &node);
        outputs
    }

    /// A node with one output.
    pub fn node(&mut self, operator: &str, inputs: &[&Value], attributes: &[Attribute]) -> Value {
        self.nodes(operator, inputs, attributes, 1).swap_remove(0)
    }

    /// 0 keeps a side, -1 takes what is left.
    pub fn reshape(&mut self, value: &Value, shape: &[i64]) -> Value {
        let shape = self.integers(shape);
        self.node("Reshape", &[value, &shape], &[])
    }

    pub fn transpose(&mut self, value: &Value, order: &[i64]) -> Value {
        self.node("Transpose", &[value], &[Attribute::Integers("perm", order.to_vec())])
    }

    /// Parts of these lengths along `axis`.
    pub fn split(&mut self, value: &Value, axis: i64, lengths: &[i64]) -> Vec<Value> {
        let parts = self.integers(lengths);
        self.split_by(value, axis, &parts, lengths.len())
    }

    /// Parts along `axis` of the lengths in a list of `count`.
    pub fn split_by(
        &mut self,
        value: &Value,
        axis: i64,
        lengths: &Value,
        count: usize,
    ) -> Vec<Value> {
        self.nodes("Split", &[value, lengths], &[Attribute::Integer("axis", axis)], count)
    }

    pub fn as_float(&mut self, value: &Value) -> Value {
        self.node("Cast", &[value], &[Attribute::Integer("to", FLOAT)])
    }

    pub fn concatenate(&mut self, values: &[Value], axis: i64) -> Value {
        let values: Vec<&Value> = values.iter().collect();
        self.node("Concat", &values, &[Attribute::Integer("axis", axis)])
    }

    pub fn add(&mut self, left: &Value, right: &Value) -> Value {
        self.node("Add", &[left, right], &[])
    }

    pub fn multiply(&mut self, left: &Value, right: &Value) -> Value {
        self.node("Mul", &[left, right], &[])
    }

    /// A tensor of f32 that the caller fills.
    pub fn input(&mut self, name: &str, shape: &[Side]) -> Value {
        self.fields.message(11, &outlet(name, shape));
        name.into()
    }

    /// Gives `value` a name under which the caller finds it.
    pub fn output(&mut self, value: &Value, name: &str, shape: &[Side]) {
        let mut node = Message::default();
        node.text(1, value);
        node.text(2, name);
        node.text(4, "Identity");
        self.fields.message(1, &node);
        self.fields.message(12, &outlet(name, shape));
    }

    /// The whole file with a graph of the detector `of`, and entries of text beside it.
    pub fn into_model(mut self, of: &str, texts: &[(&str, String)]) -> Vec<u8> {
        let mut name = Message::default();
        name.text(2, &of.replace('-', "_"));
        self.fields.append(&name);
        let mut model = Message::default();
        model.integer(1, FILE_VERSION);
        model.text(2, "simdetr");
        model.text(3, env!("CARGO_PKG_VERSION"));
        model.message(7, &self.fields);
        let mut operators = Message::default();
        operators.text(1, "");
        operators.integer(2, OPERATORS_VERSION);
        model.message(8, &operators);
        for (key, value) in texts {
            let mut entry = Message::default();
            entry.text(1, key);
            entry.text(2, value);
            model.message(14, &entry);
        }
        model.into_bytes()
    }
}

fn outlet(name: &str, shape: &[Side]) -> Message {
    let mut sides = Message::default();
    for side in shape {
        let mut message = Message::default();
        match side {
            Side::Fixed(length) => message.integer(1, *length as i64),
            Side::Named(name) => message.text(2, name),
        }
        sides.message(1, &message);
    }
    let (mut tensor, mut kind, mut outlet) =
        (Message::default(), Message::default(), Message::default());
    tensor.integer(1, FLOAT);
    tensor.message(2, &sides);
    kind.message(1, &tensor);
    outlet.text(1, name);
    outlet.message(2, &kind);
    outlet
}
