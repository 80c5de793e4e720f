// Package store says what durable storage of records is: names with a version and JSON data, kept
// by a Store that no event loop ever waits for. store/pebble keeps them on disk, store/memory in
// RAM, and store/storetest is the suite both must pass.
//
// A loop hands its writes over once per turn with Submit and goes on. The store commits whatever
// arrived during its previous commit as one batch with one fsync, then calls done on a goroutine of
// its own; done only posts to the loop's mailbox.
//
// # Invariants
//   - Completions come in the order of submission, and a Submit is committed whole or not at all.
//   - With DurabilityAck a write reported without an error survives SIGKILL and power loss.
//   - A version is kept apart from its data: Head and HeadBulk never read data.
//   - A deleted record leaves a tombstone with the version of its deletion until the retention has
//     passed. The store never judges a write onto it, unless the write asks it to (Write.Check).
//   - A write that failed may still be found later: the disk does not always say what it has done.
//     Nobody was told that it is kept, and it is whole.
//   - The queue of writes and the queue of reads have a limit; over it the answer is ErrBusy at once.
//
// Cost: Submit O(writes) without copying, one mutex; everything else happens on other goroutines.
// Stability: internal, may change.
package store
