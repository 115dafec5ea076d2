//! What a journal promises, tried on small segments: nothing lost, nothing changed unseen, followers in step.

use super::segment::{HEADER, packed_path, plain_path};
use super::{Kind, Layout, Position, Reader, Tail, Writer};
use crate::error::Error;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SMALL: Layout = Layout { segment_bytes: 600, block_bytes: 200, pack: false };

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write(folder: &Path, layout: Layout, records: &[Vec<u8>], flush_every: usize) {
    let mut writer = Writer::open(folder, Kind::Feed, layout).unwrap();
    for (index, record) in records.iter().enumerate() {
        writer.append(record).unwrap();
        if (index + 1) % flush_every == 0 {
            writer.flush().unwrap();
        }
    }
}

/// Reads to the current end: the records and the error that ended it.
fn read_on(reader: &mut Reader) -> (Vec<Vec<u8>>, Option<Error>) {
    let mut records = Vec::new();
    loop {
        match reader.next() {
            Ok(Some((number, payload))) => {
                let payload: Vec<u8> = postcard::from_bytes(payload).unwrap();
                records.push(payload);
                assert!(number + 1 >= records.len() as u64);
            }
            Ok(None) => return (records, None),
            Err(error) => return (records, Some(error)),
        }
    }
}

fn read(folder: &Path) -> (Vec<Vec<u8>>, Option<Error>, Tail) {
    match Reader::open(folder, Kind::Feed) {
        Ok(mut reader) => {
            let (records, error) = read_on(&mut reader);
            (records, error, reader.tail().clone())
        }
        Err(error) => (Vec::new(), Some(error), Tail::Whole),
    }
}

fn numbered(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|index| format!("record {index}").into_bytes().repeat(1 + index % 5)).collect()
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.file_name().unwrap() != "lock");
    paths.sort();
    paths
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn records_come_back_as_they_went_in(
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..60),
        flush_every in 1_usize..20,
        segment_bytes in 100_u64..4_000,
        block_bytes in 30_usize..1_000,
        pack in any::<bool>(),
        reopen in 0_usize..60,
    ) {
        let folder = folder();
        let layout = Layout { segment_bytes, block_bytes, pack };
        let reopen = reopen.min(records.len());
        write(folder.path(), layout, &records[..reopen], flush_every);
        write(folder.path(), layout, &records[reopen..], flush_every);
        let (back, error, tail) = read(folder.path());
        prop_assert!(error.is_none(), "{error:?}");
        prop_assert_eq!(tail, Tail::Whole);
        prop_assert_eq!(back, records);
    }
}

#[test]
fn one_flipped_byte_anywhere_is_detected_and_named() {
    for pack in [false, true] {
        let folder = folder();
        let records = numbered(40);
        write(folder.path(), Layout { pack, ..SMALL }, &records, 3);
        let paths = segments(folder.path());
        assert!(paths.len() > 2);
        assert_eq!(pack, packed_path(folder.path(), 0).exists());
        for path in &paths {
            let good = fs::read(path).unwrap();
            for at in 0..good.len() {
                for mask in [0x01, 0x80, 0xff] {
                    let mut bad = good.clone();
                    bad[at] ^= mask;
                    fs::write(path, &bad).unwrap();
                    let (back, error, tail) = read(folder.path());
                    assert!(records.starts_with(&back), "changed records were given out");
                    let Some(Error::Corrupt { place, .. }) = &error else {
                        panic!("byte {at} of {} flipped by {mask}: {error:?}, {tail:?}", path.display());
                    };
                    assert_eq!(&place.segment, path);
                }
            }
            fs::write(path, &good).unwrap();
        }
        assert_eq!(read(folder.path()).0, records);
    }
}

#[test]
fn the_damaged_record_is_named_exactly() {
    let folder = folder();
    write(folder.path(), Layout::default(), &numbered(40), 10);
    let path = plain_path(folder.path(), 0);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(9).position(|window| window == b"record 27").unwrap();
    bytes[at + 3] = b'X';
    fs::write(&path, bytes).unwrap();
    let (back, error, _) = read(folder.path());
    assert_eq!(back.len(), 20, "whole blocks before the damage are given out");
    let Some(Error::Corrupt { place, .. }) = error else { panic!("{error:?}") };
    assert_eq!(place.record, 27);
    assert!(place.offset < at as u64 && place.offset + 32 > at as u64);
    assert!(matches!(Writer::open(folder.path(), Kind::Feed, SMALL), Err(Error::Corrupt { .. })));
    assert_eq!(fs::read(&path).unwrap()[at + 3], b'X', "damage is never cut away");
}

