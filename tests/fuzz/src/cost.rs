//! The cost of work: the memory that it allocates, including what it frees again.

/// Does the work, and fails if it allocates more than `fixed` bytes plus `factor` for each of
/// `input_bytes`, or more than 1,000 times plus 16 times for each of them.
#[track_caller]
pub fn bounded<T>(input_bytes: usize, fixed: usize, factor: usize, work: impl FnOnce() -> T) -> T {
    let mut done = None;
    let cost = allocation_counter::measure(|| done = Some(work()));
    let most = (fixed + factor * input_bytes) as u64;
    assert!(
        cost.bytes_total <= most,
        "{} bytes allocated for {input_bytes} bytes of input; at most {most} are allowed",
        cost.bytes_total
    );
    let most = 1_000 + 16 * input_bytes as u64;
    assert!(
        cost.count_total <= most,
        "{} allocations for {input_bytes} bytes of input; at most {most} are allowed",
        cost.count_total
    );
    done.expect("it was done")
}

#[test]
#[should_panic = "bytes allocated for 10 bytes of input"]
fn work_that_costs_too_much_is_noticed() {
    bounded(10, 100, 1, || vec![0_u8; 111]);
}
