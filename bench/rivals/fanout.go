package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"deepstream-fast/bench"
)

const (
	// How many messages may be under way at a rate before the driver waits: many more than when saturated, so
	// that a pause of somebody else's process is made up for, and so few that 1 KiB each stay below 256 MiB.
	rateWindowMax     = 4096
	rateDeliveriesMax = 1 << 18

	// keptUp is the share of the rate below which a contestant counts as fallen behind; the time that the last
	// messages take to land costs everybody some of it.
	keptUp = 0.9
)

// fanoutTables are the tables of events and memory. Each load has one row.
type fanoutTables struct {
	cpu, latency, memory bench.Versus
	details              bench.Comparison
}

// newFanoutTables prepares tables of servers, with a column for each.
func newFanoutTables(servers []bench.Server) fanoutTables {
	var below, others []string
	for _, s := range servers {
		switch {
		case slices.Contains(floors, s):
			below = append(below, string(s))
		case s != bench.Fast:
			others = append(others, string(s))
		}
	}
	base := string(bench.Fast)
	return fanoutTables{
		cpu:     bench.Versus{Title: "load", Value: "CPU µs/delivery", Digits: 3, Base: base, Floors: below, Others: others},
		latency: bench.Versus{Title: "load", Given: "messages/s", Value: "p99 µs", Base: base, Floors: below, Others: others},
		memory:  bench.Versus{Title: "resident memory of", Value: "bytes", Base: base, Others: others},
		details: bench.Comparison{Base: base},
	}
}

// runFanout measures events and memory once.
func (p *plan) runFanout() {
	saturation := map[string]float64{} // of ours in this run, messages per second, by shape
	for _, mode := range p.modes {
		for _, payload := range p.payloads {
			for _, n := range p.subs {
				c := bench.Case{Mode: mode, Subscribers: n, PayloadBytes: payload}
				if mode == bench.Rate {
					p.atShare(c, saturation)
					continue
				}
				samples := p.alternate(&p.tables.details, title(c), p.servers, func(s bench.Server) (bench.Sample, error) {
					return p.measureEvents(c, s)
				})
				p.relate(&p.tables.cpu, title(c), samples, func(s bench.Sample) float64 { return s.CPU / 1e3 })
				if ours, ok := samples[bench.Fast]; ok && mode == bench.Saturated {
					saturation[shape(c)] = ours.PerSecond / float64(n)
				}
			}
		}
	}
	if p.conns > 0 {
		p.weigh()
	}
}

// shape names what saturation depends on.
func shape(c bench.Case) string {
	return fmt.Sprintf("%d subscribers, %d B", c.Subscribers, c.PayloadBytes)
}

func title(c bench.Case) string { return fmt.Sprintf("%s, %s", c.Mode, shape(c)) }

// relate adds one value of every server to a table.
func (p *plan) relate(t *bench.Versus, row string, samples map[bench.Server]bench.Sample, pick func(bench.Sample) float64) {
	for _, s := range p.servers {
		if sample, ok := samples[s]; ok {
			t.Add(row, string(s), pick(sample))
		} else {
			t.Fail(row, string(s))
		}
	}
}

// atShare measures the latency of everybody at the same rate: a share of what we do when saturated, in this run.
func (p *plan) atShare(c bench.Case, saturation map[string]float64) {
	full, ok := saturation[shape(c)]
	if !ok {
		saturated := c
		saturated.Mode = bench.Saturated
		s, err := p.measureEvents(saturated, bench.Fast)
		if err != nil {
			p.note(title(saturated), bench.Fast, err)
			return
		}
		full = s.PerSecond / float64(c.Subscribers)
	}
	rate := p.share * full
	c.Every, c.Window = time.Duration(float64(time.Second)/rate), max(bench.DefaultWindow, min(rateWindowMax, rateDeliveriesMax/c.Subscribers))
	samples := p.alternate(&p.tables.details, title(c), p.servers, func(s bench.Server) (bench.Sample, error) {
		return p.measureEvents(c, s)
	})
	table := &p.tables.latency
	table.Give(shape(c), rate)
	for _, s := range p.servers {
		sample, ok := samples[s]
		kept := sample.PerSecond / (rate * float64(c.Subscribers))
		switch {
		case !ok:
			table.Fail(shape(c), string(s))
		case kept < keptUp:
			table.Behind(shape(c), string(s), kept, sample.Busy)
		default:
			table.Add(shape(c), string(s), sample.P99.Seconds()*1e6)
		}
	}
}

func (p *plan) measureEvents(c bench.Case, server bench.Server) (bench.Sample, error) {
	c.Server = server
	b, err := p.rig.Begin(c)
	if err != nil {
		return bench.Sample{}, err
	}
	defer b.End()
	return warmed(p.warm, p.duration, func(d time.Duration) (bench.Sample, error) { return b.Measure(0, d) })
}

// weigh measures memory once. A floor keeps nothing that is worth weighing, and few names.
func (p *plan) weigh() {
	for _, s := range p.servers {
		if slices.Contains(floors, s) {
			continue
		}
		w, err := p.rig.Weigh(s, p.conns, p.names)
		for _, of := range []struct {
			what  string
			bytes float64
		}{{"an idle connection", w.Conn}, {"a subscription, distinct names", w.Subscription}, {"a subscription, shared names", w.Shared}} {
			if err != nil {
				p.tables.memory.Fail(of.what, string(s))
			} else {
				p.tables.memory.Add(of.what, string(s), of.bytes)
			}
		}
		if err != nil {
			p.note("memory", s, err)
		}
	}
}

// measures reports whether events are measured in one of these modes.
func (p *plan) measures(modes ...bench.Mode) bool {
	return len(p.subs) > 0 && slices.ContainsFunc(modes, func(m bench.Mode) bool { return slices.Contains(p.modes, m) })
}

// write prints the tables of what was measured, and what was not.
func (p *plan) write(w io.Writer) error {
	t := &p.tables
	for _, table := range []struct {
		about string
		wants bool
		write func(io.Writer) error
	}{
		{"Records, against the official server.", len(p.inFlight) > 0 || p.reads > 0, p.table.Write},
		{"Events: CPU per delivery. A rival is divided by ours, ours is divided by a floor.", p.measures(bench.Saturated, bench.Paced), t.cpu.Write},
		{fmt.Sprintf("Events: p99 of latency at %g of our saturation, the same rate for everybody in a row.", p.share), p.measures(bench.Rate), t.latency.Write},
		{"Memory.", p.conns > 0, t.memory.Write},
		{"Details, of the runs in which nobody failed.", p.details, t.details.Write},
	} {
		if !table.wants {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s\n\n", table.about); err != nil {
			return err
		}
		if err := table.write(w); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	if len(p.failures) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "Failed:\n\n* %s\n", strings.Join(p.failures, "\n* "))
	return err
}
