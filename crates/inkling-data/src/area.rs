//! Exact area averaging of square grey images, in integers.

/// Averages a `source`×`source` image down (or up) to `target`×`target`.
///
/// A target pixel is the mean of the area it covers, source pixels at its border counting by the
/// part that lies inside. Sides are measured in units in which a source pixel has length `target`
/// and a target pixel has length `source`, so every overlap is an integer.
pub(crate) fn average(pixels: &[u8], source: u32, target: u32) -> Vec<u8> {
    let spans = spans(source, target);
    let width = source as usize;
    let area = u64::from(source) * u64::from(source);
    let mut rows = vec![0u32; target as usize * width]; // [target rows, source columns]
    for (row, span) in rows.chunks_exact_mut(width).zip(&spans) {
        for (line, weight) in pixels.chunks_exact(width).skip(span.first).zip(&span.weights) {
            row.iter_mut().zip(line).for_each(|(sum, &value)| *sum += weight * u32::from(value));
        }
    }
    let mut averaged = Vec::with_capacity(target as usize * target as usize);
    for row in rows.chunks_exact(width) {
        for span in &spans {
            let products = row.iter().skip(span.first).zip(&span.weights);
            let sum: u64 = products.map(|(&value, &weight)| u64::from(value) * u64::from(weight)).sum();
            averaged.push(((sum + area / 2) / area) as u8);
        }
    }
    averaged
}

/// The source pixels under one target pixel.
struct Span {
    first: usize,
    /// Overlaps with `first`, `first + 1`, …; they sum to `source`.
    weights: Vec<u32>,
}

fn spans(source: u32, target: u32) -> Vec<Span> {
    let overlap = |pixel: u32, begin: u32, end: u32| ((pixel + 1) * target).min(end) - (pixel * target).max(begin);
    (0..target)
        .map(|place| {
            let (begin, end) = (place * source, (place + 1) * source);
            let (first, last) = (begin / target, (end - 1) / target);
            let weights = (first..=last).map(|pixel| overlap(pixel, begin, end)).collect();
            Span { first: first as usize, weights }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_averaging_the_image_on_a_common_grid() {
        for (source, target) in [(105, 28), (6, 3), (5, 3), (7, 7), (3, 5), (1, 4), (4, 1)] {
            let pixels: Vec<u8> = (0..source * source).map(|at| (at * 89 % 251) as u8).collect();
            // Every source pixel drawn target×target times, then blocks of source×source averaged.
            let naive = (0..target * target).map(|at| {
                let (row, column) = (at / target, at % target);
                let mut sum = 0u64;
                for y in row * source..(row + 1) * source {
                    for x in column * source..(column + 1) * source {
                        sum += u64::from(pixels[((y / target) * source + x / target) as usize]);
                    }
                }
                let area = u64::from(source * source);
                ((sum + area / 2) / area) as u8
            });
            assert_eq!(average(&pixels, source, target), naive.collect::<Vec<_>>(), "{source}→{target}");
        }
    }
}
