//! Line plots side by side, as SVG.

use std::fmt::Write;

use super::stats::rounded;

/// Points of one line, by growing x.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// One plot: rates over a setting, on a logarithmic axis.
pub(crate) struct Panel {
    /// The setting.
    pub(crate) along: String,
    pub(crate) lines: Vec<Line>,
}

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 220.0;
/// Margins for labels: left, top, right, bottom.
const MARGIN: [f64; 4] = [54.0, 44.0, 14.0, 40.0];
const COLORS: [&str; 2] = ["#1f6feb", "#bc4c00"];

/// Panels in a row under a title.
pub(crate) fn page(title: &str, panels: &[Panel]) -> String {
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut svg, title, panels);
    svg
}

fn write_page(svg: &mut String, title: &str, panels: &[Panel]) -> std::fmt::Result {
    let (width, height) = (WIDTH * panels.len() as f64, HEIGHT + 24.0);
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"#24292f\">"
    )?;
    writeln!(
        svg,
        "<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"
    )?;
    writeln!(
        svg,
        "<text x=\"12\" y=\"20\" font-size=\"14\" font-weight=\"bold\">{title}</text>"
    )?;
    for (i, panel) in panels.iter().enumerate() {
        writeln!(svg, "<g transform=\"translate({} 24)\">", WIDTH * i as f64)?;
        panel.write(svg)?;
        writeln!(svg, "</g>")?;
    }
    writeln!(svg, "</svg>")
}

impl Panel {
    fn write(&self, svg: &mut String) -> std::fmt::Result {
        let [left, above, right, below] = MARGIN;
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let most = points().map(|(_, y)| *y).fold(1.0, f64::max);
        let least_x = points()
            .map(|(x, _)| *x)
            .fold(f64::INFINITY, f64::min)
            .max(1.0);
        let most_x = points().map(|(x, _)| *x).fold(least_x * 2.0, f64::max);
        let span = (most_x / least_x).log2();
        let place_x = |x: f64| left + (x / least_x).log2() / span * (WIDTH - left - right);
        let step = step(most);
        let top = (most / step).ceil() * step;
        let place_y = |y: f64| HEIGHT - below - y / top * (HEIGHT - above - below);

        writeln!(
            svg,
            "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">against {}</text>",
            above - 14.0,
            self.along
        )?;
        for tick in 0..=(top / step).round() as u32 {
            let value = f64::from(tick) * step;
            let y = place_y(value);
            writeln!(
                svg,
                "<path d=\"M{left} {y:.1}H{}\" stroke=\"#d0d7de\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - right,
                left - 6.0,
                y + 4.0,
                rounded(value)
            )?;
        }
        // At most ten labels fit.
        let factor = if span > 10.0 { 4.0 } else { 2.0 };
        let mut x = least_x;
        while x <= most_x * 1.01 {
            writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{x}</text>",
                place_x(x),
                HEIGHT - below + 16.0
            )?;
            x *= factor;
        }
        for (i, line) in self.lines.iter().enumerate() {
            let color = COLORS[i % COLORS.len()];
            let path: Vec<String> = line
                .points
                .iter()
                .map(|(x, y)| format!("{:.1},{:.1}", place_x(*x), place_y(*y)))
                .collect();
            writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>",
                path.join(" ")
            )?;
            for point in &path {
                let (x, y) = point.split_once(',').unwrap_or_default();
                writeln!(
                    svg,
                    "<circle cx=\"{x}\" cy=\"{y}\" r=\"2.5\" fill=\"{color}\"/>"
                )?;
            }
            writeln!(
                svg,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"{color}\">{}</text>",
                WIDTH - right - 24.0 * i as f64,
                above - 14.0,
                line.name
            )?;
        }
        Ok(())
    }
}

/// A round distance between tick marks that gives three to six of them.
fn step(most: f64) -> f64 {
    let unit = 10_f64.powf((most / 3.0).log10().floor());
    [5.0, 2.0, 1.0]
        .into_iter()
        .map(|factor| factor * unit)
        .find(|step| most / step >= 2.5)
        .unwrap_or(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_few_and_round() {
        for (most, expected) in [
            (10.0, 2.0),
            (72_500.0, 20_000.0),
            (130_000.0, 50_000.0),
            (1.0, 0.2),
        ] {
            assert!(
                (step(most) - expected).abs() < 1e-9,
                "{most}: {}",
                step(most)
            );
        }
    }

    #[test]
    fn points_lie_inside_their_panel() {
        let line = Line {
            name: "S".to_owned(),
            points: vec![(1.0, 10.0), (1024.0, 5.0)],
        };
        let svg = page(
            "t",
            &[Panel {
                along: "batch".to_owned(),
                lines: vec![line],
            }],
        );
        assert!(svg.contains("points=\"54.0,44.0 286.0,112.0\""), "{svg}");
    }
}
