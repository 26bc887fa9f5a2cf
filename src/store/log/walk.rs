//! Finding a block in a segment: from the nearest entry of the index on, header by header.

use std::rc::Rc;

use crate::event::Ordinal;
use crate::store::ReadError;

use super::disk::Disk;
use super::fault;
use super::segment::{Entry, Segment};
use super::stream::Shared;
use super::window::{Found, Window};

impl<D: Disk> Shared<D> {
    /// The first block of events from `entry` on for which `wanted` holds; `None` when no block of
    /// the segment is. Damage is walked around.
    pub(super) async fn walk(
        &self,
        segment: &Rc<Segment<D>>,
        entry: Entry,
        wanted: impl Fn(&Found) -> bool,
    ) -> Result<Option<Found>, ReadError> {
        let failed = |error| ReadError::Failed(fault("read", &segment.path, &error));
        let file = segment.file(&self.disk).await.map_err(failed)?;
        let (end, salt) = (segment.end(), segment.header.salt);
        let mut window = Window::new(&*file, end);
        let (mut position, mut next) = (entry.position, entry.first);
        while position < end {
            let expected = |found: &Found| found.header.first >= next;
            let found = window.header(position, salt).await.map_err(failed)?.filter(expected);
            let found = match found {
                Some(found) => found,
                None => match self.resume(&mut window, position, salt, next).await? {
                    Some(found) => found,
                    None => return Ok(None),
                },
            };
            if found.header.count > 0 {
                let (first, timestamp) = (found.header.first, found.header.timestamp);
                segment.note(Entry { position: found.position, first, timestamp });
                if wanted(&found) {
                    return Ok(Some(found));
                }
            }
            (position, next) = (found.after(), found.header.next());
        }
        Ok(None)
    }

    /// The next block behind bytes at `position` that are none.
    pub(super) async fn resume(
        &self,
        window: &mut Window<'_, D::File>,
        position: u64,
        salt: u32,
        next: Ordinal,
    ) -> Result<Option<Found>, ReadError> {
        let later = |found: &Found| found.header.first >= next;
        let found = window.search(position + 1, salt, later).await;
        let found =
            found.map_err(|error| ReadError::Failed(fault("read", &self.directory, &error)))?;
        if let Some(found) = &found {
            self.damage(next, found.header.first, "no block where one begins");
        }
        Ok(found)
    }
}
