package httpapi

import (
	"crypto/rand"
	"strconv"
	"sync/atomic"
)

// ids makes correlation ids for calls: no two of a process are alike, and those of two processes hardly
// ever. The zero value is not ready.
type ids struct {
	prefix string
	last   atomic.Uint64
}

func (g *ids) init() { g.prefix = "http-" + rand.Text()[:8] + "-" }

func (g *ids) next() []byte {
	return strconv.AppendUint(append(make([]byte, 0, 24), g.prefix...), g.last.Add(1), 36)
}
