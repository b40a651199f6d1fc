//! The model: six layers, each of which lets every piece look at all others.

use crate::weights::Weights;
use ndarray::{Array1, Array2, Axis, s};
use vextir::Result;

const LAYERS: usize = 6;
const HEADS: usize = 12;
const WIDTH: usize = 384;
const INNER: usize = 1_536;

pub const DIMENSIONS: usize = WIDTH;

pub struct Bert {
    words: Array2<f32>,
    positions: Array2<f32>,
    kind: Array1<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: Norm,
    inner: Linear,
    outer: Linear,
    outer_norm: Norm,
}

struct Linear {
    weight: Array2<f32>,
    bias: Array1<f32>,
}

struct Norm {
    weight: Array1<f32>,
    bias: Array1<f32>,
}

impl Bert {
    pub fn new(weights: &Weights) -> Result<Self> {
        let kinds = weights.matrix("embeddings.token_type_embeddings.weight", WIDTH)?;
        Ok(Self {
            words: weights.matrix("embeddings.word_embeddings.weight", WIDTH)?,
            positions: weights.matrix("embeddings.position_embeddings.weight", WIDTH)?,
            kind: kinds.row(0).to_owned(),
            norm: Norm::new(weights, "embeddings.LayerNorm")?,
            layers: (0..LAYERS).map(|number| Layer::new(weights, number)).collect::<Result<_>>()?,
        })
    }

    /// The vector of a text: the middle of those of its pieces.
    pub fn embed(&self, pieces: &[usize]) -> Vec<f32> {
        let mut text = self.words.select(Axis(0), pieces);
        text += &self.positions.slice(s![..pieces.len(), ..]);
        text += &self.kind;
        self.norm.apply(&mut text);
        for layer in &self.layers {
            text = layer.apply(text);
        }
        text.mean_axis(Axis(0)).map(|vector| vector.to_vec()).unwrap_or_default()
    }
}

impl Layer {
    fn new(weights: &Weights, number: usize) -> Result<Self> {
        let linear =
            |name: &str, width| Linear::new(weights, &format!("encoder.layer.{number}.{name}"), width);
        let norm = |name: &str| Norm::new(weights, &format!("encoder.layer.{number}.{name}"));
        Ok(Self {
            query: linear("attention.self.query", (WIDTH, WIDTH))?,
            key: linear("attention.self.key", (WIDTH, WIDTH))?,
            value: linear("attention.self.value", (WIDTH, WIDTH))?,
            attended: linear("attention.output.dense", (WIDTH, WIDTH))?,
            attended_norm: norm("attention.output.LayerNorm")?,
            inner: linear("intermediate.dense", (WIDTH, INNER))?,
            outer: linear("output.dense", (INNER, WIDTH))?,
            outer_norm: norm("output.LayerNorm")?,
        })
    }

    fn apply(&self, text: Array2<f32>) -> Array2<f32> {
        let (query, key, value) = (self.query.apply(&text), self.key.apply(&text), self.value.apply(&text));
        let mut seen = Array2::zeros(text.raw_dim());
        let width = WIDTH / HEADS;
        for head in 0..HEADS {
            let part = s![.., head * width..(head + 1) * width];
            let mut looks = query.slice(part).dot(&key.slice(part).t()) / (width as f32).sqrt();
            looks.rows_mut().into_iter().for_each(softmax);
            seen.slice_mut(part).assign(&looks.dot(&value.slice(part)));
        }
        let mut text = text + self.attended.apply(&seen);
        self.attended_norm.apply(&mut text);
        let mut inner = self.inner.apply(&text);
        inner.mapv_inplace(gelu);
        let mut text = text + self.outer.apply(&inner);
        self.outer_norm.apply(&mut text);
        text
    }
}

impl Linear {
    fn new(weights: &Weights, name: &str, (from, to): (usize, usize)) -> Result<Self> {
        Ok(Self {
            weight: weights.matrix(&format!("{name}.weight"), from)?,
            bias: weights.vector(&format!("{name}.bias"), to)?,
        })
    }

    fn apply(&self, text: &Array2<f32>) -> Array2<f32> {
        text.dot(&self.weight.t()) + &self.bias
    }
}

impl Norm {
    fn new(weights: &Weights, name: &str) -> Result<Self> {
        Ok(Self {
            weight: weights.vector(&format!("{name}.weight"), WIDTH)?,
            bias: weights.vector(&format!("{name}.bias"), WIDTH)?,
        })
    }

    fn apply(&self, text: &mut Array2<f32>) {
        for mut row in text.rows_mut() {
            let middle = row.sum() / WIDTH as f32;
            row -= middle;
            let spread = row.iter().map(|value| value * value).sum::<f32>() / WIDTH as f32;
            row /= (spread + 1e-12).sqrt();
            row *= &self.weight;
            row += &self.bias;
        }
    }
}

fn softmax(mut row: ndarray::ArrayViewMut1<'_, f32>) {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.mapv_inplace(|value| (value - most).exp());
    let sum = row.sum();
    row /= sum;
}

/// With the error function after Abramowitz and Stegun, 7.1.26: right to seven digits.
fn gelu(value: f32) -> f32 {
    let x = value.abs() / std::f32::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let sum = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    let erf = (1.0 - sum * (-x * x).exp()).copysign(value);
    0.5 * value * (1.0 + erf)
}
