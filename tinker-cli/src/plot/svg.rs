//! SVG plots, with a light and a dark colour scheme.

use super::axis::Axis;
use super::curve::Curve;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 52.0;

const STYLE: &str = "\
svg{--ink:#1f2933;--faint:#d5dbe1;--line:#0b7285;--ground:#ffffff;\
font:13px ui-sans-serif,system-ui,sans-serif}\
@media(prefers-color-scheme:dark){svg{--ink:#e4e7eb;--faint:#3e4c59;--line:#3bc9db;--ground:#11161c}}\
text{fill:var(--ink)}.title{font-weight:600;font-size:15px}\
.grid{stroke:var(--faint)}.raw{stroke:var(--line);opacity:.45}.curve{stroke:var(--line);stroke-width:2}\
path{fill:none}";

/// Draws all points as a thin line and their averages as a thick one.
pub(crate) fn svg(curve: &Curve) -> String {
    let raw = curve.binned(2000);
    let smooth = curve.binned(60);
    let (low, high) = raw.iter().fold((f64::INFINITY, 0.0_f64), |range, point| {
        (range.0.min(point.1), range.1.max(point.1))
    });
    let (first, last) = (
        raw.first().map_or(0.0, |point| point.0),
        raw.last().map_or(1.0, |point| point.0),
    );
    let x_axis = Axis::counting(first, last, 6);
    let y_axis = Axis::rounded(low.min(0.0), high, 5);
    let x = |value: f64| LEFT + x_axis.share(value) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - y_axis.share(value) * (HEIGHT - TOP - BOTTOM);

    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
         <style>{STYLE}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"var(--ground)\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"28\">{}</text>\n",
        escape(&curve.title)
    );
    for &tick in &y_axis.ticks {
        let at = y(tick);
        out += &format!(
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/>\n",
            WIDTH - RIGHT
        );
        let label = y_axis.label(tick);
        out += &format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>\n",
            LEFT - 8.0,
            at + 4.0
        );
    }
    let floor = HEIGHT - BOTTOM;
    for &tick in &x_axis.ticks {
        let at = x(tick);
        out += &format!("<path class=\"grid\" d=\"M{at:.1} {floor}v6\"/>\n");
        let label = x_axis.label(tick);
        out += &format!(
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>\n",
            floor + 22.0
        );
    }
    out += &format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 10.0,
        escape(&curve.x_label)
    );
    for (class, points) in [("raw", &raw), ("curve", &smooth)] {
        let mut path = String::new();
        for (index, point) in points.iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            path += &format!("{command}{:.1} {:.1}", x(point.0), y(point.1));
        }
        out += &format!("<path class=\"{class}\" d=\"{path}\"/>\n");
    }
    out.push_str("</svg>\n");
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
