//! Cost of one record of the feed journal: appended, flushed, read back. Divide by the number of items.

use divan::counter::ItemsCount;
use isobar_engine::event::Input;
use isobar_engine::units::Timestamp;
use isobar_store::{FeedWriter, Layout, Run};

/// A frame of 264 bytes, the mean of the recordings.
fn frame() -> Vec<u8> {
    let mut text =
        br#"{"type":"orderbook_delta","sid":1,"seq":12345,"msg":{"market_ticker":"KXHIGHCHI-26NOV23-B33.5","#.to_vec();
    text.resize(264, b'7');
    text
}

const FRAMES: usize = 200_000;

fn append(feed: &mut FeedWriter, count: usize) {
    let text = frame();
    for index in 0..count {
        let at = Timestamp(1_763_875_200_000_000_000 + index as i64 * 1_000_000);
        feed.append(at, &Input::Frame { connection: 1, text: &text }).expect("appended");
    }
}

fn main() {
    divan::main();
}

/// A new journal for each sample: a file that keeps growing measures the disk.
#[divan::bench(sample_count = 20)]
fn append_buffered(bencher: divan::Bencher<'_, '_>) {
    const COUNT: usize = 20_000;
    let begin = || {
        let folder = tempfile::tempdir().expect("a folder");
        let run = Run::create(folder.path()).expect("a run");
        (run.write_feed(Layout { pack: false, ..Layout::default() }).expect("a journal"), folder)
    };
    let bencher = bencher.counter(ItemsCount::new(COUNT)).with_inputs(begin);
    bencher.bench_local_refs(|(feed, _)| append(feed, COUNT));
}

#[divan::bench(sample_count = 20)]
fn append_and_flush_each(bencher: divan::Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = Run::create(folder.path()).expect("a run");
    let mut feed = run.write_feed(Layout { pack: false, ..Layout::default() }).expect("a journal");
    bencher.counter(ItemsCount::new(10_000_usize)).bench_local(|| {
        for _ in 0..10_000 {
            append(&mut feed, 1);
            feed.flush().expect("flushed");
        }
    });
}

#[divan::bench(args = [false, true], sample_count = 20)]
fn read(bencher: divan::Bencher<'_, '_>, packed: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = Run::create(folder.path()).expect("a run");
    let segment_bytes = if packed { 8 << 20 } else { 1 << 40 };
    let layout = Layout { segment_bytes, pack: packed, ..Layout::default() };
    append(&mut run.write_feed(layout).expect("a journal"), FRAMES);
    bencher.counter(ItemsCount::new(FRAMES)).bench_local(|| {
        let mut feed = run.read_feed().expect("a journal");
        let mut bytes = 0;
        while let Some(record) = feed.next().expect("whole") {
            if let Input::Frame { text, .. } = record.input {
                bytes += text.len();
            }
        }
        assert_eq!(bytes, FRAMES * 264);
    });
}
