//! The thread that looks for images by name and class; the newest question wins.

use std::sync::Arc;
use std::thread;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::dataset::Dataset;
use crate::engine::ask::{EngineLine, FoundImages, ImageFilter};

/// Images that are looked at before the thread asks whether there is a newer question.
const CHUNK: usize = 4096;

/// One question.
pub struct ImageSearchJob {
    pub data: Arc<dyn Dataset>,
    pub data_id: u64,
    pub filter: ImageFilter,
}

/// The engine's end of the thread.
pub struct ImageSearch(Sender<ImageSearchJob>);

impl ImageSearch {
    /// Starts the thread.
    pub fn start(line: Arc<EngineLine>) -> anyhow::Result<Self> {
        let (sender, jobs) = unbounded::<ImageSearchJob>();
        let work = move || {
            while let Ok(first) = jobs.recv() {
                let job = jobs.try_iter().last().unwrap_or(first);
                let Some(images) = find(job.data.as_ref(), &job.filter, &jobs) else { continue };
                let found = FoundImages { data: job.data_id, filter: job.filter, images };
                line.update(|shown| shown.found = Some(Arc::new(found)));
            }
        };
        thread::Builder::new().name("finder".into()).spawn(work).context("could not start a thread")?;
        Ok(Self(sender))
    }

    /// Asks; the answer is [`crate::engine::ask::Snapshot::found`].
    pub fn request(&self, job: ImageSearchJob) {
        // Fails only if the thread died; the list then goes on showing what it had.
        let _ = self.0.send(job);
    }
}

/// The images that fit, rising; `None` where a newer question has come meanwhile.
fn find(data: &dyn Dataset, filter: &ImageFilter, newer: &Receiver<ImageSearchJob>) -> Option<Vec<u32>> {
    let text = filter.text.to_lowercase();
    let has_text = |name: &str| text.is_empty() || name.to_lowercase().contains(&text);
    let by_class: Vec<bool> = data.classes().iter().map(|class| has_text(class)).collect();
    let mut found = vec![];
    for first in (0..data.len()).step_by(CHUNK) {
        if !newer.is_empty() {
            return None;
        }
        for index in first..(first + CHUNK).min(data.len()) {
            let label = data.label(index);
            let in_class = filter.class.is_none() || label == filter.class;
            let by_label = || label.is_some_and(|label| by_class.get(label as usize) == Some(&true));
            if in_class && (text.is_empty() || by_label() || has_text(&data.image_name(index))) {
                found.push(index as u32);
            }
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{DataKind, PartMap, Skipped, Split, folder};
    use crate::image::Image;

    /// Images named `a/0.png`, `b/1.png`, `a/2.png`, ... of the classes Horse and Dog.
    struct Named(usize, [String; 2]);

    impl Dataset for Named {
        fn kind(&self) -> &'static DataKind {
            &folder::FOLDER
        }
        fn name(&self) -> String {
            "named".into()
        }
        fn len(&self) -> usize {
            self.0
        }
        fn image(&self, _: usize) -> anyhow::Result<Image> {
            anyhow::bail!("a search reads no image")
        }
        fn label(&self, index: usize) -> Option<u32> {
            (index != 4).then_some(index as u32 % 2)
        }
        fn classes(&self) -> &[String] {
            &self.1
        }
        fn image_name(&self, index: usize) -> String {
            format!("{}/{index}.PNG", ["a", "b"][index % 2])
        }
        fn size(&self) -> Option<(u32, u32)> {
            None
        }
        fn dimensions(&self, _: usize) -> (u32, u32) {
            (1, 1)
        }
        fn split(&self) -> Option<Split> {
            None
        }
        fn fingerprint(&self) -> anyhow::Result<String> {
            Ok(String::new())
        }
        fn skipped(&self) -> &[Skipped] {
            &[]
        }
        fn parts(&self, _: usize) -> anyhow::Result<Option<PartMap>> {
            Ok(None)
        }
    }

    fn named(images: usize) -> Named {
        Named(images, ["Horse".into(), "Dog".into()])
    }

    fn found(text: &str, class: Option<u32>) -> Vec<u32> {
        let (_sender, newer) = unbounded();
        find(&named(6), &ImageFilter { text: text.into(), class }, &newer).unwrap()
    }

    #[test]
    fn names_and_classes_are_found_by_a_part_in_any_case() {
        assert_eq!(found("b/", None), [1, 3, 5]);
        assert_eq!(found("4.png", None), [4]);
        assert_eq!(found("HOR", None), [0, 2], "image 4 has no label");
        assert_eq!(found("", Some(1)), [1, 3, 5]);
        assert_eq!(found("3", Some(1)), [3]);
        assert!(found("horse", Some(1)).is_empty());
    }

    #[test]
    fn a_newer_question_ends_an_older_one() {
        let (sender, newer) = unbounded();
        let data: Arc<dyn Dataset> = Arc::new(named(6));
        sender.send(ImageSearchJob { data, data_id: 1, filter: ImageFilter::default() }).unwrap();
        assert!(find(&named(6), &ImageFilter::default(), &newer).is_none());
    }
}
