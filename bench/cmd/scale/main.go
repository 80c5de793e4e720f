// Command scale prints what many connections with many subscriptions cost a server, and what it takes
// when all of them drop and come back at once.
//
//	go run ./bench/cmd/scale -conns 100000 -subs 5000000
//
// It builds the server from the working tree and pins it to one CPU and itself to another. Every 10,000
// connections come from an address of their own, from 127.0.0.1 on. Server and driver need two
// descriptors per connection, because the server sees new ones before it has seen to the old ones; the
// limit is raised, beyond the hard one too if this process may.
package main

import (
	"flag"
	"fmt"
	"os"

	"deepstream-fast/bench"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	c := bench.ScaleCase{}
	flag.IntVar(&c.Conns, "conns", 10_000, "connections")
	flag.IntVar(&c.Subs, "subs", 500_000, "subscriptions, all connections together")
	flag.IntVar(&c.Shared, "shared", 1, "connections that subscribe to the same names")
	runs := flag.Int("runs", 1, "how often everything is measured, each time on a fresh server")
	flag.Parse()
	if *runs < 1 || flag.NArg() > 0 {
		return fmt.Errorf("scale: -runs must be positive, and there are no arguments")
	}
	rig, err := bench.NewRig(true, bench.Fast)
	if err != nil {
		return err
	}
	defer rig.Close()
	var all [][]bench.Phase
	for i := range *runs {
		fmt.Fprintf(os.Stderr, "run %d/%d\n", i+1, *runs)
		phases, err := rig.Scale(c)
		if err != nil {
			return err
		}
		all = append(all, phases)
	}
	fmt.Printf("%s, %d runs.\n`%s`\n\n", bench.Machine(), *runs, bench.Command("go run ./bench/cmd/scale"))
	return bench.WriteScale(os.Stdout, c, all)
}
