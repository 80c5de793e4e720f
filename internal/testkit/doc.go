// Package testkit holds what the tests of several packages share: scenario files, the transcript of
// one command's effects, and a clock that moves when a test says so. Only tests import it.
//
// A scenario is a file testdata/*.txt of commands, each followed by its whole effect. Run the test
// of a package with -rewrite to record the effects anew, then review the difference.
//
// # Invariants
//   - One scenario file is one fresh machine; files do not see each other.
//   - An effect that a command has and the file does not list fails the test, and the reverse.
//   - Time passes only in Clock.Advance, and timers fire in the order of their deadlines.
//
// Stability: internal, may change.
package testkit
