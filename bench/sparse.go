package bench

import (
	"fmt"
	"time"

	"deepstream-fast/bench/load"
)

// sparseWarmUp lets ten thousand connections have some deliveries each: the first one to a connection costs
// the kernel many times that of a later one.
const sparseWarmUp = 3 * time.Second

// SparseBout is one server and connections of which every publication reaches a few, ready to be measured.
type SparseBout struct {
	process *Process
	load    *load.Sparse
}

// BeginSparse starts the server, connects and subscribes everybody and warms both up. The caller ends it.
func (r *Rig) BeginSparse(server Server, o load.SparseOptions) (*SparseBout, error) {
	p, err := r.Start(server)
	if err != nil {
		return nil, err
	}
	b := &SparseBout{process: p}
	o.Addr = p.Addr
	if b.load, err = load.DialSparse(o); err == nil {
		_, _, err = b.load.Run(sparseWarmUp)
	}
	if err != nil {
		b.End()
		return nil, fmt.Errorf("bench: %s: %w\n%s", server, err, p.Stderr())
	}
	return b, nil
}

// Measure publishes for d and returns how many publications were delivered and the server's CPU time meanwhile.
// Nothing is in flight before or after.
func (b *SparseBout) Measure(d time.Duration) (publications int, cpu time.Duration, err error) {
	before, err := b.process.CPU()
	if err != nil {
		return 0, 0, err
	}
	if publications, _, err = b.load.Run(d); err != nil {
		return 0, 0, fmt.Errorf("bench: %w\n%s", err, b.process.Stderr())
	}
	after, err := b.process.CPU()
	return publications, after - before, err
}

// End closes the connections and stops the server.
func (b *SparseBout) End() {
	if b.load != nil {
		b.load.Close()
	}
	b.process.Stop()
}
