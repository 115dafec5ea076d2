//! Memory of a guest: a pointer that moves up and falls back when nothing is alive.
//!
//! A decision is one short burst of allocations that are all freed at its end, so a general allocator only costs: fuel,
//! and a memory that grows under every fresh instance, which the system pays with remapping pages. Here a decision
//! stays within pages that are there from the start.
#![allow(unsafe_code)] // An allocator hands out raw memory; the invariants stand at each use.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes that are there from the start; a city-day needs about a tenth of them.
const FIRST: usize = 192 << 10;
const PAGE: usize = 64 << 10;

struct Arena {
    first: UnsafeCell<MaybeUninit<[u8; FIRST]>>,
    base: AtomicUsize,
    next: AtomicUsize,
    end: AtomicUsize,
    alive: AtomicUsize,
}

// SAFETY: components of this world have one thread.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena {
    first: UnsafeCell::new(MaybeUninit::uninit()),
    base: AtomicUsize::new(0),
    next: AtomicUsize::new(0),
    end: AtomicUsize::new(0),
    alive: AtomicUsize::new(0),
};

impl Arena {
    /// Moves on to a region of at least `bytes`: the first one, later twice the last one. Whether there is one.
    fn extend(&self, bytes: usize) -> bool {
        let (base, end) = (self.base.load(Relaxed), self.end.load(Relaxed));
        let (base, size) = if end == 0 && bytes <= FIRST {
            (self.first.get() as usize, FIRST)
        } else {
            let pages = bytes.max(2 * (end - base)).div_ceil(PAGE);
            match core::arch::wasm32::memory_grow(0, pages) {
                usize::MAX => return false,
                before => (before * PAGE, pages * PAGE),
            }
        };
        self.base.store(base, Relaxed);
        self.next.store(base, Relaxed);
        self.end.store(base + size, Relaxed);
        true
    }
}

// SAFETY: `next` only moves up to `end` within one region while anything is alive, but for the block that lies at its
// very top, so blocks never overlap; regions are never given back.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        loop {
            let start = self.next.load(Relaxed).next_multiple_of(layout.align());
            match start.checked_add(layout.size()) {
                Some(end) if end <= self.end.load(Relaxed) && start != 0 => {
                    self.next.store(end, Relaxed);
                    self.alive.fetch_add(1, Relaxed);
                    return start as *mut u8;
                }
                _ => {}
            }
            let Some(bytes) = layout.size().checked_add(layout.align()) else { return ptr::null_mut() };
            if !self.extend(bytes) {
                return ptr::null_mut();
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.alive.fetch_sub(1, Relaxed) == 1 {
            self.next.store(self.base.load(Relaxed), Relaxed);
        } else if block as usize + layout.size() == self.next.load(Relaxed) {
            self.next.store(block as usize, Relaxed);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let start = block as usize;
        let on_top = start + layout.size() == self.next.load(Relaxed);
        if let Some(end) = start.checked_add(size)
            && on_top
            && end <= self.end.load(Relaxed)
        {
            self.next.store(end, Relaxed);
            return block;
        }
        // SAFETY: the caller keeps the contract of `realloc`, so the size is right for the alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the size is not zero, by the same contract.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: both blocks hold that many bytes, and they are apart.
            unsafe { ptr::copy_nonoverlapping(block, moved, layout.size().min(size)) };
            // SAFETY: the caller gives up the old block.
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}
