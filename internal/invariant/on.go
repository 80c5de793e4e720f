//go:build invariants

package invariant

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"
)

// Enabled reports whether the assertions are compiled in.
const Enabled = true

// Owner checks that one goroutine at a time is inside.
type Owner struct {
	mu        sync.Mutex
	goroutine uint64
	depth     int
}

// Enter notes that the calling goroutine is inside. Calls nest.
func (o *Owner) Enter() {
	id := goroutineID()
	o.mu.Lock()
	defer o.mu.Unlock()
	Assert(o.depth == 0 || o.goroutine == id, "goroutine %d enters what goroutine %d owns", id, o.goroutine)
	o.goroutine = id
	o.depth++
}

// Leave undoes one Enter.
func (o *Owner) Leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.depth--
	Assert(o.depth >= 0, "Leave without Enter")
}

// goroutineID reads the number the runtime prints in a stack trace; there is no other way to it.
func goroutineID() uint64 {
	var buf [32]byte
	line := buf[:runtime.Stack(buf[:], false)]
	fields := bytes.Fields(line)
	id, _ := strconv.ParseUint(string(fields[1]), 10, 64)
	return id
}
