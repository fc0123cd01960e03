//! Fonts: embedded, chosen, drawn as outlines; what they lack.

use super::*;

#[test]
fn a_pdf_embeds_its_font_as_characters_not_shapes() {
    let pdf = Figure::Heatmap(heatmap()).render(Format::Pdf).unwrap();
    let has = |words: &str| pdf.windows(words.len()).any(|w| w == words.as_bytes());
    assert!(has("/FontFile2") && has("/ToUnicode") && has("Ubuntu-Light"));
    assert!(!has("/Type3") && !has("/CreationDate"));
}

#[test]
fn text_as_outlines_looks_as_text_does_and_needs_no_font() {
    for mut figure in [Figure::Heatmap(heatmap()), Figure::Gallery(gallery(8))] {
        let outlined = String::from_utf8(figure.render(Format::Svg).unwrap()).unwrap();
        assert!(!outlined.contains("<text") && outlined.contains("aria-label=\"projection z\""));
        figure.set_text(TextAs::Font);
        let text = String::from_utf8(figure.render(Format::Svg).unwrap()).unwrap();
        assert!(text.contains("<text") && text.contains("projection z"));
        let [paths, letters] = [&outlined, &text].map(|svg| output::picture_from_svg(svg, 150.0).unwrap().0);
        // The renderer has four scan lines in a pixel: rounding to 1/200 pt moves an edge over at most one, seldom.
        let differences = paths.rgb().iter().zip(letters.rgb()).map(|(a, b)| a.abs_diff(*b));
        assert!(differences.clone().max() <= Some(64), "{:?}", differences.max());
        let moved = differences.filter(|difference| *difference > 4).count();
        assert!(moved * 500 < paths.rgb().len(), "{moved} of {} bytes differ", paths.rgb().len());
        assert!(paths.rgb().iter().any(|v| *v < 0x60), "there is ink");
    }
}

/// A file of the font Hack, which is no font of figures unless chosen.
fn hack(folder: &Path) -> FontSource {
    let path = folder.join("hack.ttf");
    fs::write(&path, epaint_default_fonts::HACK_REGULAR).unwrap();
    FontSource::File(path)
}

#[test]
fn a_chosen_font_draws_all_text_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let font = hack(folder.path()).load().unwrap();
    assert_eq!(font.as_ref().unwrap().family, "Hack");
    for mut figure in all() {
        let own = figure.render(Format::Png { dpi: 72 }).unwrap();
        figure.set_font(font.clone());
        figure.set_text(TextAs::Font);
        let svg = String::from_utf8(figure.render(Format::Svg).unwrap()).unwrap();
        let families = svg.matches("font-family=\"Hack, sans-serif\"").count();
        assert!(families > 0 && families == svg.matches("font-family").count(), "{families}");
        assert!(svg.contains("font-weight=\"400\"") && !svg.contains("font-weight=\"300\""));
        let pdf = figure.render(Format::Pdf).unwrap();
        let has = |words: &str| pdf.windows(words.len()).any(|w| w == words.as_bytes());
        assert!(has("Hack-Regular") && !has("Ubuntu"));
        assert_ne!(figure.render(Format::Png { dpi: 72 }).unwrap(), own);
        // The sidecar tells the font, and gives the same bytes while its file is known.
        let sidecar = Sidecar { figure: figure.clone(), format: Format::Pdf, source: json!(null) };
        let again = Sidecar::from_json(&sidecar.to_json().unwrap()).unwrap().figure;
        assert_eq!(again, figure);
        assert_eq!(again.render(Format::Pdf).unwrap(), pdf);
    }
    // Every character of Hack is 1233 of 2048 units wide.
    let width = font::with(font.as_ref(), || Ok(canvas::text_width("iiMMM", 2048))).unwrap();
    assert!((width - 5 * 1233).abs() <= 1, "{width}");
}

#[test]
fn a_font_that_is_not_at_hand_is_named_with_what_to_do() {
    let mut figure = Figure::Heatmap(heatmap());
    figure.set_font(Some(FontChoice { family: "Inter".into(), sha256: "0123456789abcdef".into() }));
    let error = error(figure);
    assert!(error.contains("the font Inter (sha256 01234567)") && error.contains("--font FILE"), "{error}");
}

#[test]
fn what_a_font_lacks_is_drawn_in_the_programs_own_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("icons.ttf");
    fs::write(&path, epaint_default_fonts::EGUI_ICONS).unwrap();
    let mut map = heatmap();
    map.data.rows[0].title = "image 0 \u{b7} 猫".into();
    let mut figure = Figure::Heatmap(map);
    let own = figure.preview(Format::Pdf, 72.0).unwrap();
    assert!(own.lacking.unwrap().contains("no font here has \u{201c}猫\u{201d}"));
    let font = FontSource::File(path).load().unwrap();
    figure.set_font(font.clone());
    let shown = figure.preview(Format::Pdf, 72.0).unwrap();
    let lacking = shown.lacking.unwrap();
    assert!(lacking.starts_with("the font emoji lacks \u{201c}"), "{lacking}");
    assert!(lacking.contains("more characters: drawn in Ubuntu Light; no font here has \u{201c}猫\u{201d}"));
    // Letters are there all the same: shapes of as many commands as in the program's own font.
    let shape = |figure: &Figure| {
        let svg = String::from_utf8(figure.render(Format::Svg).unwrap()).unwrap();
        let at = svg.find("aria-label=\"projection z\"").unwrap();
        let path = svg[at..].split('"').nth(5).unwrap().to_owned();
        path.chars().filter(char::is_ascii_alphabetic).collect::<String>()
    };
    let substituted = shape(&figure);
    figure.set_font(None);
    assert_eq!(shape(&figure), substituted);
    figure.set_font(font);
    // The bytes do not depend on the order of two fonts.
    for _ in 0..8 {
        assert_eq!(figure.render(Format::Pdf).unwrap(), shown.file);
    }
}
