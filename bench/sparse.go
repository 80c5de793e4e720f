package bench

import (
	"fmt"
	"time"

	"deepstream-fast/bench/load"
)

// sparseWarmUp lets ten thousand connections have some deliveries each: the first one to a connection costs
// the kernel many times that of a later one.
const sparseWarmUp = 3 * time.Second

// MeasureSparse has every publication reach a few of many connections. An operation is a publication.
func (r *Rig) MeasureSparse(server Server, o load.SparseOptions, d time.Duration) (Sample, error) {
	p, err := r.Start(server)
	if err != nil {
		return Sample{}, err
	}
	defer p.Stop()
	o.Addr = p.Addr
	s, err := load.DialSparse(o)
	if err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, p.Stderr())
	}
	defer s.Close()
	if _, _, err := s.Run(sparseWarmUp); err != nil {
		return Sample{}, err
	}
	before, err := p.CPU()
	if err != nil {
		return Sample{}, err
	}
	n, elapsed, err := s.Run(d)
	if err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, p.Stderr())
	}
	after, err := p.CPU()
	return newSample(n, after-before, elapsed, &load.Histogram{}), err
}
