// Package soak lets clients come and go at the built server for a time, over TCP and over TLS, with HTTP
// requests and permission rules, and looks at its metrics: memory must not grow with the time, and what
// clients held must be gone when they are.
//
//	make soak DURATION=10m
//
// # Invariants
//   - Nothing here looks into the server: what counts is what /metrics says.
//   - Every client checks its answers; a denied name has to be denied.
//   - The server is built like the test is: with -race and the invariants tag if that has them.
//
// Cost: -soak.duration (4 s) and a build. Stability: internal, may change.
package soak
