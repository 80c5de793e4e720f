// Package codec turns delimited protobuf bytes into protocol.Message and back. It is written by
// hand, because the official clients tell an absent field from one that holds its zero value, and
// because a decoded message must cost no memory beyond the bytes it came in.
//
// A delimited message is the varint length of an envelope, then the envelope: field 2 the topic,
// field 3 the bytes of an inner message, whose field numbers differ from topic to topic. They are
// one table in schema.go, from which decoder and encoder both work.
//
// # Invariants
//   - Decode never panics and never reads behind the extent of its message. It accepts exactly what
//     google.golang.org/protobuf accepts under the same schema with bytes in place of strings,
//     except that groups and more than VersionsMax versions are errors.
//   - Every slice of a decoded Message is a view of the input whose capacity ends with it: an append
//     to it never overwrites the input.
//   - nil is absent, non-nil empty is present and empty, in both directions.
//   - Append writes Size bytes, fields in ascending order of their numbers, as the official encoder
//     does; decoding them yields the same Message.
//
// Text is passed through as bytes: nobody here checks UTF-8, since the official encoder emits
// unpaired surrogates. Fields a schema has and Message cannot hold are skipped.
//
// Cost: O(bytes), 0 allocations but for a list of versions. Names are counted and checked, not
// copied. Size is bounded by the caller's buffer alone: it bounds the frame. Safe for concurrent
// use on distinct messages. Source: spec/wire.md §3–§7. Stability: internal, may change.
package codec
