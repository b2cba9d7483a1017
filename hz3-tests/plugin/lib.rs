//! A library in Rust with an allocator of its own, for programs in C that load it.

hz3::variant!(Alloc = env "HZ3_PLUGIN_CONFIG" or "plugin.toml");

#[global_allocator]
static GLOBAL: Alloc = Alloc;

/// Allocates objects of many sizes and frees them again. Returns a sum that the caller knows: 0 + 1 + … + (n - 1).
#[unsafe(no_mangle)]
pub extern "C" fn plugin_work(n: i64) -> i64 {
    let boxes: Vec<Box<i64>> = (0..n).map(Box::new).collect();
    let mut texts: Vec<Vec<u8>> = (0..n as usize).map(|i| vec![i as u8; i * 37 % 9000]).collect();
    let mut large = vec![1u8; 300_000];
    large.resize(3 << 20, 2);
    let huge = vec![3u8; 5 << 20];
    texts.retain(|text| text.len().is_multiple_of(2));
    let sound = texts.iter().all(|text| text.iter().all(|byte| *byte == text[0]));
    let sound = sound && large[200_000] == 1 && large[2 << 20] == 2 && huge[4 << 20] == 3;
    if sound { boxes.iter().map(|b| **b).sum() } else { -1 }
}

/// A block of `size` bytes, each `size` modulo 256, that the caller has to give to `plugin_take`.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_give(size: usize) -> *mut u8 {
    Box::into_raw(vec![size as u8; size].into_boxed_slice()).cast()
}

/// Takes a block of `size` bytes back. Returns whether it was as it had been given.
///
/// # Safety
/// `plugin_give(size)` gave the block, with the same `size`. It has not been passed here before, and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_take(block: *mut u8, size: usize) -> i32 {
    // SAFETY: `plugin_give` made the block from a boxed slice of this length, and gave it away; nobody else drops it, since
    // each block is passed here once.
    let block = unsafe { Box::from_raw(core::ptr::slice_from_raw_parts_mut(block, size)) };
    i32::from(block.iter().all(|byte| *byte == size as u8))
}
