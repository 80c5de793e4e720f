// Package lazyjson reads and patches JSON text where it lies, without building a tree of it. Payloads
// pass the server as the bytes their sender wrote; what has to be known about them is found out by
// scanning, and a patch is a splice into those bytes.
//
//	path, err := lazyjson.ParsePath(m.Path)           // a view of the message, checked once
//	next, err = lazyjson.Set(next[:0], data, path, m.Data)
//
// # Invariants
//   - Nothing is kept and no input is modified. Bytes are only appended to dst: Valid and Get never
//     allocate, the others only until dst has room. Excepted are spellings no program writes: numbers
//     like 0x1F in a path, and more than 256 bytes of a path with escapes in a patch list.
//   - No scan recurses, but the one that follows a path, by its segments.
//   - What is accepted is what encoding/json.Valid accepts, nested DepthMax deep at most.
//   - Bytes from 0x80 up inside strings pass unchecked: invalid UTF-8 there is left as it is.
//   - A patched document is valid JSON if the document and the value were. Of malformed ones nothing
//     is promised but the absence of panics: check with Valid where text enters the server.
//   - On an error dst comes back with its old length and contents.
//   - Everything is bounded: PathBytesMax, SegmentsMax, DepthMax, DocBytesMax, FillMax, PatchesMax and
//     MultiBytesMax.
//
// # Path grammar
//
// A path is tokenised as the official client and server do it (their json-path module):
//
//	path   = part *("." part)               parts are trimmed; blank ones do not count
//	part   = key *(("[" / "]") [number])    key is all up to the first bracket, and may be ""
//	number = what JavaScript's Number() makes of the text; NaN if nothing else
//
// Every key and every number is one segment. Hence a[0].b is "a", 0, "b"; a.0 is "a", "0"; [0] is
// "", 0; a[x] is "a", NaN; a]1[2 is "a", 1, 2. White space is JavaScript's. There is no escape: a key
// with a dot or a bracket in it cannot be named. Refused are a path without segments, the keys
// __proto__, prototype and constructor, and text that is no UTF-8.
//
// A number only differs from a key in what it creates. On a container both are looked up by their
// text, that of a number being JavaScript's (1e1 is "10", 0x1F is "31", -0 is "0"):
//
//	object   the member of that key; the last one, if there are several
//	array    the element, if the text is a canonical index: "0", or digits without a leading zero,
//	         below 2^32-1. Anything else, "length" included, names nothing in an array.
//
// # Patches
//
// Set descends as long as the next segment leads to an object or array. Where it leads to nothing, to
// null or to a scalar, that is replaced by a new container: an array if the segment behind is a number,
// else an object; and so on to the last segment, which takes the value. New members go to the end of
// their object; an array is filled with null up to a new index. A segment that names nothing in its
// array ends the patch without error, but containers created before it stay.
//
// Erase descends and creates likewise, removes the last segment's member, or makes its element null.
//
// All other bytes stay: key order, white space, the spelling of numbers. The outcome is that of the
// official server, recorded in testdata/patches.txt, with exceptions where that one fails: null in the
// way is replaced, as the client does; "length" does not resize an array; a gap of more than FillMax in
// an array is refused. (The client differs from its server in one more case, which the server decides:
// before it erases from an array it has just created, it fills that with null up to the index.)
//
// Cost: one pass, at 0.4 to 0.9 ns a byte, for a patch also a copy; see BenchmarkValid, BenchmarkMember,
// BenchmarkGet and BenchmarkSet. The depth of a path adds nothing. Stability: internal, may change.
package lazyjson
