// Package pebble is the default store.Store: records in a folder, kept by the Pebble key-value
// engine. It is named after it; files here import the engine as lsm.
//
// # Layout of the keys, format 1
//
//	00 "format"            uvarint: number of the format; a higher one is refused
//	01 'd' name            flags, uvarint version, JSON       data of a live record
//	01 'h' …               reserved: history, escaped name, then version, newest first
//	01 't' expiry name     empty                              tombstones by time of collection
//	01 'v' name            flags, uvarint version [, expiry]  head of a live or deleted record
//
// The byte in front is the format of the key, so that two formats can live side by side while one
// is rewritten as the other. Heads are dense and far from data: reading a million of them reads the
// 'v' blocks alone. The price is a second key per write, measured by BenchmarkVersionKey.
//
// # Invariants
//   - 'v' and 'd' of a name change in one batch and agree; Check verifies it.
//   - One goroutine, the committer, writes; it has at most one batch under way.
//   - After the first error of a writing system call nothing more reaches the folder until it has
//     been opened anew (see disk): what is on disk then is a prefix of what Pebble meant to write,
//     which is exactly what its recovery is made for.
//   - No error of the disk ends the process.
//
// # Files
//
// Beside those of Pebble the folder holds INVENTORY, while nobody has it open, and MANIFEST.SUM:
// with them damage is found that Pebble takes for the work of a crash. What stays invisible is the
// loss of the end of the last log, or of a whole log, in a folder that was not closed.
//
// A log is made in its full size of 4 MiB where 1 GiB is free, so that an fdatasync need not write the
// file's inode. About six of them exist at a time, and are reused.
//
// # Tombstones
//
// A deletion removes 'd', and keeps 'v' with the version until the retention has passed. Once a
// minute the committer removes what has expired, found through 't', sweepMax at a time. A name
// written again in the meantime is live; its 't' entry is dropped when its time comes.
//
// Cost: see the benchmarks; about 2 µs of CPU per durable write in batches, one lookup per Get.
// Stability: internal, may change; the layout on disk is stable.
package pebble