#[test]
fn a_torn_tail_loses_only_the_tail() {
    let origin = folder();
    const MEDIUM: Layout = Layout { segment_bytes: 1_200, ..SMALL };
    let records = numbered(33);
    write(origin.path(), MEDIUM, &records, 2);
    let paths = segments(origin.path());
    let last = paths.last().unwrap();
    assert!(paths.len() > 1);
    let whole = fs::read(last).unwrap();
    let mut boundaries = 0;
    for length in 0..whole.len() {
        fs::write(last, &whole[..length]).unwrap();
        let (back, error, tail) = read(origin.path());
        assert!(error.is_none(), "{length}: {error:?}");
        assert!(records.starts_with(&back));
        match &tail {
            Tail::Whole => boundaries += 1,
            Tail::Torn { place, bytes } => assert_eq!(place.offset + bytes, length as u64),
        }

        let mut writer = Writer::open(origin.path(), Kind::Feed, MEDIUM).unwrap();
        assert_eq!(writer.recovered(), &tail);
        assert_eq!(writer.next_record(), back.len() as u64);
        writer.append(&b"after".to_vec()).unwrap();
        drop(writer);
        let (again, error, tail) = read(origin.path());
        assert!(error.is_none() && tail == Tail::Whole, "{length}: {error:?} {tail:?}");
        assert_eq!(again[..back.len()], back);
        assert_eq!(again[back.len()..], [b"after".to_vec()]);
        for extra in &segments(origin.path())[paths.len()..] {
            fs::remove_file(extra).unwrap();
        }
    }
    assert!(boundaries > 2, "some cuts fall between blocks");
}

#[test]
fn zeros_behind_the_end_are_a_torn_tail_and_a_segment_cut_in_the_middle_is_not() {
    let folder = folder();
    let records = numbered(25);
    write(folder.path(), SMALL, &records, 2);
    let last = segments(folder.path()).pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    bytes.resize(bytes.len() + 5_000, 0);
    fs::write(&last, bytes).unwrap();
    let (back, error, tail) = read(folder.path());
    assert!(error.is_none() && back == records);
    assert!(matches!(tail, Tail::Torn { bytes: 5_000, .. }));

    let first = plain_path(folder.path(), 0);
    let whole = fs::read(&first).unwrap();
    for length in 0..whole.len() {
        fs::write(&first, &whole[..length]).unwrap();
        assert!(matches!(read(folder.path()).1, Some(Error::Corrupt { .. })), "cut to {length}");
    }
    fs::remove_file(&first).unwrap();
    assert!(matches!(read(folder.path()).1, Some(Error::Corrupt { .. })));
}

#[test]
fn a_follower_keeps_up_across_rolls_packing_and_recovery() {
    let folder = folder();
    let mut reader = Reader::open(folder.path(), Kind::Feed).unwrap();
    let mut slow = Reader::open(folder.path(), Kind::Feed).unwrap();
    assert!(reader.next().unwrap().is_none());
    let layout = Layout { pack: true, ..SMALL };
    let records = numbered(200);
    let mut seen = Vec::new();
    for (round, part) in records.chunks(7).enumerate() {
        let mut writer = Writer::open(folder.path(), Kind::Feed, layout).unwrap();
        for record in part {
            writer.append(record).unwrap();
        }
        writer.flush().unwrap();
        if round == 0 {
            assert!(slow.next().unwrap().is_some(), "holds the first segment open while it is packed");
        }
        let (more, error) = read_on(&mut reader);
        assert!(error.is_none(), "{error:?}");
        seen.extend(more);
        assert_eq!(seen.len(), (round * 7 + 7).min(records.len()), "what is flushed is seen");
        drop(writer);
        // A write that a crash cut short; the next writer puts other bytes in its place.
        let last = segments(folder.path()).pop().unwrap();
        let mut bytes = fs::read(&last).unwrap();
        bytes.extend_from_slice(&[7; 20]);
        fs::write(&last, bytes).unwrap();
        assert!(reader.next().unwrap().is_none());
    }
    assert_eq!(seen, records);
    assert!(packed_path(folder.path(), 0).exists() && !plain_path(folder.path(), 0).exists());
    let (rest, error) = read_on(&mut slow);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(rest, records[1..]);
}

