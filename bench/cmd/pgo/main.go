// Command pgo says whether profile-guided optimization pays: it builds the server without and with a
// profile and measures both in turns, fan-out and acknowledged writes.
//
//	go run ./bench/cmd/pgo -runs 10
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"deepstream-fast/bench"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// variants are the contestants: with profile and without, each with a storage and without.
func variants(profile string) []variant {
	return []variant{
		{"off", "off", "off-ack"},
		{"pgo", profile, "pgo-ack"},
	}
}

type variant struct {
	server bench.Server // keeps nothing
	pgo    string       // of go build
	ack    bench.Server // keeps records
}

func run() error {
	runs := flag.Int("runs", 10, "how often everything is measured")
	duration := flag.Duration("time", time.Second, "how long one measurement takes")
	profile := flag.String("profile", "cmd/deepstream-fast/default.pgo", "the profile")
	flag.Parse()
	if *runs < 1 || *duration <= 0 || flag.NArg() > 0 {
		return fmt.Errorf("pgo: -runs and -time must be positive, and there are no arguments")
	}
	path, err := filepath.Abs(*profile)
	if err != nil {
		return fmt.Errorf("pgo: %w", err)
	}
	rig, err := bench.NewRig(false)
	if err != nil {
		return err
	}
	defer rig.Close()
	all := variants(path)
	for _, v := range all {
		start := time.Now()
		if err := rig.AddVariant(v.server, bench.Fast, "-pgo="+v.pgo); err != nil {
			return err
		}
		took := time.Since(start)
		if err := rig.AddVariant(v.ack, bench.FastAck, "-pgo="+v.pgo); err != nil {
			return err
		}
		info, err := os.Stat(rig.Path(string(v.server) + ".bin"))
		if err != nil {
			return fmt.Errorf("pgo: %w", err)
		}
		fmt.Printf("%s: built in %.1f s, %d bytes\n", v.server, took.Seconds(), info.Size())
	}
	if err := rig.Pin(); err != nil { // after the builds, which may use all CPUs
		return err
	}
	return measure(rig, all, *runs, *duration)
}

func measure(rig *bench.Rig, all []variant, runs int, d time.Duration) error {
	table := bench.Comparison{Base: "off"}
	for i := range runs {
		fmt.Fprintf(os.Stderr, "run %d/%d\n", i+1, runs)
		for _, c := range []bench.Case{
			{Mode: bench.Saturated, Subscribers: 10}, {Mode: bench.Saturated, Subscribers: 1000}, {Mode: bench.Paced, Subscribers: 100},
		} {
			for _, v := range turns(all, i) {
				c.Server = v.server
				b, err := rig.Begin(c)
				if err != nil {
					return err
				}
				s, err := b.Measure(0, d)
				b.End()
				if err != nil {
					return err
				}
				table.Add(fmt.Sprintf("%s, %d subscribers", c.Mode, c.Subscribers), string(v.server), s)
			}
		}
		for _, v := range turns(all, i) {
			b, err := rig.BeginWrites(bench.WriteCase{Server: v.ack, Writers: 64, InFlight: 8})
			if err != nil {
				return err
			}
			s, err := b.Measure(0, d)
			b.End()
			if err != nil {
				return err
			}
			table.Add("acknowledged writes", string(v.server), s)
		}
	}
	fmt.Printf("\n%s, %d alternating runs of %v.\n`%s`\n\n", bench.Machine(), runs, d, bench.Command("go run ./bench/cmd/pgo"))
	return table.Write(os.Stdout)
}

// turns returns the contestants in an order that changes with the run, so that none is always second.
func turns(all []variant, run int) []variant {
	if run%2 == 0 {
		return all
	}
	return []variant{all[1], all[0]}
}
