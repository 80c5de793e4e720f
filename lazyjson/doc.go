// Package lazyjson reads JSON text where it lies, without building a tree of it. Payloads pass the
// server as the bytes their sender wrote; what has to be known about them is found out by scanning.
//
// # Invariants
//   - Nothing is allocated, kept or modified, and no scan recurses.
//   - What is accepted is what encoding/json.Valid accepts, nested DepthMax deep at most.
//   - Bytes from 0x80 up inside strings pass unchecked: invalid UTF-8 there is left as it is.
//
// Cost: one pass, about a nanosecond a byte for small documents and less in long strings, see
// BenchmarkValid. Stability: internal, may change.
package lazyjson