#[test]
fn a_follower_in_another_thread_misses_nothing() {
    let folder = folder();
    let layout = Layout { segment_bytes: 40_000, block_bytes: 2_000, pack: true };
    let mut writer = Writer::open(folder.path(), Kind::Feed, layout).unwrap();
    let notice = writer.notice();
    const COUNT: u64 = 50_000;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut reader = Reader::open(folder.path(), Kind::Feed).unwrap();
            let mut expected = 0;
            let end = Instant::now() + Duration::from_secs(60);
            while expected < COUNT {
                while let Some((number, payload)) = reader.next().unwrap() {
                    assert_eq!((number, postcard::from_bytes::<u64>(payload).unwrap()), (expected, expected * 3));
                    expected += 1;
                }
                notice.wait(expected, Duration::from_millis(50));
                assert!(Instant::now() < end, "stuck at {expected}");
            }
        });
        for index in 0..COUNT {
            writer.append(&(index * 3)).unwrap();
            if index % 13 == 0 {
                writer.flush().unwrap();
                writer.notice().wake();
            }
        }
        writer.flush().unwrap();
    });
}

#[test]
fn reading_goes_on_from_a_position() {
    for pack in [false, true] {
        let folder = folder();
        let records = numbered(60);
        write(folder.path(), Layout { pack, ..SMALL }, &records, 4);
        let mut reader = Reader::open(folder.path(), Kind::Feed).unwrap();
        let mut positions = vec![reader.position()];
        while reader.next().unwrap().is_some() {
            positions.push(reader.position());
        }
        for position in positions {
            let mut later = Reader::resume(folder.path(), Kind::Feed, position).unwrap();
            let (rest, error) = read_on(&mut later);
            assert!(error.is_none(), "{error:?}");
            assert_eq!(rest, records[position.record as usize..]);
        }
        let wrong = Position { chain: [9; 32], ..reader.position() };
        write(folder.path(), SMALL, &records[..1], 1);
        let mut later = Reader::resume(folder.path(), Kind::Feed, wrong).unwrap();
        assert!(matches!(later.next(), Err(Error::Corrupt { .. })));
    }
}

#[test]
fn an_error_stops_the_writer_for_good() {
    let folder = folder();
    let mut writer = Writer::open(folder.path(), Kind::Feed, Layout::default()).unwrap();
    writer.append(&1_u64).unwrap();
    writer.flush().unwrap();
    writer.break_file();
    writer.append(&2_u64).unwrap();
    assert!(matches!(writer.flush(), Err(Error::Io { .. })));
    assert!(matches!(writer.append(&3_u64), Err(Error::Poisoned { .. })));
    assert!(matches!(writer.flush(), Err(Error::Poisoned { .. })));
    assert!(matches!(writer.sync(), Err(Error::Poisoned { .. })));
    drop(writer);
    assert_eq!(Writer::open(folder.path(), Kind::Feed, Layout::default()).unwrap().next_record(), 1);
}

#[test]
fn what_was_flushed_survives_a_kill() {
    let folder = folder();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "journal::tests::child_that_is_killed", "--ignored", "--nocapture"])
        .env("ISOBAR_TEST_JOURNAL", folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut reader = Reader::open(folder.path(), Kind::Feed).unwrap();
    let mut seen = 0_u64;
    let end = Instant::now() + Duration::from_secs(60);
    while seen < 2_000 {
        while let Some((number, _)) = reader.next().unwrap() {
            seen = number + 1;
        }
        assert!(Instant::now() < end, "the child wrote {seen} records");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let said: u64 = fs::read_to_string(folder.path().join("flushed")).unwrap().parse().unwrap();
    let mut writer = Writer::open(folder.path(), Kind::Feed, SMALL).unwrap();
    assert!(writer.next_record() >= seen && writer.next_record() > said);
    writer.append(&0_u64).unwrap();
    writer.flush().unwrap();
    let mut again = Reader::open(folder.path(), Kind::Feed).unwrap();
    let mut count = 0;
    while again.next().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, writer.next_record());
}

#[test]
#[ignore = "run by what_was_flushed_survives_a_kill, and killed"]
fn child_that_is_killed() {
    let Some(folder) = std::env::var_os("ISOBAR_TEST_JOURNAL") else { return };
    let folder = PathBuf::from(folder);
    let mut writer = Writer::open(&folder, Kind::Feed, Layout { pack: true, ..SMALL }).unwrap();
    for index in 0..10_000_000_u64 {
        writer.append(&index).unwrap();
        writer.flush().unwrap();
        if index % 500 == 0 {
            fs::write(folder.join("unfinished"), index.to_string()).unwrap();
            fs::rename(folder.join("unfinished"), folder.join("flushed")).unwrap();
        }
    }
}

#[test]
fn a_journal_of_another_kind_is_refused() {
    let folder = folder();
    write(folder.path(), SMALL, &numbered(3), 1);
    let mut reader = Reader::open(folder.path(), Kind::Slot).unwrap();
    assert!(matches!(reader.next(), Err(Error::Corrupt { .. })));
    assert!(fs::metadata(plain_path(folder.path(), 0)).unwrap().len() > HEADER as u64);
}
