package bench

import (
	"fmt"
	"time"

	"deepstream-fast/bench/load"
)

// WriteCase is acknowledged writes of 200-byte documents by a number of connections.
type WriteCase struct {
	Server   Server
	Writers  int // default 64
	InFlight int // of each writer, every one of another record; default 1
	Records  int // of each writer; default InFlight
	Bytes    int // JSON text of a document; default 200
}

// String formats c the way benchstat pivots.
func (c WriteCase) String() string {
	return fmt.Sprintf("server=%s/writers=%d/inflight=%d/doc=%dB", c.Server, c.Writers, c.InFlight, c.Bytes)
}

// WriteBout is one server under one set of writers, ready to be measured.
type WriteBout struct {
	process *Process
	writers *load.Writers
}

// BeginWrites starts the server of c, connects its writers and warms both up. The caller ends it.
func (r *Rig) BeginWrites(c WriteCase) (*WriteBout, error) {
	p, err := r.Start(c.Server)
	if err != nil {
		return nil, err
	}
	b := &WriteBout{process: p}
	b.writers, err = load.DialWriters(load.WriterOptions{
		Addr: p.Addr, Writers: c.Writers, InFlight: c.InFlight, Records: c.Records, Bytes: c.Bytes,
	})
	if err == nil {
		_, err = b.Measure(0, warmUp)
	}
	if err != nil {
		b.End()
		return nil, fmt.Errorf("bench: %v: %w\n%s", c, err, p.Stderr())
	}
	return b, nil
}

// Measure writes that often, or for a duration; zero means no such bound. Nothing is in flight when the
// CPU is read, before or after, and afterwards every record is what was acknowledged.
func (b *WriteBout) Measure(writes int, duration time.Duration) (Sample, error) {
	before, err := b.process.CPU()
	if err != nil {
		return Sample{}, err
	}
	r, err := b.writers.Run(writes, duration)
	if err != nil {
		return Sample{}, err
	}
	after, err := b.process.CPU()
	if err != nil {
		return Sample{}, err
	}
	if _, err := b.writers.Check(); err != nil {
		return Sample{}, err
	}
	return newSample(r.Writes, after-before, r.Elapsed, &r.Latency), nil
}

// Fill writes every record once.
func (b *WriteBout) Fill() error {
	_, err := b.writers.Run(len(b.writers.Names()), 0)
	return err
}

// MeasureReads has new connections, one after the other, subscribe to all records in one message and
// take all the answers. An operation is a record answered; the latencies are of the whole.
func (b *WriteBout) MeasureReads(times int) (Sample, error) {
	before, err := b.process.CPU()
	if err != nil {
		return Sample{}, err
	}
	var latency load.Histogram
	var elapsed time.Duration
	for range times {
		took, err := b.writers.Check()
		if err != nil {
			return Sample{}, err
		}
		latency.Add(took, 1)
		elapsed += took
	}
	after, err := b.process.CPU()
	if err != nil {
		return Sample{}, err
	}
	return newSample(times*len(b.writers.Names()), after-before, elapsed, &latency), nil
}

// End stops the server and closes the writers.
func (b *WriteBout) End() {
	b.process.Stop()
	if b.writers != nil {
		b.writers.Close()
	}
}
