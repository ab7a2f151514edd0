//! Reads the vectors that "varstudy vectors export DIR" writes, and checks a layer norm with them.
//! rustc -O reader.rs && ./reader DIR
use std::collections::HashMap;
use std::{env, fs, process};

struct Array {
    dtype: String,
    at: usize,
    count: usize,
    head: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// One little-endian number.
fn decode(p: &[u8], dtype: &str) -> f64 {
    match dtype {
        "float64" => f64::from_le_bytes(p[..8].try_into().unwrap()),
        "int64" => i64::from_le_bytes(p[..8].try_into().unwrap()) as f64,
        "float32" => f32::from_le_bytes(p[..4].try_into().unwrap()) as f64,
        "bfloat16" => f32::from_bits((u16::from_le_bytes([p[0], p[1]]) as u32) << 16) as f64,
        _ => {
            let bits = u16::from_le_bytes([p[0], p[1]]);
            let (e, m) = ((bits >> 10 & 31) as i32, (bits & 1023) as f64);
            let v = match e {
                31 => if m > 0.0 { f64::NAN } else { f64::INFINITY },
                0 => m * 2f64.powi(-24),
                _ => (1024.0 + m) * 2f64.powi(e - 25),
            };
            if bits >> 15 == 1 { -v } else { v }
        }
    }
}

impl Array {
    fn new(words: &[&str]) -> Array {
        let n: Vec<usize> = words[3..].iter().map(|w| w.parse().unwrap()).collect();
        let (shape, strides) = n[4..].split_at(n[3]);
        Array { dtype: words[2].into(), at: n[0], count: n[1], head: n[2], shape: shape.into(), strides: strides.into() }
    }

    /// The elements in the order of the indices.
    fn load(&self, file: &[u8]) -> Vec<f64> {
        let width = match self.dtype.as_str() { "float64" | "int64" => 8, "float32" => 4, _ => 2 };
        (0..self.shape.iter().product())
            .map(|i: usize| {
                let (mut p, mut rest) = (0, i);
                for (n, step) in self.shape.iter().zip(&self.strides).rev() {
                    p += rest % n * step;
                    rest /= n;
                }
                if p >= self.count { p = self.head + (p - self.head) % (self.count - self.head) }
                decode(&file[self.at + p * width..], &self.dtype)
            })
            .collect()
    }
}

/// The kernel: put yours here.
fn layer_norm(x: &[f64], w: &[f64], b: &[f64], epsilon: f64) -> Vec<f32> {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let v = x.iter().map(|a| (a - mean) * (a - mean)).sum::<f64>() / n;
    (0..x.len()).map(|k| ((x[k] - mean) / (v + epsilon).sqrt() * w[k] + b[k]) as f32).collect()
}

fn main() {
    let folder = env::args().nth(1).expect("usage: reader DIR");
    let text = fs::read_to_string(format!("{folder}/cases.txt")).expect("cases.txt cannot be read");
    let (mut cases, mut wrong) = (0, 0);
    for block in text.split("case ").skip(1).filter(|block| block.contains(" layer forward ")) {
        let mut lines = block.lines();
        let head: Vec<&str> = lines.next().unwrap().split(' ').collect();
        let file = fs::read(format!("{folder}/{}", head[4])).expect("a file of the set is missing");
        let words = lines.map(|line| line.split(' ').collect::<Vec<_>>());
        let found: HashMap<String, Array> = words.map(|w| (w[1].to_string(), Array::new(&w))).collect();
        let get = |name: &str| found[name].load(&file);
        let (x, w, b, n) = (get("x"), get("weight"), get("bias"), found["x"].shape[1]);
        let y: Vec<f32> = x.chunks(n).flat_map(|row| layer_norm(row, &w, &b, head[5].parse().unwrap())).collect();
        let (high, low, limit) = (get("y.high"), get("y.low"), get("y.limit"));
        let right = |k: usize| high[k].is_nan() || limit[k].is_infinite()
            || (y[k] as f64 - high[k] - low[k]).abs() <= limit[k];
        let beyond = (0..y.len()).filter(|&k| !right(k)).count();
        if beyond > 0 { println!("{}: {beyond} of {} elements are beyond their limit", head[0], y.len()) }
        cases += 1;
        wrong += (beyond > 0) as i32;
    }
    println!("{cases} cases, {wrong} wrong");
    process::exit((wrong > 0 || cases == 0) as i32);
}
