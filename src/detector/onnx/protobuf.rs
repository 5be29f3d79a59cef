//! Protocol Buffers' wire format, as much of it as ONNX files need.
//!
//! A message is a sequence of fields: a key (number and kind of content), then the content
//! (protobuf.dev, "Encoding"). Fields may come in any order and repeated ones one by one.

/// Kinds of content.
const VARINT: u64 = 0;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

/// A message that is being written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// The fields so far.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn key(&mut self, field: u64, kind: u64) {
        self.varint(field << 3 | kind);
    }

    /// An `int32`, `int64` or enumeration; negative numbers take ten bytes.
    pub(super) fn integer(&mut self, field: u64, value: i64) {
        self.key(field, VARINT);
        self.varint(value as u64);
    }

    /// A `float`.
    pub(super) fn float(&mut self, field: u64, value: f32) {
        self.key(field, FIXED_32);
        self.bytes.extend(value.to_le_bytes());
    }

    /// A `string` or `bytes`.
    pub(super) fn bytes(&mut self, field: u64, content: &[u8]) {
        self.key(field, BYTES);
        self.varint(content.len() as u64);
        self.bytes.extend_from_slice(content);
    }

    /// A `string`.
    pub(super) fn text(&mut self, field: u64, content: &str) {
        self.bytes(field, content.as_bytes());
    }

    /// A message inside this one.
    pub(super) fn message(&mut self, field: u64, content: &Message) {
        self.bytes(field, &content.bytes);
    }

    /// Fields of the same message, written elsewhere.
    pub(super) fn append(&mut self, fields: &Message) {
        self.bytes.extend_from_slice(&fields.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of protobuf.dev, "Encoding": 150, "testing", a message of them, and -2.
    #[test]
    fn messages_have_the_published_bytes() {
        let mut inner = Message::default();
        inner.integer(1, 150);
        assert_eq!(inner.bytes, [0x08, 0x96, 0x01]);
        let mut message = Message::default();
        message.text(2, "testing");
        assert_eq!(message.bytes, [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
        let mut outer = Message::default();
        outer.message(3, &inner);
        assert_eq!(outer.bytes, [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let mut negative = Message::default();
        negative.integer(1, -2);
        assert_eq!(negative.bytes[1..], [0xfe, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
        let mut float = Message::default();
        float.float(2, 1.0);
        assert_eq!(float.bytes, [0x15, 0, 0, 0x80, 0x3f]);
    }
}
