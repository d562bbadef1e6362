// SPDX-License-Identifier: Apache-2.0
//! How much memory an image should hold: that is in another one, a list of runs of pages.

use prost::Message;

/// The first eight bytes of such a list.
const MAGIC: u64 = 0x5608_4025_5456_4319;
/// In the flags of a run: its pages are in this image, and not in that of a parent, or to come.
const PRESENT: u32 = 4;

/// pagemap_head
#[derive(Clone, PartialEq, Message)]
struct Head {
    #[prost(uint32, required, tag = "1")]
    pages_id: u32,
}

/// pagemap_entry
#[derive(Clone, PartialEq, Message)]
struct Run {
    /// Before CRIU 4.1.
    #[prost(uint32, optional, tag = "2")]
    old_pages: Option<u32>,
    #[prost(bool, optional, tag = "3")]
    in_parent: Option<bool>,
    #[prost(uint32, optional, tag = "4")]
    flags: Option<u32>,
    #[prost(uint64, optional, tag = "5")]
    pages: Option<u64>,
}

/// What such a list says.
#[derive(Debug, PartialEq, Eq)]
pub struct Map {
    /// The number of the image with the memory.
    pub file: u32,
    /// How long that is at least.
    pub bytes: u64,
}

impl Map {
    /// Reads the list; `None` if it is not whole.
    pub fn read(content: &[u8]) -> Option<Self> {
        let (magic, mut rest) = content.split_first_chunk()?;
        if u64::from_le_bytes(*magic) != MAGIC {
            return None;
        }
        let head = Head::decode(entry(&mut rest)?).ok()?;
        let mut pages = 0;
        while !rest.is_empty() {
            let run = Run::decode(entry(&mut rest)?).ok()?;
            let present = run.flags.map_or(run.in_parent != Some(true), |flags| flags & PRESENT != 0);
            pages += if present { run.pages.or(run.old_pages.map(u64::from)).unwrap_or(0) } else { 0 };
        }
        let page = rustix::param::page_size() as u64;
        Some(Self { file: head.pages_id, bytes: page.checked_mul(pages)? })
    }
}

/// The next message, with its length before it.
fn entry<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_first_chunk()?;
    let (message, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = behind;
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(runs: &[Run]) -> Vec<u8> {
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        let mut add = |message: Vec<u8>| {
            bytes.extend((message.len() as u32).to_le_bytes());
            bytes.extend(message);
        };
        add(Head { pages_id: 7 }.encode_to_vec());
        runs.iter().for_each(|run| add(run.encode_to_vec()));
        bytes
    }

    #[test]
    fn only_what_is_there_counts() {
        let run = |old_pages, in_parent, flags, pages| Run { old_pages, in_parent, flags, pages };
        let bytes = list(&[
            run(Some(2), None, Some(PRESENT), None),
            run(Some(4), None, None, None),
            run(Some(8), Some(true), None, None),
            run(Some(16), None, Some(1), None),
            run(None, None, Some(PRESENT), Some(32)),
        ]);
        let page = rustix::param::page_size() as u64;
        assert_eq!(Map::read(&bytes), Some(Map { file: 7, bytes: 38 * page }));
        let ends = (0..bytes.len()).filter(|end| Map::read(&bytes[..*end]).is_some()).count();
        assert_eq!(ends, 5, "behind the head and each run but the last it could end");
    }
}
