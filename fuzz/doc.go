// Package fuzz holds the fuzz targets that cross packages: a client's bytes go through the engine, the
// codecs and a session to every topic and back. Only its tests have code; the seeds they start from
// are in testdata. Package peer below it is the client they share with the scenarios of session.
//
//	go test ./fuzz -fuzz=FuzzSession
//	go test ./fuzz -fuzz=FuzzStream -fuzzminimizetime=10x
//
// The engine's goroutines make coverage waver a little, which the fuzzer takes for news and spends
// its time on minimizing: the second flag keeps that short.
//
// # Invariants
//   - Nothing a client sends makes a loop panic: the engine catches and counts, the targets look.
//   - Nothing a client did outlives it: when it has gone, no loop holds anything.
//   - What a client's bytes do does not depend on how the network cuts them.
//
// Stability: internal, may change.
package fuzz
