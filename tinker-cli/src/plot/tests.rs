use super::*;
use crate::style::TerminalStyle;

const STARS: &str = "\
\x20 loss
  3 +
    |*
    | *
    | *
  2 +  *
    |   *
    |    *
  1 +     **
    |       **
    |         ***
    |            ******
  0 +                  **************
    +---------+---------+---------+--
             20        40        60  step
";

const DOTS: &str = "\
\x20 loss
  3 ┤
    │⢣
    │⠈⡆
    │ ⠸⡀
  2 ┤  ⢱
    │   ⢣
    │    ⢣
  1 ┤     ⠱⡀
    │      ⠈⢆
    │        ⠑⠢⣀
    │           ⠑⠢⠤⣀⡀
  0 ┤               ⠈⠉⠑⠒⠒⠢⠤⠤⠤⠤⠤⠤⣀⣀⣀⣀⣀
    └─────────┬─────────┬─────────┬──
             20        40        60  step
";

fn plain(curve: &Curve, unicode: bool) -> String {
    anstream::adapter::strip_str(&terminal(
        curve,
        TerminalStyle { unicode, width: 44 },
        HEIGHT,
    ))
    .to_string()
}

fn falling() -> Curve {
    let points = (1..=64).map(|step| (f64::from(step), 3.0 * (-f64::from(step) / 12.0).exp()));
    Curve {
        title: "loss".into(),
        x_label: "step".into(),
        points: points.collect(),
    }
}

#[test]
fn stars_where_only_ascii_can_be_shown() {
    assert_eq!(plain(&falling(), false), STARS);
}

#[test]
fn dots_elsewhere() {
    assert_eq!(plain(&falling(), true), DOTS);
}

#[test]
fn nothing_to_draw_is_no_plot() {
    let mut curve = falling();
    curve.points.truncate(1);
    assert_eq!(
        terminal(
            &curve,
            TerminalStyle {
                unicode: true,
                width: 80
            },
            HEIGHT
        ),
        ""
    );
    curve.points = vec![(1.0, f64::NAN), (2.0, 1.0)];
    assert_eq!(
        terminal(
            &curve,
            TerminalStyle {
                unicode: true,
                width: 80
            },
            HEIGHT
        ),
        ""
    );
}

#[test]
fn averages_keep_the_number_of_columns() {
    let curve = falling();
    assert_eq!(curve.binned(100), curve.points);
    let binned = curve.binned(10);
    assert!(binned.len() <= 10);
    assert!((binned[0].0 - 4.0).abs() < 1e-9, "the mean of 1..=7");
}

#[test]
fn the_picture_is_closed_and_escaped() {
    let mut curve = falling();
    curve.title = "a < b & c".into();
    let picture = svg(&curve);
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    assert!(picture.contains("a &lt; b &amp; c"));
    assert_eq!(picture.matches("<path class=\"curve\"").count(), 1);
}
