//! What a figure shows, in words for LaTeX.

use std::path::Path;

use super::cells::{self, GalleryQuery};
use super::curve::CurveFigure;
use super::gallery::GalleryFigure;
use super::heatmap::{HeatmapFigure, HeatmapRow};
use super::kind::Figure;
use super::page::{Letters, Page, RELATIONS, letter, relation_words};
use super::panels::PanelsFigure;
use super::query::ComposedQuery;
use super::sheet::SheetFigure;
use crate::words::thousands;

impl Figure {
    /// The caption: LaTeX, one paragraph, plain ASCII where the data are. The same figure gives
    /// the same words.
    pub fn caption(&self) -> String {
        let sentences = match self {
            Figure::Heatmap(figure) => heatmap(figure),
            Figure::Gallery(figure) => gallery(figure),
            Figure::Sheet(figure) => sheet(figure),
            Figure::Curve(figure) => curve(figure),
            Figure::Panels(figure) => panels(figure),
        };
        sentences.join(" ")
    }

    /// A `figure` environment that includes `file` at its printed width, with the caption.
    pub fn latex(&self, file: &Path) -> String {
        let stem = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let name = file.file_name().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let width = self.width_in();
        // LaTeX reads PDF and PNG; an SVG is taken as the PDF made of it.
        let name = name.strip_suffix(".svg").map_or(name.clone(), |name| format!("{name}.pdf"));
        let label: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        // A figure wider than a column spans both.
        let environment = if width > 3.5 { "figure*" } else { "figure" };
        format!(
            "\\begin{{{environment}}}[t]\n  \\centering\n  \\includegraphics[width={width}in]{{{}}}\n  \
             \\caption{{{}}}\n  \\label{{fig:{label}}}\n\\end{{{environment}}}\n",
            tex_file(&name),
            self.caption()
        )
    }

    /// Width on paper, inches.
    fn width_in(&self) -> f32 {
        match self {
            Figure::Heatmap(figure) => figure.spec.page.width_in,
            Figure::Gallery(figure) => figure.spec.page.width_in,
            Figure::Sheet(figure) => figure.spec.page.width_in,
            Figure::Curve(figure) => figure.spec.width_in,
            Figure::Panels(figure) => figure.spec.width_in,
        }
    }
}

/// A file's name as `\includegraphics` reads it (LaTeX of 2020 and later): a character that means something in LaTeX
/// stands as `\string` of its escaped form.
fn tex_file(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '%' | '{' | '}' | '#' | '\\' | '~' | '^' | '&' | '$') {
            out += "\\string\\";
        }
        out.push(c);
    }
    out
}

