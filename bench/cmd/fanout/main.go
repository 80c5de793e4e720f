// Command fanout prints the fan-out table of the README: server CPU per delivered message of
// deepstream-fast and of the two C floors, measured in alternation, with medians and ratios.
//
//	go run ./bench/cmd/fanout -runs 10
//
// It builds all three from the working tree, pins the server to one CPU and itself to another, and
// fails when a single delivery is lost, repeated or out of order.
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

func run() error {
	runs := flag.Int("runs", 10, "how often every cell is measured")
	duration := flag.Duration("time", time.Second, "how long one measurement publishes")
	servers := flag.String("servers", "fast,f1,f2", "which servers, in the order of their turns")
	modes := flag.String("modes", "saturated,paced", "which loads: saturated, paced, rate")
	subs := flag.String("subs", "10,100,1000", "numbers of subscribers")
	cell := bench.Case{}
	flag.IntVar(&cell.PayloadBytes, "payload", 64, "bytes of JSON text per message")
	flag.IntVar(&cell.Publishers, "publishers", 4, "publishing connections")
	flag.IntVar(&cell.Window, "window", bench.DefaultWindow, "messages in flight when saturated")
	flag.Parse()
	if *runs < 1 || *duration <= 0 || flag.NArg() > 0 {
		return fmt.Errorf("fanout: -runs and -time must be positive, and there are no arguments")
	}

	table := bench.Table{}
	for s := range strings.SplitSeq(*servers, ",") {
		table.Servers = append(table.Servers, bench.Server(s))
	}
	cases, err := grid(cell, *modes, *subs)
	if err != nil {
		return err
	}
	rig, err := bench.NewRig(true, table.Servers...)
	if err != nil {
		return err
	}
	defer rig.Close()
	for i := range *runs {
		for _, c := range cases {
			for _, c.Server = range table.Servers {
				s, err := measure(rig, c, *duration)
				if err != nil {
					return err
				}
				table.Add(c, s)
				fmt.Fprintf(os.Stderr, "run %d/%d %v: %.3f µs/delivery\n", i+1, *runs, c, s.CPU/1e3)
			}
		}
	}
	fmt.Println(provenance(cell, *runs, *duration))
	return table.Write(os.Stdout)
}

// grid returns cell in every mode with every number of subscribers.
func grid(cell bench.Case, modes, subs string) ([]bench.Case, error) {
	var cases []bench.Case
	for mode := range strings.SplitSeq(modes, ",") {
		for n := range strings.SplitSeq(subs, ",") {
			var err error
			cell.Mode = bench.Mode(mode)
			if cell.Subscribers, err = strconv.Atoi(n); err != nil {
				return nil, fmt.Errorf("fanout: -subs: %w", err)
			}
			cases = append(cases, cell)
		}
	}
	return cases, nil
}

func measure(rig *bench.Rig, c bench.Case, d time.Duration) (bench.Sample, error) {
	b, err := rig.Begin(c)
	if err != nil {
		return bench.Sample{}, err
	}
	defer b.End()
	s, err := b.Measure(0, d)
	if err != nil {
		return s, fmt.Errorf("fanout: %v: %w", c, err)
	}
	return s, nil
}

// provenance says where the numbers come from: without it they mean nothing.
func provenance(c bench.Case, runs int, d time.Duration) string {
	return fmt.Sprintf("%s. %d publishers, %d-byte payload, window %d, %d alternating runs of %v.\n`%s`\n",
		bench.Machine(), c.Publishers, c.PayloadBytes, c.Window, runs, d, bench.Command("go run ./bench/cmd/fanout"))
}
