// Package hostile attacks the built server from outside: raw sockets that break every rule, while an
// innocent publisher and its subscribers on the same server must notice nothing.
//
// # Invariants
//   - Nothing here looks into the server: what counts is what clients see, its exit code, its log, and
//     what the kernel says about its memory and descriptors.
//   - Every attack runs beside an innocent pair, and ends with a server that still lets people in,
//     leaves on SIGTERM with exit code 0 and has logged no panic, failed assertion or data race.
//   - The server is built like the tests are: with -race if they are, with the invariants tag if they
//     have it.
//
// Cost: about half a minute on two CPUs. Stability: internal, may change.
package hostile
