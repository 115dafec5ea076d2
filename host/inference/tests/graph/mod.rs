//! The smallest ONNX graphs: what they are given they do not look at, what they answer is fixed. For bundles that are
//! wrong in one point. Numbers of fields: onnx.proto of ONNX 1.16.

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn part(field: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A name with the shape `[1, width]` of single precision.
fn value(name: &str, width: usize) -> Vec<u8> {
    let dimension = |size| part(1, &number(1, size));
    let shape = [dimension(1), dimension(width as u64)].concat();
    let tensor = [number(1, 1), part(2, &shape)].concat();
    [part(1, name.as_bytes()), part(2, &part(1, &tensor))].concat()
}

/// A graph from `input` of `width` to `output`, which always answers `answer`.
pub fn constant(input: &str, width: usize, output: &str, answer: &[f32]) -> Vec<u8> {
    let raw: Vec<u8> = answer.iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensor = [number(1, 1), number(1, answer.len() as u64), number(2, 1), part(9, &raw)].concat();
    let attribute = [part(1, b"value"), part(5, &tensor), number(20, 4)].concat();
    let node = [part(2, output.as_bytes()), part(4, b"Constant"), part(5, &attribute)].concat();
    let ends = [part(11, &value(input, width)), part(12, &value(output, answer.len()))].concat();
    let graph = [part(1, &node), part(2, b"constant"), ends].concat();
    [number(1, 8), part(8, &number(2, 17)), part(7, &graph)].concat()
}
