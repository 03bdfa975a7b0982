//! Memory of an index, by the allocations of the thread that makes it.

use std::io::Cursor;

use allocation_counter::{AllocationInfo, measure};
use tinker_data::{Index, ReadOptions};

/// Most memory while rows are indexed, a share of them is held out, and the others are mixed.
fn most(rows: usize) -> AllocationInfo {
    let line = |at: usize| format!("{{\"prompt\":\"{at}\",\"completion\":\"x\"}}\n");
    let text: String = (0..rows).map(line).collect();
    measure(move || {
        let mut index = Index::new(ReadOptions::new());
        index.add_source("x.jsonl", Cursor::new(text)).unwrap();
        let order = index.mixed(&[2.0], 0);
        index.select(order).unwrap();
        let held_out = index.hold_out(0, |prompts| prompts / 2).unwrap();
        assert_eq!(index.len() + held_out.len(), 2 * rows);
        assert!(held_out.shuffled(0).next().is_some());
    })
}

/// A table with 8 bytes for each row would be 1.6 MB of the rows, and as much again of the mixture.
#[test]
fn memory_does_not_grow_with_the_number_of_rows() {
    let few = most(70_000);
    let many = most(200_000);
    assert!(few.bytes_max > 0);
    let grown = many.bytes_max.saturating_sub(few.bytes_max);
    assert!(grown < 1_000_000, "{few:?} {many:?}");
}
