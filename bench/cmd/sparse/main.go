// Command sparse prints what a publication costs that reaches three of 10,000 connections, each with 100
// names, and relates it to three bare send() calls and a microsecond. What a send costs is measured in
// turns of half a second with it: with the C loop F1, which sends every delivery by itself, under the
// same load from the same driver.
//
//	go run ./bench/cmd/sparse -runs 10
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"deepstream-fast/bench"
	"deepstream-fast/bench/load"
)

const (
	allowance = time.Microsecond       // of a publication, beside its sends
	turn      = 500 * time.Millisecond // the machine's speed changes within seconds
	pause     = 100 * time.Millisecond // what the kernel owes a turn, delayed acknowledgements, is not charged to the next
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	runs := flag.Int("runs", 10, "how often everything is measured, each time on fresh servers")
	d := flag.Duration("time", 2*time.Second, "how long one run publishes to each server")
	o := load.SparseOptions{}
	flag.IntVar(&o.Conns, "conns", 10_000, "connections")
	flag.IntVar(&o.Names, "names", 100, "names of a connection")
	flag.IntVar(&o.Reach, "reach", 3, "connections that a publication reaches")
	flag.IntVar(&o.Window, "window", bench.DefaultWindow, "publications in flight")
	flag.Parse()
	if *runs < 1 || *d < turn || flag.NArg() > 0 {
		return fmt.Errorf("sparse: -runs must be positive, -time %v or more, and there are no arguments", turn)
	}
	rig, err := bench.NewRig(true, bench.Fast, bench.F1)
	if err != nil {
		return err
	}
	defer rig.Close()
	var ours, sends, ratios []float64
	for range *runs {
		publication, send, err := measure(rig, o, *d)
		if err != nil {
			return fmt.Errorf("sparse: %w", err)
		}
		budget := time.Duration(o.Reach)*send + allowance
		ratio := float64(publication) / float64(budget)
		ours, sends, ratios = append(ours, float64(publication)/1e3), append(sends, float64(send)/1e3), append(ratios, ratio)
		fmt.Fprintf(os.Stderr, "%v per publication, %v per send, %.2f of the budget\n", publication, send, ratio)
	}
	fmt.Printf("%s, %d runs of %v each, in turns of %v.\n`%s`\n\n", bench.Machine(), *runs, *d, turn, bench.Command("go run ./bench/cmd/sparse"))
	for _, row := range []struct {
		name string
		v    []float64
	}{{"CPU µs per publication", ours}, {"CPU µs per send", sends}, {fmt.Sprintf("publication ÷ (%d sends + 1 µs)", o.Reach), ratios}} {
		fmt.Printf("* %s: %s\n", row.name, bench.Spread(row.v, 2))
	}
	return nil
}

// measure returns the CPU time of one of our publications and of one send of F1.
func measure(rig *bench.Rig, o load.SparseOptions, d time.Duration) (publication, send time.Duration, err error) {
	var servers [2]*bench.SparseBout
	for i, s := range []bench.Server{bench.Fast, bench.F1} {
		if s == bench.F1 {
			if o, err = floorLoad(o); err != nil {
				return 0, 0, err
			}
		}
		if servers[i], err = rig.BeginSparse(s, o); err != nil {
			return 0, 0, err
		}
		defer servers[i].End()
	}
	var publications [2]int
	var cpu [2]time.Duration
	for range d / turn {
		for i, s := range servers {
			<-time.After(pause)
			n, took, err := s.Measure(turn)
			if err != nil {
				return 0, 0, err
			}
			if n == 0 {
				return 0, 0, fmt.Errorf("no publication arrived within %v", turn)
			}
			publications[i] += n
			cpu[i] += took
		}
	}
	return cpu[0] / time.Duration(publications[0]), cpu[1] / time.Duration(publications[1]*o.Reach), nil
}

// floorLoad returns o for F1. It looks names up in a table for a few thousand, so every connection has one,
// which changes nothing about the order of the connections. And it has as many connections as this process
// has descriptors left for, if that is less: a few in a hundred change nothing either, more is an error.
func floorLoad(o load.SparseOptions) (load.SparseOptions, error) {
	const others = 100 // descriptors
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return o, err
	}
	conns := min(o.Conns, int(limit.Cur)-others-o.Conns)
	if conns < o.Conns-o.Conns/20 {
		return o, fmt.Errorf("%d connections to each of two servers need %d descriptors, and this process may have %d", o.Conns, 2*o.Conns+others, limit.Cur)
	}
	o.Names, o.Conns = 1, conns
	return o, nil
}
