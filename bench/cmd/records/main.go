// Command records prints what records cost end to end, over WebSockets: acknowledged writes with each
// durability, and updates of one record against events, both with as many subscribers.
//
//	go run ./bench/cmd/records -runs 10
//
// It builds the server from the working tree and pins it to one CPU and itself to another. Contestants
// take turns within a run. It fails when an acknowledgement, an update or an event is lost, repeated or
// out of order, or when a record is not what was acknowledged last. TMPDIR chooses the disk.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"deepstream-fast/bench"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// plan is what a run measures.
type plan struct {
	rig      *bench.Rig
	duration time.Duration
	write    bench.WriteCase
	inFlight []int
	fan      bench.Case

	writes, fanout bench.Comparison
}

func run() error {
	runs := flag.Int("runs", 10, "how often everything is measured")
	p := plan{
		writes: bench.Comparison{Base: string(bench.FastNone)},
		fanout: bench.Comparison{Base: events},
	}
	flag.DurationVar(&p.duration, "time", 2*time.Second, "how long one measurement writes or publishes")
	flag.IntVar(&p.write.Writers, "writers", 64, "writing connections, one write of a record in flight each; 0: no writes")
	flag.IntVar(&p.write.Bytes, "bytes", 200, "bytes of JSON text per document")
	inFlight := flag.String("inflight", "1,8", "writes of a connection that wait for their acknowledgement, each of another record")
	flag.IntVar(&p.fan.Subscribers, "subs", 1000, "subscribers of the one record, and of the event; 0: no fan-out")
	flag.IntVar(&p.fan.PayloadBytes, "payload", 64, "bytes of JSON text that is fanned out")
	flag.Parse()
	if *runs < 1 || p.duration <= 0 || flag.NArg() > 0 {
		return fmt.Errorf("records: -runs and -time must be positive, and there are no arguments")
	}
	for text := range strings.SplitSeq(*inFlight, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("records: -inflight: %w", err)
		}
		p.inFlight = append(p.inFlight, n)
	}
	var err error
	if p.rig, err = bench.NewRig(true, bench.FastAck, bench.FastInterval, bench.FastNone); err != nil {
		return err
	}
	defer p.rig.Close()
	sync, err := p.rig.SyncTime()
	if err != nil {
		return err
	}
	for i := range *runs {
		fmt.Fprintf(os.Stderr, "run %d/%d\n", i+1, *runs)
		if err := p.run(); err != nil {
			return fmt.Errorf("records: %w", err)
		}
	}
	fmt.Printf("%s. An fdatasync takes %v; %d runs of %v.\n`%s`\n\n", bench.Machine(), sync, *runs, p.duration, bench.Command("go run ./bench/cmd/records"))
	return p.print()
}

// run measures everything once.
func (p *plan) run() error {
	if p.write.Writers > 0 {
		for _, c := range p.writeCases() {
			if err := p.measureWrites(c); err != nil {
				return err
			}
		}
	}
	if p.fan.Subscribers > 0 {
		for _, mode := range []bench.Mode{bench.Saturated, bench.Paced} {
			for _, who := range []string{events, updates} {
				if err := p.measureFanout(mode, who); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *plan) writeCases() []bench.WriteCase {
	var cases []bench.WriteCase
	for _, n := range p.inFlight {
		for _, s := range []bench.Server{bench.FastAck, bench.FastInterval, bench.FastNone} {
			c := p.write
			c.Server, c.InFlight = s, n
			cases = append(cases, c)
		}
	}
	return cases
}

func (p *plan) measureWrites(c bench.WriteCase) error {
	b, err := p.rig.BeginWrites(c)
	if err != nil {
		return err
	}
	defer b.End()
	s, err := b.Measure(0, p.duration)
	if err != nil {
		return fmt.Errorf("%v: %w", c, err)
	}
	p.writes.Add(fmt.Sprintf("%d × %d in flight", c.Writers, c.InFlight), string(c.Server), s)
	return nil
}

// The contestants of the fan-out.
const (
	events  = "events"
	updates = "updates"
)

func (p *plan) measureFanout(mode bench.Mode, who string) error {
	c := p.fan
	c.Server, c.Mode, c.Record = bench.FastAck, mode, who == updates
	b, err := p.rig.Begin(c)
	if err != nil {
		return err
	}
	defer b.End()
	s, err := b.Measure(0, p.duration)
	if err != nil {
		return fmt.Errorf("%v of %s: %w", c, who, err)
	}
	p.fanout.Add(fmt.Sprintf("%s, %d subscribers", mode, c.Subscribers), who, s)
	return nil
}

func (p *plan) print() error {
	if p.write.Writers > 0 {
		fmt.Printf("Acknowledged writes of %d bytes:\n\n", p.write.Bytes)
		if err := p.writes.Write(os.Stdout); err != nil {
			return err
		}
	}
	if p.fan.Subscribers > 0 {
		fmt.Printf("\nDeliveries of %d bytes, durability ack:\n\n", p.fan.PayloadBytes)
		return p.fanout.Write(os.Stdout)
	}
	return nil
}