/// Text as LaTeX prints it.
pub fn tex(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            '×' => out.push_str("$\\times$"),
            '\u{2212}' => out.push_str("$-$"),
            '·' => out.push_str("$\\cdot$"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// "a", "a and b", "a, b and c".
fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A space in running text: `projection $z$`.
fn space(title: &str) -> String {
    match title.rsplit_once(' ') {
        Some((words, name)) if name.chars().count() == 1 => format!("{} ${}$", tex(words), tex(name)),
        _ => tex(title),
    }
}

/// A space's short name: `$z$`, or `$z$ A` for that of a model of a comparison.
fn short(name: &str) -> String {
    let (space, model) = name.split_once(' ').map_or((name, None), |(space, model)| (space, Some(model)));
    let model = model.map_or(String::new(), |model| format!(" {}", tex(model)));
    format!("${}${model}", tex(space))
}

fn notes(notes: &[String]) -> Option<String> {
    (!notes.is_empty()).then(|| format!("{}.", tex(&notes.join("; "))))
}

fn number(value: f32) -> String {
    format!("${value}$")
}

fn heatmap(figure: &HeatmapFigure) -> Vec<String> {
    let (spec, rows) = (&figure.spec, &figure.data.rows);
    let spaces: Vec<String> =
        rows.first().map_or(vec![], |row| row.spaces.iter().map(|s| space(&s.title)).collect());
    let dashes = spec.page.palette.query_words();
    let [lo, hi] = spec.range.map(number);
    let what = if rows.len() == 1 { "an image" } else { "each image" };
    let mut out = vec![
        format!(
            "\\textbf{{{} of the patches of {what} with a query patch, in {}.}}",
            capital(&tex(&spec.scale_label)),
            list(&spaces)
        ),
        marked(rows, dashes),
        format!("All maps share one colour scale, from {lo} to {hi}."),
    ];
    out.extend(spec.contour.map(|level| format!("The line on the maps is at {}.", number(level))));
    if rows.len() == 1 && spec.page.letters == Letters::Panels {
        let panels = spaces.iter().enumerate().map(|(i, space)| format!("{} {space}", letter(i + 1)));
        out.push(format!("{} Image; {}.", letter(0), panels.collect::<Vec<_>>().join("; ")));
    }
    let patch =
        |row: &HeatmapRow| format!("${0}\\times{0}$ patches every {1}\\,px", row.grid.patch, row.grid.stride);
    let lettered = spec.page.letter(0, rows.len()).is_some();
    if figure.is_uniform() {
        out.extend(rows.first().map(|row| format!("{}.", capital(&patch(row)))));
        if lettered {
            let titles = rows.iter().enumerate().map(|(i, row)| format!("{} {}", letter(i), tex(&row.title)));
            out.push(format!("{}.", titles.collect::<Vec<_>>().join("; ")));
        }
    } else {
        let of = |(i, row): (usize, &HeatmapRow)| {
            let name = if lettered { letter(i) } else { format!("Row {}:", i + 1) };
            format!("{name} {}, {}", tex(&row.title), patch(row))
        };
        out.push(format!("{}.", rows.iter().enumerate().map(of).collect::<Vec<_>>().join("; ")));
    }
    out.extend(notes(&figure.data.notes));
    out
}

/// How queries are marked, and what those are that are no patches.
fn marked(rows: &[HeatmapRow], dashes: &str) -> String {
    let composed = rows.iter().enumerate().filter_map(|(i, row)| Some((i, row.composed.as_ref()?)));
    let words = |(i, composed): (usize, &ComposedQuery)| match rows.len() {
        1 => tex(&composed.words()),
        _ => format!("{} {}", letter(i), tex(&composed.words())),
    };
    let words: Vec<String> = composed.map(words).collect();
    if words.is_empty() {
        return format!("The query is marked by {dashes}.");
    }
    format!("The query is marked by {dashes}: {}.", words.join("; "))
}

/// What the queries of galleries are that are no patches.
fn composed(queries: &[GalleryQuery], name: impl Fn(usize) -> Option<String>) -> Option<String> {
    let words = cells::composed_words(queries, name);
    (!words.is_empty()).then(|| format!("{}.", capital(&tex(&words.join("; ")))))
}

/// A sentence's first letter made large.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// "Out of 1,204,000 patches" and, while a bank grows, of how many there are.
fn reach(queries: &[GalleryQuery]) -> String {
    let Some(space) = queries.first().and_then(|query| query.spaces.first()) else { return String::new() };
    let (searched, total) = (thousands(space.searched), thousands(space.total));
    if space.searched == space.total {
        format!("out of {searched} patches")
    } else {
        format!("out of {searched} patches searched ({total} in all)")
    }
}

/// What the boxes mean, those that occur, and how often each does.
fn boxes(queries: &[GalleryQuery], page: &Page) -> Vec<String> {
    let meaning = RELATIONS.into_iter().filter_map(|relation| {
        let counts = cells::counts(queries, relation);
        let all: usize = counts.iter().map(|(_, n)| n).sum();
        let counts: Vec<String> = counts.iter().map(|(name, n)| format!("{} {n}", short(name))).collect();
        let words = format!(
            "{}: {} ({})",
            page.palette.frame_words(relation),
            relation_words(relation),
            counts.join(", ")
        );
        (all > 0).then_some(words)
    });
    let meaning: Vec<String> = meaning.collect();
    vec![
        format!(
            "The first cell is the query ({}); neighbours follow row by row.",
            page.palette.query_words()
        ),
        format!("{}.", capital(&meaning.join("; "))),
    ]
}

fn left_out(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| format!("Neighbours: {}.", tex(&words.join("; "))))
}

fn copies(k: usize, queries: &[GalleryQuery]) -> Option<String> {
    cells::copies_words(k, queries).map(|words| format!("{}.", capital(&tex(&words))))
}

fn shares(shown: bool, k: usize) -> Option<String> {
    shown.then(|| format!("{}.", capital(&tex(&cells::strip_words(k)))))
}

fn gallery(figure: &GalleryFigure) -> Vec<String> {
    let (spec, data) = (&figure.spec, &figure.data);
    let spaces: Vec<String> =
        data.queries.first().map_or(vec![], |query| query.spaces.iter().map(|s| space(&s.title)).collect());
    let of = if data.queries.len() == 1 { "a query patch" } else { "query patches" };
    let size = data.queries.first().map_or(0, |query| query.at.size);
    let mut out = vec![
        format!("\\textbf{{The {} nearest neighbours of {of} in {}.}}", data.k, list(&spaces)),
        format!("Cosine similarity, ${size}\\times{size}$ patches, {}.", reach(&data.queries)),
    ];
    out.extend(composed(&data.queries, |q| spec.page.letter(q, data.queries.len())));
    out.extend(left_out(&data.left_out));
    out.extend(copies(data.k, &data.queries));
    out.extend(boxes(&data.queries, &spec.page));
    out.extend(shares(spec.shares, data.k));
    let queries = data.queries.iter().enumerate().filter(|(_, query)| !query.title.is_empty());
    let titles: Vec<String> = queries
        .filter_map(|(i, query)| {
            Some(format!("{} {}", spec.page.letter(i, data.queries.len())?, tex(&query.title)))
        })
        .collect();
    if !titles.is_empty() {
        out.push(format!("{}.", titles.join("; ")));
    }
    out.extend(notes(&data.notes));
    out
}

fn sheet(figure: &SheetFigure) -> Vec<String> {
    let (spec, data) = (&figure.spec, &figure.data);
    let spaces: Vec<String> =
        data.queries.first().map_or(vec![], |query| query.spaces.iter().map(|s| space(&s.title)).collect());
    let size = data.queries.first().map_or(0, |query| query.at.size);
    let head = match &data.instance {
        Some(instance) => {
            format!(
                "\\textbf{{The compositional structure of {}, in {}.}}",
                tex(&instance.title),
                list(&spaces)
            )
        }
        None => format!("\\textbf{{Different parts and their nearest neighbours in {}.}}", list(&spaces)),
    };
    let what = if data.instance.is_some() { "numbered position" } else { "part" };
    let mut out = vec![
        head,
        format!(
            "For each {what} the {} nearest neighbours by cosine similarity, ${size}\\times{size}$ patches, {}.",
            data.k,
            reach(&data.queries)
        ),
    ];
    out.extend(composed(&data.queries, |q| Some(figure.name(q, 0))));
    out.extend(left_out(&data.left_out));
    out.extend(copies(data.k, &data.queries));
    out.extend(boxes(&data.queries, &spec.page));
    out.extend(shares(spec.shares, data.k));
    out.extend(notes(&data.notes));
    out
}

fn curve(figure: &CurveFigure) -> Vec<String> {
    let data = &figure.data;
    let names: Vec<String> = data.series.iter().map(|series| tex(&series.name)).collect();
    let head = if data.title.is_empty() { data.y.label.clone() } else { data.title.clone() };
    let mut out = vec![
        format!("\\textbf{{{}.}}", tex(&capital(&head))),
        format!("{} over {}: {}.", capital(&tex(&data.y.label)), tex(&data.x.label), list(&names)),
    ];
    out.extend(notes(&data.notes));
    out
}

fn panels(figure: &PanelsFigure) -> Vec<String> {
    let PanelsFigure { data, .. } = figure;
    let titles = data.panels.iter().map(|panel| tex(panel.title())).enumerate();
    let titles: Vec<String> = titles.map(|(i, title)| format!("{} {title}", letter(i))).collect();
    let head = (!data.title.is_empty()).then(|| format!("\\textbf{{{}.}}", tex(&capital(&data.title))));
    let mut out: Vec<String> = head.into_iter().collect();
    out.push(format!("{}.", titles.join("; ")));
    out.extend(notes(&data.notes));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_latex_would_read_is_escaped() {
        assert_eq!(
            tex("a_b & 50% {x} #1 $ \\ ~^"),
            "a\\_b \\& 50\\% \\{x\\} \\#1 \\$ \\textbackslash{} \\textasciitilde{}\\textasciicircum{}"
        );
        assert_eq!(tex("3 × 3 \u{2212} 1\n"), "3 $\\times$ 3 $-$ 1 ");
        assert_eq!((space("projection z"), space("layer_1")), ("projection $z$".into(), "layer\\_1".into()));
        assert_eq!((space("A: projection z"), short("z A")), ("A: projection $z$".into(), "$z$ A".into()));
        assert_eq!(list(&["a", "b", "c"].map(String::from)), "a, b and c");
    }
}
