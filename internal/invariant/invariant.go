// Package invariant holds assertions that exist under the build tag "invariants" only. On a hot
// path wrap a call in "if invariant.Enabled", so that evaluating its arguments vanishes as well.
//
// Under the tag released read buffers are also poisoned, which shows a view that was kept too long.
// Stability: internal, may change.
package invariant

import "fmt"

// Assert panics with the formatted message if cond is false and invariants are enabled. A failure
// is a mistake of ours, never of a peer or of the world.
func Assert(cond bool, format string, args ...any) {
	if Enabled && !cond {
		panic("invariant violated: " + fmt.Sprintf(format, args...))
	}
}

// Poison overwrites b with 0xDB if invariants are enabled.
func Poison(b []byte) {
	if !Enabled {
		return
	}
	for i := range b {
		b[i] = 0xDB
	}
}
