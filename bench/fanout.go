package bench

import (
	"cmp"
	"fmt"
	"time"

	"deepstream-fast/bench/load"
)

// Mode is the rhythm in which messages are published.
type Mode string

// The modes. Saturated keeps the window full; paced sends the next message when everybody has the
// last one; rate sends at a fixed rate, whatever comes back, and counts latency from when a message was due.
const (
	Saturated Mode = "saturated"
	Paced     Mode = "paced"
	Rate      Mode = "rate"
)

const (
	// DefaultWindow is how many messages saturation keeps in flight, all publishers together. With it
	// F2 comes to about ten deliveries per write; deeper windows make everybody faster.
	DefaultWindow = 32

	rateEvery = 10 * time.Millisecond
	warmUp    = 200 * time.Millisecond
)

// Case is one cell of the table.
type Case struct {
	Server       Server
	Subscribers  int
	Mode         Mode
	PayloadBytes int  // default 64
	Publishers   int  // default 4
	Window       int  // not paced; default DefaultWindow
	Record       bool // full updates of one record instead of events

	Every time.Duration // rate only: between two messages; default 10 ms
}

// String formats c the way benchstat pivots.
func (c Case) String() string {
	return fmt.Sprintf("server=%s/subs=%d/mode=%s/payload=%dB", c.Server, c.Subscribers, c.Mode, cmp.Or(c.PayloadBytes, 64))
}

func (c Case) load() (load.Load, error) {
	switch c.Mode {
	case Saturated:
		return load.Load{Window: cmp.Or(c.Window, DefaultWindow)}, nil
	case Paced:
		return load.Load{Window: 1}, nil
	case Rate:
		return load.Load{Window: cmp.Or(c.Window, DefaultWindow), Every: cmp.Or(c.Every, rateEvery)}, nil
	}
	return load.Load{}, fmt.Errorf("bench: unknown mode %q, want %s, %s or %s", c.Mode, Saturated, Paced, Rate)
}

// Sample is what one measurement found. Its operations are deliveries of a Case, or whatever else is
// counted.
type Sample struct {
	CPU       float64 // server CPU per operation, ns
	PerSecond float64 // operations
	Busy      float64 // share of the time that the server's CPU was in use by it
	P50, P99  time.Duration
}

// newSample relates what n operations took to one of them.
func newSample(n int, cpu, elapsed time.Duration, latency *load.Histogram) Sample {
	return Sample{
		CPU:       float64(cpu) / float64(n),
		PerSecond: float64(n) / elapsed.Seconds(),
		Busy:      float64(cpu) / float64(elapsed),
		P50:       latency.Quantile(0.50),
		P99:       latency.Quantile(0.99),
	}
}

// Bout is one server under one fleet, ready to be measured.
type Bout struct {
	load    load.Load
	process *Process
	fleet   *load.Fleet
}

// Begin starts the server of c, connects its fleet and warms both up. The caller ends it.
func (r *Rig) Begin(c Case) (*Bout, error) {
	shape, err := c.load()
	if err != nil {
		return nil, err
	}
	p, err := r.Start(c.Server)
	if err != nil {
		return nil, err
	}
	b := &Bout{load: shape, process: p}
	b.fleet, err = load.DialFleet(load.Options{Addr: p.Addr, Subscribers: c.Subscribers, Publishers: c.Publishers, PayloadBytes: c.PayloadBytes, Record: c.Record, Credentials: r.logins[c.Server], Dialect: r.dialects[c.Server]})
	if err != nil {
		b.End()
		return nil, fmt.Errorf("bench: %v: %w\n%s", c, err, p.Stderr())
	}
	if _, err = b.Measure(0, warmUp); err != nil {
		b.End()
		return nil, fmt.Errorf("bench: %v: %w", c, err)
	}
	return b, nil
}

// Measure publishes messages, or for a duration; zero means no such bound. Nothing is in flight
// when the CPU is read, before or after.
func (b *Bout) Measure(messages int, duration time.Duration) (Sample, error) {
	shape := b.load
	shape.Messages, shape.Duration = messages, duration
	before, err := b.process.CPU()
	if err != nil {
		return Sample{}, err
	}
	r, err := b.fleet.Run(shape)
	if err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, b.process.Stderr())
	}
	after, err := b.process.CPU()
	if err != nil {
		return Sample{}, err
	}
	return newSample(r.Deliveries, after-before, r.Elapsed, &r.Latency), nil
}

// End stops the server and closes the fleet.
func (b *Bout) End() {
	b.process.Stop()
	if b.fleet != nil {
		b.fleet.Close()
	}
}
