//! Pictures that do not travel: the other end would take them for nonsense, and end the line.

use crate::engine::ask::{ABOUT_PICTURE, Command, Event, Source};
use crate::image::Image;
use crate::wire::MOST_WHOLE_PICTURE;

/// What is wrong with a command whose query has pictures that are too large for the line.
pub fn refused(command: &Command) -> Option<String> {
    let Command::Query { query, .. } = command else { return None };
    let pictures = query.parts.iter().filter_map(|part| match &part.source {
        Source::Outside(picture) => Some(&*picture.image),
        Source::Box(_) => None,
    });
    words(pictures)
}

/// The event, or what becomes of it where its picture is too large for the line.
pub fn passable(event: Event) -> Event {
    let Event::Picture(picture) = &event else { return event };
    match words(std::iter::once(&*picture.image)) {
        Some(message) => Event::Failed { about: ABOUT_PICTURE.into(), message },
        None => event,
    }
}

fn words<'a>(pictures: impl Iterator<Item = &'a Image>) -> Option<String> {
    let bytes: usize = pictures.map(|picture| picture.rgb().len()).sum();
    let megapixels = |bytes: usize| bytes as f64 / 3e6;
    (bytes > MOST_WHOLE_PICTURE).then(|| {
        format!(
            "it has {:.0} megapixels, and at most {:.0} go over the line; make it smaller, or open it over there with its folder",
            megapixels(bytes),
            megapixels(MOST_WHOLE_PICTURE).floor()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::ask::{OutsidePicture, QuerySpec};

    #[test]
    fn a_picture_that_is_too_large_for_the_line_is_refused_in_words() {
        let picture = |side: u32| {
            Arc::new(OutsidePicture { name: "a".into(), image: Arc::new(Image::filled(side, side, [7; 3])) })
        };
        let query = |side: u32| Command::Query {
            id: 1,
            data: 1,
            query: QuerySpec::one(Source::Outside(picture(side))),
            image: 0,
        };
        assert_eq!(refused(&query(5000)), None);
        let message = refused(&query(7000)).unwrap();
        assert!(message.starts_with("it has 49 megapixels, and at most 30 go"), "{message}");
        assert!(matches!(passable(Event::Picture(picture(100))), Event::Picture(_)));
        assert!(
            matches!(passable(Event::Picture(picture(7000))), Event::Failed { message: said, .. } if said == message)
        );
    }
}
