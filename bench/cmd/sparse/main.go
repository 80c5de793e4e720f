// Command sparse prints what a publication costs that reaches three of 10,000 connections, each with 100
// names, and relates it to three bare send() calls and a microsecond. What a send costs is measured in
// the same run, with the C loop F1, which sends every delivery by itself.
//
//	go run ./bench/cmd/sparse -runs 10
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"deepstream-fast/bench"
	"deepstream-fast/bench/load"
)

// allowance is what a publication may cost beside its sends, in ns.
const allowance = 1000

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	runs := flag.Int("runs", 10, "how often everything is measured")
	d := flag.Duration("time", 2*time.Second, "how long one measurement publishes")
	o := load.SparseOptions{}
	flag.IntVar(&o.Conns, "conns", 10_000, "connections")
	flag.IntVar(&o.Names, "names", 100, "names of a connection")
	flag.IntVar(&o.Reach, "reach", 3, "connections that a publication reaches")
	flag.IntVar(&o.Window, "window", bench.DefaultWindow, "publications in flight")
	flag.Parse()
	if *runs < 1 || *d <= 0 || flag.NArg() > 0 {
		return fmt.Errorf("sparse: -runs and -time must be positive, and there are no arguments")
	}
	rig, err := bench.NewRig(true, bench.Fast, bench.F1)
	if err != nil {
		return err
	}
	defer rig.Close()
	var ours, sends, ratios []float64
	for range *runs {
		s, err := rig.MeasureSparse(bench.Fast, o, *d)
		if err != nil {
			return fmt.Errorf("sparse: %w", err)
		}
		send, err := sendCost(rig, o, *d)
		if err != nil {
			return fmt.Errorf("sparse: %w", err)
		}
		ratio := s.CPU / (float64(o.Reach)*send + allowance)
		ours, sends, ratios = append(ours, s.CPU/1e3), append(sends, send/1e3), append(ratios, ratio)
		fmt.Fprintf(os.Stderr, "%.2f µs per publication, %.2f µs per send, %.2f of the budget\n", s.CPU/1e3, send/1e3, ratio)
	}
	fmt.Printf("%s, %d alternating runs of %v.\n`%s`\n\n", bench.Machine(), *runs, *d, bench.Command("go run ./bench/cmd/sparse"))
	for _, row := range []struct {
		name string
		v    []float64
	}{{"CPU µs per publication", ours}, {"CPU µs per send", sends}, {fmt.Sprintf("publication ÷ (%d sends + 1 µs)", o.Reach), ratios}} {
		fmt.Printf("* %s: %s\n", row.name, bench.Spread(row.v, 2))
	}
	return nil
}

// sendCost returns what one of the sends of a publication costs F1, in ns, by the same driver and with as many
// connections: how often the receiver sleeps, and whether its socket is in the processor's caches, is most of
// it. F1 looks names up in a table for a few thousand, so every connection has one, which changes nothing
// about the order of the connections.
func sendCost(rig *bench.Rig, o load.SparseOptions, d time.Duration) (float64, error) {
	o.Names = 1
	s, err := rig.MeasureSparse(bench.F1, o, d)
	return s.CPU / float64(o.Reach), err
}
