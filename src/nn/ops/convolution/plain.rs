//! The definition as matrix products, for any number type: each image's windows as the rows of a
//! matrix.

use super::description::Convolution;
use super::operands::{Given, Gradients, Inputs};
use crate::kernels::matrix_product::{Matrix, MatrixMut, Update, product};
use crate::nn::cpu::{GradientMut, Real};
use crate::nn::ops::column_sums;
use crate::nn::ops::relu::masked;
use crate::workers::Workers;

/// Numbers of scratch memory of either direction: the windows of one image, and the output's
/// gradient and the weights with the scale in them.
pub(super) fn scratch_length(layer: &Convolution) -> usize {
    let output = layer.output_layout();
    let pixels = output.height * output.width;
    let sums = column_sums::scratch_length(output.images * pixels, output.channels);
    pixels * window_length(layer) + output.length() + sums.max(layer.geometry.weights_count())
}

fn window_length(layer: &Convolution) -> usize {
    layer.geometry.kernel * layer.geometry.kernel * layer.geometry.in_channels
}

/// Calls `visit(window element, map element)` for every element of every window of one image that
/// lies inside the map. Window elements are (pixel; input channel, kernel row, kernel column), as
/// the weights lie.
fn for_each_element(layer: &Convolution, mut visit: impl FnMut(usize, usize)) {
    let geometry = &layer.geometry;
    let (input, output) = (layer.input_layout(), layer.output_layout());
    let side = geometry.kernel;
    for pixel in 0..output.height * output.width {
        let (y, x) = (pixel / output.width, pixel % output.width);
        for element in 0..window_length(layer) {
            let (channel, tap) = (element / (side * side), element % (side * side));
            let row = (y * geometry.stride + tap / side).wrapping_sub(geometry.padding);
            let column = (x * geometry.stride + tap % side).wrapping_sub(geometry.padding);
            if row < input.height && column < input.width {
                let place = input.offset(0, row, column) + channel;
                visit(pixel * window_length(layer) + element, place);
            }
        }
    }
}

fn gather<T: Real>(layer: &Convolution, image: &[T], windows: &mut [T]) {
    windows.fill(T::ZERO);
    for_each_element(layer, |element, place| windows[element] = image[place]);
}

/// Writes the weights, each output channel's times its scale.
fn scaled<'a, T: Real>(layer: &Convolution, inputs: &Inputs<'_, T>, to: &'a mut [T]) -> &'a [T] {
    let rows = to.chunks_exact_mut(window_length(layer));
    for (output, (to, from)) in rows.zip(inputs.weights.chunks(window_length(layer))).enumerate() {
        let scale = inputs.scale.map_or(T::ONE, |scale| scale[output]);
        to.iter_mut().zip(from).for_each(|(to, from)| *to = scale * *from);
    }
    to
}

/// Computes the output.
pub(super) fn forward<T: Real>(
    layer: &Convolution,
    inputs: Inputs<'_, T>,
    output: &mut [T],
    scratch: &mut [T],
    workers: &Workers,
) {
    let layout = layer.output_layout();
    let (pixels, window) = (layout.height * layout.width, window_length(layer));
    let (windows, rest) = scratch.split_at_mut(pixels * window);
    let weights = scaled(layer, &inputs, &mut rest[..layer.geometry.weights_count()]);
    let images = inputs.map.chunks_exact(layer.height * layer.width * layer.geometry.in_channels);
    for (image, to) in images.zip(output.chunks_exact_mut(pixels * layout.channels)) {
        gather(layer, image, windows);
        let weights = Matrix::new(weights, layout.channels, window).transposed();
        let to = MatrixMut::new(to, pixels, layout.channels);
        product(to, Matrix::new(windows, pixels, window), weights, Update::Overwrite, workers);
    }
    for (index, value) in output.iter_mut().enumerate() {
        *value += inputs.shift.map_or(T::ZERO, |shift| shift[index % layout.channels]);
        *value += inputs.residual.map_or(T::ZERO, |residual| residual[index]);
        if layer.relu && *value < T::ZERO {
            *value = T::ZERO;
        }
    }
}

/// Writes the gradients that are wanted.
pub(super) fn backward<T: Real>(
    layer: &Convolution,
    given: Given<'_, T>,
    gradients: Gradients<'_, T>,
    scratch: &mut [T],
    workers: &Workers,
) {
    let layout = layer.output_layout();
    let (pixels, window) = (layout.height * layout.width, window_length(layer));
    let (windows, rest) = scratch.split_at_mut(pixels * window);
    let (gradient, rest) = rest.split_at_mut(layout.length());
    let mask = layer.relu.then_some(given.output);
    masked(mask, given.gradient, gradient, Update::Overwrite, workers);
    if let Some(GradientMut { values, update }) = gradients.residual {
        masked(None, gradient, values, update, workers);
    }
    if let Some(mut bias) = gradients.bias {
        column_sums::add_up(gradient, &mut bias, rest, workers);
    }
    let image_length = layer.height * layer.width * layer.geometry.in_channels;
    if let Some(GradientMut { values, update }) = gradients.map {
        let weights = scaled(layer, &given.inputs, &mut rest[..layer.geometry.weights_count()]);
        if update == Update::Overwrite {
            values.fill(T::ZERO);
        }
        let images = gradient.chunks_exact(pixels * layout.channels);
        for (gradient, to) in images.zip(values.chunks_exact_mut(image_length)) {
            let gradient = Matrix::new(gradient, pixels, layout.channels);
            let weights = Matrix::new(weights, layout.channels, window);
            let all = MatrixMut::new(windows, pixels, window);
            product(all, gradient, weights, Update::Overwrite, workers);
            for_each_element(layer, |element, place| to[place] += windows[element]);
        }
    }
    if let Some(to) = gradients.weights {
        // The scale belongs to the output's gradient here.
        for pixel in gradient.chunks_exact_mut(layout.channels) {
            let Some(scale) = given.inputs.scale else { break };
            pixel.iter_mut().zip(scale).for_each(|(value, scale)| *value *= *scale);
        }
        let mut update = to.update;
        let images = given.inputs.map.chunks_exact(image_length);
        for (image, gradient) in images.zip(gradient.chunks_exact(pixels * layout.channels)) {
            gather(layer, image, windows);
            let gradient = Matrix::new(gradient, pixels, layout.channels).transposed();
            let sums = MatrixMut::new(to.values, layout.channels, window);
            product(sums, gradient, Matrix::new(windows, pixels, window), update, workers);
            update = Update::Add;
        }
    }
}
